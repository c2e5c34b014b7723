/* SPDX-License-Identifier: Apache-2.0 */
#include "notes.h"

#include <inttypes.h>
#include <netdb.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const char *const advice[LOAD_CAUSE_COUNT] = {
    [LOAD_CAUSE_REFUSED] = "nobody listens there: is the service up, and this its port?",
    [LOAD_CAUSE_UNREACHABLE] = "there is no way to it: check routes and network policies",
    [LOAD_CAUSE_CONNECT_TIMEOUT] =
        "no connection within the limit: is the host up, its listen queue long enough, and does "
        "no firewall drop packets?",
    [LOAD_CAUSE_CONNECT_RESET] = "connections are accepted and ended before their first answer: "
                                 "look for a limit of connections, or for TLS on one side only",
    [LOAD_CAUSE_NO_PORT] = "every local port towards it is taken: use fewer connections, more "
                           "targets, more source addresses (--source) or a wider "
                           "net.ipv4.ip_local_port_range",
    [LOAD_CAUSE_NO_DESCRIPTOR] =
        "no file descriptor is free: raise the limit (ulimit -n) or use fewer connections",
    [LOAD_CAUSE_TLS] = "the TLS handshake failed",
    [LOAD_CAUSE_OTHER] = "the connection could not be made",
    [LOAD_CAUSE_SILENT] = "not a byte of the response came within the timeout: look for what the "
                          "target waits for",
    [LOAD_CAUSE_STALLED] = "the response began, but did not end within the timeout",
    [LOAD_CAUSE_RESET] = "the target, or something on the way, reset the connection: look for "
                         "crashes and limits in its log",
    [LOAD_CAUSE_CLOSED] = "the target closed the connection before the whole response: look for "
                          "crashes, or for a keep-alive shorter than its clients'",
    [LOAD_CAUSE_DNS] = "the name did not resolve: is it right, and does its name server answer?",
    [LOAD_CAUSE_PROXY] = "the proxy did not connect: look into its log for what it refuses, or "
                         "cannot reach",
    [LOAD_CAUSE_REPLY] = "the target answered by an error",
    [LOAD_CAUSE_NOT_HTTP2] = "the target answered by another HTTP than was asked for: does it "
                             "offer h2 (ALPN) on this port?",
    [LOAD_CAUSE_SESSION] = "the target took the connection, but opened no session on it",
    [LOAD_CAUSE_BEHIND] = "they were under way on a connection behind a request that ended it (by "
                          "its timeout, or its response): whether the target did them is unknown",
};

void load_troubles_add(struct load_troubles *troubles, const struct load_pool *pool)
{
    for (int i = 0; i < LOAD_CAUSE_COUNT; i++) {
        troubles->refusals[i].attempts += pool->refusals[i].attempts;
        if (troubles->refusals[i].address == NULL)
            troubles->refusals[i].address = pool->refusals[i].address;
        if (troubles->whys[i][0] == '\0')
            memcpy(troubles->whys[i], pool->whys[i], sizeof troubles->whys[i]);
    }
}

static void add(struct load_result *result, char *note)
{
    result->notes = base_reallocarray(result->notes, result->note_count + 1, sizeof *result->notes);
    result->notes[result->note_count++] = note;
}

static char *address_text(const struct load_address *address)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const struct sockaddr *any = (const struct sockaddr *)(const void *)&address->storage;
    if (getnameinfo(any, address->len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return base_str_dup("the target");
    bool v6 = any->sa_family == AF_INET6;
    return base_str_printf("%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static void add_cause(struct load_result *result, enum load_cause cause,
                      const struct load_troubles *troubles)
{
    const struct load_refusals *refusals = &troubles->refusals[cause];
    uint64_t requests = result->total.causes[cause];
    const char *failure = load_failure_name(load_cause_failure(cause));
    const char *why = troubles->whys[cause];
    const char *what = why[0] != '\0' ? why : advice[cause];
    if (refusals->attempts == 0) {
        add(result, base_str_printf("%s (%s): %" PRIu64 " requests failed: %s", failure,
                                    load_cause_name(cause), requests, what));
        return;
    }
    BASE_AUTO_FREE char *where = address_text(refusals->address);
    add(result, base_str_printf("%s (%s): %" PRIu64 " requests and %" PRIu64
                                " attempts to connect failed, the first to %s: %s",
                                failure, load_cause_name(cause), requests, refusals->attempts,
                                where, what));
}

void load_notes_write(struct load_result *result, const struct load_tls_spec *tls,
                      const struct load_troubles *troubles)
{
    if (tls->server_name != NULL && tls->insecure)
        add(result, base_str_dup("INSECURE: TLS certificates were not verified, so that whoever "
                                 "answered need not be the target"));
    for (int i = 0; i < LOAD_CAUSE_COUNT; i++)
        if (result->total.causes[i] > 0 || troubles->refusals[i].attempts > 0)
            add_cause(result, (enum load_cause)i, troubles);
}

char *load_notes_verified(const struct load_tls_spec *tls)
{
    if (tls->insecure)
        return base_str_dup("nothing");
    return base_str_dup(tls->ca_file != NULL ? tls->ca_file : "system authorities");
}
