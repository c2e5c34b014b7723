/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the fields of each kind of fault that hold on any platform. */
#include "check_kinds.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "fields.h"

static const char *kind_of(const struct scn_reporter *reporter, size_t i)
{
    return fault_kind_name(reporter->scenario->faults[i].kind);
}

static void check_others(struct scn_reporter *reporter, const char *key, char *const *services,
                         size_t count, size_t i)
{
    const char *target = reporter->scenario->faults[i].service;
    for (size_t k = 0; k < count; k++) {
        if (!base_str_eq(services[k], target))
            continue;
        scn_at(reporter, "spec.faults[%zu].%s.%s[%zu]", i, kind_of(reporter, i), key, k);
        scn_say(reporter, "\"%s\" is the target itself, expected other services", target);
    }
}

static void check_share(struct scn_reporter *reporter, double share, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].%s.percent", i, kind_of(reporter, i));
    if (share <= 0)
        scn_say(reporter, "hits nothing, expected more than 0%%");
}

/* Of UDP: whoever is no instance has nobody in its place who would send datagrams back. */
static void check_places(struct scn_reporter *reporter, const char *key, char *const *peers,
                         size_t count, size_t i)
{
    for (size_t k = 0; k < count; k++) {
        const char *colon = strrchr(peers[k], ':');
        if (colon == NULL || (peers[k][0] != '[' && strchr(peers[k], ':') != colon))
            continue; /* a name, a block, or an address of IPv6 alone */
        scn_at(reporter, "spec.faults[%zu].%s.%s[%zu]", i, kind_of(reporter, i), key, k);
        scn_say(reporter, "what befalls UDP alone cannot be measured at an ADDRESS:PORT, expected "
                          "a service or an instance");
    }
}

static void check_partition(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    check_others(reporter, "from", fault->partition.from, fault->partition.from_count, i);
    if (fault->partition.protocol == FAULT_PROTOCOL_UDP)
        check_places(reporter, "from", fault->partition.from, fault->partition.from_count, i);
    scn_at(reporter, "spec.faults[%zu].partition.action", i);
    if (fault->partition.action == FAULT_RESET && fault->partition.protocol == FAULT_PROTOCOL_UDP)
        scn_say(reporter, "tcp-reset is about TCP, expected drop or reject with protocol: udp");
}

static void check_app_size(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i,
                           double steps)
{
    static const double least_cpu = 0.2, least_memory = 16 << 20;
    const char *first = steps > 1 ? " (the first step of the ramp)" : "";
    double cpu = fault->app.cpu / steps;
    double memory = (double)fault->app.memory / steps;
    scn_at(reporter, "spec.faults[%zu].app.cpu", i);
    if (cpu > 0 && cpu < least_cpu - 1e-9)
        scn_say(reporter,
                "%.3g%% of a processor%s cannot be told from what a service needs "
                "anyway, expected 20%% or more",
                cpu * 100, first);
    scn_at(reporter, "spec.faults[%zu].app.memory", i);
    if (memory > 0 && memory < least_memory)
        scn_say(reporter,
                "%.3g MiB%s cannot be told from what a service needs anyway, expected "
                "16MiB or more",
                memory / 1048576, first);
}

/* The agent measures a rate by at most some thousand requests: less it would refuse, but only after
 * the load has begun. A ramp begins with one step of the whole. */
static void check_app(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    double steps = fault->ramp.steps > 0 ? (double)fault->ramp.steps : 1.0;
    double least = fault->app.error_rate / steps;
    scn_at(reporter, "spec.faults[%zu].app", i);
    int orders = (fault->app.error_rate > 0 || fault->app.latency.ns > 0) + fault->app.unready +
                 (fault->app.dependency != NULL) + (fault->app.cpu > 0) + (fault->app.memory > 0);
    if (orders == 0 && !scn_spoiled(reporter))
        scn_say(reporter, "does nothing, expected errorRate, latency or both, unready, dependency, "
                          "cpu or memory");
    if (orders > 1)
        scn_say(reporter, "beside each other these would hide each other's effect, expected "
                          "errorRate and latency, or one of unready, dependency, cpu and memory: "
                          "a fault of its own for each");
    check_app_size(reporter, fault, i, steps);
    scn_at(reporter, "spec.faults[%zu].app.errorRate", i);
    if (least > 0 && least < 0.01 - 1e-9)
        scn_say(reporter, "%.3g%% of the requests%s cannot be measured, expected 1%% or more",
                least * 100, steps > 1 ? " (the first step of the ramp)" : "");
}

/* signal beside by: delete is told here, where it is known whether it was given. */
static void check_kill_of_pod(struct scn_reporter *reporter, const struct scn_fault *fault,
                              size_t i, bool signal_given)
{
    const struct fault_spec spec = {.kind = FAULT_KILL,
                                    .kill = {.signal = signal_given ? fault->kill.signal : 0,
                                             .grace = fault->kill.grace,
                                             .every = fault->kill.every,
                                             .by = fault->kill.by,
                                             .force = fault->kill.force}};
    struct base_error err = {0};
    scn_at(reporter, "spec.faults[%zu].kill", i);
    if (!fault_kill_check(&spec, &err))
        scn_say(reporter, "%s", err.message);
}

static void check_kill(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    char path[SCN_PATH_LEN];
    scn_at(reporter, "spec.faults[%zu].kill.signal", i);
    (void)snprintf(path, sizeof path, "%s", reporter->path);
    bool given = scn_scenario_has(reporter->scenario, path);
    scn_at(reporter, "spec.faults[%zu].kill.grace", i);
    if (fault->kill.by == FAULT_KILL_SIGNAL && fault->kill.grace.ns > 0 && given &&
        fault->kill.signal == SIGKILL)
        scn_say(reporter, "does nothing, expected another signal than SIGKILL with it");
    if (fault->kill.grace.ns > 0 && fault->kill.grace.ns >= fault->duration.ns)
        scn_say(reporter, "does nothing, expected less than the fault's own \"for\"");
    scn_at(reporter, "spec.faults[%zu].kill.every", i);
    if (fault->kill.every.ns > 0 && fault->kill.every.ns >= fault->duration.ns)
        scn_say(reporter, "does nothing, expected less than the fault's own \"for\"");
    if (fault->kill.by != FAULT_KILL_SIGNAL || fault->kill.force)
        check_kill_of_pod(reporter, fault, i, given || fault->kill.by == FAULT_KILL_SIGNAL);
}

static void check_network(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    struct base_error err = {0};
    check_others(reporter, "peers", fault->network.peers, fault->network.peer_count, i);
    if (fault->network.protocol == FAULT_PROTOCOL_UDP)
        check_places(reporter, "peers", fault->network.peers, fault->network.peer_count, i);
    check_share(reporter, fault->network.impairment.share, i);
    scn_at(reporter, "spec.faults[%zu].network", i);
    if (!fault_network_check(&fault->network, &err))
        scn_say(reporter, "%s", err.message);
}

static void check_limits(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    bool files = fault->limits.files >= 0;
    bool pids = fault->limits.pids >= 0;
    bool files_share = fault->limits.files_share > 0.0;
    bool pids_share = fault->limits.pids_share > 0.0;
    scn_at(reporter, "spec.faults[%zu].limits", i);
    if (!files && !pids && !files_share && !pids_share && !scn_spoiled(reporter))
        scn_say(reporter, "does nothing, expected files or filesPercent, pids or pidsPercent");
    if (files && files_share)
        scn_say(reporter, "filesPercent: beside files, expected one of them");
    if (pids && pids_share)
        scn_say(reporter, "pidsPercent: beside pids, expected one of them");
}

static void check_route(struct scn_reporter *reporter, const struct scn_route_of *route, size_t i)
{
    const char *kind = kind_of(reporter, i);
    scn_at(reporter, "spec.faults[%zu].%s.peers", i, kind);
    if (route->side == FAULT_OUTBOUND && route->peer_count == 0 && !scn_spoiled(reporter))
        scn_say(reporter, "outbound connections need peers: the services connected to");
    check_others(reporter, "peers", route->peers, route->peer_count, i);
    scn_at(reporter, "spec.faults[%zu].%s.ports", i, kind);
    if (route->port != 0 && route->port_count > 0)
        scn_say(reporter, "port is given, too, expected one of the two");
}

static void check_jitter(struct scn_reporter *reporter, const char *kind, const char *of,
                         bool delays, struct dur_ns time, struct dur_ns jitter, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].%s.jitter", i, kind);
    if (jitter.ns > 0 && !delays)
        scn_say(reporter, "makes sense only with %s", of);
    else if (jitter.ns > time.ns / 2)
        scn_say(reporter, "expected no more than half of the %s", of);
}

static void check_tcp(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    check_route(reporter, &fault->tcp.route, i);
    check_jitter(reporter, "tcp", "latency", fault->tcp.toxic == FAULT_TOXIC_LATENCY,
                 fault->tcp.time, fault->tcp.jitter, i);
    check_share(reporter, fault->tcp.share, i);
}

static void check_http(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS"};
    bool changes = fault->http.method != NULL;
    for (size_t k = 0; k < sizeof safe / sizeof *safe; k++)
        changes = changes && !base_str_eq(fault->http.method, safe[k]);
    check_route(reporter, &fault->http.route, i);
    check_share(reporter, fault->http.share, i);
    check_jitter(reporter, "http", "delay", fault->http.action == FAULT_HTTP_DELAY,
                 fault->http.time, fault->http.jitter, i);
    scn_at(reporter, "spec.faults[%zu].http.pathPrefix", i);
    if (fault->http.path != NULL && fault->http.path_prefix != NULL)
        scn_say(reporter, "path is given, too, expected one of the two");
    scn_at(reporter, "spec.faults[%zu].http.path", i);
    if (fault->http.path != NULL && changes)
        scn_say(reporter,
                "the effect on %s would be measured by such requests, which change things, "
                "expected pathPrefix",
                fault->http.method);
    if (fault->http.path != NULL && strchr(fault->http.path, '?') != NULL)
        scn_say(reporter, "expected a path without a query");
    bool request = fault->http.action == FAULT_HTTP_PATCH_REQUEST;
    scn_at(reporter, "spec.faults[%zu].http.%s", i, request ? "patchRequest" : "patch");
    if ((request || fault->http.action == FAULT_HTTP_PATCH) &&
        fault->http.set_count + fault->http.remove_count == 0)
        scn_say(reporter, "does nothing, expected set, remove or both");
}

static bool is_address(const char *text)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

static void check_dns(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    bool wrong = fault->dns.answer == FAULT_DNS_ADDRESS;
    check_share(reporter, fault->dns.share, i);
    scn_at(reporter, "spec.faults[%zu].dns.address", i);
    if (wrong && (fault->dns.address == NULL || !is_address(fault->dns.address)))
        scn_say(reporter, "expected the IPv4 or IPv6 address to answer with");
    if (!wrong && fault->dns.address != NULL)
        scn_say(reporter, "makes sense only with answer: address");
    scn_at(reporter, "spec.faults[%zu].dns.server", i);
    if (fault->dns.server != NULL && !is_address(fault->dns.server))
        scn_say(reporter, "expected an IPv4 or IPv6 address");
}

static void check_every(struct scn_reporter *reporter, struct dur_ns every)
{
    enum { least_ms = 100 };
    if (every.ns > 0 && every.ns < least_ms * BASE_NS_PER_MS)
        scn_say(reporter, "expected 0s (once) or at least %dms", least_ms);
}

static void check_redis(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].redis.killClients.every", i);
    if (fault->redis.action == FAULT_REDIS_KILL)
        check_every(reporter, fault->redis.every);
}

static void check_rabbitmq(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].rabbitmq.closeConnections.every", i);
    if (fault->rabbitmq.action == FAULT_RABBITMQ_CLOSE)
        check_every(reporter, fault->rabbitmq.every);
}

/* key: "ioThrottle", or whatever else has its keys; check: of the model, what goes together. */
static void check_throttling(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i,
                             const char *key,
                             bool (*check)(const int64_t limits[static FAULT_IO_LIMITS],
                                           struct base_error *err))
{
    enum { least_ops = 10 };
    const int64_t limits[FAULT_IO_LIMITS] = {
        [FAULT_IO_READ_RATE] = (int64_t)fault->throttle.read_rate,
        [FAULT_IO_WRITE_RATE] = (int64_t)fault->throttle.write_rate,
        [FAULT_IO_READ_OPS] = fault->throttle.read_ops,
        [FAULT_IO_WRITE_OPS] = fault->throttle.write_ops,
    };
    struct base_error err = {0};
    scn_at(reporter, "spec.faults[%zu].%s", i, key);
    if (!check(limits, &err))
        scn_say(reporter, "%s", err.message);
    for (int limit = FAULT_IO_READ_OPS; limit <= FAULT_IO_WRITE_OPS; limit++) {
        scn_at(reporter, "spec.faults[%zu].%s.%s", i, key,
               fault_io_limit_name((enum fault_io_limit)limit));
        if (limits[limit] > 0 && limits[limit] < least_ops)
            scn_say(reporter, "expected at least %d: fewer cannot be measured in time", least_ops);
    }
}

static void check_postgres(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].postgres.terminate.every", i);
    if (fault->postgres.action == FAULT_POSTGRES_TERMINATE)
        check_every(reporter, fault->postgres.every);
    if (fault->postgres.action == FAULT_POSTGRES_SLOW_DISK)
        check_throttling(reporter, fault, i, "postgres.slowDisk", fault_slow_disk_check);
    scn_at(reporter, "spec.faults[%zu].postgres.lock.table", i);
    if (fault->postgres.action == FAULT_POSTGRES_LOCK &&
        !scn_matches("^[^.[:cntrl:]]{1,63}([.][^.[:cntrl:]]{1,63})?$", fault->postgres.table))
        scn_say(reporter, "expected the name of a table, or SCHEMA.TABLE");
}

static void check_throttle(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    check_throttling(reporter, fault, i, "ioThrottle", fault_io_limits_check);
}

void scn_check_kind(struct scn_reporter *reporter, size_t fault)
{
    static void (*const checks[FAULT_KIND_COUNT])(struct scn_reporter *, const struct scn_fault *,
                                                  size_t) = {
        [FAULT_KILL] = check_kill,
        [FAULT_PARTITION] = check_partition,
        [FAULT_APP] = check_app,
        [FAULT_NETWORK] = check_network,
        [FAULT_LIMITS] = check_limits,
        [FAULT_TCP] = check_tcp,
        [FAULT_HTTP] = check_http,
        [FAULT_DNS] = check_dns,
        [FAULT_POSTGRES] = check_postgres,
        [FAULT_REDIS] = check_redis,
        [FAULT_IO_THROTTLE] = check_throttle,
        [FAULT_RABBITMQ] = check_rabbitmq,
    };
    const struct scn_fault *of = &reporter->scenario->faults[fault];
    if (checks[of->kind] != NULL)
        checks[of->kind](reporter, of, fault);
}
