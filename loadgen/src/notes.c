/* SPDX-License-Identifier: Apache-2.0 */
#include "notes.h"

#include <inttypes.h>
#include <netdb.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const char *const advice[LOAD_CAUSE_COUNT] = {
    [LOAD_CAUSE_REFUSED] = "nobody listens there: is the service up, and this where it listens?",
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
    [LOAD_CAUSE_GOAWAY] =
        "the target ended connections while requests were on their way, and did not serve these: "
        "look for a limit of requests a connection (nginx: keepalive_requests), or for restarts",
    [LOAD_CAUSE_REFUSED_STREAM] = "the target refused streams unserved (REFUSED_STREAM): look for "
                                  "its limits of streams and of load",
    [LOAD_CAUSE_STREAM_RESET] = "the target gave single streams up: look into its log for why",
    [LOAD_CAUSE_UNUSABLE] = "connections are made, but the first request on each fails, as the "
                            "other failures say; all of them waited to be tried again",
};

static const int statuses_listed = 8; /* of one class */

/* Behind the words of the target. */
static const char session_advice[] =
    " (check user, password and database or virtual host, and that the tables, queues and "
    "exchanges of all routes are there: they are never made)";

static void add_streams(struct load_stream_troubles *sum, const struct load_stream_troubles *more)
{
    if (more->allowed > 0 && (sum->allowed == 0 || more->allowed < sum->allowed))
        sum->allowed = more->allowed;
    sum->lost += more->lost;
    sum->most = more->most > sum->most ? more->most : sum->most;
}

void load_troubles_add(struct load_troubles *troubles, const struct load_pool *pool)
{
    for (int i = 0; i < LOAD_CAUSE_COUNT; i++) {
        troubles->refusals[i].attempts += pool->refusals[i].attempts;
        if (troubles->refusals[i].address == NULL)
            troubles->refusals[i].address = pool->refusals[i].address;
        if (troubles->whys[i][0] == '\0')
            memcpy(troubles->whys[i], pool->whys[i], sizeof troubles->whys[i]);
    }
    if (troubles->malformed[0] == '\0')
        memcpy(troubles->malformed, pool->malformed, sizeof troubles->malformed);
    add_streams(&troubles->streams, &pool->streams);
    for (unsigned i = 0; i < LOAD_STATUSES; i++)
        troubles->statuses[i] += pool->statuses[i];
    troubles->deliveries.foreign += pool->deliveries.foreign;
    troubles->deliveries.again += pool->deliveries.again;
    troubles->deliveries.cancelled += pool->deliveries.cancelled;
}

static void add(struct load_result *result, char *note)
{
    result->notes = base_reallocarray(result->notes, result->note_count + 1, sizeof *result->notes);
    result->notes[result->note_count++] = note;
}

/* Where somebody else connects, or nobody by an address, it has none. */
static const char *middle_text(const struct load_spec *spec, enum load_cause cause)
{
    if (spec->proxy != NULL)
        return cause == LOAD_CAUSE_TLS ? "the target" : "the proxy";
    return spec->unix_socket != NULL ? spec->unix_socket : "the target";
}

static char *address_text(const struct load_address *address, const char *otherwise)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const struct sockaddr *any = (const struct sockaddr *)(const void *)&address->storage;
    if (getnameinfo(any, address->len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return base_str_dup(otherwise);
    bool v6 = any->sa_family == AF_INET6;
    return base_str_printf("%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static void add_cause(struct load_result *result, const struct load_spec *spec,
                      enum load_cause cause, const struct load_troubles *troubles)
{
    const struct load_refusals *refusals = &troubles->refusals[cause];
    uint64_t requests = result->total.causes[cause];
    const char *failure = load_failure_name(load_cause_failure(cause));
    const char *why = troubles->whys[cause];
    bool coded = why[0] != '\0' && (cause == LOAD_CAUSE_GOAWAY || cause == LOAD_CAUSE_STREAM_RESET);
    const char *what = why[0] != '\0' && !coded ? why : advice[cause];
    if (refusals->attempts == 0) {
        add(result,
            base_str_printf("%s (%s): %" PRIu64 " requests failed: %s%s%s%s", failure,
                            load_cause_name(cause), requests, what, coded ? " (the first: " : "",
                            coded ? why : "", coded ? ")" : ""));
        return;
    }
    BASE_AUTO_FREE char *where = address_text(refusals->address, middle_text(spec, cause));
    bool session = cause == LOAD_CAUSE_SESSION;
    add(result, base_str_printf("%s (%s): %" PRIu64 " requests and %" PRIu64
                                " attempts to connect failed, the first to %s: %s%s",
                                failure, load_cause_name(cause), requests, refusals->attempts,
                                where, what, session ? session_advice : ""));
}

static void note_streams(struct load_result *result, const struct load_stream_troubles *streams)
{
    if (streams->allowed > 0)
        add(result, base_str_printf("the target allows %" PRIu32 " streams at once on a "
                                    "connection, fewer than were asked for: what found none "
                                    "waited for one",
                                    streams->allowed));
    if (streams->lost > 0)
        add(result, base_str_printf("%" PRIu64 " connections were lost with requests under way, "
                                    "up to %zu of them on one",
                                    streams->lost, streams->most));
}

static void note_malformed(struct load_result *result, const char *what)
{
    uint64_t malformed = result->total.failed[LOAD_FAIL_PROTOCOL];
    if (malformed > 0 && what[0] != '\0')
        add(result, base_str_printf("%s: %" PRIu64 " requests failed: what came was not right "
                                    "(the first: %s)",
                                    load_failure_name(LOAD_FAIL_PROTOCOL), malformed, what));
    else if (malformed > 0)
        add(result, base_str_printf("%s: %" PRIu64 " requests failed: what came is not what the "
                                    "URL's protocol allows: are its scheme and port right?",
                                    load_failure_name(LOAD_FAIL_PROTOCOL), malformed));
}

/* "http_4xx: 7 requests failed by status 404 (5), 429 (2): ..." */
static void note_status(struct load_result *result, enum load_failure failure, const char *what,
                        const uint64_t statuses[static LOAD_STATUSES])
{
    BASE_AUTO_BUF struct base_buf text;
    int listed = 0;
    base_buf_init(&text, 4096);
    base_buf_printf(&text, "%s: %" PRIu64 " requests failed by status", load_failure_name(failure),
                    result->total.failed[failure]);
    for (unsigned i = 400; i < LOAD_STATUSES; i++) {
        if (statuses[i] == 0 || load_failure_of_status(i) != failure)
            continue;
        if (listed == statuses_listed)
            base_buf_str(&text, " and others");
        if (listed++ < statuses_listed)
            base_buf_printf(&text, "%s %u (%" PRIu64 ")", listed > 1 ? "," : "", i, statuses[i]);
    }
    base_buf_printf(&text, ": %s", what);
    if (listed > 0 && !text.failed)
        add(result, base_str_dup(text.data));
}

static void note_deliveries(struct load_result *result, const struct load_delivery_troubles *met)
{
    if (met->foreign > 0)
        add(result, base_str_printf("%" PRIu64 " messages were delivered that others had published "
                                    "(with an exchange and a key, every connection's queue gets "
                                    "what all of them publish)",
                                    met->foreign));
    if (met->again > 0)
        add(result, base_str_printf("%" PRIu64 " messages were delivered again, or behind the end "
                                    "of their request",
                                    met->again));
    if (met->cancelled > 0)
        add(result, base_str_printf("the broker cancelled %" PRIu64 " consumers: look for who "
                                    "deletes their queues",
                                    met->cancelled));
}

void load_notes_write(struct load_result *result, const struct load_spec *spec,
                      const struct load_troubles *troubles)
{
    const uint64_t *statuses = troubles->statuses;
    if (spec->tls.server_name != NULL && spec->tls.insecure)
        add(result, base_str_dup("INSECURE: TLS certificates were not verified, so that whoever "
                                 "answered need not be the target"));
    for (int i = 0; i < LOAD_CAUSE_COUNT; i++)
        if (result->total.causes[i] > 0 || troubles->refusals[i].attempts > 0)
            add_cause(result, spec, (enum load_cause)i, troubles);
    note_status(result, LOAD_FAIL_HTTP_4XX,
                "the target took them for wrong: check path, headers, login and its limits of rate",
                statuses);
    note_status(result, LOAD_FAIL_HTTP_5XX, "look into the target's log for why", statuses);
    note_status(result, LOAD_FAIL_STATUS, "HTTP has no such status", statuses);
    note_malformed(result, troubles->malformed);
    note_streams(result, &troubles->streams);
    note_deliveries(result, &troubles->deliveries);
}

void load_notes_short(struct load_result *result, uint64_t begun, uint64_t asked)
{
    add(result, base_str_printf("%" PRIu64 " of %" PRIu64 " iterations were begun when the time "
                                "was up: give them longer, or more users",
                                begun, asked));
}

char *load_notes_verified(const struct load_tls_spec *tls)
{
    if (tls->insecure)
        return base_str_dup("nothing");
    return base_str_dup(tls->ca_file != NULL ? tls->ca_file : "system authorities");
}
