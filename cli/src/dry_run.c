/* SPDX-License-Identifier: Apache-2.0 */
#include "dry_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli.h"
#include "model/control.h"
#include "scenarios/spend.h"

/* How each kind is done and undone. */
#define BY_A_PROXY                                                                                 \
    "a redirect by nftables in the target's network namespace to a proxy of the agent's; it "      \
    "times "                                                                                       \
    "out in the kernel after one lease, table and proxy go with the agent; "
static const char *const mechanisms[FAULT_KIND_COUNT] = {
    [FAULT_KILL] = "a signal through a pidfd; nothing stays in place",
    [FAULT_PARTITION] =
        "nftables sets in the target's network namespace; their elements time out in the kernel "
        "after one lease, the table goes with the agent",
    [FAULT_APP] = "the target's own /api/chaos endpoints, with a TTL of one lease",
    [FAULT_PAUSE] =
        "the freezer of the target's cgroup, else SIGSTOP; a watchdog thaws at the lease",
    [FAULT_CPU] = "workers in the target's cgroup, which end by themselves at the lease",
    [FAULT_MEMORY] = "workers in the target's cgroup, which end by themselves at the lease",
    [FAULT_NETWORK] =
        "nftables and queues, or netem, in the target's network namespace; they let packets pass "
        "after one lease",
    [FAULT_DISK_FILL] = "a file without a name, which vanishes with the process that holds it",
    [FAULT_LIMITS] = "limits of the target's processes; a watchdog puts back what was",
    [FAULT_TCP] = BY_A_PROXY "connections that are open are reset when it begins and ends",
    [FAULT_HTTP] = BY_A_PROXY "connections that are open are reset when it begins and ends",
    [FAULT_DNS] = BY_A_PROXY "what is asked of port 53, by UDP and TCP, is answered there",
    [FAULT_POSTGRES] =
        "sessions of the agent at the server, which ends them by its own timeouts after one lease",
    [FAULT_REDIS] =
        "commands of the agent at the server: short pauses and sleeps, keys that expire "
        "after one lease, clients that are disconnected; what evict drives out is lost",
    [FAULT_IO] = "workers in the target's cgroup, which end by themselves at the lease",
    [FAULT_IO_THROTTLE] =
        "io.max of the target's cgroup, or blkio.throttle of cgroup v1; a watchdog "
        "puts back what was",
    [FAULT_RABBITMQ] = "requests to the node's management plugin: connections that are closed, a "
                       "queue that expires "
                       "after one lease",
    [FAULT_NODE] =
        "spec.unschedulable of the node at Kubernetes' API, with an annotation that says "
        "whose it is; a watchdog takes it off at the lease",
};

static const char *const of_pods[] = {
    [FAULT_KILL_DELETE] = "a DELETE of exactly this pod at Kubernetes' API, whatever a disruption "
                          "budget says; nothing stays in place",
    [FAULT_KILL_EVICT] = "an eviction of exactly this pod at Kubernetes' API, unless a disruption "
                         "budget forbids; nothing stays in place",
};

static const char *mechanism_of(const struct fault_spec *spec)
{
    if (fault_is_slow_disk(spec))
        return "as ioThrottle: io.max of the target's cgroup, or blkio.throttle of cgroup v1; a "
               "watchdog puts back what was; sessions of the agent at the server commit records "
               "of WAL that no table sees, and time that";
    if (fault_failover_of(spec) != NULL)
        return "nftables in the target's network namespace, which reset or drop all that comes in "
               "or goes out; they time out in the kernel after one lease, the table goes with the "
               "agent. Whoever takes over keeps the role";
    if (spec->kind == FAULT_NODE && spec->node.action == FAULT_NODE_DRAIN)
        return "as cordon: spec.unschedulable of the node, with an annotation, which a watchdog "
               "takes off at the lease; and evictions of exactly these pods, which disruption "
               "budgets may hold back; what was evicted does not come back there";
    return fault_is_of_pod(spec) ? of_pods[spec->kill.by] : mechanisms[spec->kind];
}

static void print_target(const struct topo *topo, const char *name)
{
    const struct topo_instance *instance = topo_find_instance(topo, name, NULL);
    if (instance == NULL)
        return;
    (void)printf("  target     %s at %s port %u", name, instance->address,
                 (unsigned)instance->port);
    if (instance->netns != NULL)
        (void)printf(", network namespace %s", instance->netns);
    if (instance->cgroup != NULL)
        (void)printf(", cgroup %s", instance->cgroup);
    if (instance->find_by != NULL)
        (void)printf(", found by the agent: %s %s", instance->find_by, instance->find_value);
    if (instance->pod_uid != NULL)
        (void)printf(", pod %s/%s uid %s", instance->pod_namespace, instance->pod_name,
                     instance->pod_uid);
    if (instance->node != NULL)
        (void)printf(", node %s", instance->node);
    (void)putchar('\n');
}

/* All that a drain evicts, whichever service it is of, as the topology says; the agent refuses a
 * node on which something else runs that would be evicted. */
static void print_drained(const struct fault_spec *spec, const struct topo *topo)
{
    for (size_t s = 0; s < topo->service_count; s++) {
        const struct topo_service *service = &topo->services[s];
        size_t count = 0;
        for (size_t i = 0; i < service->instance_count; i++) {
            const struct topo_instance *one = &service->instances[i];
            if (!fault_drains(spec, topo, one))
                continue;
            (void)printf("  evicts     pod %s/%s uid %s of node %s (%s of %s)\n",
                         one->pod_namespace != NULL ? one->pod_namespace : "?",
                         one->pod_name != NULL ? one->pod_name : "?",
                         one->pod_uid != NULL ? one->pod_uid : "?", one->node, one->name,
                         service->name);
            count++;
        }
        if (count > 0)
            (void)printf("  drains     %zu of %zu instances of %s (%.0f %%)\n", count,
                         service->instance_count, service->name,
                         100.0 * (double)count / (double)service->instance_count);
    }
}

/* Whom the agent asks, beside the target: before, during and after. */
static void print_asked(const struct fault_spec *spec)
{
    const struct fault_failover *failover = fault_failover_of(spec);
    char within[BASE_DUR_TEXT];
    if (failover == NULL)
        return;
    base_dur_format(failover->restored_within, within);
    (void)printf("  asks      ");
    for (size_t i = 0; i < failover->member_count; i++)
        (void)printf("%s%s", i > 0 ? ", " : " ", failover->members[i]);
    (void)printf(" whether the cluster goes on without the target; it has to be whole again within "
                 "%s of the end\n",
                 within);
}

static void print_gate(const struct plan_fault *fault)
{
    const struct plan_gate *gate = &fault->gate;
    char within[BASE_DUR_TEXT];
    base_dur_format(gate->suspend, within);
    if (gate->suspend.ns > 0)
        (void)printf("  suspends   the run until an operator continues it, at most %s\n", within);
    base_dur_format(gate->within, within);
    if (gate->wait_for != NULL)
        (void)printf("  waits      for probe %s, at most %s\n", gate->wait_for, within);
    if (gate->only_if != NULL)
        (void)printf("  only if    probe %s holds\n", gate->only_if);
    if (gate->unless != NULL)
        (void)printf("  unless     probe %s holds\n", gate->unless);
}

void dry_run_fault(const struct plan_fault *fault, const struct topo *topo)
{
    const struct fault_spec *spec = &fault->spec;
    const struct topo_service *service = topo_find_service(topo, spec->service);
    size_t instances = service != NULL ? service->instance_count : 0;
    char at[BASE_DUR_TEXT];
    char duration[BASE_DUR_TEXT];
    char lease[BASE_DUR_TEXT];
    base_dur_format(fault->at, at);
    base_dur_format(spec->duration, duration);
    base_dur_format(spec->lease, lease);
    (void)printf("fault %s: %s of %s, at %s for %s, lease %s\n", spec->name,
                 fault_kind_name(spec->kind), spec->service, at, duration, lease);
    for (size_t i = 0; i < spec->target_count; i++)
        print_target(topo, spec->targets[i]);
    print_drained(spec, topo);
    print_asked(spec);
    (void)printf("  radius     %zu of %zu instances of %s (%.0f %%), at most %.0f %% allowed\n",
                 spec->target_count, instances, spec->service,
                 instances > 0 ? 100.0 * (double)spec->target_count / (double)instances : 0.0,
                 spec->max_affected * 100);
    if (spec->track.count > 0)
        (void)printf("  follows    instances that come meanwhile, %llu at a time\n",
                     (unsigned long long)spec->track.count);
    else if (spec->track.on)
        (void)printf("  follows    instances that come meanwhile, %.4g %% of them\n",
                     spec->track.share * 100);
    (void)printf("  mechanism  %s\n", mechanism_of(spec));
    print_gate(fault);
}

static bool print_ability(const json_t *kinds, enum fault_kind kind)
{
    const json_t *why = json_object_get(kinds, fault_kind_name(kind));
    bool can = json_is_null(why);
    (void)printf("  %-10s %s%s\n", fault_kind_name(kind), can ? "can be done there" : "CANNOT: ",
                 can                      ? ""
                 : json_string_value(why) ? json_string_value(why)
                                          : "this agent does not know it");
    return can;
}

enum { pids_shown = 8, rehearsal_patience_s = 10 };

static void print_found(const struct fault_spec *spec, const json_t *target)
{
    size_t i;
    const json_t *pid;
    const json_t *pids = json_object_get(target, "pids");
    (void)printf("  %-10s would hit %s:", spec->name,
                 json_string_value(json_object_get(target, "name")));
    json_array_foreach(pids, i, pid) if (i < pids_shown)(void)
        printf(" %spid %lld", i > 0 ? "and " : "", (long long)json_integer_value(pid));
    if (json_array_size(pids) > pids_shown)
        (void)printf(" and %zu more", json_array_size(pids) - pids_shown);
    if (json_array_size(pids) == 0)
        (void)printf(" no process that is known");
    static const char *const places[][2] = {{"netns", "network namespace"}, {"cgroup", "cgroup"}};
    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
        const char *path = json_string_value(json_object_get(target, places[k][0]));
        if (path != NULL)
            (void)printf(", %s %s", places[k][1], path);
    }
    (void)putchar('\n');
}

/* Whom it would hit and whether it would be taken, were it asked for now. */
static bool rehearse(const struct control_agent *agent, const struct fault_spec *spec)
{
    struct base_error err = {0};
    int status = 0;
    size_t i;
    json_t *answer = NULL;
    const json_t *target;
    json_t *body = fault_spec_to_json(spec);
    BASE_AUTO_FREE char *text = model_json_dump_line(body);
    json_decref(body);
    bool ok = control_ask(agent, "POST", CONTROL_PATH_REHEARSE, text,
                          base_dur_s(rehearsal_patience_s), &status, &answer, &err);
    if (!ok || status != 200) {
        const char *why = ok ? control_why(answer) : err.message;
        (void)printf("  %-10s CANNOT: %s\n", spec->name, why != NULL ? why : "no answer to it");
    } else {
        json_array_foreach(json_object_get(answer, "targets"), i, target)
        {
            print_found(spec, target);
        }
    }
    json_decref(answer);
    return ok && status == 200;
}

int dry_run_agent(const struct control_agent *agent, const struct plan *plan)
{
    struct base_error err = {0};
    json_t *health = NULL;
    bool asked[64] = {false};
    bool all = true;
    if (!control_health(agent, &health, &err))
        return cli_fail(EXIT_CODE_ERROR, &err);
    (void)printf("agent %s\n", agent->url);
    const json_t *kinds = json_object_get(health, "kinds");
    for (size_t i = 0; i < plan->fault_count; i++) {
        enum fault_kind kind = plan->faults[i].spec.kind;
        if ((size_t)kind < sizeof asked && asked[kind])
            continue;
        if ((size_t)kind < sizeof asked)
            asked[kind] = true;
        all = print_ability(kinds, kind) && all;
    }
    json_decref(health);
    bool able = all;
    for (size_t i = 0; able && i < plan->fault_count; i++)
        all = rehearse(agent, &plan->faults[i].spec) && all;
    return all ? EXIT_CODE_PASS : EXIT_CODE_ERROR;
}

/* A fault without effect on it is not worth a line. */
static void print_part(const struct plan_fault *fault, const struct scn_spend_part *part,
                       bool counted)
{
    char length[BASE_DUR_TEXT];
    base_dur_format(part->length, length);
    if (part->bad <= 0)
        return;
    (void)printf("  %-10s %.4g %% of the requests meet a target for %s, %.4g %% of those are bad "
                 "(%s): at most ",
                 fault->spec.name, part->hit * 100, length, part->spoilt * 100,
                 part->stated ? "as it states" : "the worst case");
    if (counted)
        (void)printf("%.0f\n", ceil(part->bad - 1e-6));
    else
        (void)printf("%.4g %% of all\n", part->bad * 100);
}

static void print_spend(const struct plan *plan, const struct topo *topo, size_t slo)
{
    const struct plan_slo *of = &plan->slos[slo];
    struct scn_spend spend = scn_spend(plan, topo, slo);
    struct dur_ns none = {0};
    char over[BASE_DUR_TEXT];
    (void)printf("budget %s of %s: %.6g %% must be good", of->name, of->service,
                 of->objective * 100);
    if (spend.counted)
        (void)printf(", so that %.0f of %.0f requests may be bad", floor(spend.allowed + 1e-6),
                     spend.requests);
    (void)putchar('\n');
    for (size_t i = 0; i < plan->fault_count; i++)
        print_part(&plan->faults[i], &spend.parts[i], spend.counted);
    (void)printf("  predicted  at most %.4g %% of this run's budget",
                 scn_spend_of(&spend, none, plan->duration) * 100);
    base_dur_format(plan->budget_over, over);
    if (plan->budget_over.ns > 0 && plan->budget_over.ns != plan->duration.ns)
        (void)printf(", %.4g %% of that of %s of such traffic",
                     scn_spend_of(&spend, plan->budget_over, plan->duration) * 100, over);
    if (plan->budget_over.ns > 0)
        (void)printf("; %.4g %% allowed", plan->max_spend * 100);
    (void)putchar('\n');
    free(spend.parts);
}

static void print_budget(const struct plan *plan, const struct topo *topo)
{
    if (plan->slo_count == 0 || plan->fault_count == 0)
        return;
    for (size_t i = 0; i < plan->slo_count; i++)
        print_spend(plan, topo, i);
    (void)printf("  assumes    requests spread evenly over instances and meet one of each service; "
                 "no two faults spoil the\n"
                 "             same request; every branch is taken; what waits comes when most "
                 "requests are due%s;\n"
                 "             neither slow recovery nor retries\n",
                 plan->load.replay != NULL || plan->load.closed.stage_count > 0
                     ? "; as many requests at any time"
                     : "");
}

int dry_run_plan(const struct plan *plan, const struct topo *topo)
{
    char duration[BASE_DUR_TEXT];
    base_dur_format(plan->duration, duration);
    (void)printf("scenario %s on %s (%s), seed %llu\n", plan->scenario, plan->target_name,
                 plan->target_mode, (unsigned long long)plan->seed);
    (void)printf("load %g/s for %s over %u connections to", plan->load.rate, duration,
                 plan->load.connections);
    for (size_t i = 0; i < plan->load.target_count; i++)
        (void)printf(" %s:%u", plan->load.targets[i].address, (unsigned)plan->load.targets[i].port);
    (void)printf("\n");
    for (size_t i = 0; i < plan->fault_count; i++)
        dry_run_fault(&plan->faults[i], topo);
    for (size_t i = 0; i < plan->skipped_count; i++)
        (void)printf("LEFT OUT %s: %s\n", plan->skipped[i].name, plan->skipped[i].why);
    print_budget(plan, topo);
    int code = EXIT_CODE_PASS;
    if (plan->fault_count > 0) {
        const struct control_agent agent = {
            .url = plan->agent_url,
            .token_file = plan->agent_token_file,
            .tls = {.ca = plan->agent_ca_file,
                    .cert = plan->agent_cert_file,
                    .key = plan->agent_key_file},
        };
        code = dry_run_agent(&agent, plan);
    }
    (void)printf("nothing was done (--dry-run)\n");
    return code;
}
