/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "journal.h"

static struct fault_spec spec_of(const char *id)
{
    static char run[] = "run-1";
    static char name[] = "cut";
    static char service[] = "users";
    static char target[] = "users-1";
    static char peer[] = "postgres";
    static char *targets[] = {target};
    static char *peers[] = {peer};
    struct fault_spec spec = {
        .run = run,
        .name = name,
        .kind = FAULT_PARTITION,
        .duration = {10},
        .lease = {5},
        .max_affected = 0.5,
        .service = service,
        .targets = targets,
        .target_count = 1,
    };
    spec.id = base_str_dup(id);
    spec.partition.peers = peers;
    spec.partition.peer_count = 1;
    return spec;
}

static struct fault_record record_of(const struct fault_spec *spec, enum fault_state state)
{
    return (struct fault_record){.id = spec->id,
                                 .run = spec->run,
                                 .name = spec->name,
                                 .kind = spec->kind,
                                 .targets = spec->targets,
                                 .target_count = spec->target_count,
                                 .state = state,
                                 .applied_at = {42}};
}

static json_t *undo_value(void)
{
    json_t *undo = json_array();
    json_t *one = json_object();
    json_object_set_new(one, "table", json_string("squall_x"));
    json_array_append_new(undo, one);
    return undo;
}

static void encode(const char *id, struct base_buf *out)
{
    struct fault_spec spec = spec_of(id);
    struct fault_record record = record_of(&spec, FAULT_ACTIVE);
    json_t *undo = undo_value();
    base_buf_init(out, AGENT_JOURNAL_MAX);
    assert_true(agent_journal_encode(&spec, &record, undo, out, NULL));
    json_decref(undo);
    free(spec.id);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    BASE_AUTO_BUF struct base_buf buf;
    struct agent_journal_entry entry = {0};
    struct base_error err = {0};
    encode("run-1-7", &buf);
    assert_true(agent_journal_decode(buf.data, buf.len, &entry, &err));
    assert_string_equal(entry.spec.id, "run-1-7");
    assert_string_equal(entry.spec.partition.peers[0], "postgres");
    assert_int_equal(entry.record.applied_at.ns, 42);
    assert_int_equal(entry.record.state, FAULT_ACTIVE);
    json_t *undo = undo_value();
    assert_true(json_equal(entry.undo, undo));
    json_decref(undo);
    agent_journal_entry_fini(&entry);
}

static void expect_corrupt(const char *data, size_t len, const char *what, size_t where)
{
    struct agent_journal_entry entry = {0};
    struct base_error err = {0};
    if (agent_journal_decode(data, len, &entry, &err))
        fail_msg("%s at %zu was not noticed", what, where);
    if (err.code != BASE_CORRUPT || err.message[0] == '\0')
        fail_msg("%s at %zu: code %d", what, where, (int)err.code);
    assert_null(entry.spec.id);
    assert_null(entry.undo);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    BASE_AUTO_BUF struct base_buf buf;
    encode("run-1-7", &buf);
    for (size_t at = 0; at < buf.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            buf.data[at] = (char)((unsigned char)buf.data[at] ^ (1U << bit));
            expect_corrupt(buf.data, buf.len, "a flipped bit", at * 8 + bit);
            buf.data[at] = (char)((unsigned char)buf.data[at] ^ (1U << bit));
        }
    }
}

static void every_truncation_and_every_tail_is_noticed(void **state)
{
    (void)state;
    BASE_AUTO_BUF struct base_buf buf;
    encode("run-1-7", &buf);
    for (size_t len = 0; len < buf.len; len++) {
        /* A copy of its own, so that a read behind the end is one that a sanitizer sees. */
        char *copy = malloc(len + 1);
        memcpy(copy, buf.data, len);
        copy = realloc(copy, len > 0 ? len : 1);
        expect_corrupt(copy, len, "an end", len);
        free(copy);
    }
    assert_true(base_buf_char(&buf, '\n'));
    expect_corrupt(buf.data, buf.len, "one byte more", buf.len);
}

static void a_sound_frame_around_nonsense_is_corrupt(void **state)
{
    (void)state;
    struct fault_spec spec = spec_of("run-1-7");
    struct fault_record record = record_of(&spec, FAULT_GONE);
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, AGENT_JOURNAL_MAX);
    assert_true(agent_journal_encode(&spec, &record, NULL, &buf, NULL));
    expect_corrupt(buf.data, buf.len, "a state that is never journaled", 0);
    base_buf_clear(&buf);
    record = record_of(&spec, FAULT_ACTIVE);
    char other[] = "run-1-8";
    record.id = other;
    assert_true(agent_journal_encode(&spec, &record, NULL, &buf, NULL));
    expect_corrupt(buf.data, buf.len, "two ids", 0);
    free(spec.id);
}

static void ids_that_could_leave_the_folder_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "../x", "a/b", ".x", "-x", "_x", "a b", "a\n"};
    char longest[130];
    memset(longest, 'a', sizeof longest);
    longest[129] = '\0';
    assert_false(agent_id_valid(longest));
    longest[128] = '\0';
    assert_true(agent_id_valid(longest));
    assert_true(agent_id_valid("20261121T081100-ab12-3"));
    assert_true(agent_id_valid("A.b_c-9"));
    assert_false(agent_id_valid(NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(agent_id_valid(bad[i]));
}

/* --- the folder --- */

struct seen {
    size_t entries;
    size_t corrupt;
    char last[64];
    char aside[512];
};

static void on_entry(void *ctx, struct agent_journal_entry *entry)
{
    struct seen *seen = ctx;
    seen->entries++;
    (void)snprintf(seen->last, sizeof seen->last, "%s", entry->spec.id);
    agent_journal_entry_fini(entry);
}

static void on_corrupt(void *ctx, const char *file, const struct base_error *why)
{
    struct seen *seen = ctx;
    seen->corrupt++;
    assert_non_null(strstr(why->message, file));
    (void)snprintf(seen->aside, sizeof seen->aside, "%s", file);
}

static struct seen load(struct agent_journal *journal)
{
    struct seen seen = {0};
    struct agent_journal_reader reader = {on_entry, on_corrupt, &seen};
    assert_true(agent_journal_load(journal, &reader, NULL));
    return seen;
}

enum { MOST = 2 * AGENT_JOURNAL_TOGETHER + 3 };

struct entries {
    struct agent_journal_item items[MOST];
    struct base_buf texts[MOST];
    char ids[MOST][32];
    size_t count;
};

/* a-<from>, a-<from + 1>, ... */
static struct entries *entries_of(size_t from, size_t count, enum fault_state as)
{
    struct entries *made = calloc(1, sizeof *made);
    assert_non_null(made);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(made->ids[i], sizeof made->ids[i], "a-%zu", from + i);
        struct fault_spec spec = spec_of(made->ids[i]);
        struct fault_record record = record_of(&spec, as);
        base_buf_init(&made->texts[i], AGENT_JOURNAL_MAX);
        assert_true(agent_journal_encode(&spec, &record, NULL, &made->texts[i], NULL));
        made->items[i] =
            (struct agent_journal_item){made->ids[i], made->texts[i].data, made->texts[i].len};
        free(spec.id);
    }
    made->count = count;
    return made;
}

static void entries_free(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        base_buf_fini(&entries->texts[i]);
    free(entries);
}

static bool put(struct agent_journal *journal, size_t from, size_t count, enum fault_state as,
                struct base_error *err)
{
    struct entries *entries = entries_of(from, count, as);
    bool ok = agent_journal_put(journal, entries->items, count, err);
    entries_free(entries);
    return ok;
}

static void write_entry(struct agent_journal *journal, size_t number)
{
    struct base_error err = {0};
    if (!put(journal, number, 1, FAULT_APPLYING, &err))
        fail_msg("%s", err.message);
}

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

static int make_folder(void **state)
{
    char *dir = base_str_dup("/tmp/squall-journal-XXXXXX");
    *state = mkdtemp(dir);
    return *state == NULL;
}

static int remove_folder(void **state)
{
    bool ok = base_dir_remove(*state, NULL);
    free(*state);
    return !ok;
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
    seen = load(journal);
    assert_int_equal(seen.entries, 2);
    assert_int_equal(seen.corrupt, 0);
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
    assert_true(put(journal, 1, MOST, FAULT_APPLYING, NULL));
    assert_int_equal(load(journal).entries, MOST);
    for (size_t i = 1; i <= MOST; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "a-%zu", i);
        assert_true(removed(journal, id));
        if (i % 40 == 0) {
            struct seen seen = load(journal);
            assert_int_equal(seen.entries, MOST - i);
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

/* Of three in one file, by a bit that is flipped: which are still found. */
static unsigned found_in(const char *data, size_t len)
{
    unsigned found = 0;
    for (unsigned i = 0; i < 3; i++) {
        char id[32];
        struct base_error err = {0};
        struct agent_journal_entry entry = {0};
        (void)snprintf(id, sizeof id, "a-%u", i + 1);
        if (agent_journal_find(data, len, id, &entry, &err)) {
            assert_string_equal(entry.spec.id, id);
            found |= 1U << i;
            agent_journal_entry_fini(&entry);
        } else {
            assert_int_equal(err.code, BASE_CORRUPT);
        }
    }
    return found;
}

static void a_flipped_bit_costs_the_entry_that_it_is_in(void **state)
{
    (void)state;
    struct entries *entries = entries_of(1, 3, FAULT_ACTIVE);
    BASE_AUTO_BUF struct base_buf all;
    size_t ends[3];
    base_buf_init(&all, AGENT_JOURNAL_MAX);
    for (size_t i = 0; i < 3; i++) {
        base_buf_append(&all, entries->items[i].data, entries->items[i].len);
        ends[i] = all.len;
        if (i < 2)
            base_buf_char(&all, '\n');
    }
    assert_int_equal(found_in(all.data, all.len), 7);
    for (size_t at = 0; at < all.len; at++) {
        unsigned in = at < ends[0] ? 0 : at < ends[1] ? 1 : 2;
        bool between = at == ends[0] || at == ends[1];
        all.data[at] = (char)((unsigned char)all.data[at] ^ (1U << (at % 8)));
        unsigned found = found_in(all.data, all.len);
        if (between ? found == 7 : found != (7 & ~(1U << in)))
            fail_msg("a flipped bit of byte %zu leaves %x", at, found);
        all.data[at] = (char)((unsigned char)all.data[at] ^ (1U << (at % 8)));
    }
    for (size_t len = 0; len < all.len; len++) {
        char *copy = malloc(len + 1);
        memcpy(copy, all.data, len);
        copy = realloc(copy, len > 0 ? len : 1);
        unsigned whole = (len >= ends[0] ? 1U : 0) | (len >= ends[1] ? 2U : 0);
        /* An end amid the second's or third's first line leaves what is before it as it is. */
        unsigned found = found_in(copy, len);
        if (found != whole)
            fail_msg("%zu bytes of %zu leave %x", len, all.len, found);
        free(copy);
    }
    entries_free(entries);
}

/* --- what dies or fails between any two operations of the kernel --- */

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
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_truncation_and_every_tail_is_noticed),
        cmocka_unit_test(a_sound_frame_around_nonsense_is_corrupt),
        cmocka_unit_test(ids_that_could_leave_the_folder_are_refused),
        cmocka_unit_test_setup_teardown(one_bad_entry_does_not_hide_the_others, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(removal_is_final_and_may_be_repeated, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(those_written_together_go_one_by_one, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(each_has_its_own_newest_entry, make_folder, remove_folder),
        cmocka_unit_test(a_flipped_bit_costs_the_entry_that_it_is_in),
        cmocka_unit_test_setup_teardown(a_failure_leaves_each_as_before_or_as_asked_for,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            a_death_between_any_two_leaves_each_as_before_or_as_asked_for, make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(without_links_each_has_a_file_of_its_own, make_folder,
                                        remove_folder),
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
