/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of a network namespace of its own, and how often they are listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model/block.h"
#include "tc.h"

static int listings;
static bool refuses; /* to list */

/* In the place of the C library's, for libmnl too. */
ssize_t sendto(int fd, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG to,
               socklen_t to_len)
{
    struct nlmsghdr head = {0};
    memcpy(&head, data, len < sizeof head ? len : sizeof head);
    if (head.nlmsg_type == RTM_GETROUTE && (head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
        listings++;
        errno = ENOBUFS;
        if (refuses)
            return -1;
    }
    return syscall(SYS_sendto, fd, data, len, flags, to.__sockaddr__, to_len);
}

static void sh(const char *command)
{
    assert_int_equal(system(command), 0);
}

struct place {
    struct fault_netns netns;
    struct fault_tc *tc;
    struct fault_tc_news *news;
    struct addr_block blocks[2];
    struct fault_peer peer;
    struct fault_peers peers;
    struct fault_tc_devices devices;
};

/* Two devices, with one address and one block of each family behind the first of them. */
static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    struct base_error err = {0};
    *state = place;
    if (geteuid() != 0 || place == NULL)
        return place != NULL ? 0 : -1;
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    sh("ip link add near type veth peer name near1 && ip link add far type veth peer name far1 && "
       "ip address add 10.1.0.1/16 dev near && ip address add fd01::1/64 dev near nodad && "
       "ip address add 10.2.0.1/16 dev far && ip address add fd02::1/64 dev far nodad && "
       "for device in near near1 far far1; do ip link set $device up; done");
    assert_true(addr_block_parse("10.1.4.0/24", &place->blocks[0], &err));
    assert_true(addr_block_parse("fd01::/64", &place->blocks[1], &err));
    place->peer = (struct fault_peer){.family = AF_INET, .address = {10, 1, 0, 7}};
    place->peers = (struct fault_peers){
        .list = &place->peer, .count = 1, .blocks = place->blocks, .block_count = 2};
    assert_true(fault_netns_own(&place->netns, &err));
    place->tc = fault_tc_new(&place->netns, &err);
    place->news = fault_tc_news_new(&place->netns, &err);
    assert_non_null(place->tc);
    assert_non_null(place->news);
    assert_true(fault_tc_devices(place->tc, &place->peers, &place->devices, &err));
    assert_int_equal(place->devices.count, 1);
    listings = 0;
    refuses = false;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    fault_tc_news_free(place->news);
    fault_tc_free(place->tc);
    if (place->tc != NULL)
        fault_netns_close(&place->netns);
    free(place);
    return 0;
}

static bool last(struct place *place, struct base_error *err)
{
    *err = (struct base_error){0};
    return fault_tc_devices_last(place->tc, place->news, &place->peers, &place->devices, err);
}

static void assert_lists(struct place *place, int expected)
{
    struct base_error err;
    listings = 0;
    assert_true(last(place, &err));
    assert_int_equal(listings, expected);
}

static void assert_ends(struct place *place, const char *words)
{
    struct base_error err;
    assert_false(last(place, &err));
    assert_non_null(strstr(err.message, words));
}

static bool skips(void)
{
    if (geteuid() != 0)
        print_message("[  SKIP  ] a network namespace needs root\n");
    return geteuid() != 0;
}

static void test_nothing_is_listed_without_news(void **state)
{
    if (skips())
        return;
    for (int i = 0; i < 100; i++)
        assert_lists(*state, 0);
}

/* Nor for what leads elsewhere, or leads nowhere any more. */
static void test_other_routes_are_no_news(void **state)
{
    if (skips())
        return;
    sh("ip route add 10.1.5.0/24 via 10.2.0.7 && ip route add 10.1.4.0/26 dev near && "
       "ip -6 route add fd03::/64 via fd02::7 && ip route add blackhole 10.1.4.64/26");
    assert_lists(*state, 2); /* one for each block: 10.1.4.0/26 */
    assert_lists(*state, 0);
    sh("ip route del 10.1.5.0/24 && ip route del 10.1.4.0/26 && ip -6 route del fd03::/64 && "
       "ip route del blackhole 10.1.4.64/26 && ip route add blackhole 10.1.4.128/25");
    assert_lists(*state, 0);
}

static void test_a_route_that_comes_later(void **state)
{
    if (skips())
        return;
    assert_lists(*state, 0);
    sh("ip route add 10.1.4.0/26 via 10.2.0.7");
    assert_ends(*state, "a route to 10.1.4.0/24 through device");
}

static void test_a_route_of_another_table(void **state)
{
    if (skips())
        return;
    sh("ip route add default via 10.2.0.7 table 77");
    assert_ends(*state, "a route to 10.1.4.0/24 through device");
}

static void test_a_route_of_ipv6_that_comes_later(void **state)
{
    if (skips())
        return;
    assert_lists(*state, 0);
    sh("ip -6 route add fd01::8/125 via fd02::7");
    assert_ends(*state, "a route to fd01::/64 through device");
}

static void test_a_route_to_one_address_needs_no_news(void **state)
{
    struct place *place = *state;
    if (skips())
        return;
    place->peers.block_count = 0;
    fault_tc_news_free(place->news);
    place->news = NULL;
    assert_lists(place, 0);
    sh("ip route add 10.1.0.7/32 via 10.2.0.7");
    assert_ends(place, "through device");
}

static void many_routes(const char *more)
{
    FILE *batch = popen("ip -batch -", "w");
    assert_non_null(batch);
    for (int i = 0; i < 20000; i++)
        (void)fprintf(batch, "route add 10.9.%d.%d/32 via 10.2.0.7\n", i / 250, i % 250);
    (void)fputs(more, batch);
    assert_int_equal(pclose(batch), 0);
}

/* More than the queue holds: what was lost may have been of us. */
static void test_a_queue_that_was_full(void **state)
{
    if (skips())
        return;
    many_routes("");
    assert_lists(*state, 2);
    assert_lists(*state, 0);
}

static void test_a_route_that_the_queue_had_no_room_for(void **state)
{
    if (skips())
        return;
    many_routes("route add 10.1.4.0/26 via 10.2.0.7\n");
    assert_ends(*state, "a route to 10.1.4.0/24 through device");
}

/* What could not be listed is listed the next time. */
static void test_a_listing_that_fails(void **state)
{
    if (skips())
        return;
    sh("ip route add 10.1.4.0/26 via 10.2.0.7");
    refuses = true;
    assert_lists(*state, 2);
    refuses = false;
    assert_ends(*state, "a route to 10.1.4.0/24 through device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_listed_without_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_routes_are_no_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_route_that_comes_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_route_of_another_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_route_of_ipv6_that_comes_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_route_to_one_address_needs_no_news, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_queue_that_was_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_route_that_the_queue_had_no_room_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_listing_that_fails, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
