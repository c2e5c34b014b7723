/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"

#define BIT(cap) (UINT64_C(1) << (cap))

struct sets {
    unsigned long long inherited, permitted, effective, bounding, ambient;
    int no_new_privs;
};

static unsigned long long hexadecimal(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    unsigned long long value = 0;
    for (text += strspn(text, "\t "); *text != '\n' && *text != '\0'; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        value = value * 16 + (unsigned long long)(digit - digits);
    }
    return value;
}

/* proc_pid_status(5) */
static struct sets sets_now(void)
{
    struct sets sets = {0};
    char line[256];
    FILE *status = fopen("/proc/thread-self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        const struct {
            const char *key;
            unsigned long long *to;
        } keys[] = {{"CapInh:", &sets.inherited},
                    {"CapPrm:", &sets.permitted},
                    {"CapEff:", &sets.effective},
                    {"CapBnd:", &sets.bounding},
                    {"CapAmb:", &sets.ambient}};
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            if (base_str_starts(line, keys[i].key))
                *keys[i].to = hexadecimal(line + strlen(keys[i].key));
    }
    if (status != NULL)
        (void)fclose(status);
    sets.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    return sets;
}

/* In a child: what is given up does not come back. 0, or the number of the check that failed. */
static int confined(uint64_t keep)
{
    struct sets before = sets_now();
    struct base_error err = {0};
    if (!fault_confine(keep, &err))
        return 1;
    struct sets after = sets_now();
    if (after.permitted != (before.permitted & keep) || after.effective != after.permitted)
        return 2;
    if (after.inherited != 0 || after.ambient != 0 || after.no_new_privs != 1)
        return 3;
    if ((before.effective & BIT(CAP_SETPCAP)) != 0 && after.bounding != (before.bounding & keep))
        return 4;
    /* Again, and with more than there is: harmless, and nothing is gained. */
    if (!fault_confine(UINT64_MAX, &err) || sets_now().permitted != after.permitted)
        return 5;
    return 0;
}

static int in_a_child(uint64_t keep)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(confined(keep));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void only_what_is_kept_is_left(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(0), 0);
    assert_int_equal(in_a_child(BIT(CAP_KILL)), 0);
    assert_int_equal(in_a_child(BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_ADMIN)), 0);
    assert_int_equal(in_a_child(BIT(CAP_BPF)), 0); /* in the second word */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_what_is_kept_is_left)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
