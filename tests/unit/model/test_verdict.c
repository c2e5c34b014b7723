/* SPDX-License-Identifier: Apache-2.0 */
#include "json_cases.h"

#include <math.h>

#include "model/verdict.h"

#define OBJECTIVE(value)                                                                           \
    "{'source':'threshold','name':'t','status':'insufficient','reason':'no_data',"                 \
    "'advisory':false,'expected':'p99 < 1s','measured':'no data','value':" value "}"
#define VERDICT(value)                                                                             \
    "{'version':1,'run':'r','scenario':'first','status':'insufficient','exitCode':3,"              \
    "'aborted':true,'abortedBy':'guard','unclean':false,'objectives':[" OBJECTIVE(value) "]}"

static const char *const nullable[] = {"abortedBy", "value"};
CASE(verdict, struct verdict, nullable);

static void test_round_trip(void **state)
{
    (void)state;
    assert_round_trip(&verdict_case, VERDICT("1.5"));
    assert_round_trip(&verdict_case, VERDICT("null"));
}

static void test_every_key_guarded(void **state)
{
    (void)state;
    assert_every_key_guarded(&verdict_case, VERDICT("1.5"));
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct bad_value cases[] = {
        {"version", "2"},
        {"status", "'passed'"},
        {"exitCode", "7"},
        {"exitCode", "-1"},
        {"objectives/0/source", "'mood'"},
        {"objectives/0/reason", "'why not'"},
        {"objectives/0/status", "''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad_value(&verdict_case, VERDICT("1.5"), cases[i].pointer, cases[i].value);
}

static void test_missing_value_is_nan(void **state)
{
    (void)state;
    struct verdict verdict;
    struct base_error err;
    json_t *json = json_of(VERDICT("null"));
    assert_true(verdict_from_json(json, &verdict, &err));
    assert_true(isnan(verdict.objectives[0].value));
    verdict.objectives[0].value = (double)INFINITY;
    json_t *again = verdict_to_json(&verdict);
    assert_true(json_equal(json, again));
    verdict_fini(&verdict);
    json_decref(json);
    json_decref(again);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(verdict_status_name(VERDICT_INSUFFICIENT), "insufficient");
    assert_string_equal(verdict_source_name(VERDICT_RECONCILE), "reconcile");
    assert_string_equal(verdict_reason_name(REASON_COUNTS_DIFFER), "counts_differ");
    assert_string_equal(verdict_reason_name((enum verdict_reason)1000), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_missing_value_is_nan),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
