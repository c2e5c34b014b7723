/* SPDX-License-Identifier: Apache-2.0 */
#include "strain.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/meminfo.h"
#include "base/text.h"

enum { mib = 1 << 20, patience_s = 20 };

static struct mono_ns in_s(int64_t seconds)
{
    return base_mono_add(base_mono_now(), base_dur_s(seconds));
}

/* Of all threads of this process: time on a processor, and waiting for one
 * (Documentation/scheduler/sched-stats.rst). */
struct times {
    int64_t at;
    int64_t run;
    int64_t wait;
};

static struct times times_now(void)
{
    struct times times = {.at = base_mono_now().ns};
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (const struct dirent *one = readdir(dir); one != NULL; one = readdir(dir)) {
        BASE_AUTO_FREE char *path = base_str_printf("/proc/self/task/%s/schedstat", one->d_name);
        BASE_AUTO_BUF struct base_buf text;
        int64_t run = 0;
        int64_t wait = 0;
        base_buf_init(&text, 256);
        if (one->d_name[0] == '.' || !base_file_read(path, &text, NULL))
            continue;
        char *rest = text.data;
        assert_true(base_parse_i64(strsep(&rest, " "), &run));
        assert_true(base_parse_i64(strsep(&rest, " "), &wait));
        times.run += run;
        times.wait += wait;
    }
    (void)closedir(dir);
    return times;
}

static int64_t resident(void)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 256);
    assert_true(base_file_read("/proc/self/statm", &text, NULL));
    char *second = strchr(text.data, ' ');
    assert_non_null(second);
    second++;
    second[strcspn(second, " ")] = '\0';
    int64_t pages = 0;
    assert_true(base_parse_i64(second, &pages));
    return pages * sysconf(_SC_PAGESIZE);
}

static void nap(void)
{
    struct timespec ms = {.tv_nsec = 1000000};
    (void)nanosleep(&ms, NULL);
}

/* Within the patience: resident memory is on that side of the mark. */
static bool becomes(bool above, int64_t mark)
{
    struct mono_ns end = in_s(patience_s);
    while (base_mono_before(base_mono_now(), end)) {
        if ((resident() >= mark) == above)
            return true;
        nap();
    }
    return false;
}

/* Shares of one processor: had, and wanted, which on a busy machine is more. */
struct load {
    double had;
    double wanted;
};

static struct load load_over(int64_t ms)
{
    struct times before = times_now();
    struct mono_ns end = {before.at + ms * BASE_NS_PER_MS};
    while (base_mono_before(base_mono_now(), end))
        nap();
    struct times after = times_now();
    double passed = (double)(after.at - before.at);
    double run = (double)(after.run - before.run);
    return (struct load){run / passed, (run + (double)(after.wait - before.wait)) / passed};
}

static void test_memory_is_taken_changed_and_freed(void **state)
{
    (void)state;
    struct base_error err = {0};
    struct kit_strain *strain = kit_strain_new();
    int64_t before = resident();
    assert_true(kit_strain_memory(strain, 64 * mib, in_s(3600), &err));
    assert_true(becomes(true, before + 60 * mib));
    assert_true(kit_strain_memory(strain, 24 * mib, in_s(3600), &err));
    assert_true(becomes(false, before + 40 * mib));
    assert_true(becomes(true, before + 20 * mib));
    assert_true(kit_strain_memory(strain, 0, (struct mono_ns){0}, &err));
    assert_true(becomes(false, before + 12 * mib));
    assert_true(kit_strain_memory(strain, 64 * mib, in_s(3600), &err)); /* a thread anew */
    assert_true(becomes(true, before + 60 * mib));
    kit_strain_free(strain);
    assert_true(resident() < before + 12 * mib);
}

/* Nobody calls: neither a loop nor whoever ordered it. */
static void test_memory_is_freed_at_its_time(void **state)
{
    (void)state;
    struct base_error err = {0};
    struct kit_strain *strain = kit_strain_new();
    int64_t before = resident();
    struct mono_ns until = in_s(1);
    assert_true(kit_strain_memory(strain, 48 * mib, until, &err));
    assert_true(becomes(true, before + 44 * mib) || !base_mono_before(base_mono_now(), until));
    assert_true(becomes(false, before + 12 * mib));
    assert_false(base_mono_before(base_mono_now(), until));
    kit_strain_free(strain);
}

static void test_memory_that_the_host_needs_is_refused(void **state)
{
    (void)state;
    struct base_error err = {0};
    struct kit_strain *strain = kit_strain_new();
    uint64_t available = base_meminfo("MemAvailable");
    assert_true(available > 0);
    assert_false(kit_strain_memory(strain, available, in_s(3600), &err));
    assert_int_equal(err.code, BASE_LIMIT);
    assert_non_null(strstr(err.message, "less than a tenth"));
    kit_strain_free(strain);
}

static void test_processor_time_is_taken_until_it_is_over(void **state)
{
    (void)state;
    struct base_error err = {0};
    struct kit_strain *strain = kit_strain_new();
    assert_true(load_over(100).had < 0.2);
    assert_true(kit_strain_cpu(strain, 0.5, in_s(3600), &err));
    struct load half = load_over(1000);
    assert_true(half.wanted > 0.3);
    assert_true(half.had < 0.7);
    assert_true(kit_strain_cpu(strain, 0, (struct mono_ns){0}, &err));
    assert_true(load_over(100).had < 0.2);
    assert_true(kit_strain_cpu(strain, 1, base_mono_add(base_mono_now(), base_dur_ms(500)), &err));
    assert_true(load_over(200).wanted > 0.6);
    struct mono_ns end = in_s(patience_s);
    while (base_mono_before(base_mono_now(), end) && load_over(100).had > 0.2)
        continue;
    assert_true(base_mono_before(base_mono_now(), end));
    kit_strain_free(strain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_taken_changed_and_freed),
        cmocka_unit_test(test_memory_is_freed_at_its_time),
        cmocka_unit_test(test_memory_that_the_host_needs_is_refused),
        cmocka_unit_test(test_processor_time_is_taken_until_it_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
