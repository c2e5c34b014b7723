/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DEBUG SLEEP: the server does nothing at all for a while, as during a slow command. Nothing takes
 * that back, not even the end of the connection that asked for it, and what is sent ahead would be
 * one long sleep. So one short sleep at a time is asked for, the next when it is over: between two
 * of them the server serves whoever waits, and when the agent is dead, stopped or has ended the
 * fault, the sleep that has begun is the last.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "redis_action.h"

enum { quiet_pings = 5, answered_ms = 1000, slack_ms = 500 };
/* Shares of a sleep: what a PING waits for it at least, for two of them at most, without it. */
static const double stalled = 0.8;
static const double twice = 2;
static const double calm = 0.5;

static double time_ms(const struct fault_redis_subject *subject)
{
    return (double)subject->spec->redis.time.ns / 1e6;
}

/* --- PINGs, one after the other --- */

static void ping(struct fault_redis_subject *subject, fault_redis_next *next)
{
    subject->asked = base_mono_now();
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("PING"), next, subject);
}

static void begin_pings(struct fault_redis_subject *subject, int patience_ms,
                        fault_redis_next *next, void (*waited)(struct fault_redis_subject *subject))
{
    subject->pings = 0;
    subject->longest_ms = 0;
    subject->waited = waited;
    io_timer_start(&subject->wait, base_dur_ms(patience_ms));
    ping(subject, next);
}

static void count_ping(struct fault_redis_subject *subject)
{
    double took = (double)base_mono_sub(base_mono_now(), subject->asked).ns / 1e6;
    subject->pings++;
    if (took > subject->longest_ms)
        subject->longest_ms = took;
}

static void say(struct fault_redis_subject *subject, const char *expected, bool ok)
{
    BASE_AUTO_FREE char *value =
        base_str_printf("%.1f ms, of %d", subject->longest_ms, subject->pings);
    fault_store_evidence(subject->store, "longest PING", value, expected, ok);
}

/* --- before, and after --- */

static void quiet_ping(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "PING", answer);
        return;
    }
    count_ping(subject);
    if (subject->pings < quiet_pings) {
        ping(subject, quiet_ping);
        return;
    }
    double limit = time_ms(subject) * calm;
    bool ok = subject->longest_ms < limit;
    BASE_AUTO_FREE char *expected = base_str_printf("less than %.0f ms", limit);
    if (ok || fault_store_is_injecting(subject->store))
        say(subject, expected, ok);
    if (ok)
        fault_redis_ok(subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED,
                         "a PING takes half as long as the sleep without one", NULL);
}

static void silent(struct fault_redis_subject *subject)
{
    fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "does not answer in time", NULL);
}

static void is_allowed(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (answer->ok)
        begin_pings(subject, answered_ms, quiet_ping, silent);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED,
                         "DEBUG SLEEP is not to be had there; Redis 7 needs \"enable-debug-command "
                         "yes\" in its settings, a role +debug",
                         answer);
}

static void sleep_prepare(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe(subject);
    subject->waited = silent;
    io_timer_start(&subject->wait, base_dur_ms(answered_ms));
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("DEBUG", "SLEEP", "0"), is_allowed, subject);
}

static void sleep_gone(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe(subject);
    begin_pings(subject, answered_ms, quiet_ping, silent);
}

/* --- the sleeps --- */

static void on_awake(void *ctx, const struct fault_redis_answer *answer);

static void fall_asleep(struct fault_redis_subject *subject)
{
    char seconds[32];
    (void)snprintf(seconds, sizeof seconds, "%.3f", time_ms(subject) / 1e3);
    fault_redis_ask(subject->held, FAULT_REDIS_WORDS("DEBUG", "SLEEP", seconds), on_awake, subject);
}

static void on_awake(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (answer->ok) {
        fall_asleep(subject);
        return;
    }
    fault_redis_free(subject->held); /* the next renewal finds that there is none */
    subject->held = NULL;
}

static void is_there(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "a session of the agent", answer);
    } else if (--subject->answers_due == 0) {
        fall_asleep(subject);
        fault_redis_ok(subject);
    }
}

/* Both have logged in before the first sleep: afterwards that would take one, too. */
static void sleep_apply(void *own)
{
    struct fault_redis_subject *subject = own;
    subject->held = fault_redis_session(subject);
    subject->hand = fault_redis_session(subject);
    subject->answers_due = 2;
    fault_redis_ask(subject->held, FAULT_REDIS_WORDS("PING"), is_there, subject);
    fault_redis_ask(subject->hand, FAULT_REDIS_WORDS("PING"), is_there, subject);
}

/* --- during --- */

static void during_over(struct fault_redis_subject *subject)
{
    double least = time_ms(subject) * stalled;
    double most = time_ms(subject) * twice + slack_ms;
    bool ok = subject->longest_ms >= least && subject->longest_ms <= most;
    BASE_AUTO_FREE char *expected = base_str_printf("%.0f to %.0f ms", least, most);
    say(subject, expected, ok);
    if (ok)
        fault_redis_ok(subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                         "the server does not stand still as was asked for; see the evidence",
                         NULL);
}

static void during_ping(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "PING", answer);
        return;
    }
    count_ping(subject);
    if (subject->longest_ms < time_ms(subject) * stalled)
        ping(subject, during_ping);
    else
        during_over(subject);
}

/* By the session that was there before the first sleep. */
static void sleep_verify(void *own)
{
    struct fault_redis_subject *subject = own;
    subject->probe = subject->hand;
    subject->hand = NULL;
    begin_pings(subject, (int)(time_ms(subject) * twice) + answered_ms, during_ping, during_over);
}

const struct fault_redis_steps fault_redis_sleep = {
    .step = {[FAULT_STEP_PREPARE] = sleep_prepare,
             [FAULT_STEP_APPLY] = sleep_apply,
             [FAULT_STEP_VERIFY] = sleep_verify,
             [FAULT_STEP_RENEW] = fault_redis_held_renew,
             [FAULT_STEP_REVERT] = fault_redis_held_revert,
             [FAULT_STEP_VERIFY_GONE] = sleep_gone},
};
