/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a plan: whom each hits, and whether that may be. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/text.h"
#include "intensity.h"
#include "plan_internal.h"

/* Each fault draws from a stream of its own, so that adding or removing one leaves the selections
 * of the others as they were. FNV-1a spreads the name over the 64 bits. */
static uint64_t seed_of(uint64_t seed, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return seed ^ hash;
}

/* One to so many, each as likely: drawn from another stream than who is hit. */
static size_t random_up_to(uint64_t seed, size_t most)
{
    struct base_rng rng;
    base_rng_seed(&rng, ~seed);
    return most == 0 ? 0 : 1 + (size_t)base_rng_below(&rng, most);
}

static size_t share_of(double share, size_t instances)
{
    /* 33% of 100 is 33, whatever binary fractions make of it. */
    return (size_t)floor(share * (double)instances + 1e-9);
}

static size_t wanted(const struct scn_select *select, size_t instances, uint64_t seed)
{
    switch (select->mode) {
    case SCN_SELECT_ONE:
        return 1;
    case SCN_SELECT_ALL:
        return instances;
    case SCN_SELECT_COUNT:
        return (size_t)select->count;
    case SCN_SELECT_PERCENT:
        return share_of(select->percent, instances);
    case SCN_SELECT_UP_TO:
        return random_up_to(seed, share_of(select->up_to, instances));
    }
    return 0;
}

static size_t cap_of(const struct scn_fault *fault, size_t instances)
{
    return (size_t)floor(fault->max_affected * (double)instances + 1e-9);
}

/* Chooses `want` of the instances (a partial Fisher-Yates shuffle); chosen keeps their order. */
static void choose(uint64_t seed, size_t instances, size_t want, bool *chosen)
{
    struct base_rng rng;
    size_t *order = base_calloc(instances, sizeof *order);
    for (size_t i = 0; i < instances; i++)
        order[i] = i;
    base_rng_seed(&rng, seed);
    for (size_t i = 0; i < want; i++) {
        size_t k = i + (size_t)base_rng_below(&rng, instances - i);
        size_t swap = order[i];
        order[i] = order[k];
        order[k] = swap;
        chosen[order[i]] = true;
    }
    free(order);
}

static bool check_selection(struct planner *planner, const struct scn_fault *fault,
                            const struct topo_service *service, size_t index, size_t want)
{
    size_t instances = service->instance_count;
    scn_at(&planner->reporter, "spec.faults[%zu].select", index);
    if (instances == 0)
        scn_say(&planner->reporter, "\"%s\" has no instances, so that nothing is selected",
                service->name);
    else if (want == 0)
        scn_say(
            &planner->reporter, "%.4g%% of the %zu instance%s of \"%s\" is none",
            (fault->select.mode == SCN_SELECT_UP_TO ? fault->select.up_to : fault->select.percent) *
                100,
            instances, instances == 1 ? "" : "s", service->name);
    else if (want > instances)
        scn_say(&planner->reporter, "%zu instances are asked for, but \"%s\" has %zu", want,
                service->name, instances);
    else
        return true;
    return false;
}

static void check_cap(struct planner *planner, const struct scn_fault *fault,
                      const struct topo_service *service, size_t index, size_t want)
{
    char path[SCN_PATH_LEN];
    scn_at(&planner->reporter, "spec.faults[%zu].maxAffected", index);
    (void)snprintf(path, sizeof path, "%s", planner->reporter.path);
    if (service->observability && !scn_scenario_has(planner->scenario, path))
        scn_say(&planner->reporter,
                "\"%s\" observes the platform; without it a run can prove nothing. Give "
                "maxAffected to hit it all the same",
                service->name);
    else if (want > cap_of(fault, service->instance_count))
        scn_say(&planner->reporter,
                "%zu of %zu instances of \"%s\" would be hit, more than the %.4g%% allowed; select "
                "fewer or raise maxAffected",
                want, service->instance_count, service->name, fault->max_affected * 100);
}

/* ---- what each kind needs of its targets ---- */

static void need_netns(struct planner *planner, const struct topo_service *service, size_t index)
{
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index,
           fault_kind_name(planner->scenario->faults[index].kind));
    for (size_t i = 0; i < service->instance_count; i++) {
        if (service->instances[i].netns != NULL || service->instances[i].find_by != NULL)
            continue; /* of who is found, the agent knows */
        scn_say(&planner->reporter,
                "needs a network namespace, which \"%s\" has none of (target \"%s\" is %s): bring "
                "the sandbox up as root, or leave this fault out with --without-kernel-faults",
                service->instances[i].name, planner->topo->name,
                topo_mode_name(planner->topo->mode));
        return;
    }
}

static void need_supervisor(struct planner *planner, const struct scn_fault *fault,
                            const struct topo_service *service, size_t index)
{
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index, fault_kind_name(fault->kind));
    for (size_t i = 0; i < service->instance_count; i++) {
        const char *file = service->instances[i].status_file;
        if ((file != NULL && *file != '\0') || service->instances[i].find_by != NULL)
            continue;
        scn_say(&planner->reporter,
                "needs to know the process of \"%s\", which target \"%s\" (%s) does not tell",
                service->instances[i].name, planner->topo->name,
                topo_mode_name(planner->topo->mode));
        return;
    }
}

static void need_processes(struct planner *planner, const struct scn_fault *fault,
                           const struct topo_service *service, size_t index)
{
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index, fault_kind_name(fault->kind));
    for (size_t i = 0; i < service->instance_count; i++) {
        const struct topo_instance *instance = &service->instances[i];
        if (instance->cgroup != NULL || instance->find_by != NULL ||
            (instance->status_file != NULL && *instance->status_file))
            continue;
        scn_say(&planner->reporter,
                "needs to know the control group or the process of \"%s\", which target \"%s\" "
                "(%s) does not tell",
                instance->name, planner->topo->name, topo_mode_name(planner->topo->mode));
        return;
    }
}

static void need_groups(struct planner *planner, const struct scn_fault *fault,
                        const struct topo_service *service, size_t index)
{
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index, fault_kind_name(fault->kind));
    for (size_t i = 0; i < service->instance_count; i++) {
        if (service->instances[i].cgroup != NULL || service->instances[i].find_by != NULL)
            continue; /* of who is found, the agent knows */
        scn_say(&planner->reporter,
                "needs a control group of its own, which \"%s\" has none of (target \"%s\" is "
                "%s): bring the sandbox up as root, or leave this fault out with "
                "--without-kernel-faults",
                service->instances[i].name, planner->topo->name,
                topo_mode_name(planner->topo->mode));
        return;
    }
}

static void need_chaos_endpoints(struct planner *planner, const struct topo_service *service,
                                 size_t index)
{
    scn_at(&planner->reporter, "spec.faults[%zu].app", index);
    if (service->admin_token_file == NULL)
        scn_say(&planner->reporter, "\"%s\" has no endpoints that inject errors or latency",
                service->name);
}

static void need_store(struct planner *planner, const struct scn_fault *fault,
                       const struct topo_service *service, size_t index, const char *kind)
{
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index, fault_kind_name(fault->kind));
    if (!base_str_eq(service->kind, kind))
        scn_say(&planner->reporter, "\"%s\" is of the kind \"%s\", expected \"%s\"", service->name,
                service->kind, kind);
    else if (service->credentials_file == NULL)
        scn_say(&planner->reporter,
                "\"%s\" has no credentialsFile in the topology, without which the agent cannot "
                "speak to it",
                service->name);
}

static void check_peers(struct planner *planner, const struct scn_fault *fault, size_t index)
{
    for (size_t i = 0; i < fault->partition.from_count; i++) {
        scn_at(&planner->reporter, "spec.faults[%zu].partition.from[%zu]", index, i);
        planner_service(planner, fault->partition.from[i]);
    }
}

static void check_route(struct planner *planner, const struct scn_fault *fault,
                        const struct scn_route_of *route, size_t index)
{
    const char *kind = fault_kind_name(fault->kind);
    for (size_t i = 0; i < route->peer_count; i++) {
        scn_at(&planner->reporter, "spec.faults[%zu].%s.peers[%zu]", index, kind, i);
        planner_service(planner, route->peers[i]);
    }
}

/* ---- one fault ---- */

static char **copy_texts(char *const *texts, size_t count)
{
    char **copy = base_calloc(count, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = base_str_dup(texts[i]);
    return copy;
}

static void fill_route(const struct scn_route_of *route, struct fault_route *out)
{
    out->side = route->side;
    out->port_count = route->port != 0 ? 1 : route->port_count;
    out->ports = base_calloc(out->port_count, sizeof *out->ports);
    for (size_t i = 0; i < out->port_count; i++)
        out->ports[i] = route->port != 0 ? base_str_printf("%d", (int)route->port)
                                         : base_str_dup(route->ports[i]);
    out->peer_count = route->peer_count;
    out->peers = copy_texts(route->peers, route->peer_count);
}

static void fill_partition(const struct scn_fault *fault, struct fault_spec *spec)
{
    spec->partition.peer_count = fault->partition.from_count;
    spec->partition.peers = base_calloc(spec->partition.peer_count, sizeof(char *));
    for (size_t i = 0; i < spec->partition.peer_count; i++)
        spec->partition.peers[i] = base_str_dup(fault->partition.from[i]);
    spec->partition.action = fault->partition.action;
    spec->partition.direction = fault->partition.direction;
}

static void fill_kill(const struct planner *planner, const struct scn_fault *fault, size_t index,
                      struct fault_spec *spec)
{
    char path[SCN_PATH_LEN];
    (void)snprintf(path, sizeof path, "spec.faults[%zu].kill.signal", index);
    bool gentle = fault->kill.grace.ns > 0 && !scn_scenario_has(planner->scenario, path);
    spec->kill.signal = gentle ? SIGTERM : fault->kill.signal;
    spec->kill.restart_within = fault->kill.restart_within;
    spec->kill.grace = fault->kill.grace;
    spec->kill.every = fault->kill.every;
}

/* What has a port is an address, and no name of the platform. */
static void check_network_peers(struct planner *planner, const struct scn_fault *fault,
                                size_t index)
{
    for (size_t i = 0; i < fault->network.peer_count; i++) {
        const char *peer = fault->network.peers[i];
        scn_at(&planner->reporter, "spec.faults[%zu].network.peers[%zu]", index, i);
        if (strchr(peer, ':') == NULL && topo_find_instance(planner->topo, peer, NULL) == NULL)
            planner_service(planner, peer);
    }
}

static void fill_network(const struct planner *planner, const struct scn_fault *fault,
                         struct fault_spec *spec)
{
    spec->network = fault->network;
    spec->network.peers = copy_texts(fault->network.peers, fault->network.peer_count);
    spec->network.ports = copy_texts(fault->network.ports, fault->network.port_count);
    spec->network.seed = seed_of(planner->seed, fault->name) >> 1; /* as JSON numbers go */
}

/* A folder of the platform's, as a path; free() it. */
static char *state_folder(struct planner *planner, const char *folder, size_t index)
{
    const char *state = planner->topo->state_dir;
    bool absolute = folder[0] == '/'; /* whether it is allowed, the agent says */
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index,
           fault_kind_name(planner->scenario->faults[index].kind));
    if (absolute)
        return base_str_dup(folder);
    if (state == NULL || planner->topo->mode == TOPO_EXTERNAL)
        scn_say(&planner->reporter, "needs a platform with a state folder, which \"%s\" has not",
                planner->topo->name);
    return base_str_printf("%s/%s", state != NULL ? state : "", folder);
}

static void fill_disk(struct planner *planner, const struct scn_fault *fault, size_t index,
                      struct fault_spec *spec)
{
    spec->disk.path = state_folder(planner, fault->disk.folder, index);
    spec->disk.bytes = fault->disk.by == SCN_DISK_SIZE ? (int64_t)fault->disk.size : 0;
    spec->disk.left = fault->disk.by == SCN_DISK_LEFT ? fault->disk.left : 0;
}

static struct fault_texts texts_of(char *const *texts, size_t count)
{
    return (struct fault_texts){.list = copy_texts(texts, count), .count = count};
}

static void fill_http(const struct planner *planner, const struct scn_fault *fault,
                      struct fault_spec *spec)
{
    fill_route(&fault->http.route, &spec->http.route);
    spec->http.method = base_str_dup(fault->http.method);
    spec->http.path = base_str_dup(fault->http.path);
    spec->http.path_prefix = base_str_dup(fault->http.path_prefix);
    spec->http.headers = texts_of(fault->http.headers, fault->http.header_count);
    spec->http.share = fault->http.share;
    spec->http.seed = seed_of(planner->seed, fault->name) >> 1; /* as JSON numbers go */
    spec->http.action = fault->http.action;
    spec->http.status = (int)fault->http.status;
    spec->http.body = base_str_dup(fault->http.body);
    spec->http.time = fault->http.time;
    spec->http.jitter = fault->http.jitter;
    spec->http.bytes = (uint64_t)fault->http.bytes;
    spec->http.set = texts_of(fault->http.set, fault->http.set_count);
    spec->http.remove = texts_of(fault->http.remove, fault->http.remove_count);
}

static void fill_dns(const struct planner *planner, const struct scn_fault *fault,
                     struct fault_spec *spec)
{
    spec->dns.names = texts_of(fault->dns.names, fault->dns.name_count);
    spec->dns.share = fault->dns.share;
    spec->dns.seed = seed_of(planner->seed, fault->name) >> 1;
    spec->dns.answer = fault->dns.answer;
    spec->dns.address = base_str_dup(fault->dns.address);
    spec->dns.server = base_str_dup(fault->dns.server);
}

static void fill_postgres(const struct scn_fault *fault, struct fault_spec *spec)
{
    spec->postgres.action = fault->postgres.action;
    spec->postgres.every = fault->postgres.every;
    spec->postgres.table = base_str_dup(fault->postgres.table);
    spec->postgres.lock = fault->postgres.lock;
    spec->postgres.left = fault->postgres.left;
}

static void fill_redis(const struct scn_fault *fault, struct fault_spec *spec)
{
    spec->redis.action = fault->redis.action;
    spec->redis.pause = fault->redis.pause;
    spec->redis.bytes = (int64_t)fault->redis.bytes;
    spec->redis.every = fault->redis.every;
}

static void fill_rabbitmq(const struct scn_fault *fault, struct fault_spec *spec)
{
    spec->rabbitmq.action = fault->rabbitmq.action;
    spec->rabbitmq.every = fault->rabbitmq.every;
    spec->rabbitmq.bytes = (int64_t)fault->rabbitmq.bytes;
}

static void fill_io(struct planner *planner, const struct scn_fault *fault, size_t index,
                    struct fault_spec *spec)
{
    spec->io.path = state_folder(planner, fault->io.folder, index);
    spec->io.workers = (int)fault->io.workers;
    spec->io.mode = fault->io.mode;
    spec->io.bytes = (int64_t)fault->io.size;
    spec->io.rate = (int64_t)fault->io.rate;
}

static void fill_throttle(struct planner *planner, const struct scn_fault *fault, size_t index,
                          struct fault_spec *spec)
{
    spec->throttle.path = state_folder(planner, fault->throttle.folder, index);
    spec->throttle.limits[FAULT_IO_READ_RATE] = (int64_t)fault->throttle.read_rate;
    spec->throttle.limits[FAULT_IO_WRITE_RATE] = (int64_t)fault->throttle.write_rate;
    spec->throttle.limits[FAULT_IO_READ_OPS] = fault->throttle.read_ops;
    spec->throttle.limits[FAULT_IO_WRITE_OPS] = fault->throttle.write_ops;
}

static void fill_app(const struct scn_fault *fault, struct fault_spec *spec)
{
    spec->app.error_rate = fault->app.error_rate;
    spec->app.error_status = (int)fault->app.error_status;
    spec->app.latency = fault->app.latency;
}

static void fill_memory(const struct scn_fault *fault, struct fault_spec *spec)
{
    spec->memory.bytes = fault->memory.by == SCN_MEMORY_SIZE ? (int64_t)fault->memory.size : 0;
    spec->memory.percent = fault->memory.by == SCN_MEMORY_PERCENT ? fault->memory.percent : 0;
    spec->memory.rate = (int64_t)fault->memory.rate;
}

static void fill_tcp(const struct planner *planner, const struct scn_fault *fault,
                     struct fault_spec *spec)
{
    fill_route(&fault->tcp.route, &spec->tcp.route);
    spec->tcp.toxic = fault->tcp.toxic;
    spec->tcp.bytes = (uint64_t)fault->tcp.bytes;
    spec->tcp.time = fault->tcp.time;
    spec->tcp.jitter = fault->tcp.jitter;
    spec->tcp.share = fault->tcp.share;
    spec->tcp.seed = seed_of(planner->seed, fault->name) >> 1;
}

static void fill_kind(struct planner *planner, const struct scn_fault *fault,
                      const struct topo_service *service, size_t index, struct fault_spec *spec)
{
    switch (fault->kind) {
    case FAULT_KILL:
        need_supervisor(planner, fault, service, index);
        fill_kill(planner, fault, index, spec);
        break;
    case FAULT_PARTITION:
        need_netns(planner, service, index);
        check_peers(planner, fault, index);
        fill_partition(fault, spec);
        break;
    case FAULT_APP:
        need_chaos_endpoints(planner, service, index);
        fill_app(fault, spec);
        break;
    case FAULT_PAUSE:
        need_processes(planner, fault, service, index);
        break;
    case FAULT_CPU:
        need_groups(planner, fault, service, index);
        spec->cpu.workers = (int)fault->cpu.workers;
        spec->cpu.load = fault->cpu.load;
        break;
    case FAULT_MEMORY:
        need_groups(planner, fault, service, index);
        fill_memory(fault, spec);
        break;
    case FAULT_NETWORK:
        need_netns(planner, service, index);
        check_network_peers(planner, fault, index);
        fill_network(planner, fault, spec);
        break;
    case FAULT_DISK_FILL:
        fill_disk(planner, fault, index, spec);
        break;
    case FAULT_LIMITS:
        need_supervisor(planner, fault, service, index);
        spec->limits.files = fault->limits.files;
        spec->limits.pids = fault->limits.pids;
        break;
    case FAULT_TCP:
        need_netns(planner, service, index);
        check_route(planner, fault, &fault->tcp.route, index);
        fill_tcp(planner, fault, spec);
        break;
    case FAULT_HTTP:
        need_netns(planner, service, index);
        check_route(planner, fault, &fault->http.route, index);
        fill_http(planner, fault, spec);
        break;
    case FAULT_DNS:
        need_netns(planner, service, index);
        fill_dns(planner, fault, spec);
        break;
    case FAULT_POSTGRES:
        need_store(planner, fault, service, index, "postgres");
        fill_postgres(fault, spec);
        break;
    case FAULT_REDIS:
        need_store(planner, fault, service, index, "redis");
        fill_redis(fault, spec);
        break;
    case FAULT_IO:
        need_groups(planner, fault, service, index);
        fill_io(planner, fault, index, spec);
        break;
    case FAULT_IO_THROTTLE:
        need_processes(planner, fault, service, index);
        fill_throttle(planner, fault, index, spec);
        break;
    case FAULT_RABBITMQ:
        need_store(planner, fault, service, index, "rabbitmq");
        fill_rabbitmq(fault, spec);
        break;
    }
}

/* A ramp stays on its targets; each repetition draws anew. */
static uint64_t draw_of(const struct planner *planner, const struct scn_occurrence *occurrence)
{
    const struct scn_fault *fault = occurrence->fault;
    return seed_of(planner->seed, fault->ramp.steps > 1 ? fault->name : occurrence->name);
}

static void fill_targets(struct planner *planner, const struct scn_occurrence *occurrence,
                         const struct topo_service *service, size_t want, struct fault_spec *spec)
{
    bool *chosen = base_calloc(service->instance_count, sizeof *chosen);
    choose(draw_of(planner, occurrence), service->instance_count, want, chosen);
    spec->targets = base_calloc(want, sizeof *spec->targets);
    for (size_t i = 0; i < service->instance_count; i++) {
        if (chosen[i])
            spec->targets[spec->target_count++] = base_str_dup(service->instances[i].name);
    }
    free(chosen);
}

/* How many are hit at a time, also of instances that come later. */
static void fill_track(const struct scn_fault *fault, size_t want, struct fault_spec *spec)
{
    spec->track.on = fault->track;
    if (!fault->track)
        return;
    if (fault->select.mode == SCN_SELECT_ALL)
        spec->track.share = 1;
    else if (fault->select.mode == SCN_SELECT_PERCENT)
        spec->track.share = fault->select.percent;
    else
        spec->track.count = want;
}

/* What is right as a whole may be too little in the first of a ramp's steps. */
static void check_scaled(struct planner *planner, const struct fault_spec *spec, size_t index)
{
    struct base_error err;
    scn_at(&planner->reporter, "spec.faults[%zu].ramp", index);
    if (spec->kind == FAULT_NETWORK && !fault_network_check(&spec->network, &err))
        scn_say(&planner->reporter, "in \"%s\": %s", spec->name, err.message);
}

/* A fault waits once, however often it happens; whether it is to happen is asked each time. */
static void fill_gate(const struct scn_occurrence *occurrence, struct plan_gate *gate)
{
    const struct scn_fault *fault = occurrence->fault;
    gate->only_if = base_str_dup(fault->only_if);
    gate->unless = base_str_dup(fault->unless);
    if (!occurrence->first)
        return;
    gate->suspend = fault->suspend.within;
    gate->message = base_str_dup(fault->suspend.message);
    gate->wait_for = base_str_dup(fault->wait.probe);
    gate->within = fault->wait.within;
}

static void plan_fault(struct planner *planner, const struct scn_occurrence *occurrence,
                       size_t number, struct plan_fault *out)
{
    const struct scn_fault *fault = occurrence->fault;
    size_t index = occurrence->index;
    struct fault_spec *spec = &out->spec;
    out->at = occurrence->at;
    out->after = base_str_dup(scn_timeline_leader(&planner->timeline, occurrence));
    fill_gate(occurrence, &out->gate);
    *spec = (struct fault_spec){
        .id = base_str_printf("%s-%zu", planner->options->run, number),
        .run = base_str_dup(planner->options->run),
        .started = planner->options->started,
        .name = base_str_dup(occurrence->name),
        .kind = fault->kind,
        .duration = occurrence->duration,
        .lease = fault->lease,
        .max_affected = fault->max_affected,
        .service = base_str_dup(fault->service),
    };
    scn_at(&planner->reporter, "spec.faults[%zu].service", index);
    const struct topo_service *service = planner_service(planner, fault->service);
    if (service == NULL)
        return;
    fill_kind(planner, fault, service, index, spec);
    scn_scale(spec, occurrence->intensity);
    check_scaled(planner, spec, index);
    size_t want = wanted(&fault->select, service->instance_count, draw_of(planner, occurrence));
    if (!check_selection(planner, fault, service, index, want))
        return;
    /* A random number is judged by the most that it may be: no seed makes a file valid. */
    bool random = fault->select.mode == SCN_SELECT_UP_TO;
    check_cap(planner, fault, service, index,
              random ? share_of(fault->select.up_to, service->instance_count) : want);
    fill_targets(planner, occurrence, service, want, spec);
    fill_track(fault, want, spec);
}

static void need_agent(struct planner *planner)
{
    struct plan *plan = planner->plan;
    if (plan->fault_count == 0)
        return;
    scn_at(&planner->reporter, "spec.faults");
    if (planner->topo->agent_url == NULL || planner->topo->agent_token_file == NULL)
        scn_say(&planner->reporter, "target \"%s\" has no agent that could apply faults",
                planner->topo->name);
    plan->agent_url = base_str_dup(planner->topo->agent_url);
    plan->agent_token_file = base_str_dup(planner->topo->agent_token_file);
    plan->agent_ca_file = base_str_dup(planner->topo->agent_ca_file);
    plan->agent_cert_file = base_str_dup(planner->topo->agent_cert_file);
    plan->agent_key_file = base_str_dup(planner->topo->agent_key_file);
}

static void skip_left_out(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (!planner->left_out[i])
            continue;
        bool itself = planner_leaves_out(planner, fault);
        planner_skip(
            planner, fault->name,
            itself ? base_str_printf("%s needs kernel privileges and was left out with "
                                     "--without-kernel-faults",
                                     fault_kind_name(fault->kind))
                   : base_str_printf("the probe \"%s\" went with a fault that is left out",
                                     fault->only_if != NULL ? fault->only_if : fault->unless));
    }
}

void planner_faults(struct planner *planner)
{
    const struct scn_timeline *timeline = &planner->timeline;
    struct plan *plan = planner->plan;
    skip_left_out(planner);
    plan->fault_count = timeline->count;
    plan->faults = base_calloc(timeline->count, sizeof *plan->faults);
    for (size_t i = 0; i < timeline->count; i++)
        plan_fault(planner, &timeline->list[i], i + 1, &plan->faults[i]);
    planner_overlaps(planner);
    need_agent(planner);
}
