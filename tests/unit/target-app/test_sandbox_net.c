/* SPDX-License-Identifier: Apache-2.0 */
/* What ip(8) says of routes and addresses, by a program in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../target-app/sandbox/src/net.h"

static char folder[] = "/tmp/squall-net-XXXXXX";
static char program[64];

/* Listings but the first `complaints` are whole. */
static void write_program(int complaints)
{
    (void)snprintf(program, sizeof program, "%s/ip", folder);
    FILE *file = fopen(program, "w");
    assert_non_null(file);
    (void)fprintf(file,
                  "#!/bin/sh\n"
                  "echo >>%s/asked\n"
                  "if [ $(wc -l <%s/asked) -le %d ]; then\n"
                  "  echo 'Dump was interrupted and may be inconsistent.' >&2; echo '[]'\n"
                  "else echo '[{\"dst\": \"10.9.0.0/16\"}]'; fi\n",
                  folder, folder, complaints);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(program, 0700), 0);
}

static void forget_program(void)
{
    char asked[64];
    (void)snprintf(asked, sizeof asked, "%s/asked", folder);
    (void)unlink(asked);
    (void)unlink(program);
}

static void an_interrupted_listing_is_asked_for_again(void **state)
{
    (void)state;
    struct sandbox_subnet *used = NULL;
    size_t count = 0;
    struct base_error err = {0};
    write_program(3);
    if (!sandbox_net_used(program, &used, &count, &err))
        fail_msg("%s", err.message);
    assert_int_equal(count, 1);
    free(used);
    forget_program();
}

static void one_that_always_is_says_so(void **state)
{
    (void)state;
    struct sandbox_subnet *used = NULL;
    size_t count = 0;
    struct base_error err = {0};
    write_program(1000);
    assert_false(sandbox_net_used(program, &used, &count, &err));
    assert_non_null(strstr(err.message, "change faster than ip can list them"));
    forget_program();
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_listing_is_asked_for_again),
        cmocka_unit_test(one_that_always_is_says_so),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
