/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *written(const struct kit_envelope *envelope)
{
    struct base_buf out;
    base_buf_init(&out, 65536);
    assert_true(kit_envelope_write(envelope, &out));
    json_t *value = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    base_buf_fini(&out);
    return value;
}

static struct kit_envelope example(void)
{
    return (struct kit_envelope){.request_id = "0af7651916cd43dd8448eb211c80319c",
                                 .now = {INT64_C(1700000000123) * BASE_NS_PER_MS},
                                 .took = {1234567}};
}

static void test_success(void **state)
{
    (void)state;
    struct kit_envelope envelope = example();
    json_t *data = json_pack("[i,i]", 1, 2);
    json_t *meta = json_pack("{s:i}", "total", 42);
    envelope.data = data;
    envelope.meta = meta;
    json_t *value = written(&envelope);
    json_t *wanted =
        json_pack("{s:[i,i],s:{s:s,s:s,s:f,s:i},s:[]}", "data", 1, 2, "meta", "requestId",
                  "0af7651916cd43dd8448eb211c80319c", "timestamp", "2023-11-14T22:13:20.123Z",
                  "duration", 1.235, "total", 42, "errors");
    assert_true(json_equal(value, wanted));
    json_decref(wanted);
    json_decref(value);
    json_decref(data);
    json_decref(meta);
}

static void test_errors(void **state)
{
    (void)state;
    struct kit_errors errors = {.count = 0};
    kit_errors_add(&errors, "TOO_LONG", "name", "at most %d \"letters\"\n", 255);
    kit_errors_add(&errors, "INTERNAL", NULL, "bytes \xff\xc0 here");
    struct kit_envelope envelope = example();
    envelope.errors = &errors;
    json_t *value = written(&envelope);
    assert_true(json_is_null(json_object_get(value, "data")));
    const json_t *list = json_object_get(value, "errors");
    assert_int_equal(json_array_size(list), 2);
    const json_t *first = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(first, "code")), "TOO_LONG");
    assert_string_equal(json_string_value(json_object_get(first, "field")), "name");
    assert_string_equal(json_string_value(json_object_get(first, "message")),
                        "at most 255 \"letters\"\n");
    const json_t *second = json_array_get(list, 1);
    assert_null(json_object_get(second, "field"));
    assert_string_equal(json_string_value(json_object_get(second, "message")),
                        "bytes \xef\xbf\xbd\xef\xbf\xbd here");
    json_decref(value);
    kit_errors_fini(&errors);
}

static void test_too_large_for_its_buffer(void **state)
{
    (void)state;
    struct kit_envelope envelope = example();
    struct base_buf out;
    base_buf_init(&out, 40);
    assert_false(kit_envelope_write(&envelope, &out));
    base_buf_fini(&out);
}

static void test_error_list_has_a_maximum(void **state)
{
    (void)state;
    struct kit_errors errors = {.count = 0};
    for (int i = 0; i < KIT_ERRORS_MAX + 5; i++)
        kit_errors_add(&errors, "X", NULL, "%d", i);
    assert_int_equal(errors.count, KIT_ERRORS_MAX);
    kit_errors_fini(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_too_large_for_its_buffer),
        cmocka_unit_test(test_error_list_has_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
