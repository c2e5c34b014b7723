/* SPDX-License-Identifier: Apache-2.0 */
/* What dies or fails between any two operations of the kernel leaves each entry of the journal as
 * it was, or as it was asked for. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "journal_entries.h"

static bool no_links; /* as on some file systems */
static struct {
    int at; /* the one that is it, from 1; 0: none */
    int seen;
    int error; /* that it fails with; 0: the process dies before it */
} next_fault;

static bool is_it(void)
{
    if (next_fault.at == 0 || ++next_fault.seen != next_fault.at)
        return false;
    if (next_fault.error == 0)
        _exit(42);
    errno = next_fault.error;
    return true;
}

/* In place of libc's, for all of this program. */
ssize_t write(int fd, const void *data, size_t len)
{
    return is_it() ? -1 : (ssize_t)syscall(SYS_write, fd, data, len);
}

int fsync(int fd)
{
    return is_it() ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    return is_it() ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    if (no_links)
        errno = EPERM;
    return no_links || is_it() ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int unlink(const char *path)
{
    return is_it() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* 1 and 2 are there, 2 to 4 are written together, 1 and 3 are removed. */
static bool work(struct agent_journal *journal, bool *put_all, struct base_error *err)
{
    const char *ids[] = {"a-1", "a-3"};
    *put_all = put(journal, 2, 3, FAULT_ACTIVE, err);
    return *put_all && agent_journal_remove(journal, ids, 2, err);
}

static void on_any(void *ctx, struct agent_journal_entry *entry)
{
    unsigned *states = ctx;
    uint64_t number = 0;
    assert_true(base_parse_u64(entry->spec.id + 2, &number) && number >= 1 && number <= 4);
    states[number] = entry->record.state == FAULT_ACTIVE ? 2 : 1;
    agent_journal_entry_fini(entry);
}

static void on_damage(void *ctx, const char *file, const struct base_error *why)
{
    (void)ctx;
    fail_msg("%s: %s", file, why->message);
}

/* 0: not there, 1: as before, 2: as written. */
static void look(const char *dir, unsigned states[static 5])
{
    struct agent_journal *journal = agent_journal_open(dir, NULL);
    struct agent_journal_reader reader = {on_any, on_damage, states};
    assert_non_null(journal);
    assert_true(agent_journal_load(journal, &reader, NULL));
    agent_journal_close(journal);
}

static void lay_out(const char *dir)
{
    assert_true(base_dir_remove(dir, NULL));
    struct agent_journal *journal = agent_journal_open(dir, NULL);
    assert_non_null(journal);
    write_entry(journal, 1);
    write_entry(journal, 2);
    agent_journal_close(journal);
}

/* How far it came: 0 not put, 1 put, 2 removed as well; -1: it died. */
static int come_as_far(const char *dir, int at, int error)
{
    struct agent_journal *journal = agent_journal_open(dir, NULL);
    struct base_error err = {0};
    bool put_all = false;
    assert_non_null(journal);
    next_fault.seen = 0;
    next_fault.error = error;
    next_fault.at = at;
    bool all = work(journal, &put_all, &err);
    next_fault.at = 0;
    agent_journal_close(journal);
    assert_true(all || err.sys == error);
    return all ? 2 : put_all ? 1 : 0;
}

static void check_left(const char *dir, int far, const char *what, int at)
{
    unsigned states[5] = {0};
    look(dir, states);
    bool ok = states[2] != 0;                                   /* before and after */
    ok = ok && (far < 1 || (states[2] == 2 && states[4] == 2)); /* what was acknowledged */
    ok = ok && (far != 0 || states[1] == 1);                    /* nothing is removed before */
    ok = ok && (far < 2 || (states[1] == 0 && states[3] == 0));
    if (!ok)
        fail_msg("%s at %d, came to %d: left %u %u %u %u", what, at, far, states[1], states[2],
                 states[3], states[4]);
}

static void a_failure_leaves_each_as_before_or_as_asked_for(void **state)
{
    int at = 0;
    int far = 0;
    while (far < 2) {
        assert_true(++at < 60);
        lay_out(*state);
        far = come_as_far(*state, at, ENOSPC);
        /* What failed to be unlinked after a failure is nobody's name. */
        check_left(*state, far, "a failure", at);
    }
    assert_true(at > 10); /* three names, two removals, and their syncs */
}

static void a_death_between_any_two_leaves_each_as_before_or_as_asked_for(void **state)
{
    int status = 42;
    int at = 0;
    while (status != 0) {
        assert_true(++at < 60);
        lay_out(*state);
        pid_t pid = fork();
        if (pid == 0)
            _exit(come_as_far(*state, at, 0) == 2 ? 0 : 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        status = WEXITSTATUS(status);
        assert_true(status == 42 || status == 0);
        check_left(*state, status == 0 ? 2 : -1, "a death", at);
    }
    assert_true(at > 10);
}

static void without_links_each_has_a_file_of_its_own(void **state)
{
    struct agent_journal *journal = agent_journal_open(*state, NULL);
    struct base_error err = {0};
    struct stat st;
    BASE_AUTO_FREE char *path = base_str_printf("%s/a-3.fault", (const char *)*state);
    no_links = true;
    bool ok = put(journal, 1, 5, FAULT_APPLYING, &err);
    no_links = false;
    assert_true(ok);
    assert_int_equal(load(journal).entries, 5);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_true(put(journal, 1, 5, FAULT_ACTIVE, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_nlink, 5);
    agent_journal_close(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failure_leaves_each_as_before_or_as_asked_for,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            a_death_between_any_two_leaves_each_as_before_or_as_asked_for, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(without_links_each_has_a_file_of_its_own, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
