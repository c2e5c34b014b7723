/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "base/cleanup.h"
#include "base/text.h"

static char id[] = "r1-1";
static char run[] = "r1";
static char first[] = "users-1";
static char second[] = "users-2";
static char *targets[] = {first, second};

static struct fault_record some_fault(void)
{
    return (struct fault_record){.id = id,
                                 .run = run,
                                 .kind = FAULT_PARTITION,
                                 .targets = targets,
                                 .target_count = 2,
                                 .expires_at = {INT64_C(1790000000) * BASE_NS_PER_S}};
}

static json_t *encoded(const struct agent_audit_line *line)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 1 << 20);
    assert_true(agent_audit_encode(line, (struct wall_ns){BASE_NS_PER_S}, &text));
    assert_int_equal(text.data[text.len - 1], '\n');
    assert_null(memchr(text.data, '\n', text.len - 1)); /* one line, whatever is in it */
    json_t *json = model_json_parse(text.data, text.len, "line", NULL);
    assert_non_null(json);
    return json;
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void a_line_says_who_what_where_until_when(void **state)
{
    (void)state;
    const struct fault_record fault = some_fault();
    const struct agent_audit_line line = {.begin = true,
                                          .request = 7,
                                          .peer = "10.0.0.1:4",
                                          .who = "token agent.token",
                                          .method = "POST",
                                          .path = "/v1/faults",
                                          .fault = &fault};
    json_t *json = encoded(&line);
    assert_string_equal(text_of(json, "message"), "audit");
    assert_string_equal(text_of(json, "event"), "begin");
    assert_string_equal(text_of(json, "time"), "1970-01-01T00:00:01.000Z");
    assert_string_equal(text_of(json, "peer"), "10.0.0.1:4");
    assert_string_equal(text_of(json, "who"), "token agent.token");
    assert_string_equal(text_of(json, "fault"), "r1-1");
    assert_string_equal(text_of(json, "run"), "r1");
    assert_string_equal(text_of(json, "kind"), "partition");
    assert_string_equal(text_of(json, "until"), "2026-09-21T14:13:20.000Z");
    assert_int_equal(json_array_size(json_object_get(json, "targets")), 2);
    assert_int_equal(json_integer_value(json_object_get(json, "request")), 7);
    assert_true(json_is_null(json_object_get(json, "status")));
    json_decref(json);
}

static void what_a_stranger_sends_stays_one_line_of_json(void **state)
{
    (void)state;
    char path[5000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    memcpy(path, "/\n\"\\\x01\xff", 6);
    const struct agent_audit_line line = {.peer = "",
                                          .method = "GET\n",
                                          .path = path,
                                          .status = 404,
                                          .outcome = "no\nsuch \xc3 path"};
    json_t *json = encoded(&line);
    assert_string_equal(text_of(json, "event"), "end");
    assert_string_equal(text_of(json, "level"), "warn");
    assert_true(strlen(text_of(json, "path")) < 400);
    assert_true(json_is_null(json_object_get(json, "who")));
    assert_true(json_is_null(json_object_get(json, "fault")));
    assert_true(json_is_null(json_object_get(json, "targets")));
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 404);
    json_decref(json);
}

static void it_is_appended_and_readable_by_its_owner_only(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-audit-XXXXXX";
    struct base_error err = {0};
    struct stat seen;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "before\n", 7), 7);
    (void)close(fd);
    const struct agent_audit_line line = {.method = "GET", .path = "/", .status = 200};
    for (int i = 0; i < 2; i++) {
        struct agent_audit *audit = agent_audit_open(path, -1, &err);
        assert_non_null(audit);
        assert_true(agent_audit_write(audit, &line, &err));
        int handle = agent_audit_handle(audit, &err);
        assert_true(handle >= 0 && agent_audit_sync(audit, handle, &err));
        (void)close(handle);
        agent_audit_close(audit);
    }
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 1 << 20);
    assert_true(base_file_read(path, &text, &err));
    assert_true(base_str_starts(text.data, "before\n{"));
    assert_non_null(strstr(text.data, "}\n{"));
    (void)unlink(path);
    struct agent_audit *audit = agent_audit_open(path, -1, &err);
    assert_non_null(audit);
    assert_int_equal(stat(path, &seen), 0);
    assert_int_equal(seen.st_mode & 0777, 0600);
    agent_audit_close(audit);
    (void)unlink(path);
}

/* A limit on the file's size stops a write in its middle, as a disk does that becomes full. */
static void a_torn_line_is_an_error_and_the_next_one_is_whole(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-audit-XXXXXX";
    struct base_error err = {0};
    struct rlimit before;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    struct agent_audit *audit = agent_audit_open(path, -1, &err);
    const struct agent_audit_line line = {.begin = true, .method = "POST", .path = "/v1/faults"};
    assert_non_null(audit);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 40, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool whole = agent_audit_write(audit, &line, &err);
    bool again = agent_audit_write(audit, &line, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(whole);
    assert_false(again);
    assert_int_equal(err.sys, ENOSPC);
    assert_non_null(strstr(err.message, path));
    assert_true(agent_audit_write(audit, &line, &err));
    agent_audit_close(audit);
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 1 << 20);
    assert_true(base_file_read(path, &text, &err));
    const char *last = strstr(text.data, "\n{");
    assert_non_null(last);
    json_t *json = model_json_parse(last + 1, strlen(last + 1), "line", &err);
    assert_non_null(json);
    json_decref(json);
    (void)unlink(path);
}

static void a_link_is_not_followed_and_a_closed_log_is_an_error(void **state)
{
    (void)state;
    struct base_error err = {0};
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/squall-audit-link-%d", (int)getpid());
    assert_int_equal(symlink("/tmp/squall-audit-elsewhere", path), 0);
    assert_null(agent_audit_open(path, -1, &err));
    assert_non_null(strstr(err.message, path));
    (void)unlink(path);
    struct agent_audit *audit = agent_audit_open(NULL, -1, &err);
    const struct agent_audit_line line = {.method = "GET", .path = "/"};
    assert_non_null(audit);
    assert_false(agent_audit_write(audit, &line, &err));
    assert_non_null(strstr(err.message, "the agent's log"));
    assert_int_equal(agent_audit_handle(audit, &err), -1);
    assert_int_equal(err.sys, EBADF);
    agent_audit_close(audit);
}

/* --- rotation --- */

enum { bound = 2000, most_lines = 100 };

struct journal_of_lines { /* a folder with an audit file that is bounded */
    char folder[64];
    char path[96];
    struct agent_audit *audit;
};

static void lines_open(struct journal_of_lines *lines, unsigned keep)
{
    struct base_error err = {0};
    (void)snprintf(lines->folder, sizeof lines->folder, "/tmp/squall-rotate-XXXXXX");
    assert_non_null(mkdtemp(lines->folder));
    (void)snprintf(lines->path, sizeof lines->path, "%s/audit", lines->folder);
    lines->audit = agent_audit_open(lines->path, -1, &err);
    assert_non_null(lines->audit);
    agent_audit_bound(lines->audit, bound, keep);
}

static void lines_close(struct journal_of_lines *lines)
{
    agent_audit_close(lines->audit);
    assert_true(base_dir_remove(lines->folder, NULL));
}

static bool lines_write(const struct journal_of_lines *lines, int64_t number,
                        struct base_error *err)
{
    const struct agent_audit_line line = {
        .begin = true, .request = number, .method = "POST", .path = "/v1/faults"};
    return agent_audit_write(lines->audit, &line, err);
}

/* Numbers of the lines in the file, the first and the last; how many, or -1: there is none. */
static int read_lines(const struct journal_of_lines *lines, unsigned number, int64_t *oldest,
                      int64_t *newest)
{
    char path[128];
    int count = 0;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 1 << 20);
    (void)snprintf(path, sizeof path, number > 0 ? "%s.%u" : "%s", lines->path, number);
    if (!base_file_read(path, &text, NULL))
        return -1;
    assert_true(text.len <= bound);
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest), count++) {
        json_t *json = model_json_parse(line, strlen(line), "line", NULL);
        assert_non_null(json);
        *newest = json_integer_value(json_object_get(json, "request"));
        *oldest = count == 0 ? *newest : *oldest;
        json_decref(json);
    }
    return count;
}

static void a_full_file_is_put_away_and_no_line_is_lost(void **state)
{
    (void)state;
    struct journal_of_lines lines;
    struct base_error err = {0};
    enum { written = 60, kept = 20 };
    lines_open(&lines, kept);
    for (int i = 0; i < written; i++)
        assert_true(lines_write(&lines, i, &err));
    int64_t wanted = written - 1; /* from the newest backwards, each is there once */
    unsigned files = 0;
    int64_t oldest = 0;
    int64_t newest = 0;
    for (int count; (count = read_lines(&lines, files, &oldest, &newest)) >= 0; files++) {
        assert_int_equal(newest, wanted);
        assert_int_equal(newest - oldest + 1, count);
        wanted = oldest - 1;
    }
    assert_int_equal(wanted, -1);
    assert_in_range(files, 3, kept);
    lines_close(&lines);
}

static void only_so_many_are_kept_and_the_oldest_goes(void **state)
{
    (void)state;
    struct journal_of_lines lines;
    int64_t oldest = 0;
    int64_t newest = 0;
    lines_open(&lines, 2);
    for (int i = 0; i < 100; i++)
        assert_true(lines_write(&lines, i, NULL));
    assert_true(read_lines(&lines, 0, &oldest, &newest) > 0);
    assert_int_equal(newest, 99);
    int64_t before = oldest;
    assert_true(read_lines(&lines, 1, &oldest, &newest) > 0);
    assert_int_equal(newest, before - 1);
    before = oldest;
    assert_true(read_lines(&lines, 2, &oldest, &newest) > 0);
    assert_int_equal(newest, before - 1);
    assert_int_equal(read_lines(&lines, 3, &oldest, &newest), -1);
    lines_close(&lines);
}

/* As an agent leaves it that was killed between two renames, FILE.1 having become FILE.2. */
static void a_gap_is_filled_before_anything_goes(void **state)
{
    (void)state;
    struct journal_of_lines lines;
    char path[128];
    int64_t oldest = 0;
    int64_t newest = 0;
    lines_open(&lines, 3);
    for (unsigned number = 2; number <= 3; number++) {
        (void)snprintf(path, sizeof path, "%s.%u", lines.path, number);
        assert_true(base_file_write(path, "{\"request\":-1}\n", 15, 0600, NULL));
    }
    for (int i = 0; read_lines(&lines, 1, &oldest, &newest) < 0; i++) {
        assert_in_range(i, 0, most_lines);
        assert_true(lines_write(&lines, i, NULL));
    }
    assert_int_equal(oldest, 0);
    assert_int_equal(read_lines(&lines, 2, &oldest, &newest), 1);
    assert_int_equal(oldest, -1);
    assert_int_equal(read_lines(&lines, 3, &oldest, &newest), 1);
    lines_close(&lines);
}

/* A folder in the way of FILE.1 cannot be replaced by a file. */
static void what_cannot_be_rotated_is_an_error_and_still_written(void **state)
{
    (void)state;
    struct journal_of_lines lines;
    struct base_error err = {0};
    struct stat seen = {0};
    char path[128];
    char inside[160];
    int64_t number = 0;
    lines_open(&lines, 1);
    (void)snprintf(path, sizeof path, "%s.1", lines.path);
    (void)snprintf(inside, sizeof inside, "%s/it", path);
    assert_int_equal(mkdir(path, 0700) | mkdir(inside, 0700), 0);
    while (lines_write(&lines, number, &err))
        assert_in_range(number++, 0, most_lines);
    assert_non_null(strstr(err.message, "cannot be rotated"));
    assert_non_null(strstr(err.message, path));
    assert_int_equal(stat(lines.path, &seen), 0);
    assert_true(seen.st_size > bound); /* the line that was an error is there */
    assert_int_equal(rmdir(inside) | rmdir(path), 0);
    assert_true(lines_write(&lines, number + 1, &err));
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 1 << 20);
    assert_true(base_file_read(path, &text, &err));
    char line_end[64];
    (void)snprintf(line_end, sizeof line_end, "\"request\":%lld,", (long long)number);
    assert_non_null(strstr(text.data, line_end));
    lines_close(&lines);
}

static void what_others_have_put_away_is_followed(void **state)
{
    (void)state;
    struct journal_of_lines lines;
    char elsewhere[128];
    int64_t oldest = 0;
    int64_t newest = 0;
    lines_open(&lines, 2);
    (void)snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", lines.folder);
    assert_true(lines_write(&lines, 0, NULL));
    assert_int_equal(rename(lines.path, elsewhere), 0);
    int64_t number = 1;
    while (read_lines(&lines, 0, &oldest, &newest) < 0) {
        assert_in_range(number, 1, most_lines);
        assert_true(lines_write(&lines, number++, NULL));
    }
    assert_int_equal(newest, number - 1);
    assert_int_equal(read_lines(&lines, 1, &oldest, &newest), -1);
    lines_close(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_who_what_where_until_when),
        cmocka_unit_test(what_a_stranger_sends_stays_one_line_of_json),
        cmocka_unit_test(it_is_appended_and_readable_by_its_owner_only),
        cmocka_unit_test(a_torn_line_is_an_error_and_the_next_one_is_whole),
        cmocka_unit_test(a_link_is_not_followed_and_a_closed_log_is_an_error),
        cmocka_unit_test(a_full_file_is_put_away_and_no_line_is_lost),
        cmocka_unit_test(only_so_many_are_kept_and_the_oldest_goes),
        cmocka_unit_test(a_gap_is_filled_before_anything_goes),
        cmocka_unit_test(what_cannot_be_rotated_is_an_error_and_still_written),
        cmocka_unit_test(what_others_have_put_away_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
