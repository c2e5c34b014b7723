/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups as folders with the kernel's files in them: what is written there, what is read
 * and what is left alone, of cgroup v2 and v1. */
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
#include "group.h"
#include "strain.h"
#include "throttle.h"

static char root[] = "/tmp/squall-throttle-XXXXXX";

static char *place(const char *group)
{
    return base_str_printf("%s/%s", root, group);
}

static void put(const char *group, const char *file, const char *text)
{
    BASE_AUTO_FREE char *dir = place(group);
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", dir, file);
    struct base_error err = {0};
    if (!base_dir_make(dir, 0700, &err) || !base_file_write(path, text, strlen(text), 0600, &err))
        fail_msg("%s", err.message);
}

static void assert_holds(const char *group, const char *file, const char *text)
{
    BASE_AUTO_FREE char *dir = place(group);
    BASE_AUTO_BUF struct base_buf buf;
    struct base_error err = {0};
    base_buf_init(&buf, 4096);
    if (!fault_group_read(dir, file, &buf, &err))
        fail_msg("%s", err.message);
    /* Its last newline is not read; and a kernel's file would not hold what was there before. */
    if (strncmp(buf.data, text, strcspn(text, "\n")) != 0)
        fail_msg("%s/%s holds \"%s\", not \"%s\"", group, file, buf.data, text);
}

static const char *const v1_files[] = {
    "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
    "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"};

static int make_groups(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    put("none", "cgroup.procs", "");
    return 0;
}

static int fresh_groups(void **state)
{
    (void)state;
    put("v2", "io.max", "");
    put("v2", "io.stat",
        "7:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n"
        "254:0 rbytes=10 wbytes=20 rios=30 wios=40 dbytes=0 dios=0\n");
    for (size_t i = 0; i < sizeof v1_files / sizeof v1_files[0]; i++)
        put("v1", v1_files[i], "");
    put("v1", "blkio.throttle.io_service_bytes",
        "254:0 Read 11\n254:0 Write 21\n254:0 Sync 32\n254:0 Total 32\nTotal 32\n");
    put("v1", "blkio.throttle.io_serviced", "2540:0 Read 5\n254:0 Read 6\n254:0 Write 7\n");
    return 0;
}

static int remove_groups(void **state)
{
    (void)state;
    return base_dir_remove(root, NULL) ? 0 : -1;
}

static struct fault_throttle opened(const char *group, const int64_t limits[FAULT_IO_LIMITS])
{
    BASE_AUTO_FREE char *dir = place(group);
    struct fault_throttle throttle = {.count = 0};
    struct base_error err = {0};
    if (!fault_throttle_open(&throttle, dir, "254:0", limits, &err))
        fail_msg("%s", err.message);
    return throttle;
}

static void each_is_told_by_its_files(void **state)
{
    (void)state;
    enum fault_throttle_means means = FAULT_THROTTLE_V1;
    BASE_AUTO_FREE char *v2 = place("v2");
    BASE_AUTO_FREE char *v1 = place("v1");
    BASE_AUTO_FREE char *none = place("none");
    struct fault_throttle throttle = {.count = 0};
    struct base_error err = {0};
    assert_true(fault_throttle_means_of(v2, &means));
    assert_int_equal(means, FAULT_THROTTLE_V2);
    assert_true(fault_throttle_means_of(v1, &means));
    assert_int_equal(means, FAULT_THROTTLE_V1);
    assert_false(fault_throttle_means_of(none, &means));
    assert_false(fault_throttle_open(&throttle, none, "254:0", (int64_t[]){1, 0, 0, 0}, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
}

static void each_limit_has_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *group;
        const char *file;
        int64_t limits[FAULT_IO_LIMITS];
        const char *set;
        const char *reads; /* as the kernel says it then */
        const char *lift;
    } cases[] = {
        {"v2",
         "io.max",
         {1048576, 0, 0, 0},
         "254:0 rbps=1048576\n",
         "254:0 rbps=1048576 wbps=max riops=max wiops=max\n",
         "254:0 rbps=max\n"},
        {"v2",
         "io.max",
         {0, 7, 0, 0},
         "254:0 wbps=7\n",
         "7:0 rbps=1 wbps=1 riops=1 wiops=1\n254:0 rbps=1 wbps=7 riops=1 wiops=1\n",
         "254:0 wbps=max\n"},
        {"v2",
         "io.max",
         {0, 0, 8, 0},
         "254:0 riops=8\n",
         "254:0 rbps=max wbps=max riops=8 wiops=max\n",
         "254:0 riops=max\n"},
        {"v2",
         "io.max",
         {0, 0, 0, 9},
         "254:0 wiops=9\n",
         "254:0 rbps=max wbps=max riops=max wiops=9\n",
         "254:0 wiops=max\n"},
        {"v1",
         "blkio.throttle.read_bps_device",
         {5, 0, 0, 0},
         "254:0 5\n",
         "254:0 5\n",
         "254:0 0\n"},
        {"v1",
         "blkio.throttle.write_bps_device",
         {0, 6, 0, 0},
         "254:0 6\n",
         "8:0 9\n254:0 6\n",
         "254:0 0\n"},
        {"v1",
         "blkio.throttle.read_iops_device",
         {0, 0, 7, 0},
         "254:0 7\n",
         "254:0 7\n",
         "254:0 0\n"},
        {"v1",
         "blkio.throttle.write_iops_device",
         {0, 0, 0, 8},
         "254:0 8\n",
         "254:0 8\n",
         "254:0 0\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault_throttle throttle = opened(cases[i].group, cases[i].limits);
        struct base_error err = {0};
        assert_int_equal(throttle.count, 1);
        assert_int_equal(fault_throttle_look(&throttle, 0, NULL), FAULT_THROTTLE_NONE);
        assert_true(fault_throttle_set(&throttle, &err));
        assert_holds(cases[i].group, cases[i].file, cases[i].set);
        fault_throttle_close(&throttle);
        put(cases[i].group, cases[i].file, cases[i].reads);
        throttle = opened(cases[i].group, cases[i].limits);
        assert_int_equal(fault_throttle_look(&throttle, 0, NULL), FAULT_THROTTLE_OURS);
        assert_true(fault_throttle_lift(&throttle));
        assert_holds(cases[i].group, cases[i].file, cases[i].lift);
        fault_throttle_close(&throttle);
        (void)fresh_groups(NULL);
    }
}

/* A rule of the device, and none of it; of another device whose number only begins so. */
static void what_others_have_set_is_left_alone(void **state)
{
    (void)state;
    static const struct {
        const char *group;
        const char *file;
        const char *reads;
        enum fault_throttle_found found;
    } cases[] = {
        {"v2", "io.max", "254:0 rbps=max wbps=8 riops=max wiops=max\n", FAULT_THROTTLE_OTHER},
        {"v2", "io.max", "254:0 rbps=7 wbps=max riops=7 wiops=7\n", FAULT_THROTTLE_NONE},
        {"v2", "io.max", "254:01 rbps=max wbps=7 riops=max wiops=max\n", FAULT_THROTTLE_NONE},
        {"v1", "blkio.throttle.write_bps_device", "254:0 70\n", FAULT_THROTTLE_OTHER},
        {"v1", "blkio.throttle.write_bps_device", "254:00 7\n1254:0 7\n", FAULT_THROTTLE_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(cases[i].group, cases[i].file, cases[i].reads);
        struct fault_throttle throttle = opened(cases[i].group, (int64_t[]){0, 7, 0, 0});
        enum fault_throttle_found found = fault_throttle_look(&throttle, 0, NULL);
        if (found != cases[i].found)
            fail_msg("%s: %d", cases[i].reads, (int)found);
        assert_true(fault_throttle_lift(&throttle));
        assert_holds(cases[i].group, cases[i].file, cases[i].reads);
        fault_throttle_close(&throttle);
    }
}

static void one_limit_of_each_direction(void **state)
{
    (void)state;
    struct fault_throttle throttle = opened("v2", (int64_t[]){1, 0, 0, 2});
    assert_int_equal(throttle.count, 2);
    assert_int_equal(throttle.rules[0].limit, FAULT_IO_READ_RATE);
    assert_int_equal(throttle.rules[1].limit, FAULT_IO_WRITE_OPS);
    fault_throttle_close(&throttle);
    BASE_AUTO_FREE char *dir = place("v2");
    struct base_error err = {0};
    assert_false(fault_throttle_open(&throttle, dir, "254:0", (int64_t[]){1, 1, 1, 0}, &err));
    fault_throttle_close(&throttle);
}

static void counted(const char *group, uint64_t read, uint64_t written, uint64_t reads,
                    uint64_t writes)
{
    BASE_AUTO_FREE char *dir = place(group);
    struct fault_throttle throttle = opened(group, (int64_t[]){1, 0, 0, 0});
    assert_int_equal(fault_throttle_counted(&throttle, dir, FAULT_IO_READ_RATE), read);
    assert_int_equal(fault_throttle_counted(&throttle, dir, FAULT_IO_WRITE_RATE), written);
    assert_int_equal(fault_throttle_counted(&throttle, dir, FAULT_IO_READ_OPS), reads);
    assert_int_equal(fault_throttle_counted(&throttle, dir, FAULT_IO_WRITE_OPS), writes);
    fault_throttle_close(&throttle);
}

static void what_the_device_gave_is_counted(void **state)
{
    (void)state;
    counted("v2", 10, 20, 30, 40);
    counted("v1", 11, 21, 6, 7);
}

static void a_file_system_in_memory_has_no_device(void **state)
{
    (void)state;
    char device[FAULT_DEVICE_TEXT] = "untouched";
    struct base_error err = {0};
    assert_false(fault_throttle_device("/proc", device, &err));
    assert_non_null(
        strstr(err.message, "/proc lies on a file system (proc) without a block device"));
    assert_string_equal(device, "untouched");
}

static void blocks_fit_the_rate(void **state)
{
    (void)state;
    assert_int_equal(fault_strain_block(0), 256 * 1024);
    assert_int_equal(fault_strain_block(64 * 1024), 4096);
    assert_int_equal(fault_strain_block(1 << 20), 32 * 1024);
    assert_int_equal(fault_strain_block(UINT64_C(1) << 36), 256 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_is_told_by_its_files, fresh_groups),
        cmocka_unit_test_setup(each_limit_has_its_text, fresh_groups),
        cmocka_unit_test_setup(what_others_have_set_is_left_alone, fresh_groups),
        cmocka_unit_test_setup(one_limit_of_each_direction, fresh_groups),
        cmocka_unit_test_setup(what_the_device_gave_is_counted, fresh_groups),
        cmocka_unit_test(a_file_system_in_memory_has_no_device),
        cmocka_unit_test(blocks_fit_the_rate),
    };
    return cmocka_run_group_tests(tests, make_groups, remove_groups);
}
