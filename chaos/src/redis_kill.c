/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disconnects all clients, once or again and again, by CLIENT KILL. A session of the agent's own is
 * among them, the canary: it must be ended too, and one that is opened afterwards must live on.
 * Replicas and whoever subscribes are other types of clients, and are left alone. Nothing is held.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "redis_action.h"

enum { poll_ms = 20 };

/* Clients in the answer to CLIENT LIST whose id is below `below`, one line each. */
static int64_t count_below(const char *list, int64_t below)
{
    int64_t count = 0;
    for (const char *line = list; line != NULL && *line != '\0';) {
        int64_t id = -1;
        if (base_str_starts(line, "id=")) {
            const char *at = line + strlen("id=");
            BASE_AUTO_FREE char *digits = base_str_ndup(at, strspn(at, "0123456789"));
            count += base_parse_i64(digits, &id) && id < below ? 1 : 0;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return count;
}

static void ask_list(struct fault_redis_subject *subject, fault_redis_next *next)
{
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("CLIENT", "LIST", "TYPE", "normal"), next,
                    subject);
}

/* --- before --- */

static void before_list(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    int64_t others = answer->ok ? count_below(answer->text, INT64_MAX) - 1 : -1; /* not us */
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "CLIENT LIST", answer);
        return;
    }
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64, others);
    fault_store_evidence(subject->store, "clients", value, "at least 1", others > 0);
    if (others > 0)
        fault_redis_ok(subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "nobody else is connected", NULL);
}

static void kill_prepare(void *own)
{
    fault_redis_probe(own);
    ask_list(own, before_list);
}

/* --- strikes --- */

static void strike(struct fault_redis *session, fault_redis_next *next,
                   struct fault_redis_subject *subject)
{
    fault_redis_ask(session, FAULT_REDIS_WORDS("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
                    next, subject);
}

static void count_strike(struct fault_redis_subject *subject,
                         const struct fault_redis_answer *answer)
{
    subject->toll.strikes += answer->ok ? 1 : 0;
    subject->toll.ended += answer->ok ? answer->number : 0;
    if (subject->spec->redis.every.ns > 0)
        io_timer_start(&subject->again, subject->spec->redis.every);
}

/* A server that is away has no clients either: the next time, then. */
static void on_hand(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    count_strike(subject, answer);
    fault_redis_free(subject->hand);
    subject->hand = NULL;
}

static void strike_again(struct fault_redis_subject *subject)
{
    subject->hand = fault_redis_session(subject);
    strike(subject->hand, on_hand, subject);
}

static void after_strike(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "CLIENT KILL", answer);
        return;
    }
    count_strike(subject, answer);
    fault_redis_ok(subject);
}

static void after_id(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    subject->watermark = answer->number; /* ids only grow */
    if (answer->ok)
        strike(subject->probe, after_strike, subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "CLIENT ID", answer);
}

static void canary_is_there(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "a session of the agent", answer);
        return;
    }
    fault_redis_probe(subject);
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("CLIENT", "ID"), after_id, subject);
}

static void open_canary(struct fault_redis_subject *subject, fault_redis_next *next)
{
    fault_redis_free(subject->held);
    subject->held = fault_redis_session(subject);
    fault_redis_ask(subject->held, FAULT_REDIS_WORDS("PING"), next, subject);
}

static void kill_apply(void *own)
{
    struct fault_redis_subject *subject = own;
    subject->due = strike_again;
    open_canary(subject, canary_is_there);
}

/* --- during --- */

static void after_canary(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    bool ok = !answer->ok && answer->lost;
    fault_store_evidence(subject->store, "session of the agent",
                         answer->ok ? "answers" : answer->text, "ended by the server", ok);
    if (ok)
        fault_redis_ok(subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                         "a session of the agent was not ended; see the evidence", NULL);
}

static void look(struct fault_redis_subject *subject);

/* The next strike may come before the answer, and ends who asks as well: again, then. */
static bool was_struck(struct fault_redis_subject *subject, const struct fault_redis_answer *answer)
{
    struct dur_ns waited = base_mono_sub(base_mono_now(), subject->began);
    bool struck = !answer->ok && answer->lost && subject->spec->redis.every.ns > 0 &&
                  waited.ns < subject->spec->lease.ns / 2;
    if (struck) {
        subject->waited = look;
        io_timer_start(&subject->wait, base_dur_ms(poll_ms));
    }
    return struck;
}

static void during_list(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    int64_t older = answer->ok ? count_below(answer->text, subject->watermark) : -1;
    if (was_struck(subject, answer))
        return;
    BASE_AUTO_FREE char *value =
        base_str_printf("%" PRId64 " of %" PRId64, older, subject->toll.ended);
    fault_store_evidence(subject->store, "clients from before", value, "0", older == 0);
    if (older == 0)
        fault_redis_ask(subject->held, FAULT_REDIS_WORDS("PING"), after_canary, subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                         "clients from before the fault are still there",
                         answer->ok ? NULL : answer);
}

static void look(struct fault_redis_subject *subject)
{
    fault_redis_probe(subject);
    ask_list(subject, during_list);
}

static void kill_verify(void *own)
{
    struct fault_redis_subject *subject = own;
    subject->began = base_mono_now();
    look(subject);
}

static void kill_revert(void *own)
{
    struct fault_redis_subject *subject = own;
    io_timer_stop(&subject->again);
    fault_redis_free(subject->hand);
    fault_redis_free(subject->held);
    subject->hand = subject->held = NULL;
    fault_redis_ok(subject);
}

/* --- after --- */

static void after_rest(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "a new session was ended", answer);
        return;
    }
    fault_toll_over(subject->store, &subject->toll, subject->began,
                    "clients that were disconnected");
    fault_redis_ok(subject);
}

static void rested(struct fault_redis_subject *subject)
{
    fault_redis_ask(subject->held, FAULT_REDIS_WORDS("PING"), after_rest, subject);
}

static void after_open(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "cannot connect to measure", answer);
        return;
    }
    subject->began = base_mono_now();
    subject->waited = rested;
    io_timer_start(&subject->wait, fault_toll_rest(subject->store, subject->spec->redis.every));
}

static void kill_gone(void *own)
{
    open_canary(own, after_open);
}

const struct fault_redis_steps fault_redis_kill = {
    .step = {[FAULT_STEP_PREPARE] = kill_prepare,
             [FAULT_STEP_APPLY] = kill_apply,
             [FAULT_STEP_VERIFY] = kill_verify,
             [FAULT_STEP_REVERT] = kill_revert,
             [FAULT_STEP_VERIFY_GONE] = kill_gone},
};
