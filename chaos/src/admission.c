/* SPDX-License-Identifier: Apache-2.0 */
#include "admission.h"

#include "base/text.h"
#include "journal.h"

static const int64_t shortest_lease_ms = 200; /* under it, scheduling alone would end faults */

static bool check_track(const struct fault_spec *spec, struct base_error *err)
{
    const char *refused = spec->track.on ? fault_track_refused(spec->kind) : NULL;
    if (refused != NULL)
        return base_fail(err, BASE_INVALID, "fault %s: track makes no sense with %s: %s", spec->id,
                         fault_kind_name(spec->kind), refused);
    return !spec->track.on || spec->track.count > 0 || spec->track.share > 0 ||
           base_fail(err, BASE_INVALID,
                     "fault %s: track says neither how many instances nor what share of them are "
                     "hit (trackCount, trackShare)",
                     spec->id);
}

static bool check_itself(const struct fault_spec *spec, struct base_error *err)
{
    if (!agent_id_valid(spec->id))
        return base_fail(err, BASE_INVALID,
                         "a fault's id has 1 to 128 letters, digits, '.', '_' or '-' and starts "
                         "with a letter or digit");
    if (spec->started.ns <= 0)
        return base_fail(err, BASE_INVALID,
                         "fault %s does not say when its run started (startedNs): it could not be "
                         "halted",
                         spec->id);
    if (spec->duration.ns <= 0)
        return base_fail(err, BASE_INVALID, "fault %s has no `for`: say how long it may last",
                         spec->id);
    if (base_dur_to_ms(spec->lease) < shortest_lease_ms)
        return base_fail(err, BASE_INVALID, "fault %s: a lease under %lld ms cannot be kept",
                         spec->id, (long long)shortest_lease_ms);
    if (spec->target_count == 0)
        return base_fail(err, BASE_INVALID, "fault %s names no target", spec->id);
    for (size_t i = 0; i < spec->target_count; i++)
        for (size_t j = 0; j < i; j++)
            if (base_str_eq(spec->targets[i], spec->targets[j]))
                return base_fail(err, BASE_INVALID, "fault %s names the target %s twice", spec->id,
                                 spec->targets[i]);
    return check_track(spec, err);
}

static bool check_ceiling(const struct fault_spec *spec, const struct agent_limits *limits,
                          struct base_error *err)
{
    const struct {
        const char *name;
        struct dur_ns asked;
    } times[] = {
        {"lease", spec->lease},
        {"`for`", spec->duration},
        {"`restart within`",
         spec->kind == FAULT_KILL ? spec->kill.restart_within : (struct dur_ns){0}},
        {"grace", spec->kind == FAULT_KILL ? spec->kill.grace : (struct dur_ns){0}},
        {"latency", spec->kind == FAULT_APP ? spec->app.latency : (struct dur_ns){0}},
        {"toxic's time", spec->kind == FAULT_TCP ? spec->tcp.time : (struct dur_ns){0}},
        {"delay", spec->kind == FAULT_HTTP ? spec->http.time : (struct dur_ns){0}},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char ceiling[BASE_DUR_TEXT];
        char asked[BASE_DUR_TEXT];
        if (times[i].asked.ns <= limits->max_duration.ns)
            continue;
        base_dur_format(limits->max_duration, ceiling);
        base_dur_format(times[i].asked, asked);
        return base_fail(err, BASE_LIMIT,
                         "fault %s: a %s of %s is over this agent's ceiling of %s (--max-duration)",
                         spec->id, times[i].name, asked, ceiling);
    }
    return true;
}

static bool names(char *const *targets, size_t count, const char *target)
{
    for (size_t i = 0; i < count; i++)
        if (base_str_eq(targets[i], target))
            return true;
    return false;
}

static bool check_targets(const struct fault_spec *spec, const struct topo *topo,
                          struct base_error *err)
{
    if (topo_find_service(topo, spec->service) == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "fault %s: the platform \"%s\" that this agent serves has no service "
                         "\"%s\"",
                         spec->id, topo->name, spec->service);
    for (size_t i = 0; i < spec->target_count; i++) {
        const struct topo_service *service = NULL;
        const char *target = spec->targets[i];
        const struct topo_instance *instance = topo_find_instance(topo, target, &service);
        if (instance == NULL)
            return base_fail(err, BASE_NOT_FOUND,
                             "fault %s: target \"%s\" is no instance of the platform \"%s\" that "
                             "this agent serves",
                             spec->id, target, topo->name);
        if (!base_str_eq(service->name, spec->service))
            return base_fail(err, BASE_INVALID,
                             "fault %s: target %s belongs to the service %s, not to %s", spec->id,
                             target, service->name, spec->service);
        if (!topo_matches(instance, &spec->where))
            return base_fail(err, BASE_INVALID,
                             "fault %s: target %s is not in the zone, node or namespace, or lacks "
                             "a label, that the fault is for, as this agent's topology says",
                             spec->id, target);
    }
    return true;
}

/* Each is measured by the workers in the target's control group, whosever they are. */
static bool has_workers(enum fault_kind kind)
{
    return kind == FAULT_CPU || kind == FAULT_MEMORY || kind == FAULT_IO;
}

/* tcp and http redirect the same connections: the one that came first would have them all. */
static bool hide_each_other(enum fault_kind a, enum fault_kind b)
{
    bool proxies = (a == FAULT_TCP || a == FAULT_HTTP) && (b == FAULT_TCP || b == FAULT_HTTP);
    return a == b || proxies || (has_workers(a) && has_workers(b));
}

/* A part and the whole, or two parts of one, which knows what it does. */
static bool are_one(const struct fault_spec *part, const struct fault_spec *other)
{
    return part->parent != NULL &&
           (base_str_eq(part->parent, other->id) || base_str_eq(part->parent, other->parent));
}

static bool check_overlap(const struct fault_spec *spec, const struct agent_standing *standing,
                          size_t standing_count, struct base_error *err)
{
    for (size_t i = 0; i < standing_count; i++) {
        if (!hide_each_other(standing[i].spec->kind, spec->kind) || are_one(spec, standing[i].spec))
            continue;
        for (size_t t = 0; t < spec->target_count; t++)
            if (names(standing[i].targets, standing[i].target_count, spec->targets[t]))
                return base_fail(err, BASE_LIMIT,
                                 "fault %s: %s already has the %s fault %s; the two would hide "
                                 "each other on one target: revert that one first",
                                 spec->id, spec->targets[t], fault_kind_name(spec->kind),
                                 standing[i].spec->id);
    }
    return true;
}

/* Whom the fault hits: its targets, and with them all that run on a node that is drained. */
static bool hits(const struct fault_spec *spec, const struct topo *topo,
                 const struct topo_instance *instance)
{
    return names(spec->targets, spec->target_count, instance->name) ||
           fault_drains(spec, topo, instance);
}

/* Counts each instance once, however many faults it has. */
static bool check_service(const struct fault_spec *spec, const struct topo *topo,
                          const struct topo_service *service, const struct agent_limits *limits,
                          const struct agent_standing *standing, size_t standing_count,
                          struct base_error *err)
{
    size_t affected = 0;
    bool own_doing = false;
    for (size_t i = 0; i < service->instance_count; i++) {
        bool hit = hits(spec, topo, &service->instances[i]);
        own_doing = own_doing || hit;
        for (size_t s = 0; s < standing_count && !hit; s++)
            hit =
                names(standing[s].targets, standing[s].target_count, service->instances[i].name) ||
                fault_drains(standing[s].spec, topo, &service->instances[i]);
        affected += hit ? 1 : 0;
    }
    bool own = limits->max_affected <= spec->max_affected;
    double cap = own ? limits->max_affected : spec->max_affected;
    double share =
        service->instance_count > 0 ? (double)affected / (double)service->instance_count : 0;
    if (own_doing && service->observability && !base_str_eq(service->name, spec->service))
        return base_fail(err, BASE_DENIED,
                         "fault %s: it would also drain %s, which observes the platform: choose "
                         "another node",
                         spec->id, service->name);
    if (share <= cap + 1e-9 || !own_doing)
        return true;
    return base_fail(err, BASE_LIMIT,
                     "fault %s: %zu of %zu instances of %s would be affected (%.0f %%), the cap is "
                     "%.0f %% (%s): name fewer targets",
                     spec->id, affected, service->instance_count, service->name, share * 100,
                     cap * 100, own ? "this agent's --max-affected" : "the fault's own");
}

static bool check_share(const struct fault_spec *spec, const struct topo *topo,
                        const struct agent_limits *limits, const struct agent_standing *standing,
                        size_t standing_count, struct base_error *err)
{
    for (size_t i = 0; i < topo->service_count; i++)
        if (!check_service(spec, topo, &topo->services[i], limits, standing, standing_count, err))
            return false;
    return true;
}

bool agent_admit(const struct fault_spec *spec, const struct topo *topo,
                 const struct agent_limits *limits, const struct agent_standing *standing,
                 size_t standing_count, struct base_error *err)
{
    return check_itself(spec, err) && check_ceiling(spec, limits, err) &&
           check_targets(spec, topo, err) && check_overlap(spec, standing, standing_count, err) &&
           check_share(spec, topo, limits, standing, standing_count, err);
}

bool agent_read_renewal(const json_t *body, const struct agent_limits *limits,
                        struct dur_ns *out_lease, struct base_error *err)
{
    struct dur_ns lease = {0};
    if (!model_get_dur(body, "renewal", "leaseNs", &lease, err))
        return false;
    if (lease.ns <= 0 || lease.ns > limits->max_duration.ns)
        return base_fail(err, BASE_INVALID,
                         "renewal: leaseNs must be above 0 and at most this agent's ceiling of "
                         "%lld ns",
                         (long long)limits->max_duration.ns);
    *out_lease = lease;
    return true;
}
