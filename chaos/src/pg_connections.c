/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: as many sessions as the server has room for, but some. Whoever disconnects later
 * leaves a place: while the fault stands, one of its own sessions counts what is free, and that is
 * taken, too. Proven by what is free then, or by the refusal of one more.
 *
 * Those that the server reserves for superusers are never taken, so that an administrator can
 * always connect. To a superuser, as whom the fault may come, the server gives them all the same
 * when a client was faster than the one who had counted: they are given back after the next count.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "pg_action.h"

enum {
    look_ms = 200,
    most_at_a_look = 64,
    poll_ms = 20, /* a session ends a little after its connection */
    patience_most_ms = 2000
};
static const char too_many_connections[] = "53300";

/* What ordinary roles can still have, without what probes take for a moment. reserved_connections
 * came with PostgreSQL 16. */
#define SELECT_FREE                                                                                \
    "SELECT current_setting('max_connections')::int"                                               \
    " - current_setting('superuser_reserved_connections')::int"                                    \
    " - coalesce(current_setting('reserved_connections', true)::int, 0)"                           \
    " - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"              \
    "    AND application_name <> '" FAULT_PG_PROBE "')"
/* Whether all of that is seen (monitoring-stats.html: other roles' rows are hidden from the rest);
 * sessions that are called $1. */
static const char free_sql[] =
    SELECT_FREE ", pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')::int,"
                " (SELECT count(*) FROM pg_stat_activity WHERE application_name = $1)";
enum { column_free, column_sees_all, column_ours };
/* Of a session that holds: who asks it something lets it idle anew. And how many superusers are
 * there, who may have reserved ones: others than those that are called $2. */
static const char look_sql[] =
    SELECT_FREE ", set_config('idle_session_timeout', $1, false),"
                " (SELECT count(*) FROM pg_stat_activity JOIN pg_roles ON oid = usesysid"
                "  WHERE backend_type = 'client backend' AND rolsuper"
                "  AND application_name NOT IN ('" FAULT_PG_PROBE "', $2))";
enum { column_superusers = 2 };

static void say_free(struct fault_pg_subject *subject, int64_t count, const char *expected, bool ok)
{
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64, count);
    fault_store_evidence(subject->store, "connections that are free", value, expected, ok);
}

static void say_ours(struct fault_pg_subject *subject, int64_t count, int64_t wanted, bool ok)
{
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64, count);
    BASE_AUTO_FREE char *expected = base_str_printf("%" PRId64, wanted);
    fault_store_evidence(subject->store, "connections of the fault", value, expected, ok);
}

/* --- before --- */

static void after_first_count(struct fault_pg_subject *subject,
                              const struct fault_pg_answer *answer)
{
    if (!answer->ok) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot count its connections", answer);
        return;
    }
    if (fault_pg_number(answer, column_sees_all) != 1) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED,
                      "the role of credentialsFile does not see others' sessions: GRANT pg_monitor "
                      "to it",
                      NULL);
        return;
    }
    int64_t left = subject->spec->postgres.left;
    int64_t count = fault_pg_number(answer, column_free);
    BASE_AUTO_FREE char *expected = base_str_printf("more than %" PRId64, left);
    subject->connections.wanted = count - left;
    say_free(subject, count, expected, subject->connections.wanted > 0);
    fault_pg_probe_end(subject); /* it has one of them itself */
    if (subject->connections.wanted > 0)
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED,
                      "no more connections are free than are to be left: nothing to take", NULL);
}

static void connections_before(struct fault_pg_subject *subject)
{
    fault_pg_probe_ask(subject, free_sql, subject->name, after_first_count);
}

/* --- while it stands --- */

static void look_later(struct fault_pg_subject *subject)
{
    void (*then)(struct fault_pg_subject *) = subject->connections.then;
    subject->connections.then = NULL;
    io_timer_start(&subject->again, base_dur_ms(look_ms));
    if (then != NULL)
        then(subject);
}

/* Nobody counts any more; the next renewal finds out, or the lease ends what is left. */
static void lost(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (subject->store->busy)
        fault_pg_held_done(subject, answer);
}

static void count_more(struct fault_pg_subject *subject)
{
    struct fault_pg_connections *own = &subject->connections;
    own->newest = fault_pg_held_count(subject->held) - own->newest;
    own->again += (int64_t)own->newest;
}

static void after_more(struct fault_pg_subject *subject, const struct fault_pg_answer *failure)
{
    if (failure != NULL) {
        lost(subject, failure);
        return;
    }
    count_more(subject);
    look_later(subject);
}

static void take_more(struct fault_pg_subject *subject, int64_t count)
{
    subject->connections.newest = fault_pg_held_count(subject->held);
    subject->held_next = after_more;
    fault_pg_held_more(subject->held, (size_t)(count < most_at_a_look ? count : most_at_a_look),
                       fault_pg_idle(subject));
}

/* Not the last one: it counts. */
static void give_back(struct fault_pg_subject *subject, int64_t reserved)
{
    struct fault_pg_connections *own = &subject->connections;
    int64_t most = (int64_t)fault_pg_held_count(subject->held) - 1;
    int64_t count = reserved > 0 ? reserved : 0;
    most = most < (int64_t)own->newest ? most : (int64_t)own->newest;
    count = count < most ? count : most;
    own->again = own->again > count ? own->again - count : 0;
    own->newest = 0;
    fault_pg_held_fewer(subject->held, (size_t)count);
}

static void after_look(void *ctx, const struct fault_pg_answer *answer)
{
    struct fault_pg_subject *subject = ctx;
    if (!answer->ok) {
        lost(subject, answer);
        return;
    }
    int64_t count = fault_pg_number(answer, column_free);
    int64_t more = count - subject->spec->postgres.left;
    bool lapsed = fault_effect_left(subject->store->fault).ns <= 0;
    give_back(subject, -count - fault_pg_number(answer, column_superusers));
    if (more > 0 && !lapsed)
        take_more(subject, more);
    else
        look_later(subject);
}

static void look(struct fault_pg_subject *subject)
{
    if (fault_effect_left(subject->store->fault).ns <= 0)
        return; /* a stopped process sees this timer before that of its lease */
    if (fault_pg_held_busy(subject->held)) { /* it is being renewed */
        io_timer_start(&subject->again, base_dur_ms(look_ms));
        return;
    }
    BASE_AUTO_FREE char *idle = base_str_printf("%" PRId64, base_dur_to_ms(fault_pg_idle(subject)));
    const char *const params[FAULT_PG_PARAMS] = {idle, subject->name};
    fault_pg_held_ask(subject->held, look_sql, params, FAULT_PG_PARAMS, after_look);
}

static void renew(struct fault_pg_subject *subject)
{
    fault_pg_renew_held(subject);
}

/* A server that is slow to let in more must not keep those that are held from being renewed. */
static void connections_renew(void *own)
{
    struct fault_pg_subject *subject = own;
    if (!fault_pg_held_busy(subject->held)) {
        renew(subject);
    } else if (fault_pg_held_cut(subject->held)) {
        count_more(subject);
        subject->connections.then = renew;
        look_later(subject);
    } else {
        subject->connections.then = renew;
    }
}

static void connections_revert(void *own)
{
    struct fault_pg_subject *subject = own;
    io_timer_stop(&subject->again);
    fault_pg_release(subject);
}

/* --- during --- */

static void after_first(struct fault_pg_subject *subject, const struct fault_pg_answer *failure)
{
    if (failure == NULL && fault_pg_held_count(subject->held) == 0) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED,
                      "others have taken meanwhile what was free: nothing to take", NULL);
        return;
    }
    subject->connections.newest = failure == NULL ? fault_pg_held_count(subject->held) : 0;
    fault_pg_held_done(subject, failure);
}

static void connections_apply(void *own)
{
    struct fault_pg_subject *subject = own;
    fault_pg_hold(subject, (size_t)subject->connections.wanted, NULL,
                  fault_effect_left(subject->store->fault), (struct dur_ns){0}, after_first);
}

static void verify_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer);

static void verify_by_probe(struct fault_pg_subject *subject)
{
    fault_pg_probe(subject, verify_open);
}

static void take_and_verify(struct fault_pg_subject *subject)
{
    subject->connections.then = verify_by_probe;
    if (!fault_pg_held_busy(subject->held))
        look(subject);
}

/* Somebody has disconnected since what was free was counted. */
static bool is_worth_another_look(const struct fault_pg_subject *subject)
{
    return fault_effect_left(subject->store->fault).ns > subject->spec->lease.ns / 2 &&
           base_mono_sub(base_mono_now(), subject->began).ns < base_dur_ms(patience_most_ms).ns;
}

static void verified(struct fault_pg_subject *subject)
{
    look_later(subject);
    fault_pg_ok(subject);
}

static void verify_count(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    int64_t left = subject->spec->postgres.left;
    int64_t ours = answer->ok ? fault_pg_number(answer, column_ours) : -1;
    int64_t count = answer->ok ? fault_pg_number(answer, column_free) : INT64_MAX;
    BASE_AUTO_FREE char *expected = base_str_printf("at most %" PRId64, left);
    if (answer->ok && count > left && is_worth_another_look(subject)) {
        fault_pg_probe_end(subject);
        subject->waited = take_and_verify;
        io_timer_start(&subject->wait, base_dur_ms(poll_ms));
        return;
    }
    if (answer->ok) {
        say_ours(subject, ours, subject->connections.wanted, ours > 0);
        say_free(subject, count, expected, count <= left);
    }
    if (ours > 0 && count <= left)
        verified(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                      "more connections are free than were to be left; see the evidence",
                      answer->ok ? NULL : answer);
}

/* Superusers get a reserved one, and count; whoever is refused has seen the effect. */
static void verify_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    char said[256];
    if (answer->ok) {
        fault_pg_probe_ask(subject, free_sql, subject->name, verify_count);
        return;
    }
    bool ok = base_str_eq(answer->state, too_many_connections) && subject->spec->postgres.left == 0;
    fault_pg_describe(answer, said);
    fault_store_evidence(subject->store, "one more connection", said, "refused (53300)", ok);
    if (ok)
        verified(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT, "cannot connect to measure", answer);
}

static void connections_verify(void *own)
{
    struct fault_pg_subject *subject = own;
    subject->began = base_mono_now();
    verify_by_probe(subject);
}

/* --- after --- */

static void gone_count(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    int64_t ours = answer->ok ? fault_pg_number(answer, column_ours) : -1;
    if (ours != 0) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "connections of the fault are still there",
                      answer->ok ? NULL : answer);
        return;
    }
    say_ours(subject, ours, 0, true);
    say_free(subject, fault_pg_number(answer, column_free), NULL, true);
    if (subject->connections.again > 0) {
        BASE_AUTO_FREE char *again = base_str_printf("%" PRId64, subject->connections.again);
        fault_store_evidence(subject->store, "connections taken while it stood", again, NULL, true);
    }
    fault_pg_ok(subject);
}

static void gone_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (answer->ok)
        fault_pg_probe_ask(subject, free_sql, subject->name, gone_count);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot connect to measure", answer);
}

static void connections_gone(void *own)
{
    fault_pg_probe(own, gone_open);
}

const struct fault_pg_action fault_pg_connections = {
    .before = connections_before,
    .step = {[FAULT_STEP_PREPARE] = fault_pg_prepare,
             [FAULT_STEP_APPLY] = connections_apply,
             [FAULT_STEP_VERIFY] = connections_verify,
             [FAULT_STEP_RENEW] = connections_renew,
             [FAULT_STEP_REVERT] = connections_revert,
             [FAULT_STEP_VERIFY_GONE] = connections_gone},
    .again = look,
};
