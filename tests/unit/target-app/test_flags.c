/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct values {
    const char *text;
    bool on;
    uint64_t count;
    struct dur_ns wait;
    double share;
    struct kit_endpoint listen;
};

static bool parse(struct values *v, struct base_error *err, bool *help, const char *const *args)
{
    const struct kit_flag flags[] = {
        {"text", KIT_FLAG_TEXT, &v->text, "t"},       {"on", KIT_FLAG_SWITCH, &v->on, "o"},
        {"count", KIT_FLAG_COUNT, &v->count, "c"},    {"wait", KIT_FLAG_DURATION, &v->wait, "w"},
        {"share", KIT_FLAG_FRACTION, &v->share, "s"}, {"listen", KIT_FLAG_LISTEN, &v->listen, "l"},
    };
    char *argv[16] = {0};
    int argc = 0;
    for (; args[argc] != NULL; argc++)
        argv[argc] = strdup(args[argc]);
    bool ok = kit_flags_parse(flags, sizeof flags / sizeof flags[0], argc, argv, help, err);
    /* Text flags point into argv: read here what is compared below. */
    if (ok && v->text != NULL)
        assert_string_equal(v->text, "=x y");
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return ok;
}

#define ARGS(...) ((const char *const[]){"program", __VA_ARGS__, NULL})

static void test_good(void **state)
{
    (void)state;
    struct values v = {.count = 1};
    bool help;
    assert_true(parse(&v, NULL, &help,
                      ARGS("--text==x y", "--on", "--count", "7", "--wait=250ms", "--share", "25%",
                           "--listen", "[::1]:0")));
    assert_false(help);
    assert_true(v.on);
    assert_int_equal(v.count, 7);
    assert_int_equal(v.wait.ns, 250 * BASE_NS_PER_MS);
    assert_true(v.share == 0.25);
    assert_string_equal(v.listen.host, "::1");
    v.text = NULL; /* pointed into an argv that is gone */
    assert_true(parse(&v, NULL, &help, ARGS("--help", "--nonsense")));
    assert_true(help);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *args[4];
        const char *says;
    } cases[] = {
        {{"p", "--cuont", "7"}, "did you mean --count?"},
        {{"p", "stray"}, "--help"},
        {{"p", "--count"}, "needs a value"},
        {{"p", "--count", "-1"}, "whole number"},
        {{"p", "--wait", "250"}, "duration"},
        {{"p", "--share", "1.5"}, "share"},
        {{"p", "--share", "nan"}, "share"},
        {{"p", "--listen", "::1:80"}, "ADDR:PORT"},
        {{"p", "--on=yes"}, "--on"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct values v = {.count = 1};
        struct base_error error;
        bool help;
        assert_false(parse(&v, &error, &help, cases[i].args));
        assert_int_equal(error.code, BASE_INVALID);
        if (strstr(error.message, cases[i].says) == NULL)
            fail_msg("'%s' lacks '%s'", error.message, cases[i].says);
        assert_int_equal(v.count, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
