/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/process.h"

#define FIELDS(parent, ticks)                                                                      \
    " " parent " 5 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " ticks                                 \
    " 1000 200 18446744073709551615\n"

static void the_command_may_look_like_anything(void **state)
{
    (void)state;
    static const char *const commands[] = {"sh", "a b", ")", "x) Z 1", "", "(((", "9 ) S 1 2"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char text[256];
        struct base_process found = {0};
        (void)snprintf(text, sizeof text, "77 (%s) S" FIELDS("41", "123456789"), commands[i]);
        assert_true(base_process_parse(text, &found));
        assert_int_equal(found.parent, 41);
        assert_int_equal(found.start_ticks, 123456789);
    }
}

static void what_is_no_living_process(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",
        "77 (sh) S",
        "77 (sh)",
        "77 (sh) ",
        "77 sh S" FIELDS("1", "5"),
        "77 (sh) Z" FIELDS("1", "5"),
        "77 (sh) X" FIELDS("1", "5"),
        "77 (sh) x" FIELDS("1", "5"),
        "77 (sh) S" FIELDS("-1", "5"),
        "77 (sh) S" FIELDS("99999999999", "5"),
        "77 (sh) S" FIELDS("1", "-5"),
        "77 (sh) S" FIELDS("1", "99999999999999999999999999999999999999"),
        "77 (sh) S 1 5 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0", /* one field short */
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct base_process found = {.parent = 7};
        if (base_process_parse(none[i], &found) || found.parent != 7)
            fail_msg("case %zu", i);
    }
}

static void a_child_until_it_has_ended(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    struct base_process found = {0};
    uint64_t ticks = 0;
    uint64_t own = 0;
    assert_true(base_process_find(child, &found));
    assert_int_equal(found.parent, getpid());
    assert_true(base_process_ticks(child, &ticks) && base_process_ticks(getpid(), &own));
    assert_true(ticks == found.start_ticks && ticks >= own);
    assert_true(base_process_alive(child, ticks));
    assert_false(base_process_alive(child, ticks + 1));
    assert_int_equal(kill(child, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_false(base_process_find(child, &found)); /* a zombie is none */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(base_process_alive(child, ticks));
    assert_false(base_process_find(0, &found));
    assert_false(base_process_find(-1, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_may_look_like_anything),
        cmocka_unit_test(what_is_no_living_process),
        cmocka_unit_test(a_child_until_it_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
