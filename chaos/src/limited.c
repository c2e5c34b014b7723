/* SPDX-License-Identifier: Apache-2.0 */
#include "limited.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine.h"
#include "group.h"
#include "undo.h"

void fault_limited_init(struct fault_limited *subject, struct fault *fault)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    subject->fault = fault;
    subject->limit = (struct fault_limit){
        .files = spec->limits.files, .pids = spec->limits.pids, .members = -1, .pids_fd = -1};
    subject->files_share = spec->limits.files_share;
    subject->pids_share = spec->limits.pids_share;
}

void fault_limited_fini(struct fault_limited *subject)
{
    fault_limit_close(&subject->limit);
    free(subject->pids_group);
    fault_target_fini(&subject->target);
}

/* --- what the kernel has --- */

static bool read_pids(const struct fault_limited *subject, char out[static FAULT_LIMIT_TEXT],
                      struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, FAULT_LIMIT_TEXT);
    if (!fault_group_read(subject->pids_group, "pids.max", &buf, err))
        return false;
    (void)snprintf(out, FAULT_LIMIT_TEXT, "%s", buf.data);
    return true;
}

static void say(const struct fault_limited *subject, const char *when, const char *metric,
                const char *value, const char *expected, bool ok)
{
    fault_evidence(subject->fault, subject->target.name, when, metric, value, expected, ok);
}

static bool pids_as_wanted(const struct fault_limited *subject, bool lowered, const char *when)
{
    char now[FAULT_LIMIT_TEXT] = "gone with its group";
    char wanted[FAULT_LIMIT_TEXT];
    struct base_error err = {0};
    bool there = read_pids(subject, now, &err);
    (void)snprintf(wanted, sizeof wanted, "%lld", (long long)subject->limit.pids);
    const char *expected = lowered ? wanted : subject->limit.pids_old;
    bool ok = there ? base_str_eq(now, expected) : !lowered && err.code == BASE_NOT_FOUND;
    if (when != NULL)
        say(subject, when, "pids.max of its group", now, expected, ok);
    return ok;
}

static bool files_as_wanted(const struct fault_limited *subject, bool lowered, const char *when)
{
    const struct fault_limit *limit = &subject->limit;
    size_t count = fault_limit_lowered(limit, subject->target.cgroup);
    uint64_t soft = 0;
    bool own = fault_process_alive(&subject->process) &&
               fault_limit_soft(subject->process.pid, &soft) && soft == (uint64_t)limit->files;
    bool ok = lowered ? own : count == 0;
    if (when != NULL) {
        char value[64];
        char expected[64];
        (void)snprintf(value, sizeof value, "%zu with a limit of %lld", count,
                       (long long)limit->files);
        (void)snprintf(expected, sizeof expected, lowered ? "%d among them" : "none",
                       (int)subject->process.pid);
        say(subject, when, "processes, by their limit on open files", value, expected, ok);
    }
    return ok;
}

bool fault_limited_as_wanted(const struct fault_limited *subject, bool lowered, const char *when)
{
    bool files = subject->limit.files < 0 || files_as_wanted(subject, lowered, when);
    bool pids = subject->limit.pids < 0 || pids_as_wanted(subject, lowered, when);
    return files && pids;
}

/* The lowest number that is free is the one that the next file would get. */
bool fault_limited_exhausted(const struct fault_limited *subject)
{
    BASE_AUTO_FREE char *place = base_str_printf("/proc/%d/fd", (int)subject->process.pid);
    DIR *dir = opendir(place);
    int64_t open_below = 0;
    if (dir == NULL || subject->limit.files < 0) {
        if (dir != NULL)
            (void)closedir(dir);
        return false;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint64_t number = 0;
        if (base_parse_u64(entry->d_name, &number) && number < (uint64_t)subject->limit.files)
            open_below++;
    }
    (void)closedir(dir);
    return open_below >= subject->limit.files;
}

/* --- before anything --- */

/* What a share of the limit in force comes to, for the record, too. */
static bool take_share(struct fault_limited *subject, const char *metric, const char *now,
                       double share, int64_t *out, struct base_error *err)
{
    char value[64];
    char expected[64];
    if (!fault_limit_part(now, share, out, err))
        return base_fail_context(err, "%s", metric);
    (void)snprintf(value, sizeof value, "%s, %.4g %% of which are %lld", now, share * 100,
                   (long long)*out);
    (void)snprintf(expected, sizeof expected, "more than %lld", (long long)*out);
    say(subject, "before", metric, value, expected, true);
    return true;
}

static bool take_files_share(struct fault_limited *subject, struct base_error *err)
{
    char now[FAULT_LIMIT_TEXT];
    uint64_t soft = 0;
    if (subject->files_share <= 0.0)
        return true;
    if (!fault_limit_soft(subject->process.pid, &soft))
        return base_fail_errno(err, "cannot read the limit on files of process %d",
                               (int)subject->process.pid);
    (void)snprintf(now, sizeof now, soft == UINT64_MAX ? "unlimited" : "%llu",
                   (unsigned long long)soft);
    return take_share(subject, "limit on open files of its process", now, subject->files_share,
                      &subject->limit.files, err);
}

static bool take_pids_share(struct fault_limited *subject, struct base_error *err)
{
    const char *now = subject->limit.pids_old;
    return subject->pids_share <= 0.0 || take_share(subject, "pids.max of its group", now,
                                                    subject->pids_share, &subject->limit.pids, err);
}

static bool find_pids_group(struct fault_limited *subject, struct base_error *err)
{
    const struct fault_target *target = &subject->target;
    if (subject->limit.pids < 0 && subject->pids_share <= 0.0)
        return true;
    subject->pids_group = fault_limit_pids_group(target->cgroup, subject->process.pid);
    if (subject->pids_group == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s is in no control group of its own that could limit its processes (no "
                         "pids.max)%s%s; run it in one (a systemd unit, a container, a pod), and "
                         "name that with \"cgroup\" in the topology, or let the agent find it",
                         target->name, target->shared != NULL ? ": " : "",
                         target->shared != NULL ? target->shared : "");
    return fault_target_alone(target, subject->pids_group, err) &&
           (read_pids(subject, subject->limit.pids_old, err) ||
            base_fail_context(err, "%s", target->name));
}

bool fault_limited_prepare(struct fault_limited *subject, struct base_error *err)
{
    const struct fault_target *target = &subject->target;
    struct fault_limit *limit = &subject->limit;
    if (!fault_target_process(target, &subject->process, NULL, err))
        return false;
    if (target->cgroup != NULL &&
        !fault_group_check(target->cgroup, target->name, subject->process.pid, err))
        return false;
    if (!find_pids_group(subject, err))
        return false;
    return (take_files_share(subject, err) && take_pids_share(subject, err) &&
            fault_limit_note(limit, &subject->process, target->cgroup, err) &&
            fault_limit_open(limit, target->cgroup, subject->pids_group, err)) ||
           base_fail_context(err, "%s", target->name);
}

/* --- the journal --- */

static json_t *processes_to_json(const struct fault_limit *limit)
{
    json_t *list = json_array();
    for (size_t i = 0; i < limit->count; i++) {
        json_t *one = fault_process_to_json(&limit->processes[i].process);
        /* As text: "no limit" is more than a JSON number can hold. */
        BASE_AUTO_FREE char *soft =
            base_str_printf("%llu", (unsigned long long)limit->processes[i].soft);
        json_object_set_new(one, "soft", model_json_text(soft));
        json_array_append_new(list, one);
    }
    return list;
}

json_t *fault_limited_to_json(const struct fault_limited *subject)
{
    json_t *one = json_object();
    json_object_set_new(one, "target", fault_target_to_json(&subject->target));
    json_object_set_new(one, "processes", processes_to_json(&subject->limit));
    json_object_set_new(one, "pidsGroup", model_json_text(subject->pids_group));
    json_object_set_new(one, "pidsMax", model_json_text(subject->limit.pids_old));
    if (subject->files_share > 0.0)
        json_object_set_new(one, "files", json_integer(subject->limit.files));
    if (subject->pids_share > 0.0)
        json_object_set_new(one, "pids", json_integer(subject->limit.pids));
    return one;
}

static bool processes_from_json(const json_t *list, struct fault_limit *limit,
                                struct base_error *err)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > FAULT_LIMIT_PROCESSES)
        return base_fail(err, BASE_CORRUPT, "undo: %zu processes cannot be right", count);
    for (; limit->count < count; limit->count++) {
        const json_t *one = json_array_get(list, limit->count);
        struct fault_limit_process *process = &limit->processes[limit->count];
        BASE_AUTO_FREE char *soft = NULL;
        if (!fault_process_from_json(one, &process->process, err) ||
            !model_get_text(one, "undo", "soft", &soft, err))
            return false;
        if (!base_parse_u64(soft, &process->soft))
            return base_fail(err, BASE_CORRUPT, "undo: \"%s\" is no limit", soft);
    }
    return true;
}

bool fault_limited_from_json(struct fault_limited *subject, const json_t *one,
                             struct base_error *err)
{
    BASE_AUTO_FREE char *old = NULL;
    struct base_error why = {0};
    if (!fault_target_from_json(json_object_get(one, "target"), &subject->target, err) ||
        !processes_from_json(json_object_get(one, "processes"), &subject->limit, err) ||
        !model_get_text_or(one, "undo", "pidsGroup", NULL, &subject->pids_group, err) ||
        !model_get_text(one, "undo", "pidsMax", &old, err) ||
        (subject->files_share > 0.0 &&
         !model_get_i64(one, "undo", "files", 1, INT32_MAX, &subject->limit.files, err)) ||
        (subject->pids_share > 0.0 &&
         !model_get_i64(one, "undo", "pids", 1, INT32_MAX, &subject->limit.pids, err)))
        return false;
    (void)snprintf(subject->limit.pids_old, sizeof subject->limit.pids_old, "%s", old);
    subject->process = subject->limit.processes[0].process;
    if (subject->limit.pids >= 0 && subject->pids_group == NULL)
        return base_fail(err, BASE_CORRUPT, "undo: no group for pids.max");
    /* A group that is gone has no limits. */
    return fault_limit_open(&subject->limit, subject->target.cgroup, subject->pids_group, &why) ||
           why.code == BASE_NOT_FOUND || base_fail(err, why.code, "%s", why.message);
}
