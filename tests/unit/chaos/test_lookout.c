/* SPDX-License-Identifier: Apache-2.0 */
/* Who counts as new, and whom a fault holds already: pure, on sights that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lookout.h"

static char users_1[] = "users-1";
static char users_2[] = "users-2";
static char users_3[] = "users-3";

static struct fault_sight sight(char *name, int pid, bool ready)
{
    return (struct fault_sight){
        .name = name, .process = {.pid = pid, .start_ticks = 7}, .ready = ready};
}

static char told[512];

static void on_new(void *ctx, const struct fault_sight *one, enum fault_news news)
{
    (void)ctx;
    size_t len = strlen(told);
    (void)snprintf(told + len, sizeof told - len, "%s %d %s;", one->name, (int)one->process.pid,
                   fault_news_name(news));
}

/* What is told when the service looks like this. */
static const char *look(struct fault_sights *known, struct fault_sight *list, size_t count)
{
    const struct fault_sights now = {.list = list, .count = count};
    told[0] = '\0';
    fault_sights_compare(known, &now, on_new, NULL);
    return told;
}

static void each_comes_once_and_only_when_it_is_ready(void **state)
{
    (void)state;
    struct fault_sights known = {0};
    struct fault_sight start[] = {sight(users_1, 11, true), sight(users_2, 12, false)};
    (void)look(&known, start, 1);
    assert_string_equal(look(&known, start, 1), "");
    assert_string_equal(look(&known, start, 2), "");
    start[1].ready = true;
    assert_string_equal(look(&known, start, 2), "users-2 12 new instance;");
    assert_string_equal(look(&known, start, 2), "");
    struct fault_sight back[] = {sight(users_1, 31, false), sight(users_2, 12, true)};
    assert_string_equal(look(&known, back, 2), "");
    back[0].ready = true;
    assert_string_equal(look(&known, back, 2), "users-1 31 restarted;");
    back[0].process.start_ticks = 8; /* the pid of one that is gone, given to another */
    assert_string_equal(look(&known, back, 2), "users-1 31 restarted;");
    assert_string_equal(look(&known, back, 0), "");
    fault_sights_fini(&known);
}

/* One that is looked for by its processes may be several. */
static void another_beside_one_is_a_new_process(void **state)
{
    (void)state;
    struct fault_sights known = {0};
    struct fault_sight list[] = {sight(users_1, 11, true), sight(users_1, 12, true)};
    (void)look(&known, list, 1);
    assert_string_equal(look(&known, list, 2), "users-1 12 new process;");
    assert_string_equal(look(&known, &list[1], 1), "");
    struct fault_sight successor = sight(users_1, 13, true);
    assert_string_equal(look(&known, &successor, 1), "users-1 13 restarted;");
    fault_sights_fini(&known);
}

static void one_without_a_process_is_told_by_its_name(void **state)
{
    (void)state;
    struct fault_sights known = {0};
    struct fault_sight list[] = {sight(users_1, 0, true), sight(users_3, 0, true)};
    (void)look(&known, list, 1);
    assert_string_equal(look(&known, list, 2), "users-3 0 new instance;");
    assert_string_equal(look(&known, list, 2), "");
    assert_true(fault_sights_have(&known, "users-3"));
    assert_false(fault_sights_have(&known, "users-2"));
    fault_sights_fini(&known);
}

static void a_place_holds_whoever_lives_there(void **state)
{
    (void)state;
    struct fault_sight before = sight(users_1, 11, true);
    struct fault_sight now = sight(users_1, 12, true);
    for (int place = FAULT_PLACE_NONE; place <= FAULT_PLACE_ADDRESS; place++)
        assert_int_equal(fault_sight_is_held(&before, &now, (enum fault_place)place),
                         place == FAULT_PLACE_ADDRESS);
    before.netns = now.netns = (struct fault_place_id){.dev = 4, .ino = 99};
    assert_true(fault_sight_is_held(&before, &now, FAULT_PLACE_NETNS));
    assert_false(fault_sight_is_held(&before, &now, FAULT_PLACE_GROUP));
    assert_false(fault_sight_is_held(&before, &now, FAULT_PLACE_PROCESS));
    now.netns.ino = 98;
    assert_false(fault_sight_is_held(&before, &now, FAULT_PLACE_NETNS));
    before.group = now.group = (struct fault_place_id){.dev = 5, .ino = 1};
    assert_true(fault_sight_is_held(&before, &now, FAULT_PLACE_GROUP));
    now.name = users_2;
    assert_false(fault_sight_is_held(&before, &now, FAULT_PLACE_ADDRESS));
}

static void so_many_are_hit_as_the_selection_says(void **state)
{
    (void)state;
    struct fault_spec spec = {.track = {.on = true, .count = 2}};
    assert_int_equal(fault_track_wanted(&spec, 1), 2);
    assert_int_equal(fault_track_wanted(&spec, 9), 2);
    spec.track.count = 0;
    spec.track.share = 1;
    assert_int_equal(fault_track_wanted(&spec, 3), 3);
    spec.track.share = 0.33;
    assert_int_equal(fault_track_wanted(&spec, 100), 33);
    assert_int_equal(fault_track_wanted(&spec, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes_once_and_only_when_it_is_ready),
        cmocka_unit_test(another_beside_one_is_a_new_process),
        cmocka_unit_test(one_without_a_process_is_told_by_its_name),
        cmocka_unit_test(a_place_holds_whoever_lives_there),
        cmocka_unit_test(so_many_are_hit_as_the_selection_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
