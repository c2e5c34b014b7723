/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends the sessions of others in the database, once or again and again, by pg_terminate_backend. A
 * session of the agent's own is among them, the canary: it must be ended too, and one that is
 * opened afterwards must live on. Nothing is held: no more strikes come from an agent that is dead
 * or stopped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "pg_action.h"

enum { poll_ms = 20, patience_s = 5 };

#define OTHERS                                                                                     \
    " FROM pg_stat_activity WHERE backend_type = 'client backend'"                                 \
    " AND datname = current_database() AND pid <> pg_backend_pid()"                                \
    " AND application_name <> '" FAULT_PG_PROBE "'"
static const char count_sql[] =
    "SELECT count(*), pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')::int" OTHERS;
/* The time is that of the statement's begin: who came later was not meant. */
static const char strike_sql[] =
    "SELECT statement_timestamp()::text, count(*) FILTER (WHERE pg_terminate_backend(pid))" OTHERS;
static const char older_sql[] = "SELECT count(*)" OTHERS " AND backend_start < $1::timestamptz";

/* --- before --- */

static void after_first_count(struct fault_pg_subject *subject,
                              const struct fault_pg_answer *answer)
{
    int64_t others = answer->ok ? fault_pg_number(answer, 0) : -1;
    if (!answer->ok) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot count its sessions", answer);
        return;
    }
    if (fault_pg_number(answer, 1) != 1) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED,
                      "the role of credentialsFile does not see others' sessions: GRANT "
                      "pg_monitor, pg_signal_backend to it",
                      NULL);
        return;
    }
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64, others);
    fault_store_evidence(subject->store, "sessions of others", value, "at least 1", others > 0);
    if (others > 0)
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED,
                      "nobody else has a session in the database of credentialsFile", NULL);
}

static void terminate_before(struct fault_pg_subject *subject)
{
    fault_pg_probe_ask(subject, count_sql, NULL, after_first_count);
}

/* --- strikes --- */

static void count_strike(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    int64_t ended = answer->ok ? fault_pg_number(answer, 1) : 0;
    subject->toll.strikes += answer->ok ? 1 : 0;
    subject->toll.ended += ended > 0 ? ended : 0;
}

static void strike_later(struct fault_pg_subject *subject)
{
    fault_pg_free(subject->hand);
    subject->hand = NULL;
    if (subject->spec->postgres.every.ns > 0)
        io_timer_start(&subject->again, subject->spec->postgres.every);
}

/* A server that is away has no sessions either: the next time, then. */
static void on_hand(void *ctx, const struct fault_pg_answer *answer)
{
    struct fault_pg_subject *subject = ctx;
    bool opened = answer->ok && answer->result == NULL;
    if (opened) {
        fault_pg_ask(subject->hand, strike_sql, NULL, 0);
        return;
    }
    count_strike(subject, answer);
    strike_later(subject);
}

static void strike_again(struct fault_pg_subject *subject)
{
    const struct fault_target *target = &subject->store->target;
    const struct fault_pg_place place = {.address = target->address,
                                         .port = target->port,
                                         .credentials = &subject->store->credentials,
                                         .name = FAULT_PG_PROBE};
    subject->hand =
        fault_pg_open(fault_env_of(subject->store->fault)->loop, &place, on_hand, subject);
}

static void after_strike(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    const char *since = answer->ok ? fault_pg_cell(answer, 0) : NULL;
    if (since == NULL) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot end sessions", answer);
        return;
    }
    free(subject->since);
    subject->since = base_str_dup(since);
    count_strike(subject, answer);
    strike_later(subject);
    fault_pg_ok(subject);
}

static void apply_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (answer->ok)
        fault_pg_probe_ask(subject, strike_sql, NULL, after_strike);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot connect", answer);
}

static void canary_open(struct fault_pg_subject *subject, const struct fault_pg_answer *failure)
{
    if (failure == NULL)
        fault_pg_probe_again(subject, apply_open);
    else
        fault_pg_held_done(subject, failure);
}

static void open_canary(struct fault_pg_subject *subject,
                        void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    fault_pg_hold(subject, 1, NULL, subject->spec->duration, (struct dur_ns){0}, next);
}

static void terminate_apply(void *own)
{
    open_canary(own, canary_open);
}

static void ask_canary(struct fault_pg_subject *subject,
                       void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    subject->held_next = next;
    fault_pg_held_say(subject->held, "SELECT 1");
}

/* --- during --- */

static void after_canary(struct fault_pg_subject *subject, const struct fault_pg_answer *failure)
{
    char said[256] = "answers";
    if (failure != NULL)
        fault_pg_describe(failure, said);
    fault_store_evidence(subject->store, "session of the agent", said, "ended by the server",
                         failure != NULL);
    if (failure != NULL)
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                      "a session of the agent was not ended; see the evidence", NULL);
}

static void count_older(struct fault_pg_subject *subject);

static void after_older(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    int64_t older = answer->ok ? fault_pg_number(answer, 0) : -1;
    bool patient = base_mono_sub(base_mono_now(), subject->began).ns < patience_s * BASE_NS_PER_S;
    if (older > 0 && patient) { /* each ends when it next looks for signals */
        subject->waited = count_older;
        io_timer_start(&subject->wait, base_dur_ms(poll_ms));
        return;
    }
    BASE_AUTO_FREE char *value =
        base_str_printf("%" PRId64 " of %" PRId64, older, subject->toll.ended);
    fault_store_evidence(subject->store, "sessions from before", value, "0", older == 0);
    if (older == 0)
        ask_canary(subject, after_canary);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                      "sessions from before the fault are still there", answer->ok ? NULL : answer);
}

static void count_older(struct fault_pg_subject *subject)
{
    fault_pg_probe_ask(subject, older_sql, subject->since, after_older);
}

static void verify_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (answer->ok)
        count_older(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT, "cannot connect to measure", answer);
}

static void terminate_verify(void *own)
{
    struct fault_pg_subject *subject = own;
    subject->began = base_mono_now();
    fault_pg_probe_again(subject, verify_open);
}

static void terminate_revert(void *own)
{
    struct fault_pg_subject *subject = own;
    io_timer_stop(&subject->again);
    fault_pg_free(subject->hand);
    subject->hand = NULL;
    fault_pg_release(own);
}

/* --- after --- */

static void after_rest(struct fault_pg_subject *subject, const struct fault_pg_answer *failure)
{
    if (failure != NULL) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "a new session was ended", failure);
        return;
    }
    fault_toll_over(subject->store, &subject->toll, subject->began, "sessions that were ended");
    fault_pg_release(subject);
}

static void rested(struct fault_pg_subject *subject)
{
    ask_canary(subject, after_rest);
}

static void gone_open(struct fault_pg_subject *subject, const struct fault_pg_answer *failure)
{
    if (failure != NULL) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot connect to measure", failure);
        return;
    }
    subject->began = base_mono_now();
    subject->waited = rested;
    io_timer_start(&subject->wait, fault_toll_rest(subject->store, subject->spec->postgres.every));
}

static void terminate_gone(void *own)
{
    open_canary(own, gone_open);
}

const struct fault_pg_action fault_pg_terminate = {
    .before = terminate_before,
    .step = {[FAULT_STEP_PREPARE] = fault_pg_prepare,
             [FAULT_STEP_APPLY] = terminate_apply,
             [FAULT_STEP_VERIFY] = terminate_verify,
             [FAULT_STEP_REVERT] = terminate_revert,
             [FAULT_STEP_VERIFY_GONE] = terminate_gone},
    .again = strike_again,
};
