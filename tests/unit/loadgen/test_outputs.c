/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of CSV, and a run at a glance in terminals of all sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "loadgen/adhoc.h"

static char phase[] = "lose-one";
static const struct mono_ns start = {7 * BASE_NS_PER_S};

static struct load_interval an_interval(void)
{
    struct load_interval in = {.start = {INT64_C(1763712345123456789)},
                               .start_mono = {9 * BASE_NS_PER_S},
                               .length = {2 * BASE_NS_PER_S},
                               .phase = phase,
                               .in_flight = 12,
                               .p50 = {1234567},
                               .p99 = {INT64_C(5000000000)},
                               .max = {INT64_C(6000000000)},
                               .late_p99 = {43000}};
    in.counts = (struct load_counts){.intended = 1000,
                                     .sent = 998,
                                     .ok = 980,
                                     .missed = 2,
                                     .bytes_in = 70000,
                                     .bytes_out = 80000};
    for (int i = 0; i < LOAD_FAIL_COUNT; i++)
        in.counts.failed[i] = (uint64_t)i + 1;
    return in;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

static void test_csv(void **state)
{
    (void)state;
    struct base_buf out;
    struct load_interval in = an_interval();
    base_buf_init(&out, 1 << 16);
    assert_true(load_csv_head(&out));
    size_t commas = count_of(out.data, ",");
    assert_true(base_str_starts(out.data, "end_s,start_unix_s,length_s,phase,in_flight,intended,"
                                          "sent,ok,missed,bytes_in,bytes_out,response_p50_ns,"));
    for (int i = 0; i < LOAD_FAIL_COUNT; i++) {
        char *name = base_str_printf(",failed_%s", load_failure_name((enum load_failure)i));
        assert_int_equal(count_of(out.data, name), 1);
        free(name);
    }
    base_buf_clear(&out);
    assert_true(load_csv_row(&out, &in, start));
    assert_int_equal(count_of(out.data, ","), commas);
    assert_true(base_str_starts(out.data,
                                "4.000,1763712345.123,2.000,lose-one,12,1000,998,980,2,70000,"
                                "80000,1234567,5000000000,6000000000,43000,1,2,3,"));
    assert_true(base_str_ends(out.data, "\n"));
    base_buf_fini(&out);
}

static char *glance(unsigned cols, unsigned lines)
{
    static struct load_counts total;
    struct load_interval in = an_interval();
    total = in.counts;
    const struct load_glance all = {.duration = {30 * BASE_NS_PER_S},
                                    .elapsed = {4 * BASE_NS_PER_S},
                                    .total = &total,
                                    .last = &in};
    struct base_buf out;
    base_buf_init(&out, 1 << 16);
    assert_true(load_glance_text(&out, &all, cols, lines));
    char *text = base_buf_steal(&out);
    assert_non_null(text);
    return text;
}

static void test_a_glance_says_it_all(void **state)
{
    (void)state;
    static const char *const told[] = {
        "4.0 of 30s", "rate 499.0/s", "in flight 12",  "p50 1.235ms", "p99 5s",
        "max 6s",     "connect 1",    "timeout 2",     "reset 3",     "late p99 43us",
        "ok 980",     "missed 2",     "phase lose-one"};
    for (unsigned cols = 16; cols < 300; cols++) {
        char *text = glance(cols, 100);
        for (size_t i = 0; i < sizeof told / sizeof *told; i++)
            if (strlen(told[i]) <= cols && count_of(text, told[i]) != 1)
                fail_msg("%u columns: not once \"%s\" in\n%s", cols, told[i], text);
        free(text);
    }
}

static void test_a_glance_fits(void **state)
{
    (void)state;
    for (unsigned cols = 1; cols < 130; cols++) {
        for (unsigned lines = 1; lines < 30; lines++) {
            char *text = glance(cols, lines);
            size_t breaks = 0;
            for (const char *at = text;; at += 2) {
                size_t len = strcspn(at, "\r");
                if (len > cols)
                    fail_msg("%u columns: a line of %zu in\n%s", cols, len, text);
                at += len;
                if (*at == '\0')
                    break;
                assert_true(at[1] == '\n');
                breaks++;
            }
            assert_true(breaks < lines);
            /* The first rows are the ones that stay. */
            const char *first = cols < 36 ? "4.0 of 30s" : "load      4.0 of 30s";
            assert_int_equal(strncmp(text, first, cols < 10 ? cols : strlen(first)), 0);
            free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_a_glance_says_it_all),
        cmocka_unit_test(test_a_glance_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
