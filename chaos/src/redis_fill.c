/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the fault's own take up memory. Each is made and gets its time to live in one
 * transaction, so that none is ever without; a renewal sets all of them anew. The server writes
 * their zeroes itself (SETRANGE): nothing of that size is sent. Refused when a key of somebody else
 * would have to go for them, or the host's memory would be used up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "redis_action.h"
#include "strain.h"

enum {
    keys_max = 1024,
    mib = 1 << 20,
    usual = mib - 64, /* with the server's own head it takes a whole MiB */
    key_text = 192,
    reserve_mib = 256
};
static const double least = 0.9; /* of what was asked for: others may free some meanwhile */
static const double most = 1.3;  /* of it, and some: the server rounds up, and others write */
static const double slack = 16 * mib;
static const double host_share = 0.1;   /* stays available */
static const double limit_share = 0.95; /* of maxmemory, where keys would be evicted beyond it */

static void key_of(const struct fault_redis_subject *subject, size_t index,
                   char out[static key_text])
{
    (void)snprintf(out, key_text, "squall:%s:%zu", subject->spec->id, index);
}

static void plan_keys(struct fault_redis_subject *subject)
{
    size_t bytes = (size_t)subject->spec->redis.bytes;
    size_t each = (bytes + keys_max - 1) / keys_max;
    subject->size = each > usual ? each : usual;
    subject->keys = (bytes + subject->size - 1) / subject->size;
}

/* EXISTS or UNLINK of all of them at once. */
static void ask_of_all(struct fault_redis_subject *subject, const char *command,
                       fault_redis_next *next)
{
    char names[keys_max][key_text];
    const char *words[keys_max + 2] = {command};
    plan_keys(subject);
    for (size_t i = 0; i < subject->keys; i++) {
        key_of(subject, i, names[i]);
        words[i + 1] = names[i];
    }
    fault_redis_ask(subject->probe, words, next, subject);
}

static void ask_memory(struct fault_redis_subject *subject, fault_redis_next *next)
{
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("INFO", "memory"), next, subject);
}

static void say_used(struct fault_redis_subject *subject, int64_t used, const char *expected,
                     bool ok)
{
    BASE_AUTO_FREE char *value = base_str_printf("%.1f MiB", (double)used / mib);
    fault_store_evidence(subject->store, "used_memory", value, expected, ok);
}

static void say_keys(struct fault_redis_subject *subject, int64_t count, size_t wanted, bool ok)
{
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64, count);
    BASE_AUTO_FREE char *expected = base_str_printf("%zu", wanted);
    fault_store_evidence(subject->store, "keys of the fault", value, expected, ok);
}

/* --- before --- */

/* NULL: it may be taken. */
static const char *objection(const struct fault_redis_subject *subject,
                             const struct fault_redis_answer *answer)
{
    double bytes = (double)subject->keys * (double)subject->size;
    double used = (double)fault_redis_info(answer, "used_memory") + bytes;
    double limit = (double)fault_redis_info(answer, "maxmemory");
    double total = (double)fault_redis_info(answer, "total_system_memory");
    bool evicts = strstr(answer->text, "maxmemory_policy:noeviction") == NULL;
    bool here = subject->store->process.pid > 0;
    double available = (double)fault_meminfo("MemAvailable");
    double reserve = (double)fault_meminfo("MemTotal") * host_share;
    if (reserve < (double)reserve_mib * mib)
        reserve = (double)reserve_mib * mib;
    if (limit > 0 && evicts && used > limit * limit_share)
        return "keys of others would be evicted (maxmemory, maxmemory_policy): ask for less";
    if (limit > 0 && !evicts && used > limit)
        return "more than is free below its maxmemory: ask for less";
    if (total > 0 && used > total * (1 - host_share))
        return "a tenth of the memory of its host would not stay available: ask for less";
    if (here && available - bytes < reserve)
        return "a tenth of this host's memory, 256 MiB at least, would not stay available: ask for "
               "less";
    return NULL;
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
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "cannot look for keys", answer);
        return;
    }
    say_keys(subject, answer->number, 0, answer->number == 0);
    if (answer->number == 0)
        ask_memory(subject, before_memory);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "somebody's keys have the fault's names",
                         NULL);
}

static void fill_prepare(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe(subject);
    ask_of_all(subject, "EXISTS", before_keys);
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

static void ttl_of(const struct fault_redis_subject *subject, char out[static 24])
{
    int64_t left = base_dur_to_ms(fault_effect_left(subject->store->fault));
    (void)snprintf(out, 24, "%" PRId64, left > 0 ? left : 1);
}

static void fill_apply(void *own)
{
    struct fault_redis_subject *subject = own;
    char key[key_text];
    char ttl[24];
    char end[24];
    plan_keys(subject);
    ttl_of(subject, ttl);
    (void)snprintf(end, sizeof end, "%zu", subject->size - 1);
    fault_redis_probe(subject);
    subject->answers_due = 2 * subject->keys;
    for (size_t i = 0; i < subject->keys; i++) {
        key_of(subject, i, key);
        fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("MULTI"), NULL, NULL);
        /* Queued, or refused: "-OOM command not allowed when used memory > 'maxmemory'". */
        fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("SETRANGE", key, end, "x"), one_done,
                        subject);
        fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("PEXPIRE", key, ttl), NULL, NULL);
        fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("EXEC"), one_done, subject);
    }
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
    say_keys(subject, answer->number, subject->keys, ok);
    if (ok)
        ask_memory(subject, during_memory);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT, "keys of the fault are missing",
                         answer->ok ? NULL : answer);
}

static void fill_verify(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe(subject);
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
    char key[key_text];
    char ttl[24];
    ttl_of(subject, ttl);
    fault_redis_probe(subject);
    subject->answers_due = subject->keys;
    for (size_t i = 0; i < subject->keys; i++) {
        key_of(subject, i, key);
        fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("PEXPIRE", key, ttl), one_renewed,
                        subject);
    }
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
    fault_redis_probe(subject);
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
    if (!answer->ok || answer->number != 0) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "keys of the fault are still there",
                         answer->ok ? NULL : answer);
        return;
    }
    say_keys(subject, 0, 0, true);
    ask_memory(subject, after_memory);
}

static void fill_gone(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe(subject);
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
