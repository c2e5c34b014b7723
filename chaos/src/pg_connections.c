/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: as many sessions as the server has room for, but some. Those that it reserves for
 * superusers are never taken, so that an administrator can always connect. Proven by what is free
 * then, or by the refusal of one more.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "pg_action.h"

static const char too_many_connections[] = "53300";

/* What ordinary roles can still have, without the one that asks; whether all of that is seen
 * (monitoring-stats.html: other roles' rows are hidden from the rest); sessions that are called $1.
 * reserved_connections came with PostgreSQL 16. */
static const char free_sql[] =
    "SELECT current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0)"
    " - (SELECT count(*) FROM pg_stat_activity"
    "    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),"
    " pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')::int,"
    " (SELECT count(*) FROM pg_stat_activity WHERE application_name = $1)";
enum { column_free, column_sees_all, column_ours };

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
    subject->wanted = count - left;
    say_free(subject, count, expected, subject->wanted > 0);
    fault_pg_probe_end(subject); /* it has one of them itself */
    if (subject->wanted > 0)
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED,
                      "no more connections are free than are to be left: nothing to take", NULL);
}

static void connections_before(struct fault_pg_subject *subject)
{
    fault_pg_probe_ask(subject, free_sql, subject->name, after_first_count);
}

/* --- during --- */

static void connections_apply(void *own)
{
    struct fault_pg_subject *subject = own;
    fault_pg_hold(subject, (size_t)subject->wanted, NULL, fault_effect_left(subject->store->fault),
                  (struct dur_ns){0}, fault_pg_held_done);
}

static void verify_count(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    int64_t left = subject->spec->postgres.left;
    int64_t ours = answer->ok ? fault_pg_number(answer, column_ours) : -1;
    int64_t count = answer->ok ? fault_pg_number(answer, column_free) : INT64_MAX;
    bool ok = ours > 0 && count <= left;
    BASE_AUTO_FREE char *expected = base_str_printf("at most %" PRId64, left);
    if (answer->ok) {
        say_ours(subject, ours, subject->wanted, ours > 0);
        say_free(subject, count, expected, count <= left);
    }
    if (ok)
        fault_pg_ok(subject);
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
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT, "cannot connect to measure", answer);
}

static void connections_verify(void *own)
{
    fault_pg_probe(own, verify_open);
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
             [FAULT_STEP_RENEW] = fault_pg_renew_held,
             [FAULT_STEP_REVERT] = fault_pg_release,
             [FAULT_STEP_VERIFY_GONE] = connections_gone},
};
