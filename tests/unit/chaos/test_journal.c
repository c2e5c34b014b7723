/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as a folder: which entries are found in it, and when it was halted last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "journal_entries.h"

static bool removed(struct agent_journal *journal, const char *id)
{
    return agent_journal_remove(journal, &id, 1, NULL);
}

static void cut_in_half(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
}

static void one_bad_entry_does_not_hide_the_others(void **state)
{
    const char *dir = *state;
    struct agent_journal *journal = agent_journal_open(dir, NULL);
    assert_non_null(journal);
    write_entry(journal, 1);
    write_entry(journal, 2);
    write_entry(journal, 3);
    BASE_AUTO_FREE char *damaged = base_str_printf("%s/a-2.fault", dir);
    cut_in_half(damaged);
    struct seen seen = load(journal);
    assert_int_equal(seen.entries, 2);
    assert_int_equal(seen.corrupt, 1);
    assert_string_equal(seen.last, "a-3");
    BASE_AUTO_FREE char *aside = base_str_printf("%s.corrupt", damaged);
    assert_string_equal(seen.aside, aside);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_not_equal(access(damaged, F_OK), 0);
    for (int again = 0; again < 2; again++) { /* told until somebody has seen to it */
        seen = load(journal);
        assert_int_equal(seen.entries, 2);
        assert_int_equal(seen.corrupt, 1);
        assert_string_equal(seen.aside, aside);
    }
    assert_int_equal(unlink(aside), 0);
    assert_int_equal(load(journal).corrupt, 0);
    agent_journal_close(journal);
}

static void removal_is_final_and_may_be_repeated(void **state)
{
    struct agent_journal *journal = agent_journal_open(*state, NULL);
    write_entry(journal, 1);
    write_entry(journal, 1);
    BASE_AUTO_FREE char *unfinished = base_str_printf("%s/a-2.fault.00.tmp", (const char *)*state);
    assert_true(base_file_write(unfinished, "half", 4, 0600, NULL));
    assert_int_equal(load(journal).entries, 1);
    assert_int_not_equal(access(unfinished, F_OK), 0);
    assert_true(removed(journal, "a-1"));
    assert_true(removed(journal, "a-1"));
    assert_int_equal(load(journal).entries, 0);
    agent_journal_close(journal);
}

/* --- several together --- */

static void those_written_together_go_one_by_one(void **state)
{
    struct agent_journal *journal = agent_journal_open(*state, NULL);
    assert_true(put(journal, 1, ENTRIES_MAX, FAULT_APPLYING, NULL));
    assert_int_equal(load(journal).entries, ENTRIES_MAX);
    for (size_t i = 1; i <= ENTRIES_MAX; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "a-%zu", i);
        assert_true(removed(journal, id));
        if (i % 40 == 0) {
            struct seen seen = load(journal);
            assert_int_equal(seen.entries, ENTRIES_MAX - i);
            assert_int_equal(seen.corrupt, 0);
        }
    }
    const char *all[] = {"a-1", "a-2", "b-1"}; /* gone, or never there */
    assert_true(agent_journal_remove(journal, all, 3, NULL));
    agent_journal_close(journal);
}

static void each_has_its_own_newest_entry(void **state)
{
    struct agent_journal *journal = agent_journal_open(*state, NULL);
    assert_true(put(journal, 1, 5, FAULT_APPLYING, NULL));
    assert_true(put(journal, 2, 2, FAULT_ACTIVE, NULL)); /* beside others than before */
    static const enum fault_state expected[] = {FAULT_APPLYING, FAULT_ACTIVE, FAULT_ACTIVE,
                                                FAULT_APPLYING, FAULT_APPLYING};
    for (size_t i = 0; i < 5; i++) {
        BASE_AUTO_FREE char *path = base_str_printf("%s/a-%zu.fault", (const char *)*state, i + 1);
        BASE_AUTO_FREE char *id = base_str_printf("a-%zu", i + 1);
        BASE_AUTO_BUF struct base_buf buf;
        base_buf_init(&buf, AGENT_JOURNAL_MAX);
        assert_true(base_file_read(path, &buf, NULL));
        struct agent_journal_entry entry = {0};
        assert_true(agent_journal_find(buf.data, buf.len, id, &entry, NULL));
        assert_string_equal(entry.spec.id, id);
        assert_int_equal(entry.record.state, expected[i]);
        agent_journal_entry_fini(&entry);
    }
    agent_journal_close(journal);
}

static void two_agents_never_share_a_folder(void **state)
{
    struct base_error err = {0};
    struct agent_journal *journal = agent_journal_open(*state, NULL);
    assert_non_null(journal);
    assert_null(agent_journal_open(*state, &err));
    assert_int_equal(err.code, BASE_UNAVAILABLE);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    assert_non_null(strstr(err.message, pid));
    agent_journal_close(journal);
    journal = agent_journal_open(*state, &err);
    assert_non_null(journal);
    agent_journal_close(journal);
}

static void what_cannot_be_written_is_an_error(void **state)
{
    struct base_error err = {0};
    struct agent_journal *journal = agent_journal_open(*state, NULL);
    assert_true(base_dir_remove(*state, NULL));
    assert_false(put(journal, 1, 2, FAULT_APPLYING, &err));
    assert_true(err.message[0] != '\0');
    assert_false(removed(journal, "a-1"));
    agent_journal_close(journal);
}

static struct wall_ns halted_after_reopening(const char *dir)
{
    struct agent_journal *journal = agent_journal_open(dir, NULL);
    assert_non_null(journal);
    struct wall_ns halted = agent_journal_halted(journal);
    agent_journal_close(journal);
    return halted;
}

static void the_latest_halt_is_remembered(void **state)
{
    assert_int_equal(halted_after_reopening(*state).ns, 0);
    struct agent_journal *journal = agent_journal_open(*state, NULL);
    assert_true(agent_journal_halt(journal, (struct wall_ns){INT64_C(1700000000123456789)}, NULL));
    /* A clock that was set back forgets nothing. */
    assert_true(agent_journal_halt(journal, (struct wall_ns){5}, NULL));
    assert_int_equal(agent_journal_halted(journal).ns, INT64_C(1700000000123456789));
    agent_journal_close(journal);
    assert_int_equal(halted_after_reopening(*state).ns, INT64_C(1700000000123456789));
    assert_int_equal(halted_after_reopening(*state).ns, INT64_C(1700000000123456789));
}

static void a_damaged_halt_counts_as_one_now(void **state)
{
    static const char *const damaged[] = {"x",
                                          "0000000000000000012\n",
                                          "-0000000000000000012\n",
                                          "00000000000000000012x",
                                          "99999999999999999999\n",
                                          "000000000000000000012\n"};
    BASE_AUTO_FREE char *path = base_str_printf("%s/halted", (const char *)*state);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct wall_ns before = base_wall_now();
        assert_true(base_file_write(path, damaged[i], strlen(damaged[i]), 0600, NULL));
        struct wall_ns halted = halted_after_reopening(*state);
        assert_true(halted.ns >= before.ns && halted.ns <= base_wall_now().ns);
        assert_int_equal(halted_after_reopening(*state).ns, halted.ns);
    }
}

static void a_halt_far_ahead_of_the_clock_counts_as_one_now(void **state)
{
    static const struct {
        int64_t ahead_s;
        bool kept;
    } cases[] = {{-3600, true}, {2, true}, {60, false}, {INT64_C(9000000000), false}};
    BASE_AUTO_FREE char *path = base_str_printf("%s/halted", (const char *)*state);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wall_ns before = base_wall_now();
        int64_t found =
            cases[i].ahead_s > 3600 ? INT64_MAX : before.ns + cases[i].ahead_s * BASE_NS_PER_S;
        BASE_AUTO_FREE char *text = base_str_printf("%020lld\n", (long long)found);
        assert_true(base_file_write(path, text, strlen(text), 0600, NULL));
        struct agent_journal *journal = agent_journal_open(*state, NULL);
        struct wall_ns halted = agent_journal_halted(journal);
        int64_t ahead = agent_journal_halted_ahead(journal).ns;
        agent_journal_close(journal);
        if (cases[i].kept)
            assert_true(halted.ns == found && ahead == 0);
        else
            assert_true(halted.ns >= before.ns && halted.ns <= base_wall_now().ns &&
                        ahead == found);
        assert_int_equal(halted_after_reopening(*state).ns, halted.ns); /* on disk too */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_bad_entry_does_not_hide_the_others, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(removal_is_final_and_may_be_repeated, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(those_written_together_go_one_by_one, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(each_has_its_own_newest_entry, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(two_agents_never_share_a_folder, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_latest_halt_is_remembered, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_damaged_halt_counts_as_one_now, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_halt_far_ahead_of_the_clock_counts_as_one_now,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_an_error, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
