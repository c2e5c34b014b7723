/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of fault needs of its targets, and what is planned of its members. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/block.h"
#include "plan_internal.h"

struct asked {
    struct planner *planner;
    const struct scn_fault *fault;
    size_t index; /* of the fault in the scenario */
    const struct topo_service *service;
};

/* The next words are about the fault as a whole. */
static void at_kind(const struct asked *asked)
{
    scn_at(&asked->planner->reporter, "spec.faults[%zu].%s", asked->index,
           fault_kind_name(asked->fault->kind));
}

/* ---- what the topology must tell of each instance ---- */

struct need {
    const char *what;
    /* Missing: somebody without privileges brought the sandbox up, or nobody said. */
    bool of_kernel;
    const char *key; /* of an instance in the topology, which tells it */
    bool (*met)(const struct topo_instance *instance);
};

static const struct need need_netns = {"a network namespace", true, "netns", topo_knows_netns};
static const struct need need_group = {"a control group of its own", true, "cgroup",
                                       topo_knows_group};
static const struct need need_process = {"the process", false, NULL, topo_knows_process};
static const struct need need_processes = {"the control group or the process", false, NULL,
                                           topo_knows_group_or_process};

static const struct need need_pod = {"the pod (namespace, name, uid)", false, NULL, topo_knows_pod};
static const struct need need_node = {"the node", false, NULL, topo_knows_node};

static void say_unmet(const struct asked *asked, const struct need *need, const char *instance)
{
    const struct topo *topo = asked->planner->topo;
    at_kind(asked);
    if (need->of_kernel && topo->mode != TOPO_LOOPBACK)
        scn_say(
            &asked->planner->reporter,
            "needs %s, which \"%s\" has none of in target \"%s\" (%s): name it with \"%s\" in "
            "the topology, or say with \"find\" how the agent finds it, or leave this fault out "
            "with --without-kernel-faults",
            need->what, instance, topo->name, topo_mode_name(topo->mode), need->key);
    else if (need->of_kernel)
        scn_say(&asked->planner->reporter,
                "needs %s, which \"%s\" has none of (target \"%s\" is %s): bring the sandbox up as "
                "root, or leave this fault out with --without-kernel-faults",
                need->what, instance, topo->name, topo_mode_name(topo->mode));
    else
        scn_say(&asked->planner->reporter,
                "needs to know %s of \"%s\", which target \"%s\" (%s) does not tell", need->what,
                instance, topo->name, topo_mode_name(topo->mode));
}

static void check_instances(const struct asked *asked, const struct need *need)
{
    for (size_t i = 0; i < asked->service->instance_count; i++) {
        const struct topo_instance *instance = &asked->service->instances[i];
        if (need->met(instance))
            continue;
        say_unmet(asked, need, instance->name);
        return;
    }
}

static void say_speechless(const struct asked *asked, const struct topo_service *service)
{
    scn_say(&asked->planner->reporter,
            "\"%s\" has no credentialsFile in the topology, without which the agent cannot "
            "speak to it",
            service->name);
}

static void check_store(const struct asked *asked, const char *kind)
{
    const struct topo_service *service = asked->service;
    at_kind(asked);
    if (!base_str_eq(service->kind, kind))
        scn_say(&asked->planner->reporter, "\"%s\" is of the kind \"%s\", expected \"%s\"",
                service->name, service->kind, kind);
    else if (service->credentials_file == NULL)
        say_speechless(asked, service);
}

/* ---- parts that several kinds have ---- */

static struct fault_texts texts_of(char *const *texts, size_t count)
{
    struct fault_texts copy = {.list = base_calloc(count, sizeof *copy.list), .count = count};
    for (size_t i = 0; i < count; i++)
        copy.list[i] = base_str_dup(texts[i]);
    return copy;
}

/* Of the fault's chances; as JSON numbers go. */
static uint64_t seed_of(const struct asked *asked)
{
    return planner_seed(asked->planner, asked->fault->name) >> 1;
}

/* What has a port is an address, and no name of the platform. Blocks are checked together: one may
 * hold what another peer names. */
static void check_addresses(const struct asked *asked, const char *key, char *const *peers,
                            size_t count)
{
    struct planner *planner = asked->planner;
    struct base_error err = {0};
    for (size_t i = 0; i < count; i++) {
        const char *peer = peers[i];
        scn_at(&planner->reporter, "spec.faults[%zu].%s.%s[%zu]", asked->index,
               fault_kind_name(asked->fault->kind), key, i);
        if (!addr_is_block(peer) && strchr(peer, ':') == NULL &&
            topo_find_instance(planner->topo, peer, NULL) == NULL)
            planner_service(planner, peer);
    }
    scn_at(&planner->reporter, "spec.faults[%zu].%s.%s", asked->index,
           fault_kind_name(asked->fault->kind), key);
    if (!addr_blocks_check(planner->topo, peers, count, &err))
        scn_say(&planner->reporter, "%s", err.message);
}

static void fill_route(const struct asked *asked, const struct scn_route_of *route,
                       struct fault_route *out)
{
    check_addresses(asked, "peers", route->peers, route->peer_count);
    out->side = route->side;
    out->port_count = route->port != 0 ? 1 : route->port_count;
    out->ports = base_calloc(out->port_count, sizeof *out->ports);
    for (size_t i = 0; i < out->port_count; i++)
        out->ports[i] = route->port != 0 ? base_str_printf("%d", (int)route->port)
                                         : base_str_dup(route->ports[i]);
    out->peer_count = route->peer_count;
    out->peers = texts_of(route->peers, route->peer_count).list;
}

/* A folder of the platform's, as a path; free() it. */
static char *state_folder(const struct asked *asked, const char *folder)
{
    const struct topo *topo = asked->planner->topo;
    bool absolute = folder[0] == '/'; /* whether it is allowed, the agent says */
    if (absolute)
        return base_str_dup(folder);
    at_kind(asked);
    if (topo->state_dir == NULL || topo->state_dir[0] == '\0')
        scn_say(&asked->planner->reporter,
                "needs a platform with a state folder, which \"%s\" has not", topo->name);
    return base_str_printf("%s/%s", topo->state_dir != NULL ? topo->state_dir : "", folder);
}

static struct fault_throttling throttling_of(const struct asked *asked)
{
    const struct scn_fault *fault = asked->fault;
    return (struct fault_throttling){
        .path = state_folder(asked, fault->throttle.folder),
        .limits = {[FAULT_IO_READ_RATE] = (int64_t)fault->throttle.read_rate,
                   [FAULT_IO_WRITE_RATE] = (int64_t)fault->throttle.write_rate,
                   [FAULT_IO_READ_OPS] = fault->throttle.read_ops,
                   [FAULT_IO_WRITE_OPS] = fault->throttle.write_ops}};
}

/* ---- the kinds ---- */

static void fill_kill(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    char path[SCN_PATH_LEN];
    (void)snprintf(path, sizeof path, "spec.faults[%zu].kill.signal", asked->index);
    bool gentle = fault->kill.grace.ns > 0 && !scn_scenario_has(asked->planner->scenario, path);
    if (fault->kill.by == FAULT_KILL_SIGNAL)
        spec->kill.signal = gentle ? SIGTERM : fault->kill.signal;
    spec->kill.restart_within = fault->kill.restart_within;
    spec->kill.grace = fault->kill.grace;
    spec->kill.every = fault->kill.every;
    spec->kill.by = fault->kill.by;
    spec->kill.force = fault->kill.force;
}

static void fill_partition(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    check_addresses(asked, "from", fault->partition.from, fault->partition.from_count);
    spec->partition.peer_count = fault->partition.from_count;
    spec->partition.peers = texts_of(fault->partition.from, fault->partition.from_count).list;
    spec->partition.action = fault->partition.action;
    spec->partition.direction = fault->partition.direction;
    spec->partition.port_count = fault->partition.port_count;
    spec->partition.ports = texts_of(fault->partition.ports, fault->partition.port_count).list;
    spec->partition.protocol = fault->partition.protocol;
}

static void fill_app(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    at_kind(asked);
    if (asked->service->admin_token_file == NULL)
        scn_say(&asked->planner->reporter, "\"%s\" has no endpoints that inject errors or latency",
                asked->service->name);
    if (fault->app.unready && asked->service->ready_path == NULL)
        scn_say(&asked->planner->reporter,
                "\"%s\" has no readyPath in the topology, where its readiness would be seen",
                asked->service->name);
    spec->app.error_rate = fault->app.error_rate;
    spec->app.error_status = (int)fault->app.error_status;
    spec->app.latency = fault->app.latency;
    spec->app.unready = fault->app.unready;
    spec->app.dependency = base_str_dup(fault->app.dependency);
    spec->app.path = base_str_dup(fault->app.path);
    spec->app.cpu = fault->app.cpu;
    spec->app.memory = (int64_t)fault->app.memory;
}

static void fill_nothing(const struct asked *asked, struct fault_spec *spec)
{
    (void)asked;
    (void)spec; /* a pause is a pause */
}

static void fill_cpu(const struct asked *asked, struct fault_spec *spec)
{
    spec->cpu.workers = (int)asked->fault->cpu.workers;
    spec->cpu.load = asked->fault->cpu.load;
}

static void fill_memory(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    spec->memory.bytes = fault->memory.by == SCN_MEMORY_SIZE ? (int64_t)fault->memory.size : 0;
    spec->memory.percent = fault->memory.by == SCN_MEMORY_PERCENT ? fault->memory.percent : 0;
    spec->memory.rate = (int64_t)fault->memory.rate;
}

static void fill_network(const struct asked *asked, struct fault_spec *spec)
{
    const struct fault_network *from = &asked->fault->network;
    check_addresses(asked, "peers", from->peers, from->peer_count);
    spec->network = *from;
    spec->network.peers = texts_of(from->peers, from->peer_count).list;
    spec->network.ports = texts_of(from->ports, from->port_count).list;
    spec->network.seed = seed_of(asked);
    if (!fault_has_share(&from->impairment))
        spec->network.impairment.share = 0; /* all packets: as one who knows of no share has it */
}

static void fill_disk(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    spec->disk.path = state_folder(asked, fault->disk.folder);
    spec->disk.bytes = fault->disk.by == SCN_DISK_SIZE ? (int64_t)fault->disk.size : 0;
    spec->disk.left = fault->disk.by == SCN_DISK_LEFT ? fault->disk.left : 0;
}

static void fill_limits(const struct asked *asked, struct fault_spec *spec)
{
    spec->limits.files = asked->fault->limits.files;
    spec->limits.pids = asked->fault->limits.pids;
    spec->limits.files_share = asked->fault->limits.files_share;
    spec->limits.pids_share = asked->fault->limits.pids_share;
}

static void fill_tcp(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    fill_route(asked, &fault->tcp.route, &spec->tcp.route);
    spec->tcp.toxic = fault->tcp.toxic;
    spec->tcp.bytes = (uint64_t)fault->tcp.bytes;
    spec->tcp.time = fault->tcp.time;
    spec->tcp.jitter = fault->tcp.jitter;
    spec->tcp.share = fault->tcp.share;
    spec->tcp.seed = seed_of(asked);
}

static void fill_http(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    fill_route(asked, &fault->http.route, &spec->http.route);
    spec->http.method = base_str_dup(fault->http.method);
    spec->http.path = base_str_dup(fault->http.path);
    spec->http.path_prefix = base_str_dup(fault->http.path_prefix);
    spec->http.headers = texts_of(fault->http.headers, fault->http.header_count);
    spec->http.share = fault->http.share;
    spec->http.seed = seed_of(asked);
    spec->http.action = fault->http.action;
    spec->http.status = (int)fault->http.status;
    spec->http.body = base_str_dup(fault->http.body);
    spec->http.time = fault->http.time;
    spec->http.jitter = fault->http.jitter;
    spec->http.bytes = (uint64_t)fault->http.bytes;
    spec->http.set = texts_of(fault->http.set, fault->http.set_count);
    spec->http.remove = texts_of(fault->http.remove, fault->http.remove_count);
}

static void fill_dns(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    spec->dns.names = texts_of(fault->dns.names, fault->dns.name_count);
    spec->dns.share = fault->dns.share;
    spec->dns.seed = seed_of(asked);
    spec->dns.answer = fault->dns.answer;
    spec->dns.address = base_str_dup(fault->dns.address);
    spec->dns.server = base_str_dup(fault->dns.server);
}

/* The agent resolves their names, too: here only those that it would refuse are. */
static void fill_failover(const struct asked *asked, const char *key,
                          const struct scn_failover *from, struct fault_failover *out)
{
    struct planner *planner = asked->planner;
    for (size_t i = 0; i < from->member_count; i++) {
        const struct topo_service *of = NULL;
        scn_at(&planner->reporter, "spec.faults[%zu].%s.%s.members[%zu]", asked->index,
               fault_kind_name(asked->fault->kind), key, i);
        if (topo_find_instance(planner->topo, from->members[i], &of) == NULL)
            of = planner_service(planner, from->members[i]);
        if (of == NULL)
            continue;
        if (!base_str_eq(of->kind, asked->service->kind))
            scn_say(&planner->reporter, "\"%s\" is of the kind \"%s\", expected \"%s\"",
                    from->members[i], of->kind, asked->service->kind);
        else if (of->credentials_file == NULL)
            say_speechless(asked, of);
    }
    out->members = texts_of(from->members, from->member_count).list;
    out->member_count = from->member_count;
    out->restored_within = from->restored_within;
    check_instances(asked, &need_netns);
}

static void fill_postgres(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    spec->postgres.action = fault->postgres.action;
    spec->postgres.every = fault->postgres.every;
    spec->postgres.table = base_str_dup(fault->postgres.table);
    spec->postgres.lock = fault->postgres.lock;
    spec->postgres.left = fault->postgres.left;
    if (fault->postgres.action == FAULT_POSTGRES_SLOW_DISK) {
        check_instances(asked, &need_processes);
        spec->postgres.disk = throttling_of(asked);
    }
    if (fault->postgres.action == FAULT_POSTGRES_FAILOVER)
        fill_failover(asked, "failover", &fault->postgres.failover, &spec->postgres.failover);
}

static void fill_redis(const struct asked *asked, struct fault_spec *spec)
{
    spec->redis.action = asked->fault->redis.action;
    spec->redis.pause = asked->fault->redis.pause;
    spec->redis.bytes = (int64_t)asked->fault->redis.bytes;
    spec->redis.every = asked->fault->redis.every;
    spec->redis.time = asked->fault->redis.time;
    if (asked->fault->redis.action == FAULT_REDIS_FAILOVER)
        fill_failover(asked, "failover", &asked->fault->redis.failover, &spec->redis.failover);
}

static void fill_rabbitmq(const struct asked *asked, struct fault_spec *spec)
{
    spec->rabbitmq.action = asked->fault->rabbitmq.action;
    spec->rabbitmq.every = asked->fault->rabbitmq.every;
    spec->rabbitmq.bytes = (int64_t)asked->fault->rabbitmq.bytes;
    if (asked->fault->rabbitmq.action == FAULT_RABBITMQ_STOP)
        fill_failover(asked, "stopNode", &asked->fault->rabbitmq.failover,
                      &spec->rabbitmq.failover);
}

static void fill_node(const struct asked *asked, struct fault_spec *spec)
{
    spec->node.action = asked->fault->node.action;
    spec->node.empty_dir = asked->fault->node.empty_dir;
}

static void fill_io(const struct asked *asked, struct fault_spec *spec)
{
    const struct scn_fault *fault = asked->fault;
    spec->io.path = state_folder(asked, fault->io.folder);
    spec->io.workers = (int)fault->io.workers;
    spec->io.mode = fault->io.mode;
    spec->io.bytes = (int64_t)fault->io.size;
    spec->io.rate = (int64_t)fault->io.rate;
}

static void fill_throttle(const struct asked *asked, struct fault_spec *spec)
{
    spec->throttle = throttling_of(asked);
}

static const struct {
    const struct need *need; /* of each instance; NULL: nothing */
    const char *store;       /* the kind of service that it is about; NULL: any */
    /* Reports names that the platform does not know as it comes to them. */
    void (*fill)(const struct asked *asked, struct fault_spec *spec);
} kinds[FAULT_KIND_COUNT] = {
    [FAULT_KILL] = {.need = &need_process, .fill = fill_kill},
    [FAULT_PARTITION] = {.need = &need_netns, .fill = fill_partition},
    [FAULT_APP] = {.fill = fill_app},
    [FAULT_PAUSE] = {.need = &need_processes, .fill = fill_nothing},
    [FAULT_CPU] = {.need = &need_group, .fill = fill_cpu},
    [FAULT_MEMORY] = {.need = &need_group, .fill = fill_memory},
    [FAULT_NETWORK] = {.need = &need_netns, .fill = fill_network},
    [FAULT_DISK_FILL] = {.fill = fill_disk},
    [FAULT_LIMITS] = {.need = &need_process, .fill = fill_limits},
    [FAULT_TCP] = {.need = &need_netns, .fill = fill_tcp},
    [FAULT_HTTP] = {.need = &need_netns, .fill = fill_http},
    [FAULT_DNS] = {.need = &need_netns, .fill = fill_dns},
    [FAULT_POSTGRES] = {.store = "postgres", .fill = fill_postgres},
    [FAULT_REDIS] = {.store = "redis", .fill = fill_redis},
    [FAULT_IO] = {.need = &need_group, .fill = fill_io},
    [FAULT_IO_THROTTLE] = {.need = &need_processes, .fill = fill_throttle},
    [FAULT_RABBITMQ] = {.store = "rabbitmq", .fill = fill_rabbitmq},
    [FAULT_NODE] = {.fill = fill_node},
};

/* Whom the API is asked about, and where it is. what: of the fault, that asks it. */
static void check_kubernetes(const struct asked *asked, const struct need *need, const char *what)
{
    const struct topo *topo = asked->planner->topo;
    check_instances(asked, need);
    at_kind(asked);
    if (topo->kubernetes_url == NULL)
        scn_say(&asked->planner->reporter,
                "%s needs Kubernetes' API server, which target \"%s\" (%s) does not tell: "
                "\"kubernetes\" in its topology",
                what, topo->name, topo_mode_name(topo->mode));
}

static void check_pods(const struct asked *asked)
{
    BASE_AUTO_FREE char *what =
        base_str_printf("by: %s", fault_kill_by_name(asked->fault->kill.by));
    check_kubernetes(asked, &need_pod, what);
}

void planner_kind(struct planner *planner, const struct scn_fault *fault, size_t index,
                  const struct topo_service *service, struct fault_spec *spec)
{
    struct asked asked = {planner, fault, index, service};
    if (fault->kind == FAULT_KILL && fault->kill.by != FAULT_KILL_SIGNAL)
        check_pods(&asked);
    else if (fault->kind == FAULT_NODE)
        check_kubernetes(&asked, &need_node, fault_node_action_name(fault->node.action));
    else if (kinds[fault->kind].need != NULL)
        check_instances(&asked, kinds[fault->kind].need);
    if (kinds[fault->kind].store != NULL)
        check_store(&asked, kinds[fault->kind].store);
    kinds[fault->kind].fill(&asked, spec);
}
