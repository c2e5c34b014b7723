/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups as folders: what is read does not depend on what kind of file system they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "freezer.h"
#include "group.h"

static char root[] = "/tmp/squall-group-XXXXXX";

static void put(const char *folder, const char *file, const char *text)
{
    BASE_AUTO_FREE char *dir = base_str_printf("%s/%s", root, folder);
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", dir, file);
    struct base_error err = {0};
    if (!base_dir_make(dir, 0700, &err) || !base_file_write(path, text, strlen(text), 0600, &err))
        fail_msg("%s", err.message);
}

static int make_groups(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    put("target", "cgroup.procs", "11\n12\n");
    put("target/below", "cgroup.procs", "13\n");
    put("target/below/more", "cgroup.procs", "");
    put("target", "cgroup.freeze", "0\n");
    put("target", "cgroup.events", "populated 1\nfrozen 0\n");
    put("empty", "cgroup.procs", "");
    BASE_AUTO_FREE char *own = base_str_printf("7\n%d\n", (int)getpid());
    put("agent/inside", "cgroup.procs", own);
    put("agent", "cgroup.procs", "5\n");
    put("odd", "cgroup.procs", "11\n");
    put("odd/below/cgroup.procs", "a folder", ""); /* cannot be read */
    put("v1", "cgroup.procs", "11\n");
    put("v1", "freezer.state", "THAWED\n");
    return 0;
}

static int remove_groups(void **state)
{
    (void)state;
    return base_dir_remove(root, NULL) ? 0 : -1;
}

static char *group(const char *name)
{
    return base_str_printf("%s/%s", root, name);
}

static void groups_below_count(void **state)
{
    (void)state;
    BASE_AUTO_FREE char *target = group("target");
    BASE_AUTO_FREE char *missing = group("missing");
    assert_int_equal(fault_group_count(target), 3);
    assert_int_equal(fault_group_count(missing), 0);
}

static void what_would_hit_others_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        pid_t process;
        const char *complaint; /* NULL: fine */
    } cases[] = {
        {"target", 11, NULL},
        {"target", 13, NULL},
        {"target", 0, NULL},
        {"target", 14, "its process 14 is not in the control group"},
        {"agent", 5, "holds this agent too"}, /* in a group below it, but frozen with it */
        {"empty", 0, "there is no process"},
        {"missing", 0, "there is no process"},
        {"odd", 11, "whether its control group holds this agent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BASE_AUTO_FREE char *folder = group(cases[i].name);
        struct base_error err = {0};
        bool ok = fault_group_check(folder, "x-1", cases[i].process, &err);
        if (ok != (cases[i].complaint == NULL))
            fail_msg("%s, %d: %s", cases[i].name, (int)cases[i].process, err.message);
        if (!ok && strstr(err.message, cases[i].complaint) == NULL)
            fail_msg("%s, %d: %s", cases[i].name, (int)cases[i].process, err.message);
    }
}

static void expect_freezer(char *folder, enum fault_freezer_means means, const char *file,
                           const char *frozen, const char *state_file, const char *state_frozen)
{
    static char name[] = "x-1";
    struct fault_target target = {.name = name, .cgroup = folder};
    struct fault_process process = {.pid = 11, .start_ticks = 1};
    struct fault_freezer freezer;
    enum fault_freezer_state now = FAULT_FREEZER_GONE;
    char text[128];
    struct base_error err = {0};
    if (!fault_freezer_open(&target, &process, &freezer, &err))
        fail_msg("%s", err.message);
    assert_int_equal(freezer.means, means);
    assert_true(fault_freezer_look(&freezer, &now, text, sizeof text, &err));
    assert_int_equal(now, FAULT_FREEZER_THAWED);
    assert_true(fault_freezer_set(&freezer, true));
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, 64);
    assert_true(fault_group_read(folder, file, &buf, &err));
    assert_memory_equal(buf.data, frozen, strlen(frozen));
    const char *base = strrchr(folder, '/') + 1;
    put(base, state_file, state_frozen); /* as the kernel would */
    assert_true(fault_freezer_look(&freezer, &now, text, sizeof text, &err));
    assert_int_equal(now, FAULT_FREEZER_FROZEN);
    fault_freezer_close(&freezer);
}

static void each_freezer_is_told_by_its_files(void **state)
{
    (void)state;
    BASE_AUTO_FREE char *v2 = group("target");
    BASE_AUTO_FREE char *v1 = group("v1");
    expect_freezer(v2, FAULT_FREEZER_V2, "cgroup.freeze", "1", "cgroup.events",
                   "populated 1\nfrozen 1\n");
    expect_freezer(v1, FAULT_FREEZER_V1, "freezer.state", "FROZEN", "freezer.state", "FROZEN\n");
    /* On its way is neither there yet nor gone. */
    put("v1", "freezer.state", "FREEZING\n");
    struct fault_freezer freezer = {.means = FAULT_FREEZER_V1, .fd = -1, .group = v1};
    enum fault_freezer_state now = FAULT_FREEZER_GONE;
    char text[64];
    assert_true(fault_freezer_look(&freezer, &now, text, sizeof text, NULL));
    assert_int_equal(now, FAULT_FREEZER_BETWEEN);
}

static void a_group_that_is_gone_is_not_frozen(void **state)
{
    (void)state;
    BASE_AUTO_FREE char *missing = group("missing");
    struct fault_freezer freezer = {.means = FAULT_FREEZER_V2, .fd = -1, .group = missing};
    enum fault_freezer_state now = FAULT_FREEZER_FROZEN;
    char text[64];
    assert_true(fault_freezer_look(&freezer, &now, text, sizeof text, NULL));
    assert_int_equal(now, FAULT_FREEZER_GONE);
    assert_true(fault_freezer_set(&freezer, false));
}

static void a_process_is_found_by_the_number_that_it_knows(void **state)
{
    (void)state;
    BASE_AUTO_FREE char *text = base_str_printf("1\n%d\n", (int)getpid());
    BASE_AUTO_FREE char *group = base_str_printf("%s/ours", root);
    put("ours", "cgroup.procs", "");
    put("ours/below", "cgroup.procs", text);
    assert_int_equal(fault_group_inner(group, getpid()), getpid());
    assert_int_equal(fault_group_inner(group, getppid()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_below_count),
        cmocka_unit_test(what_would_hit_others_is_refused),
        cmocka_unit_test(each_freezer_is_told_by_its_files),
        cmocka_unit_test(a_group_that_is_gone_is_not_frozen),
        cmocka_unit_test(a_process_is_found_by_the_number_that_it_knows),
    };
    return cmocka_run_group_tests(tests, make_groups, remove_groups);
}
