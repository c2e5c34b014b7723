/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admission.h"
#include "chaos/capability.h"

static char users_1[] = "users-1";
static char users_2[] = "users-2";
static char users_3[] = "users-3";
static char users_4[] = "users-4";
static char gateway_1[] = "gateway-1";
static char users[] = "users";
static char gateway[] = "gateway";
static char platform[] = "default";

static struct topo_instance user_instances[] = {
    {.name = users_1}, {.name = users_2}, {.name = users_3}, {.name = users_4}};
static struct topo_instance gateway_instances[] = {{.name = gateway_1}};
static struct topo_service services[] = {
    {.name = users, .instances = user_instances, .instance_count = 4},
    {.name = gateway, .instances = gateway_instances, .instance_count = 1},
};
static const struct topo topo = {.name = platform, .services = services, .service_count = 2};
static const struct agent_limits limits = {.max_duration = {3600 * BASE_NS_PER_S},
                                           .max_affected = 0.5};

static char *two[] = {users_1, users_2};
static char *three[] = {users_1, users_2, users_3};
static char *third[] = {users_3};
static char *first[] = {users_1};
static char *twice[] = {users_1, users_1};
static char *only_gateway[] = {gateway_1};

static struct fault_spec fault(char *id, char **targets, size_t count)
{
    return (struct fault_spec){.id = id,
                               .started = {1},
                               .kind = FAULT_PARTITION,
                               .duration = base_dur_s(20),
                               .lease = base_dur_s(3),
                               .max_affected = 1.0,
                               .service = users,
                               .targets = targets,
                               .target_count = count};
}

static enum base_code admit_beside(const struct fault_spec *spec,
                                   const struct agent_standing *standing, const char *word)
{
    struct base_error err = {0};
    if (agent_admit(spec, &topo, &limits, standing, standing != NULL ? 1 : 0, &err))
        return BASE_OK;
    if (strstr(err.message, word) == NULL)
        fail_msg("expected \"%s\" in: %s", word, err.message);
    return err.code;
}

static enum base_code admit(const struct fault_spec *spec, const struct fault_spec *standing,
                            const char *word)
{
    if (standing == NULL)
        return admit_beside(spec, NULL, word);
    return admit_beside(
        spec, &(struct agent_standing){standing, standing->targets, standing->target_count}, word);
}

static char id_a[] = "run-1";
static char id_b[] = "run-2";

static void a_run_that_cannot_be_halted_is_refused(void **state)
{
    (void)state;
    struct fault_spec spec = fault(id_a, first, 1);
    spec.started.ns = 0;
    assert_int_equal(admit(&spec, NULL, "startedNs"), BASE_INVALID);
}

static void a_target_is_as_the_fault_says(void **state)
{
    (void)state;
    static char a[] = "a";
    static char front[] = "tier=front";
    static char *labels[] = {front};
    struct fault_spec spec = fault(id_a, first, 1);
    spec.where.zone = a;
    assert_int_equal(admit(&spec, NULL, "users-1 is not in the zone"), BASE_INVALID);
    user_instances[0].zone = a;
    assert_int_equal(admit(&spec, NULL, ""), BASE_OK);
    spec.where.labels = labels;
    spec.where.label_count = 1;
    assert_int_equal(admit(&spec, NULL, "lacks a label"), BASE_INVALID);
    user_instances[0].labels = labels;
    user_instances[0].label_count = 1;
    assert_int_equal(admit(&spec, NULL, ""), BASE_OK);
    user_instances[0] = (struct topo_instance){.name = users_1};
}

static void every_time_has_the_ceiling(void **state)
{
    (void)state;
    struct fault_spec spec = fault(id_a, first, 1);
    spec.kind = FAULT_KILL;
    spec.kill.restart_within = limits.max_duration;
    assert_int_equal(admit(&spec, NULL, ""), BASE_OK);
    spec.kill.restart_within.ns = INT64_MAX;
    assert_int_equal(admit(&spec, NULL, "restart within"), BASE_LIMIT);
    spec.kill.restart_within = limits.max_duration;
    spec.kill.grace.ns = INT64_MAX;
    assert_int_equal(admit(&spec, NULL, "grace"), BASE_LIMIT);
    spec.kind = FAULT_APP;
    spec.app.latency.ns = INT64_MAX;
    assert_int_equal(admit(&spec, NULL, "latency"), BASE_LIMIT);
}

static void what_cannot_follow_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        enum fault_kind kind;
        const char *why; /* NULL: it can */
    } kinds[] = {
        {FAULT_KILL, "every"},      {FAULT_PARTITION, NULL},    {FAULT_APP, NULL},
        {FAULT_PAUSE, NULL},        {FAULT_CPU, NULL},          {FAULT_MEMORY, NULL},
        {FAULT_NETWORK, NULL},      {FAULT_LIMITS, NULL},       {FAULT_DISK_FILL, "file system"},
        {FAULT_TCP, NULL},          {FAULT_HTTP, NULL},         {FAULT_DNS, NULL},
        {FAULT_POSTGRES, "server"}, {FAULT_REDIS, "server"},    {FAULT_IO, NULL},
        {FAULT_IO_THROTTLE, NULL},  {FAULT_RABBITMQ, "server"}, {FAULT_NODE, "marked once"},
    };
    assert_int_equal(sizeof kinds / sizeof *kinds, FAULT_KIND_COUNT);
    struct fault_spec spec = fault(id_a, first, 1);
    spec.track.on = true;
    assert_int_equal(admit(&spec, NULL, "trackCount"), BASE_INVALID);
    spec.track.share = 1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct fault_spec one = spec;
        one.kind = kinds[i].kind;
        assert_int_equal(admit(&one, NULL, kinds[i].why != NULL ? kinds[i].why : ""),
                         kinds[i].why != NULL ? BASE_INVALID : BASE_OK);
    }
}

static void what_is_measured_by_its_workers_has_them_alone(void **state)
{
    (void)state;
    static const enum fault_kind kinds[] = {FAULT_CPU, FAULT_MEMORY, FAULT_IO, FAULT_LIMITS};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++) {
            struct fault_spec standing = fault(id_a, first, 1);
            struct fault_spec spec = fault(id_b, first, 1);
            standing.kind = kinds[i];
            spec.kind = kinds[k];
            bool hidden = i == k || (i < 3 && k < 3);
            assert_int_equal(admit(&spec, &standing, hidden ? "hide each other" : ""),
                             hidden ? BASE_LIMIT : BASE_OK);
        }
    }
}

static void a_part_does_not_hide_the_whole_but_counts(void **state)
{
    (void)state;
    struct fault_spec whole = fault(id_a, two, 2);
    struct fault_spec part = fault(id_b, first, 1);
    whole.track.on = true;
    whole.track.share = 1;
    assert_int_equal(admit(&part, &whole, "hide each other"), BASE_LIMIT);
    part.parent = id_a;
    assert_int_equal(admit(&part, &whole, ""), BASE_OK);
    part.targets = third;
    assert_int_equal(admit(&part, &whole, "75 %"), BASE_LIMIT);
}

static void half_of_a_service_is_taken_and_more_is_not(void **state)
{
    (void)state;
    struct fault_spec spec = fault(id_a, two, 2);
    assert_int_equal(admit(&spec, NULL, ""), BASE_OK);
    spec = fault(id_a, three, 3);
    assert_int_equal(admit(&spec, NULL, "75 %"), BASE_LIMIT);
    spec = fault(id_a, only_gateway, 1);
    spec.service = gateway;
    assert_int_equal(admit(&spec, NULL, "1 of 1"), BASE_LIMIT);
}

static void the_faults_own_cap_counts_when_it_is_lower(void **state)
{
    (void)state;
    struct fault_spec spec = fault(id_a, two, 2);
    spec.max_affected = 0.25;
    assert_int_equal(admit(&spec, NULL, "the fault's own"), BASE_LIMIT);
    spec.max_affected = 0.9;
    spec.targets = three;
    spec.target_count = 3;
    assert_int_equal(admit(&spec, NULL, "--max-affected"), BASE_LIMIT);
}

static void faults_that_stand_count_once_each(void **state)
{
    (void)state;
    struct fault_spec standing = fault(id_a, two, 2);
    struct fault_spec spec = fault(id_b, third, 1);
    spec.kind = FAULT_KILL;
    assert_int_equal(admit(&spec, &standing, "3 of 4"), BASE_LIMIT);
    spec.targets = first; /* is affected already */
    assert_int_equal(admit(&spec, &standing, ""), BASE_OK);
}

/* users-1 and users-4 are on one node, the others and the gateway on another. */
static void a_drain_counts_all_that_runs_on_its_nodes(void **state)
{
    (void)state;
    static char one[] = "n1";
    static char other[] = "n2";
    for (size_t i = 0; i < 4; i++)
        user_instances[i].node = i == 0 || i == 3 ? one : other;
    gateway_instances[0].node = other;
    struct fault_spec spec = fault(id_a, first, 1);
    spec.kind = FAULT_NODE;
    spec.node.action = FAULT_NODE_DRAIN;
    assert_int_equal(admit(&spec, NULL, ""), BASE_OK);
    struct fault_spec beside = fault(id_b, third, 1);
    assert_int_equal(admit(&beside, &spec, "3 of 4 instances of users"), BASE_LIMIT);
    spec.max_affected = 0.25;
    assert_int_equal(admit(&spec, NULL, "2 of 4 instances of users"), BASE_LIMIT);
    spec.max_affected = 1;
    spec.targets = third;
    assert_int_equal(admit(&spec, NULL, "1 of 1 instances of gateway"), BASE_LIMIT);
    services[1].observability = true;
    assert_int_equal(admit(&spec, NULL, "drain gateway, which observes"), BASE_DENIED);
    services[1].observability = false;
    spec.node.action = FAULT_NODE_CORDON;
    assert_int_equal(admit(&spec, NULL, ""), BASE_OK);
    for (size_t i = 0; i < 4; i++)
        user_instances[i].node = NULL;
    gateway_instances[0].node = NULL;
}

static void two_of_a_kind_on_one_target_are_refused(void **state)
{
    (void)state;
    struct fault_spec standing = fault(id_a, two, 2);
    struct fault_spec spec = fault(id_b, first, 1);
    assert_int_equal(admit(&spec, &standing, "run-1"), BASE_LIMIT);
}

/* It was asked for the first alone, and the third has come: also while nothing of it is in force
 * there, since another process is about to be hit. */
static void whoever_has_joined_has_it(void **state)
{
    (void)state;
    struct fault_spec whole = fault(id_a, first, 1);
    struct fault_spec spec = fault(id_b, third, 1);
    char *both[] = {users_1, users_3};
    const struct agent_standing standing = {&whole, both, 2};
    assert_int_equal(admit(&spec, &whole, ""), BASE_OK);
    assert_int_equal(admit_beside(&spec, &standing, "users-3 already has"), BASE_LIMIT);
    spec.parent = id_a; /* a part of it */
    assert_int_equal(admit_beside(&spec, &standing, ""), BASE_OK);
    struct fault_spec other = fault(id_b, two, 2);
    other.kind = FAULT_KILL;
    assert_int_equal(admit_beside(&other, &standing, "3 of 4"), BASE_LIMIT);
}

static void time_has_a_floor_and_a_ceiling(void **state)
{
    (void)state;
    struct fault_spec spec = fault(id_a, first, 1);
    spec.duration = base_dur_s(3601);
    assert_int_equal(admit(&spec, NULL, "ceiling of 1h"), BASE_LIMIT);
    spec = fault(id_a, first, 1);
    spec.lease = base_dur_s(3601);
    assert_int_equal(admit(&spec, NULL, "lease"), BASE_LIMIT);
    spec = fault(id_a, first, 1);
    spec.lease = base_dur_ms(199);
    assert_int_equal(admit(&spec, NULL, "200 ms"), BASE_INVALID);
    spec = fault(id_a, first, 1);
    spec.duration.ns = 0;
    assert_int_equal(admit(&spec, NULL, "`for`"), BASE_INVALID);
}

static void names_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    char nobody[] = "nobody";
    char *unknown[] = {nobody};
    char bad_id[] = "../x";
    struct fault_spec spec = fault(id_a, unknown, 1);
    assert_int_equal(admit(&spec, NULL, "nobody"), BASE_NOT_FOUND);
    spec = fault(id_a, first, 1);
    spec.service = nobody;
    assert_int_equal(admit(&spec, NULL, "no service"), BASE_NOT_FOUND);
    spec = fault(id_a, only_gateway, 1);
    assert_int_equal(admit(&spec, NULL, "belongs to the service gateway"), BASE_INVALID);
    spec = fault(id_a, twice, 2);
    assert_int_equal(admit(&spec, NULL, "twice"), BASE_INVALID);
    spec = fault(id_a, first, 0);
    assert_int_equal(admit(&spec, NULL, "no target"), BASE_INVALID);
    spec = fault(bad_id, first, 1);
    assert_int_equal(admit(&spec, NULL, "id"), BASE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_cannot_be_halted_is_refused),
        cmocka_unit_test(a_target_is_as_the_fault_says),
        cmocka_unit_test(every_time_has_the_ceiling),
        cmocka_unit_test(what_cannot_follow_is_refused_with_the_reason),
        cmocka_unit_test(what_is_measured_by_its_workers_has_them_alone),
        cmocka_unit_test(a_part_does_not_hide_the_whole_but_counts),
        cmocka_unit_test(half_of_a_service_is_taken_and_more_is_not),
        cmocka_unit_test(the_faults_own_cap_counts_when_it_is_lower),
        cmocka_unit_test(faults_that_stand_count_once_each),
        cmocka_unit_test(a_drain_counts_all_that_runs_on_its_nodes),
        cmocka_unit_test(two_of_a_kind_on_one_target_are_refused),
        cmocka_unit_test(whoever_has_joined_has_it),
        cmocka_unit_test(time_has_a_floor_and_a_ceiling),
        cmocka_unit_test(names_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
