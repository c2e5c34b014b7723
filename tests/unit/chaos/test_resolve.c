/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolve.h"
#include "undo.h"

static char store[] = "store";
static char store_1[] = "store-1";
static char store_2[] = "store-2";
static char v4[] = "10.0.0.1";
static char v6[] = "fd00::1";
static char platform[] = "default";
static struct topo_instance instances[] = {
    {.name = store_1, .address = v4, .port = 5432},
    {.name = store_2, .address = v6, .port = 5433},
};
static struct topo_service services[] = {
    {.name = store, .instances = instances, .instance_count = 2}};
static const struct topo topo = {.name = platform, .services = services, .service_count = 1};

static struct fault_peers resolve(const char *word, const char *own, struct base_error *err)
{
    char copy[128];
    (void)snprintf(copy, sizeof copy, "%s", word);
    char *names[] = {copy};
    struct fault_peers peers = {0};
    *err = (struct base_error){0};
    if (!fault_peers_resolve(&topo, names, 1, own, &peers, err))
        assert_null(peers.list);
    return peers;
}

static void expect_one(const char *word, const char *own, const char *address, uint16_t port)
{
    struct base_error err;
    struct fault_peers peers = resolve(word, own, &err);
    if (peers.count != 1)
        fail_msg("%s: %zu peers, %s", word, peers.count, err.message);
    assert_string_equal(peers.list[0].text, address);
    assert_int_equal(peers.list[0].port, port);
    fault_peers_fini(&peers);
}

/* Small ones, that this host has no address in. Those who lie in it show its effect; the target
 * itself lies in it, and does not count. */
static void a_block_is_shown_by_who_lies_in_it(void **state)
{
    (void)state;
    struct base_error err;
    struct fault_peers peers = resolve("10.0.0.0/31", "10.0.0.9", &err);
    assert_int_equal(peers.count, 1);
    assert_string_equal(peers.list[0].label, "store-1:5432");
    assert_true(peers.list[0].in_block);
    assert_int_equal(peers.block_count, 1);
    assert_true(addr_block_holds(&peers.blocks[0], "10.0.0.0"));
    fault_peers_fini(&peers);
    expect_one("fd00::1/128", "10.0.0.9", "fd00::1", 5433);
    peers = resolve("10.0.0.0/31", "10.0.0.1", &err);
    assert_int_equal(err.code, BASE_INVALID);
    assert_non_null(strstr(err.message, "in the block at 10.0.0.0 lies no instance"));
    peers = resolve("127.0.0.0/8", "10.0.0.9", &err);
    assert_int_equal(err.code, BASE_DENIED);
}

static bool hold(const struct fault_peers *peers, const char *text, bool own)
{
    unsigned char bytes[sizeof(struct in6_addr)] = {0};
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(family, text, bytes), 1);
    return fault_peers_hold(peers, family, bytes, own);
}

/* What a target says to itself is meant when it has been named, but not by a block around it. */
static void what_peers_hold(void **state)
{
    (void)state;
    struct base_error err;
    struct fault_peers peers = resolve("10.0.0.0/31", "10.0.0.9", &err);
    assert_true(hold(&peers, "10.0.0.0", false));
    assert_true(hold(&peers, "10.0.0.1", false));
    assert_false(hold(&peers, "10.0.0.2", false));
    assert_false(hold(&peers, "::a00:0", false));
    assert_false(hold(&peers, "10.0.0.0", true));
    assert_false(hold(&peers, "10.0.0.1", true));
    fault_peers_fini(&peers);
    peers = resolve("127.0.0.1:6379", "10.0.0.9", &err);
    assert_true(hold(&peers, "127.0.0.1", true));
    assert_false(hold(&peers, "127.0.0.2", false));
    fault_peers_fini(&peers);
}

static void a_peer_may_be_a_service_an_instance_or_an_address(void **state)
{
    (void)state;
    struct base_error err;
    struct fault_peers peers = resolve("store", "10.0.0.9", &err);
    assert_int_equal(peers.count, 2);
    assert_string_equal(peers.list[0].label, "store-1:5432");
    fault_peers_fini(&peers);
    expect_one("store", "10.0.0.1", "fd00::1", 5433); /* not itself */
    expect_one("store-1", "10.0.0.9", "10.0.0.1", 5432);
    expect_one("fd00::1", "10.0.0.9", "fd00::1", 5433);
    expect_one("192.0.2.7:80", "10.0.0.9", "192.0.2.7", 80);
    expect_one("[2001:db8::7]:443", "10.0.0.9", "2001:db8::7", 443);
}

static void what_cannot_be_measured_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"nobody",          "192.0.2.7",   "192.0.2.7:0",
                                      "192.0.2.7:65536", "2001:db8::7", "name:80",
                                      "[2001:db8::7]",   ":80",         "store-1:"};
    struct base_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault_peers peers = resolve(bad[i], "10.0.0.9", &err);
        if (peers.count != 0 || err.message[0] == '\0')
            fail_msg("\"%s\" was taken", bad[i]);
    }
    (void)resolve("store-1", "10.0.0.1", &err);
    assert_int_equal(err.code, BASE_INVALID);
}

static void peers_survive_the_journal(void **state)
{
    (void)state;
    struct base_error err;
    struct fault_peers peers = resolve("store", "10.0.0.9", &err);
    struct fault_peers read = {0};
    json_t *json = fault_peers_to_json(&peers);
    assert_true(fault_peers_from_json(json, &read, &err));
    assert_int_equal(read.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read.list[i].family, peers.list[i].family);
        assert_int_equal(read.list[i].port, peers.list[i].port);
        assert_string_equal(read.list[i].label, peers.list[i].label);
        assert_memory_equal(read.list[i].address, peers.list[i].address,
                            sizeof peers.list[i].address);
    }
    json_object_set_new(json_array_get(json, 1), "address", json_string("nowhere"));
    fault_peers_fini(&read);
    assert_false(fault_peers_from_json(json, &read, &err));
    json_decref(json);
    fault_peers_fini(&peers);
}

/* A name with spaces and parentheses must not move the fields of /proc/PID/stat. */
static void a_process_is_its_pid_and_its_start(void **state)
{
    (void)state;
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_NAME, "a) 1 2 (b", 0, 0, 0);
        (void)!write(gate[1], "x", 1);
        (void)pause();
        _exit(0);
    }
    char byte;
    assert_int_equal(read(gate[0], &byte, 1), 1);
    uint64_t own = 0;
    uint64_t ticks = 0;
    assert_true(fault_process_ticks(getpid(), &own));
    assert_true(fault_process_ticks(pid, &ticks));
    assert_true(ticks >= own && ticks - own < 100000);
    assert_true(fault_process_alive(&(struct fault_process){pid, ticks}));
    assert_false(fault_process_alive(&(struct fault_process){pid, ticks + 1}));
    assert_false(fault_process_alive(&(struct fault_process){0, 0}));
    (void)kill(pid, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(fault_process_alive(&(struct fault_process){pid, ticks})); /* a zombie */
    (void)waitpid(pid, NULL, 0);
    assert_false(fault_process_alive(&(struct fault_process){pid, ticks}));
    (void)close(gate[0]);
    (void)close(gate[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_shown_by_who_lies_in_it),
        cmocka_unit_test(what_peers_hold),
        cmocka_unit_test(a_peer_may_be_a_service_an_instance_or_an_address),
        cmocka_unit_test(what_cannot_be_measured_is_refused),
        cmocka_unit_test(peers_survive_the_journal),
        cmocka_unit_test(a_process_is_its_pid_and_its_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
