/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "notes.h"

/* What is said of this kind; "": nothing is. */
static const char *note_of(const struct load_result *result, const char *start)
{
    for (size_t i = 0; i < result->note_count; i++)
        if (strncmp(result->notes[i], start, strlen(start)) == 0)
            return result->notes[i];
    return "";
}

static void expect_note(const struct load_result *result, const char *start, const char *told)
{
    if (strstr(note_of(result, start), told) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", note_of(result, start), told);
}

static void fail_by(struct load_pool *pool, struct load_result *result, unsigned status)
{
    struct load_outcome outcome = {.ok = true};
    load_outcome_status(&outcome, status);
    assert_false(outcome.ok);
    load_pool_note_status(pool, &outcome);
    result->total.failed[outcome.failure]++;
}

static void test_statuses_are_counted(void **state)
{
    (void)state;
    struct load_spec spec = {.rate = 1};
    struct load_result result = {.complete = true};
    struct load_pool pool = {.count = 1};
    struct load_troubles troubles = {0};
    struct load_outcome good = {.failure = LOAD_FAIL_COUNT};
    load_outcome_status(&good, 399);
    load_pool_note_status(&pool, &good);
    assert_true(good.ok);
    fail_by(&pool, &result, 404);
    fail_by(&pool, &result, 404);
    fail_by(&pool, &result, 429);
    fail_by(&pool, &result, 599);
    fail_by(&pool, &result, 999);
    for (unsigned i = 500; i < 508; i++)
        fail_by(&pool, &result, i);
    /* A step of a flow that failed by something else. */
    struct load_outcome other = {.status = 404, .failure = LOAD_FAIL_ASSERTION};
    load_pool_note_status(&pool, &other);
    load_troubles_add(&troubles, &pool);
    load_notes_write(&result, &spec, &troubles);
    expect_note(&result, "http_4xx", "http_4xx: 3 requests failed by status 404 (2), 429 (1): ");
    expect_note(&result, "http_5xx", "9 requests failed by status 500 (1), ");
    expect_note(&result, "http_5xx", ", 507 (1) and others: look into the target's log");
    expect_note(&result, "status", "1 requests failed by status 999 (1)");
    assert_int_equal(result.note_count, 3);
    load_result_fini(&result);
}

static void test_what_is_no_such_protocol(void **state)
{
    (void)state;
    struct load_spec spec = {.rate = 1};
    struct load_result result = {.total.failed[LOAD_FAIL_PROTOCOL] = 7};
    struct load_troubles troubles = {0};
    load_notes_write(&result, &spec, &troubles);
    expect_note(&result, "protocol", "7 requests failed: what came is not what");
    load_result_fini(&result);
    result = (struct load_result){.total.failed[LOAD_FAIL_PROTOCOL] = 7};
    memcpy(troubles.malformed, "no :status", sizeof "no :status");
    load_notes_write(&result, &spec, &troubles);
    expect_note(&result, "protocol", "(the first: no :status)");
    assert_int_equal(result.note_count, 1);
    load_result_fini(&result);
}

/* Who was not there when somebody else connects to the target. */
static void test_who_refused(void **state)
{
    (void)state;
    static char through[] = "http://user:secret@p:1", path[] = "/run/app.sock";
    static const struct {
        char *proxy, *socket;
        enum load_cause cause;
        const char *told;
    } cases[] = {
        {through, NULL, LOAD_CAUSE_REFUSED, "the first to the proxy: nobody"},
        {through, NULL, LOAD_CAUSE_TLS, "the first to the target: "},
        {NULL, path, LOAD_CAUSE_REFUSED, "the first to /run/app.sock: nobody"},
        {NULL, NULL, LOAD_CAUSE_REFUSED, "the first to the target: nobody"},
    };
    static const struct load_address none = {.len = 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_spec spec = {.proxy = cases[i].proxy, .unix_socket = cases[i].socket};
        struct load_result result = {.complete = true};
        struct load_troubles troubles = {0};
        troubles.refusals[cases[i].cause] = (struct load_refusals){1, &none};
        load_notes_write(&result, &spec, &troubles);
        expect_note(&result, "connect", cases[i].told);
        assert_null(strstr(note_of(&result, "connect"), "secret"));
        load_result_fini(&result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses_are_counted),
        cmocka_unit_test(test_what_is_no_such_protocol),
        cmocka_unit_test(test_who_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
