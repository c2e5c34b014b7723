/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../target-app/sandbox/src/roster.h"
#include "base/cleanup.h"
#include "base/text.h"

struct fixture {
    struct sandbox_place place;
    struct sandbox_roster roster;
};

static void make(struct fixture *fixture, bool loopback)
{
    struct sandbox_subnet subnet;
    assert_true(sandbox_place_init(&fixture->place, "t", "/var/lib/squall", NULL));
    assert_true(sandbox_subnet_parse(loopback ? "127.7.8.0/24" : "10.7.8.0/24", &subnet));
    sandbox_roster_init(&fixture->roster, &fixture->place, loopback, subnet, 7070,
                        loopback ? NULL : "/cg/squall/t");
}

static void drop(struct fixture *fixture)
{
    sandbox_roster_fini(&fixture->roster);
    sandbox_place_fini(&fixture->place);
}

static const json_t *service_of(const json_t *topology, const char *name)
{
    const json_t *services = json_object_get(topology, "services");
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *service = json_array_get(services, i);
        if (base_str_eq(json_string_value(json_object_get(service, "name")), name))
            return service;
    }
    fail_msg("no service %s", name);
    return NULL;
}

static void expect_text(const json_t *object, const char *key, const char *expected)
{
    const json_t *value = json_object_get(object, key);
    assert_non_null(value);
    if (expected == NULL)
        assert_true(json_is_null(value));
    else
        assert_string_equal(json_string_value(value), expected);
}

static void topology_in_namespaces(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, false);
    json_t *topology = sandbox_topology(&fixture.roster, &fixture.place);
    assert_int_equal(json_integer_value(json_object_get(topology, "version")), 1);
    expect_text(topology, "name", "t");
    expect_text(topology, "mode", "netns");
    expect_text(topology, "stateDir", "/var/lib/squall/sandboxes/t");
    expect_text(json_object_get(topology, "agent"), "url", "http://127.0.0.1:7070");
    expect_text(json_object_get(topology, "agent"), "tokenFile",
                "/var/lib/squall/sandboxes/t/agent/token");
    const json_t *prometheus = json_object_get(topology, "prometheus");
    expect_text(prometheus, "url", "http://10.7.8.30:9090");
    assert_int_equal(json_integer_value(json_object_get(prometheus, "scrapeIntervalNs")),
                     1000000000);
    assert_int_equal(json_array_size(json_object_get(topology, "services")), 4);

    const json_t *users = service_of(topology, "users");
    expect_text(users, "kind", "http");
    expect_text(users, "healthPath", "/health");
    expect_text(users, "readyPath", "/ready");
    expect_text(users, "adminTokenFile", "/var/lib/squall/sandboxes/t/admin-token");
    expect_text(users, "credentialsFile", NULL);
    assert_int_equal(json_integer_value(json_object_get(users, "port")), 8082);
    assert_true(json_is_false(json_object_get(users, "observability")));
    const json_t *instances = json_object_get(users, "instances");
    assert_int_equal(json_array_size(instances), 2);
    const json_t *second = json_array_get(instances, 1);
    expect_text(second, "name", "users-2");
    expect_text(second, "address", "10.7.8.12");
    assert_int_equal(json_integer_value(json_object_get(second, "port")), 8082);
    expect_text(second, "netns", "/run/netns/sq-t-users-2");
    expect_text(second, "cgroup", "/cg/squall/t/users-2");
    expect_text(second, "statusFile", "/var/lib/squall/sandboxes/t/instances/users-2.json");
    expect_text(second, "logFile", "/var/lib/squall/sandboxes/t/logs/users-2.log");
    expect_text(second, "zone", "b");
    json_decref(topology);
    drop(&fixture);
}

static void infrastructure_is_marked(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, false);
    json_t *topology = sandbox_topology(&fixture.roster, &fixture.place);
    const json_t *postgres = service_of(topology, "postgres");
    expect_text(postgres, "kind", "postgres");
    expect_text(postgres, "healthPath", NULL);
    expect_text(postgres, "readyPath", NULL);
    expect_text(postgres, "adminTokenFile", NULL);
    expect_text(postgres, "credentialsFile", "/var/lib/squall/sandboxes/t/agent/postgres.json");
    const json_t *prometheus = service_of(topology, "prometheus");
    assert_true(json_is_true(json_object_get(prometheus, "observability")));
    expect_text(prometheus, "readyPath", "/-/ready");
    json_decref(topology);
    drop(&fixture);
}

static void topology_on_loopback(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, true);
    json_t *topology = sandbox_topology(&fixture.roster, &fixture.place);
    expect_text(topology, "mode", "loopback");
    const json_t *gateway = service_of(topology, "gateway");
    const json_t *first = json_array_get(json_object_get(gateway, "instances"), 0);
    expect_text(first, "address", "127.7.8.21");
    expect_text(first, "netns", NULL);
    expect_text(first, "cgroup", NULL);
    json_decref(topology);
    drop(&fixture);
}

static void every_address_is_its_own(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, false);
    assert_int_equal(fixture.roster.count, SANDBOX_INSTANCES);
    for (size_t i = 0; i < fixture.roster.count; i++) {
        char gateway[SANDBOX_ADDRESS_TEXT];
        sandbox_address_format(fixture.roster.subnet, SANDBOX_GATEWAY_HOST, gateway);
        assert_string_not_equal(fixture.roster.members[i].address, gateway);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(fixture.roster.members[i].address,
                                    fixture.roster.members[k].address);
    }
    drop(&fixture);
}

static void files_name_all_instances(void **state)
{
    (void)state;
    struct fixture fixture;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 65536);
    make(&fixture, false);
    sandbox_hosts(&fixture.roster, &text);
    assert_non_null(strstr(text.data, "127.0.0.1 localhost\n"));
    assert_non_null(strstr(text.data, "10.7.8.11 users-1 users\n10.7.8.12 users-2 users\n"));
    assert_non_null(strstr(text.data, "10.7.8.10 postgres-1 postgres\n"));
    base_buf_clear(&text);
    sandbox_endpoints(&fixture.roster, SANDBOX_USERS, &text);
    assert_string_equal(text.data, "10.7.8.11:8082,10.7.8.12:8082");
    base_buf_clear(&text);
    sandbox_prometheus_config(&fixture.roster, &text);
    assert_non_null(strstr(text.data, "scrape_interval: 1s"));
    assert_non_null(strstr(text.data, "  - job_name: users\n    static_configs:\n"
                                      "      - targets: ['10.7.8.11:8082']\n"
                                      "        labels: {instance: 'users-1'}\n"));
    assert_non_null(strstr(text.data, "labels: {instance: 'gateway-2'}"));
    assert_null(strstr(text.data, "postgres"));
    drop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topology_in_namespaces),   cmocka_unit_test(infrastructure_is_marked),
        cmocka_unit_test(topology_on_loopback),     cmocka_unit_test(every_address_is_its_own),
        cmocka_unit_test(files_name_all_instances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
