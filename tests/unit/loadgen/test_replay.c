/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "loadgen/replay.h"

/* Fed in pieces of every size, so that every byte is a border once. */
static bool read_text(const char *text, enum load_unit unit, size_t max, size_t piece,
                      struct load_replay *out, struct base_error *err)
{
    struct load_replay_reader reader = {.unit = unit, .replay = {.max = max}};
    size_t len = strlen(text);
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        if (!load_replay_feed(&reader, text + at, n, err)) {
            load_replay_fini(&reader.replay);
            return false;
        }
    }
    if (!load_replay_finish(&reader, err)) {
        load_replay_fini(&reader.replay);
        return false;
    }
    *out = reader.replay;
    return true;
}

static void test_reads(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum load_unit unit;
        size_t count;
        int64_t at[4];
    } cases[] = {
        {"0\n1.5\n2\n", LOAD_UNIT_S, 3, {0, 1500000000, 2000000000}},
        {"1764170690.123456789\n1764170690.123456790\n", LOAD_UNIT_S, 2, {0, 1}},
        {"# log\n\n7.1\r\n7.1\r\n#end", LOAD_UNIT_S, 2, {0, 0}},
        {"1764170690123456789\n1764170690123456889", LOAD_UNIT_NS, 2, {0, 100}},
        {"5", LOAD_UNIT_NS, 1, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 9; piece++) {
            struct load_replay replay;
            struct base_error err;
            if (!read_text(cases[i].text, cases[i].unit, 0, piece, &replay, &err))
                fail_msg("%s: %s", cases[i].text, err.message);
            assert_int_equal(replay.count, cases[i].count);
            for (size_t k = 0; k < replay.count; k++)
                assert_int_equal(replay.at[k], cases[i].at[k]);
            load_replay_fini(&replay);
        }
    }
}

static void test_refuses_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum load_unit unit;
        const char *message;
        enum base_code code;
    } cases[] = {
        {"", LOAD_UNIT_S, "no timestamp", BASE_INVALID},
        {"# nothing\n", LOAD_UNIT_S, "no timestamp", BASE_INVALID},
        {"1\n\nx\n", LOAD_UNIT_S, "line 3: expected seconds", BASE_INVALID},
        {"1\n2\n1.9\n", LOAD_UNIT_S, "line 3: 1.9 lies before", BASE_INVALID},
        {"5\n4\n", LOAD_UNIT_NS, "line 2: 4 lies before", BASE_INVALID},
        {"1\n1.5\n", LOAD_UNIT_NS, "line 2: expected whole nanoseconds", BASE_INVALID},
        {"-1\n", LOAD_UNIT_S, "line 1: expected", BASE_INVALID},
        {"1e3\n", LOAD_UNIT_S, "line 1: expected", BASE_INVALID},
        {" 1\n", LOAD_UNIT_S, "line 1: expected", BASE_INVALID},
        {"1.\n", LOAD_UNIT_S, "line 1: expected", BASE_INVALID},
        {".5\n", LOAD_UNIT_S, "line 1: expected", BASE_INVALID},
        {"1.0123456789\n", LOAD_UNIT_S, "line 1: expected", BASE_INVALID},
        {"99999999999\n", LOAD_UNIT_S, "line 1: expected", BASE_INVALID},
        {"99999999999999999999\n", LOAD_UNIT_NS, "line 1: expected", BASE_INVALID},
        {"1\n111111111111111111111111111111111111111111111111111\n", LOAD_UNIT_S,
         "line 2: expected a timestamp", BASE_INVALID},
        {"1\n2\n3\n4\n", LOAD_UNIT_S, "line 4: more than the 3", BASE_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 9; piece++) {
            struct load_replay replay;
            struct base_error err;
            if (read_text(cases[i].text, cases[i].unit, 3, piece, &replay, &err))
                fail_msg("accepted: %s", cases[i].text);
            assert_int_equal(err.code, cases[i].code);
            if (strstr(err.message, cases[i].message) == NULL)
                fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, err.message, cases[i].message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
