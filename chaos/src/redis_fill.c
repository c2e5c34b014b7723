/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the fault's own take up memory (redis_keys.h); a renewal sets their time to live anew.
 * Refused when a key of somebody else would have to go for them, or the host's memory would be used
 * up.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "redis_keys.h"

enum {
    mib = FAULT_REDIS_MIB,
    usual = mib - 64 /* with the server's own head it takes a whole MiB */
};
static const double least = 0.9; /* of what was asked for: others may free some meanwhile */
static const double most = 1.3;  /* of it, and some: the server rounds up, and others write */
static const double slack = 16 * mib;
static const double limit_share = 0.95; /* of maxmemory, where keys would be evicted beyond it */

static void plan_keys(struct fault_redis_subject *subject)
{
    size_t bytes = (size_t)subject->spec->redis.bytes;
    size_t each = (bytes + FAULT_REDIS_KEYS - 1) / FAULT_REDIS_KEYS;
    subject->size = each > usual ? each : usual;
    subject->keys = (bytes + subject->size - 1) / subject->size;
}

static void ask_of_all(struct fault_redis_subject *subject, const char *command,
                       fault_redis_next *next)
{
    plan_keys(subject);
    fault_redis_ask_of_keys(subject, command, subject->keys, next);
}

static void ask_memory(struct fault_redis_subject *subject, fault_redis_next *next)
{
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("INFO"), next, subject);
}

static void say_used(struct fault_redis_subject *subject, int64_t used, const char *expected,
                     bool ok)
{
    BASE_AUTO_FREE char *value = base_str_printf("%.1f MiB", (double)used / mib);
    fault_store_evidence(subject->store, "used_memory", value, expected, ok);
}

/* --- before --- */

/* NULL: it may be taken. */
static const char *objection(const struct fault_redis_subject *subject,
                             const struct fault_redis_answer *answer)
{
    double bytes = (double)subject->keys * (double)subject->size;
    double used = (double)fault_redis_info(answer, "used_memory") + bytes;
    double limit = (double)fault_redis_info(answer, "maxmemory");
    bool evicts = strstr(answer->text, "maxmemory_policy:noeviction") == NULL;
    if (limit > 0 && evicts && used > limit * limit_share)
        return "keys of others would be evicted (maxmemory, maxmemory_policy): ask for less";
    if (limit > 0 && !evicts && used > limit)
        return "more than is free below its maxmemory: ask for less";
    const char *why = fault_redis_host_is_short(subject, answer, bytes);
    return why != NULL ? why : fault_redis_keys_would_stay(subject, answer);
}

static void before_memory(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    subject->used_before = fault_redis_info(answer, "used_memory");
    if (subject->used_before < 0) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "INFO memory", answer);
        return;
    }
    const char *why = objection(subject, answer);
    say_used(subject, subject->used_before, NULL, true);
    if (why == NULL)
        fault_redis_ok(subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, why, NULL);
}

static void before_keys(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (fault_redis_no_keys(subject, answer, "somebody's keys have the fault's names"))
        ask_memory(subject, before_memory);
}

static void before_database(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    subject->apart = answer->ok;
    ask_of_all(subject, "EXISTS", before_keys);
}

static void fill_prepare(void *own)
{
    fault_redis_find_database(own, before_database);
}

/* --- during --- */

static void one_done(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok)
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "cannot take that memory", answer);
    else if (--subject->answers_due == 0)
        fault_redis_ok(subject);
}

static void fill_apply(void *own)
{
    struct fault_redis_subject *subject = own;
    plan_keys(subject);
    fault_redis_probe_keys(subject);
    subject->answers_due = 2 * subject->keys;
    for (size_t i = 0; i < subject->keys; i++)
        fault_redis_make_key(subject, subject->probe, i, subject->size, one_done);
}

static void during_memory(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    int64_t used = fault_redis_info(answer, "used_memory");
    double bytes = (double)subject->keys * (double)subject->size;
    double wanted = (double)subject->used_before + bytes * least;
    double limit = (double)subject->used_before + bytes * most + slack;
    bool ok = (double)used >= wanted && (double)used <= limit;
    BASE_AUTO_FREE char *expected = base_str_printf("%.1f to %.1f MiB", wanted / mib, limit / mib);
    say_used(subject, used, expected, ok);
    if (ok)
        fault_redis_ok(subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                         "the memory taken is not what was asked for; see the evidence", NULL);
}

static void during_keys(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    bool ok = answer->ok && answer->number == (int64_t)subject->keys;
    fault_redis_say_keys(subject, answer->number, subject->keys, ok);
    if (ok)
        ask_memory(subject, during_memory);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT, "keys of the fault are missing",
                         answer->ok ? NULL : answer);
}

static void fill_verify(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe_keys(subject);
    ask_of_all(subject, "EXISTS", during_keys);
}

static void one_renewed(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok || answer->number != 1)
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "a key of the fault is gone",
                         answer->ok ? NULL : answer);
    else if (--subject->answers_due == 0)
        fault_redis_ok(subject);
}

static void fill_renew(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe_keys(subject);
    subject->answers_due = subject->keys;
    fault_redis_keep_keys(subject, subject->probe, subject->keys, one_renewed);
}

/* --- after --- */

static void on_unlinked(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (answer->ok)
        fault_redis_ok(subject);
    else /* then they expire */
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "UNLINK", answer);
}

static void fill_revert(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe_keys(subject);
    ask_of_all(subject, "UNLINK", on_unlinked);
}

static void after_memory(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    say_used(subject, fault_redis_info(answer, "used_memory"), NULL, true);
    fault_redis_ok(subject);
}

static void after_keys(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (fault_redis_no_keys(subject, answer, "keys of the fault are still there"))
        ask_memory(subject, after_memory);
}

static void fill_gone(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe_keys(subject);
    ask_of_all(subject, "EXISTS", after_keys);
}

const struct fault_redis_steps fault_redis_fill = {
    .step = {[FAULT_STEP_PREPARE] = fill_prepare,
             [FAULT_STEP_APPLY] = fill_apply,
             [FAULT_STEP_VERIFY] = fill_verify,
             [FAULT_STEP_RENEW] = fill_renew,
             [FAULT_STEP_REVERT] = fill_revert,
             [FAULT_STEP_VERIFY_GONE] = fill_gone},
};
