/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct asked {
    uint64_t count;
    unsigned runs;
};

static bool check(void *ctx, struct base_error *err)
{
    const struct asked *asked = ctx;
    return asked->count < 10 || base_fail(err, BASE_INVALID, "--count must be below 10");
}

static bool run(void *ctx, struct base_error *err)
{
    struct asked *asked = ctx;
    asked->runs++;
    if (asked->count == 7)
        return base_fail(err, BASE_IO, "seven breaks");
    return asked->count != 8 || base_fail(err, BASE_INVALID, "eight is no number");
}

static void every_end_has_its_status_and_its_line(void **state)
{
    (void)state;
    static char name[] = "prog";
    static const struct {
        const char *arg;
        int status;
        unsigned runs;
        const char *out;
        const char *complaint;
    } cases[] = {
        {"--count=1", KIT_EXIT_OK, 1, "", ""},
        {"--help", KIT_EXIT_OK, 0, "--count", ""},
        {"--frob", KIT_EXIT_USAGE, 0, "", "prog: "},
        {"--count=10", KIT_EXIT_USAGE, 0, "", "prog: --count must be below 10\n"},
        {"--count=7", KIT_EXIT_RUNTIME, 1, "", "prog: seven breaks\n"},
        {"--count=8", KIT_EXIT_USAGE, 1, "", "prog: eight is no number\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct asked asked = {0};
        const struct kit_flag flags[] = {{"count", KIT_FLAG_COUNT, &asked.count, "how many"}};
        const struct kit_program program = {name, flags, 1, &asked, check, run};
        char arg[32];
        (void)snprintf(arg, sizeof arg, "%s", cases[i].arg);
        char *argv[] = {name, arg, NULL};
        char *text[2] = {NULL, NULL};
        size_t len[2];
        FILE *out = open_memstream(&text[0], &len[0]);
        FILE *complaints = open_memstream(&text[1], &len[1]);
        assert_int_equal(kit_program_run(&program, 2, argv, out, complaints), cases[i].status);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(fclose(complaints), 0);
        assert_int_equal(asked.runs, cases[i].runs);
        assert_non_null(strstr(text[0], cases[i].out));
        assert_non_null(strstr(text[1], cases[i].complaint));
        assert_true((len[0] > 0) == (cases[i].out[0] != '\0'));
        assert_true((len[1] > 0) == (cases[i].complaint[0] != '\0'));
        free(text[0]);
        free(text[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_end_has_its_status_and_its_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
