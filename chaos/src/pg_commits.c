/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits at the primary, one after the other, timed by a session of the agent: each flushes a
 * record of the write-ahead log that no table sees (pg_logical_emit_message, which anybody may
 * call), and waits for its own disk alone, not for a standby (synchronous_commit = local).
 *
 * That it is this disk and this group which they wait for is looked at first: the process that
 * serves the session is in the group that is throttled, and the group has written to the device
 * what they must have flushed. Where the log lies only the server's user and who may trace it could
 * look (proc_pid_cwd(5)), and the agent is neither.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "commit_time.h"
#include "group.h"
#include "pg_action.h"
#include "step.h"
#include "throttle_witness.h"

enum { idle_s = 60 };
/* As the disk's (throttle_target.c), but of single flushes, whose time varies more. */
static const double free_before = 2, free_after = 1.5;

static const char who_sql[] =
    "SELECT pg_is_in_recovery()::int, pg_backend_pid(), current_setting('fsync')";
enum { column_standby, column_pid, column_fsync };

struct commits {
    const struct throttle_target *of;
    struct fault_credentials credentials;
    struct fault_pg *session;
    void (*next)(struct commits *commits, const struct fault_pg_answer *answer);
    void (*on_done)(void *ctx);
    void *ctx;
    enum fault_step step;
    const char *device;
    struct dur_ns most;
    bool busy;
    bool settled;
    struct mono_ns began; /* the settling, then the window */
    uint64_t counted;     /* what the group had had of the device then */
    struct commit_window seen;
    struct commit_window before;
    const char *excuse; /* why there is nothing to measure any more, which is none of the fault */
    struct base_error why;
};

/* --- the end --- */

static void end_session(struct commits *commits)
{
    fault_pg_free(commits->session);
    commits->session = NULL;
}

static void done(struct commits *commits)
{
    if (commits->step != FAULT_STEP_PREPARE) /* else verify goes on with it */
        end_session(commits);
    commits->busy = false;
    commits->on_done(commits->ctx);
}

static void fail(struct commits *commits, const char *what, const struct fault_pg_answer *answer)
{
    char said[256];
    fault_pg_describe(answer, said);
    (void)base_fail(&commits->why, BASE_UNAVAILABLE, "%s: %s", what, said);
    end_session(commits);
    done(commits);
}

static void say(const struct commits *commits, const char *metric, const char *value,
                const char *expected, bool ok)
{
    fault_evidence(commits->of->fault, commits->of->target.name, fault_step_when(commits->step),
                   metric, value, expected, ok);
}

/* --- committing --- */

static void say_next(struct commits *commits, const char *sql,
                     void (*next)(struct commits *, const struct fault_pg_answer *))
{
    commits->next = next;
    fault_pg_say(commits->session, sql);
}

static void after_commit(struct commits *commits, const struct fault_pg_answer *answer);

static const struct fault_throttle_rule *rule_of(const struct commits *commits)
{
    return commit_rule(&commits->of->throttle);
}

static uint64_t counted(const struct commits *commits)
{
    return fault_throttle_counted(&commits->of->throttle, commits->of->group,
                                  rule_of(commits)->limit);
}

static void commit(struct commits *commits)
{
    BASE_AUTO_FREE char *sql =
        base_str_printf("SELECT pg_logical_emit_message(true, 'squall', repeat('x', %llu))",
                        (unsigned long long)commit_bytes(rule_of(commits)));
    say_next(commits, sql, after_commit);
}

static void window_begin(struct commits *commits)
{
    commits->settled = true;
    commits->seen = (struct commit_window){0};
    commits->counted = counted(commits);
    commits->began = base_mono_now();
}

static void window_end(struct commits *commits)
{
    uint64_t now = counted(commits); /* 0 when the group has gone */
    double grown = now > commits->counted ? (double)(now - commits->counted) : 0;
    commits->seen.group_rate = grown / base_dur_to_s(commits->seen.took);
    if (commits->step == FAULT_STEP_PREPARE)
        commits->before = commits->seen;
    done(commits);
}

static bool is_enough(const struct commits *commits)
{
    const struct fault_throttle_rule *rule = rule_of(commits);
    if (commits->step == FAULT_STEP_VERIFY)
        return commits->seen.took.ns >= commit_held_window(rule, commits->most).ns;
    return commit_free_enough(rule, commits->seen.count, commits->seen.took);
}

/* The first of them is not measured, nor are those before the limit has settled. */
static void after_commit(struct commits *commits, const struct fault_pg_answer *answer)
{
    struct dur_ns since = base_mono_sub(base_mono_now(), commits->began);
    if (!answer->ok) {
        fail(commits, "cannot commit", answer);
        return;
    }
    if (!commits->settled) {
        if (commits->step != FAULT_STEP_VERIFY || since.ns >= commit_settle().ns)
            window_begin(commits);
    } else {
        commits->seen.count++;
        commits->seen.took = since;
    }
    if (commits->settled && commits->seen.count > 0 && is_enough(commits))
        window_end(commits);
    else
        commit(commits);
}

static void after_setting(struct commits *commits, const struct fault_pg_answer *answer)
{
    commits->settled = false;
    commits->began = base_mono_now();
    if (answer->ok)
        commit(commits);
    else
        fail(commits, "cannot set synchronous_commit", answer);
}

/* --- whom it is about --- */

static bool check_place(const struct commits *commits, int64_t pid, struct base_error *err)
{
    const struct fault_target *target = &commits->of->target;
    bool inside = fault_group_inner(commits->of->group, (pid_t)pid) > 0;
    say(commits, "control group of its session", inside ? commits->of->group : "another",
        commits->of->group, inside);
    return inside ||
           base_fail(err, BASE_UNAVAILABLE,
                     "the server that answers at %s port %u works elsewhere: its process %lld is "
                     "not in %s, which would be throttled: the topology must have the server's own "
                     "address, not that of a pooler or of another server, and the control group "
                     "that holds it",
                     target->address, (unsigned)target->port, (long long)pid, commits->of->group);
}

static bool check_who(const struct commits *commits, const struct fault_pg_answer *answer,
                      struct base_error *err)
{
    bool primary = fault_pg_number(answer, column_standby) == 0;
    say(commits, "role of the server", primary ? "primary" : "standby", "primary", primary);
    if (!primary)
        return base_fail(err, BASE_INVALID,
                         "it is a standby (pg_is_in_recovery()), which commits nothing: name the "
                         "primary as the target; the disk of a standby is throttled by ioThrottle");
    if (!base_str_eq(fault_pg_cell(answer, column_fsync), "on"))
        return base_fail(err, BASE_UNAVAILABLE,
                         "fsync is off: its commits wait for no disk, and no effect on them could "
                         "be shown; set fsync = on in postgresql.conf, or throttle it by "
                         "ioThrottle");
    return check_place(commits, fault_pg_number(answer, column_pid), err);
}

static void after_who(struct commits *commits, const struct fault_pg_answer *answer)
{
    if (!answer->ok) {
        fail(commits, "cannot ask what it is", answer);
        return;
    }
    bool standby = fault_pg_number(answer, column_standby) != 0;
    bool gone = commits->step == FAULT_STEP_VERIFY_GONE;
    if (gone && standby)
        commits->excuse = "none: it is a standby now";
    if (gone ? standby : !check_who(commits, answer, &commits->why)) {
        done(commits);
        return;
    }
    say_next(commits, "SET synchronous_commit = local", after_setting);
}

static void after_open(struct commits *commits, const struct fault_pg_answer *answer)
{
    if (answer->ok)
        say_next(commits, who_sql, after_who);
    else
        fail(commits, "cannot connect", answer);
}

static void on_answer(void *ctx, const struct fault_pg_answer *answer)
{
    struct commits *commits = ctx;
    commits->next(commits, answer);
}

/* --- as a witness --- */

static void *commits_open(const struct throttle_target *of, void (*on_done)(void *ctx), void *ctx,
                          struct base_error *err)
{
    struct commits *commits = base_calloc(1, sizeof *commits);
    *commits = (struct commits){.of = of, .on_done = on_done, .ctx = ctx};
    if (fault_pg_load(err) &&
        fault_store_credentials(&of->target, "postgres", &commits->credentials, err))
        return commits;
    free(commits);
    return NULL;
}

static void commits_cancel(void *own)
{
    struct commits *commits = own;
    end_session(commits);
    commits->busy = false;
}

static void commits_close(void *own)
{
    struct commits *commits = own;
    end_session(commits);
    fault_credentials_fini(&commits->credentials);
    free(commits);
}

static void commits_ask(void *own, enum fault_step step, const char *device, struct dur_ns most)
{
    struct commits *commits = own;
    const struct fault_target *target = &commits->of->target;
    const struct fault_pg_place place = {.address = target->address,
                                         .port = target->port,
                                         .credentials = &commits->credentials,
                                         .name = FAULT_PG_PROBE,
                                         .idle = base_dur_s(idle_s)};
    commits->step = step;
    commits->device = device;
    commits->most = most;
    commits->busy = true;
    commits->seen = (struct commit_window){0};
    commits->excuse = NULL;
    commits->why = (struct base_error){0};
    if (commits->session != NULL) { /* that of the step before: it is known who answers */
        say_next(commits, "SET synchronous_commit = local", after_setting);
        return;
    }
    commits->next = after_open;
    commits->session =
        fault_pg_open(fault_env_of(commits->of->fault)->loop, &place, on_answer, commits);
}

static bool commits_busy(const void *own)
{
    const struct commits *commits = own;
    return commits->busy;
}

/* cgroup v1 may not count before somebody has set a limit for the first time: then what the disk's
 * own probe wrote was not counted either, and what commits feel has to tell. */
static bool is_written(const struct commits *commits, bool record, struct base_error *err)
{
    const struct throttle_target *of = commits->of;
    const struct fault_throttle_rule *rule = rule_of(commits);
    struct commit_words words;
    if (of->meters[rule - of->throttle.rules].last.count_rate <= 0)
        return true;
    bool ok = commit_is_written(rule, &commits->seen, &words);
    if (record)
        say(commits, words.metric, words.value, words.expected, ok);
    return ok || base_fail(err, BASE_INVALID,
                           "its commits do not go to the device %s, which would be throttled: its "
                           "WAL (pg_wal in its data directory) lies on another disk, or in memory "
                           "(tmpfs), where no effect on commits can be shown: name a \"folder\" on "
                           "the disk that has it",
                           commits->device);
}

static bool judge(const struct commits *commits, struct commit_words *words, struct base_error *err)
{
    const struct fault_throttle_rule *rule = rule_of(commits);
    if (commits->step == FAULT_STEP_VERIFY)
        return commit_is_held(rule, &commits->seen, &commits->before, words) ||
               base_fail(err, BASE_UNAVAILABLE,
                         "commits do not take as long as the limit says; see the evidence");
    if (commits->step == FAULT_STEP_PREPARE)
        return commit_is_free(rule, &commits->seen, free_before, words) ||
               base_fail(err, BASE_UNAVAILABLE,
                         "commits are hardly faster than that without a limit: ask for less; see "
                         "the evidence");
    return commit_is_free(rule, &commits->seen, free_after, words) ||
           base_fail(err, BASE_UNAVAILABLE, "commits are still slow; see the evidence");
}

/* A server that is no more has none of it. */
static bool died(const struct commits *commits)
{
    const struct fault_process *process = &commits->of->process;
    return commits->step == FAULT_STEP_VERIFY_GONE && commits->why.code != BASE_OK &&
           process->pid > 0 && !fault_process_alive(process);
}

static bool commits_shown(void *own, bool record, struct base_error *err)
{
    struct commits *commits = own;
    struct commit_words words = {0};
    struct base_error why = commits->why;
    if (died(commits))
        commits->excuse = "none: its process has exited";
    bool failed = why.code != BASE_OK;
    bool ok = judge(commits, &words, failed ? NULL : &why) && !failed;
    if (commits->step == FAULT_STEP_PREPARE && !failed)
        ok = is_written(commits, record, &why) && ok;
    if (commits->excuse != NULL)
        ok = true;
    if (record && commits->excuse != NULL)
        say(commits, words.metric, commits->excuse, NULL, true);
    else if (record && (!failed || commits->step != FAULT_STEP_PREPARE))
        say(commits, words.metric, failed ? commits->why.message : words.value, words.expected, ok);
    if (!ok)
        *err = why;
    return ok;
}

const struct throttle_witness throttle_pg_commits = {
    .open = commits_open,
    .close = commits_close,
    .ask = commits_ask,
    .busy = commits_busy,
    .shown = commits_shown,
    .cancel = commits_cancel,
};
