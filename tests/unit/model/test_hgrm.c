/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/hlog.h"

#define HEADER "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"

static void expect_table(const struct hdr *hdr, double ratio, const char *expected)
{
    struct base_buf out;
    base_buf_init(&out, 1 << 16);
    assert_true(hgrm_write(&out, hdr, ratio));
    assert_string_equal(out.data, expected);
    base_buf_fini(&out);
}

static void test_empty(void **state)
{
    (void)state;
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    expect_table(&hdr, 1e6,
                 HEADER "#[Mean    =        0.000, StdDeviation   =        0.000]\n"
                        "#[Max     =        0.000, Total count    =            0]\n"
                        "#[Buckets =           32, SubBuckets     =         2048]\n");
    hdr_fini(&hdr);
}

static void test_one_value(void **state)
{
    (void)state;
    struct hdr hdr;
    assert_true(hdr_init(&hdr, 1, 1000, 3, NULL));
    hdr_record(&hdr, 42);
    expect_table(&hdr, 1,
                 HEADER "      42.000 0.000000000000          1           1.00\n"
                        "      42.000 1.000000000000          1\n"
                        "#[Mean    =       42.000, StdDeviation   =        0.000]\n"
                        "#[Max     =       42.000, Total count    =            1]\n"
                        "#[Buckets =            1, SubBuckets     =         2048]\n");
    hdr_fini(&hdr);
}

/* As another library prints the same values (its decoded maximum is the end of the bucket). */
static void test_levels(void **state)
{
    (void)state;
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    for (int64_t ms = 1; ms <= 4; ms++)
        hdr_record_n(&hdr, ms * 1000000, ms);
    expect_table(&hdr, 1e6,
                 HEADER "       1.000 0.000000000000          1           1.00\n"
                        "       1.000 0.100000000000          1           1.11\n"
                        "       2.001 0.200000000000          3           1.25\n"
                        "       2.001 0.300000000000          3           1.43\n"
                        "       3.000 0.400000000000          6           1.67\n"
                        "       3.000 0.500000000000          6           2.00\n"
                        "       3.000 0.550000000000          6           2.22\n"
                        "       3.000 0.600000000000          6           2.50\n"
                        "       4.002 0.650000000000         10           2.86\n"
                        "       4.002 1.000000000000         10\n"
                        "#[Mean    =        3.000, StdDeviation   =        1.000]\n"
                        "#[Max     =        4.002, Total count    =           10]\n"
                        "#[Buckets =           32, SubBuckets     =         2048]\n");
    hdr_fini(&hdr);
}

/* So many values that 100 * (total - 1) / total rounds to 100: the levels must come to an end. */
static void test_ends_with_very_many_values(void **state)
{
    (void)state;
    struct hdr hdr;
    struct base_buf out;
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record_n(&hdr, 1000, INT64_MAX - 1);
    hdr_record(&hdr, 2000);
    base_buf_init(&out, 1 << 16);
    assert_true(hgrm_write(&out, &hdr, 1));
    assert_non_null(strstr(out.data, "\n    2000.000 1.000000000000 9223372036854775807\n#[Mean"));
    base_buf_fini(&out);
    hdr_fini(&hdr);
}

static void test_full_buffer_is_reported(void **state)
{
    (void)state;
    struct hdr hdr;
    struct base_buf out;
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record(&hdr, 1);
    base_buf_init(&out, 100);
    assert_false(hgrm_write(&out, &hdr, 1));
    base_buf_fini(&out);
    hdr_fini(&hdr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_ends_with_very_many_values),
        cmocka_unit_test(test_full_buffer_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
