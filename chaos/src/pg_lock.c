/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock on a table, held by a transaction that does nothing else. Proven by the weakest lock that
 * must wait for it, which is the one that a reader takes, or a writer (explicit-locking.html).
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "pg_action.h"

enum {
    denied_ms = 300,  /* so long the probe waits while the lock is there */
    granted_ms = 1000 /* and while it is not: others may hold it for a moment */
};
static const char lock_not_available[] = "55P03";

static const struct {
    const char *held;
    const char *probed;
} modes[] = {
    [FAULT_POSTGRES_LOCK_ALL] = {"ACCESS EXCLUSIVE", "ACCESS SHARE"},
    [FAULT_POSTGRES_LOCK_WRITES] = {"EXCLUSIVE", "ROW EXCLUSIVE"},
};

static void ask_for_lock(struct fault_pg_subject *subject, int patience_ms,
                         void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    BASE_AUTO_FREE char *sql =
        base_str_printf("BEGIN; SET LOCAL lock_timeout = %d; LOCK TABLE %s IN %s MODE; COMMIT",
                        patience_ms, subject->table, modes[subject->spec->postgres.lock].probed);
    fault_pg_probe_say(subject, sql, next);
}

static void evidence(struct fault_pg_subject *subject, const struct fault_pg_answer *answer,
                     int patience_ms, bool ok)
{
    char said[256];
    char value[320];
    char expected[64];
    bool denied = patience_ms == denied_ms;
    double took = (double)fault_pg_took(subject).ns / 1e6;
    BASE_AUTO_FREE char *metric = base_str_printf(
        "lock %s on %s", modes[subject->spec->postgres.lock].probed, subject->spec->postgres.table);
    fault_pg_describe(answer, said);
    (void)snprintf(value, sizeof value, "%s after %.1f ms", answer->ok ? "granted" : said, took);
    (void)snprintf(expected, sizeof expected, "%s within %d ms", denied ? "not granted" : "granted",
                   patience_ms);
    fault_store_evidence(subject->store, metric, value, expected, ok);
}

/* --- before --- */

static void after_first_lock(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    evidence(subject, answer, granted_ms, answer->ok);
    if (answer->ok)
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "the table cannot be locked by anybody",
                      answer);
}

static void lock_before(struct fault_pg_subject *subject)
{
    ask_for_lock(subject, granted_ms, after_first_lock);
}

/* --- during --- */

/* While it waits for the lock everybody who comes later waits behind it: that is part of the fault,
 * and within its lease. */
static void lock_apply(void *own)
{
    struct fault_pg_subject *subject = own;
    struct dur_ns left = fault_effect_left(subject->store->fault);
    struct dur_ns wait = {left.ns / 4};
    BASE_AUTO_FREE char *sql = base_str_printf("BEGIN; LOCK TABLE %s IN %s MODE", subject->table,
                                               modes[subject->spec->postgres.lock].held);
    fault_pg_hold(subject, 1, sql, (struct dur_ns){left.ns - wait.ns}, wait, fault_pg_held_done);
}

static void after_denied(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    bool ok = !answer->ok && base_str_eq(answer->state, lock_not_available);
    evidence(subject, answer, denied_ms, ok);
    if (ok)
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                      "the table can be used in spite of the lock; see the evidence", NULL);
}

static void verify_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (answer->ok)
        ask_for_lock(subject, denied_ms, after_denied);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_NO_EFFECT, "cannot connect to measure", answer);
}

static void lock_verify(void *own)
{
    fault_pg_probe_again(own, verify_open);
}

/* --- after --- */

static void after_granted(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (!answer->ok) {
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "the table is still locked", answer);
        return;
    }
    evidence(subject, answer, granted_ms, true);
    fault_pg_ok(subject);
}

static void gone_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (answer->ok)
        ask_for_lock(subject, granted_ms, after_granted);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot connect to measure", answer);
}

static void lock_gone(void *own)
{
    fault_pg_probe(own, gone_open);
}

const struct fault_pg_action fault_pg_lock = {
    .before = lock_before,
    .step = {[FAULT_STEP_PREPARE] = fault_pg_prepare,
             [FAULT_STEP_APPLY] = lock_apply,
             [FAULT_STEP_VERIFY] = lock_verify,
             [FAULT_STEP_RENEW] = fault_pg_renew_held,
             [FAULT_STEP_REVERT] = fault_pg_release,
             [FAULT_STEP_VERIFY_GONE] = lock_gone},
};
