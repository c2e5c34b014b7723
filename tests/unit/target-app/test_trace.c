/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void test_continues(void **state)
{
    (void)state;
    static const char *const good[] = {
        "00-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-ff",
        "01-" TRACE "-" PARENT "-01-what-the-future-holds",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct kit_trace trace;
        kit_trace_start(&trace, good[i]);
        assert_string_equal(trace.id, TRACE);
        assert_string_equal(trace.parent, PARENT);
        assert_string_not_equal(trace.span, PARENT);
        char header[KIT_TRACEPARENT_TEXT];
        kit_trace_format(&trace, header);
        assert_int_equal(strlen(header), 55);
        assert_memory_equal(header, "00-" TRACE "-", 36);
        assert_memory_equal(header + 36, trace.span, 16);
        assert_string_equal(header + 52, "-01");
    }
}

static void test_restarts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL,
        "",
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-0g",
        "ff-" TRACE "-" PARENT "-01",
        "0x-" TRACE "-" PARENT "-01",
        "01-" TRACE "-" PARENT "-01more",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00_" TRACE "-" PARENT "-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct kit_trace trace;
        kit_trace_start(&trace, bad[i]);
        assert_string_not_equal(trace.id, TRACE);
        assert_int_equal(strspn(trace.id, "0123456789abcdef"), 32);
        assert_int_equal(strlen(trace.id), 32);
        assert_string_equal(trace.parent, "");
    }
}

static void test_unsampled_stays_unsampled(void **state)
{
    (void)state;
    struct kit_trace trace;
    char header[KIT_TRACEPARENT_TEXT];
    kit_trace_start(&trace, "00-" TRACE "-" PARENT "-02");
    kit_trace_format(&trace, header);
    assert_string_equal(header + 52, "-00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_continues),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_unsampled_stays_unsampled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
