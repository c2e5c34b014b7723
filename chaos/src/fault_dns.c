/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns: what a target is answered when it asks for names that match, by a responder in its network
 * namespace that port 53 is redirected to, over UDP and TCP, whichever server was asked
 * (redirect.h); other questions go on to that server. Proven by asking the target's name server for
 * the first of the names, from the target's namespace.
 */
#include <arpa/inet.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "nft_host.h"
#include "proxy_dns.h"
#include "redirect_share.h"

enum {
    dns_port = 53,
    patience_ms = 3000,
    silence_ms = 500,
    sample_whole = 4, /* when every question is hit */
    resolv_max = 65536,
    gone_deadline_s = 5
};

struct dns_rules {
    struct proxy_dns_rules proxy; /* what the driver sees: it comes first */
    unsigned char probe[DNS_QUERY_MAX];
    size_t probe_len;
};

static const struct fault_route *dns_route(const struct fault_spec *spec)
{
    static char port[] = "53";
    static char *ports[] = {port};
    static const struct fault_route route = {
        .side = FAULT_OUTBOUND, .ports = ports, .port_count = 1};
    (void)spec;
    return &route;
}

/* --- what is asked for --- */

static size_t samples_of(const struct fault_spec *spec)
{
    return redirect_samples("dns", spec->dns.share, sample_whole, (struct dur_ns){0}, NULL);
}

static bool read_address(const char *text, struct dns_address *out)
{
    struct dns_address address = {.family = AF_INET};
    if (text == NULL)
        return false;
    if (inet_pton(AF_INET, text, address.bytes) != 1) {
        address.family = AF_INET6;
        if (inet_pton(AF_INET6, text, address.bytes) != 1)
            return false;
    }
    *out = address;
    return true;
}

static bool check(const struct fault_spec *spec, struct base_error *err)
{
    struct dns_address ignored;
    bool wrong = spec->dns.answer == FAULT_DNS_ADDRESS;
    if (!(spec->dns.share > 0.0))
        return base_fail(err, BASE_INVALID, "dns: a share of 0 %% hits nothing");
    if (redirect_samples("dns", spec->dns.share, sample_whole, (struct dur_ns){0}, err) == 0)
        return false;
    for (size_t i = 0; i < spec->dns.names.count; i++)
        if (!dns_pattern_valid(spec->dns.names.list[i]))
            return base_fail(err, BASE_INVALID,
                             "dns: \"%s\" is no name such as db.example.com or *.example.com",
                             spec->dns.names.list[i]);
    if (wrong != (spec->dns.address != NULL) ||
        (wrong && !read_address(spec->dns.address, &ignored)))
        return base_fail(err, BASE_INVALID, "dns: %s",
                         wrong ? "give the IPv4 or IPv6 address to answer with"
                               : "an address goes only with the answer address");
    if (spec->dns.server != NULL && !read_address(spec->dns.server, &ignored))
        return base_fail(err, BASE_INVALID, "dns: server \"%s\" is no address", spec->dns.server);
    return true;
}

static void *dns_rules(const struct fault_spec *spec, const struct topo *topo,
                       struct base_error *err)
{
    (void)topo;
    if (!check(spec, err))
        return NULL;
    struct dns_rules *rules = base_calloc(1, sizeof *rules);
    rules->proxy.spec = spec;
    (void)read_address(spec->dns.address, &rules->proxy.address);
    const char *name = spec->dns.names.list[0];
    BASE_AUTO_FREE char *asked = base_str_starts(name, "*.")
                                     ? base_str_printf("chaos-probe%s", name + 1)
                                     : base_str_dup(name);
    bool v6 = rules->proxy.address.family == AF_INET6;
    rules->probe_len =
        dns_question_make(0x5351, asked, v6 ? DNS_TYPE_AAAA : DNS_TYPE_A, rules->probe);
    return rules;
}

/* The first "nameserver" of resolv.conf(5); NULL: none. free() it. */
static char *first_server(const char *path)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, resolv_max);
    if (!base_file_read(path, &text, NULL))
        return NULL;
    for (const char *line = text.data; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (!base_str_starts(line, "nameserver"))
            continue;
        line += strlen("nameserver");
        line += strspn(line, " \t");
        return base_str_ndup(line, strcspn(line, " \t\r\n%"));
    }
    return NULL;
}

/* As the target's own process sees it; where we may not look there (that takes ptrace's rights,
 * which the agent has given up), as this host does. Which server it is matters for measuring only.
 */
static bool own_server(const struct fault_target *target, char **out, struct base_error *err)
{
    struct fault_process process = {0};
    char *server = NULL;
    if (!fault_target_process(target, &process, NULL, err))
        return false;
    BASE_AUTO_FREE char *path = base_str_printf("/proc/%d/root/etc/resolv.conf", (int)process.pid);
    if (process.pid != 0)
        server = first_server(path);
    if (server == NULL)
        server = first_server("/etc/resolv.conf");
    if (server == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "%s: no name server in /etc/resolv.conf; give `server`, the one to "
                         "measure with",
                         target->name);
    *out = server;
    return true;
}

static bool dns_aim(const struct fault *fault, const struct fault_zone *zone,
                    struct fault_peer *out, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    BASE_AUTO_FREE char *server = base_str_dup(spec->dns.server);
    struct dns_address address;
    struct fault_peer peer = {.port = dns_port};
    if (server == NULL && !own_server(&zone->target, &server, err))
        return false;
    if (!read_address(server, &address))
        return base_fail(err, BASE_INVALID, "%s: name server \"%s\" is no address",
                         zone->target.name, server);
    peer.family = address.family;
    memcpy(peer.address, address.bytes, sizeof peer.address);
    (void)inet_ntop(peer.family, peer.address, peer.text, sizeof peer.text);
    (void)snprintf(peer.label, sizeof peer.label, "%s", peer.text);
    *out = peer;
    return true;
}

/* --- what is asked, and what the answers must be --- */

static void dns_ask(const struct fault *fault, const struct redirect_path *path,
                    enum fault_step round, struct redirect_ask *out)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    const struct dns_rules *rules = redirect_rules(fault);
    bool silent = round == FAULT_STEP_VERIFY && spec->dns.answer == FAULT_DNS_TIMEOUT;
    (void)path;
    out->plan.say = (const char *)rules->probe;
    out->plan.say_len = rules->probe_len;
    out->plan.datagram = true;
    out->plan.patience = base_dur_ms(silent ? silence_ms : patience_ms);
    out->count = samples_of(spec);
    out->parallel = REDIRECT_PARALLEL;
    if (round == FAULT_STEP_VERIFY_GONE && fault_is_halted(fault))
        out->count = 1;
}

static bool is_hit(const struct fault_spec *spec, const struct dns_rules *rules,
                   const struct dns_answer *answer)
{
    const struct dns_address *wrong = &rules->proxy.address;
    switch (spec->dns.answer) {
    case FAULT_DNS_NXDOMAIN:
        return answer->rcode == DNS_NXDOMAIN;
    case FAULT_DNS_SERVFAIL:
        return answer->rcode == DNS_SERVFAIL;
    case FAULT_DNS_TIMEOUT:
        return false; /* it was answered */
    case FAULT_DNS_ADDRESS:
        return answer->first.family == wrong->family &&
               memcmp(answer->first.bytes, wrong->bytes, sizeof wrong->bytes) == 0;
    }
    return false;
}

static bool dns_judge(const struct fault *fault, const struct redirect_path *path,
                      enum fault_step round, struct redirect_finding *out)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    const struct dns_rules *rules = redirect_rules(fault);
    bool during = round == FAULT_STEP_VERIFY;
    bool silence = during && spec->dns.answer == FAULT_DNS_TIMEOUT;
    size_t hits = 0;
    size_t answered = 0;
    for (size_t i = 0; i < path->count; i++) {
        const struct proxy_probe_result *result = &path->now[i];
        struct dns_answer answer;
        bool told = result->end == PROXY_PROBE_ENOUGH && result->bytes < PROXY_PROBE_KEPT &&
                    dns_answer_parse((const unsigned char *)result->kept, result->bytes, &answer);
        answered += told ? 1 : 0;
        if (told ? is_hit(spec, rules, &answer) : silence && result->end == PROXY_PROBE_SILENT)
            hits++;
    }
    struct fault_interval want = redirect_hits(spec->dns.share, path->count, during);
    out->metric = "questions answered by the fault";
    (void)snprintf(out->value, sizeof out->value, "%zu of %zu (%zu answered)", hits, path->count,
                   answered);
    (void)snprintf(out->expected, sizeof out->expected, "%zu to %zu", want.low, want.high);
    return hits >= want.low && hits <= want.high && answered + (silence ? hits : 0) == path->count;
}

static const struct redirect_kind dns_kind = {
    .word = "dns",
    .driver = &proxy_dns_driver,
    .route = dns_route,
    .aim = dns_aim,
    .rules = dns_rules,
    .rules_free = free,
    .ask = dns_ask,
    .judge = dns_judge,
};

/* --- the table --- */

static bool dns_platform(const struct topo *topo, struct base_error *err)
{
    return fault_zone_platform("dns", topo, err);
}

static bool dns_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    return redirect_open(fault, &dns_kind, topo, err);
}

static bool dns_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    return redirect_reopen(fault, &dns_kind, undo, err);
}

/* Silence is heard in rounds of REDIRECT_PARALLEL. */
static struct dur_ns dns_deadline(const struct fault *fault, enum fault_step step)
{
    int64_t rounds = redirect_rounds(samples_of(fault_spec_of(fault))) + 1;
    if (step == FAULT_STEP_VERIFY_GONE)
        return base_dur_s(gone_deadline_s);
    bool talks = step == FAULT_STEP_PREPARE || step == FAULT_STEP_VERIFY;
    return base_dur_ms(talks ? (rounds + 1) * (silence_ms + patience_ms) : 0);
}

const struct fault_ops fault_dns_ops = {
    REDIRECT_OPS(0),      .platform = dns_platform, .open = dns_open,
    .reopen = dns_reopen, .deadline = dns_deadline,
};
