/* SPDX-License-Identifier: Apache-2.0 */
/* What an entry of the journal looks like, and which damage is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "journal_entries.h"

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

/* The record of a fault that follows has targets that its spec has not: those that came. */
static void who_came_later_is_in_the_record_alone(void **state)
{
    (void)state;
    char first[] = "users-1";
    char second[] = "users-2";
    static const struct {
        bool track;
        bool swapped;
        bool sound;
    } cases[] = {{true, false, true}, {false, false, false}, {true, true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault_spec spec = spec_of("run-1-7");
        char *targets[] = {cases[i].swapped ? second : first, cases[i].swapped ? first : second};
        BASE_AUTO_BUF struct base_buf buf;
        base_buf_init(&buf, AGENT_JOURNAL_MAX);
        spec.track.on = cases[i].track;
        spec.track.count = 2;
        struct fault_record record = record_of(&spec, FAULT_ACTIVE);
        record.targets = targets;
        record.target_count = 2;
        assert_true(agent_journal_encode(&spec, &record, NULL, &buf, NULL));
        if (cases[i].sound) {
            struct agent_journal_entry entry = {0};
            assert_true(agent_journal_decode(buf.data, buf.len, &entry, NULL));
            assert_int_equal(entry.spec.target_count, 1);
            assert_int_equal(entry.record.target_count, 2);
            agent_journal_entry_fini(&entry);
        } else {
            expect_corrupt(buf.data, buf.len, "targets of somebody else", i);
        }
        free(spec.id);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_truncation_and_every_tail_is_noticed),
        cmocka_unit_test(a_sound_frame_around_nonsense_is_corrupt),
        cmocka_unit_test(who_came_later_is_in_the_record_alone),
        cmocka_unit_test(ids_that_could_leave_the_folder_are_refused),
        cmocka_unit_test(a_flipped_bit_costs_the_entry_that_it_is_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
