/* SPDX-License-Identifier: Apache-2.0 */
/* What a leader hears from its workers, by a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cluster_lead.h"

static const struct dur_ns patience = {20 * BASE_NS_PER_S};

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

static pid_t start_redis(uint16_t port)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%u", port);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout) != NULL)
            (void)execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port", text,
                         "--save", "", "--appendonly", "no", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static struct load_redis *reach(uint16_t port)
{
    struct mono_ns began = base_mono_now();
    struct base_error err;
    struct load_redis *redis;
    while ((redis = load_redis_connect("127.0.0.1", port, patience, &err)) == NULL) {
        if (base_mono_sub(base_mono_now(), began).ns > patience.ns)
            fail_msg("%s", err.message);
        (void)usleep(5000);
    }
    return redis;
}

/* Workers look whether the leader is there; one that has many messages to hear in one turn is. */
static void test_a_busy_leader_is_alive(void **state)
{
    (void)state;
    uint16_t port = free_port();
    pid_t server = start_redis(port);
    struct load_peer peer = {.lost = true}; /* nothing is made of what it says */
    struct load_leader leader = {.redis = reach(port), .config = {.workers = 1}};
    struct base_error err;
    char *alive = NULL;
    leader.peers.all = &peer;
    for (size_t i = 0; i < LOAD_CLUSTER_KEYS; i++)
        leader.keys[i] = load_cluster_key("busy", "id", (enum load_cluster_key)i);
    const char *up = leader.keys[LOAD_CLUSTER_UP];
    for (int turn = 0; turn < 2; turn++) {
        leader.revived = (struct mono_ns){1}; /* long ago, and it has expired */
        assert_true(load_redis_drop(leader.redis, leader.keys[LOAD_CLUSTER_ALIVE], &err));
        assert_true(load_redis_send(leader.redis, up, "{\"type\": \"alive\", \"worker\": 0}",
                                    patience, &err));
        if (!load_lead_listen(&leader, &err))
            fail_msg("%s", err.message);
        assert_true(load_redis_get(leader.redis, leader.keys[LOAD_CLUSTER_ALIVE], &alive, &err));
        assert_string_equal(alive, "1");
        free(alive);
    }
    assert_int_equal(leader.heard, 2);
    load_redis_free(leader.redis);
    for (size_t i = 0; i < LOAD_CLUSTER_KEYS; i++)
        free(leader.keys[i]);
    free(leader.last);
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_busy_leader_is_alive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
