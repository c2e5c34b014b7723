/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLIENT PAUSE cannot be taken back from all clients: CLIENT UNPAUSE waits as everybody's commands
 * do, and ends other people's pauses, too. So the pause is a chain of short ones, each of which the
 * server itself ends. Of all clients, the next links wait in the server's own queue, first in line,
 * since they were sent before anybody could come: nobody gets through between two of them. When the
 * agent's connection closes, the chain ends with the link that has begun; when nothing more is
 * sent, since the agent is stopped, with its last. An agent may stand still for a moment, though
 * (fsync on a busy disk): the more of the lease is left the more links wait.
 */
#include <stdio.h>

#include "redis_action.h"

enum {
    link_ms = 300,
    takes_ms = 400,      /* the server looks for its end up to 10 times a second */
    beyond_ms = 1200,    /* the end of the lease, within which the last link ends */
    links_max = 7,       /* of a chain: a renewal may make the lease shorter, but no chain */
    write_link_ms = 600, /* while only writes are paused: a link begins at once, and none waits */
    follow_ms = 100,     /* from link to link then */
    silent_ms = 400,     /* so long the probe is not answered while it is there */
    answered_ms = 1000,  /* within which it is while it is not */
    key_ms = 1000        /* after which the key that the probe writes expires */
};

static bool of_writes(const struct fault_redis_subject *subject)
{
    return subject->spec->redis.pause == FAULT_REDIS_PAUSE_WRITES;
}

/* --- the probe --- */

static void evidence(struct fault_redis_subject *subject, const char *said, bool denied, bool ok)
{
    char value[320];
    char expected[64];
    double took = (double)base_mono_sub(base_mono_now(), subject->asked).ns / 1e6;
    (void)snprintf(value, sizeof value, "%s after %.1f ms", said, took);
    (void)snprintf(expected, sizeof expected, denied ? "no answer within %d ms" : "OK within %d ms",
                   denied ? silent_ms : answered_ms);
    fault_store_evidence(subject->store, of_writes(subject) ? "SET" : "PING", value, expected, ok);
}

/* Writes a key of ours: nobody else's name begins so. */
static void ask(struct fault_redis_subject *subject, int patience_ms, fault_redis_next *next,
                void (*waited)(struct fault_redis_subject *subject))
{
    char key[192];
    char ttl[16];
    (void)snprintf(key, sizeof key, "squall:%s:probe", subject->spec->id);
    (void)snprintf(ttl, sizeof ttl, "%d", key_ms);
    fault_redis_probe(subject);
    subject->waited = waited;
    io_timer_start(&subject->wait, base_dur_ms(patience_ms));
    if (of_writes(subject))
        fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("SET", key, "", "PX", ttl), next,
                        subject);
    else
        fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("PING"), next, subject);
}

static void before_answered(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    evidence(subject, answer->ok ? "OK" : answer->text, false, answer->ok);
    if (answer->ok)
        fault_redis_ok(subject);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "not in a fit state before the fault",
                         answer);
}

static void before_silent(struct fault_redis_subject *subject)
{
    evidence(subject, "no answer", false, false);
    fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "does not answer before the fault", NULL);
}

static void pause_prepare(void *own)
{
    ask(own, answered_ms, before_answered, before_silent);
}

/* --- the chain --- */

static void on_link(void *ctx, const struct fault_redis_answer *answer);

static void add_link(struct fault_redis_subject *subject)
{
    char length[16];
    (void)snprintf(length, sizeof length, "%d", of_writes(subject) ? write_link_ms : link_ms);
    subject->answers_due++;
    fault_redis_ask(
        subject->held,
        FAULT_REDIS_WORDS("CLIENT", "PAUSE", length, of_writes(subject) ? "WRITE" : "ALL"), on_link,
        subject);
}

/* With the one that has begun, if any. */
static void lengthen(struct fault_redis_subject *subject, size_t begun)
{
    int64_t left = base_dur_to_ms(fault_effect_left(subject->store->fault));
    int64_t links = ((left > 0 ? left : 0) + beyond_ms) / takes_ms;
    size_t wanted = (size_t)(links < links_max ? links : links_max);
    while (begun + subject->answers_due < wanted)
        add_link(subject);
}

static void chain_broke(struct fault_redis_subject *subject,
                        const struct fault_redis_answer *answer)
{
    bool applying = subject->under_way;
    subject->under_way = false;
    fault_redis_free(subject->held);
    subject->held = NULL;
    if (applying)
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "CLIENT PAUSE", answer);
    /* Else the next renewal finds that there is none. */
}

static void on_link(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    subject->answers_due--;
    if (!answer->ok) {
        chain_broke(subject, answer);
        return;
    }
    if (of_writes(subject))
        io_timer_start(&subject->again, base_dur_ms(follow_ms));
    else
        lengthen(subject, 1);
    if (!subject->under_way)
        return;
    subject->under_way = false;
    fault_redis_ok(subject);
}

static void next_write_link(struct fault_redis_subject *subject)
{
    if (subject->held != NULL)
        add_link(subject);
}

static void pause_apply(void *own)
{
    struct fault_redis_subject *subject = own;
    subject->under_way = true;
    subject->due = next_write_link;
    subject->held = fault_redis_session(subject);
    subject->answers_due = 0;
    if (of_writes(subject))
        add_link(subject);
    else
        lengthen(subject, 0);
}

static void during_answered(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    evidence(subject, answer->text[0] != '\0' ? answer->text : "OK", true, false);
    fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                     "answers in spite of the pause; see the evidence", NULL);
}

static void during_silent(struct fault_redis_subject *subject)
{
    evidence(subject, "no answer", true, true);
    fault_redis_ok(subject);
}

static void pause_verify(void *own)
{
    ask(own, silent_ms, during_answered, during_silent);
}

/* --- after --- */

static void after_answered(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) {
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "cannot be asked", answer);
        return;
    }
    evidence(subject, "OK", false, true);
    fault_redis_ok(subject);
}

static void after_silent(struct fault_redis_subject *subject)
{
    fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "still does not answer", NULL);
}

static void pause_gone(void *own)
{
    ask(own, answered_ms, after_answered, after_silent);
}

const struct fault_redis_steps fault_redis_pause = {
    .step = {[FAULT_STEP_PREPARE] = pause_prepare,
             [FAULT_STEP_APPLY] = pause_apply,
             [FAULT_STEP_VERIFY] = pause_verify,
             [FAULT_STEP_RENEW] = fault_redis_held_renew,
             [FAULT_STEP_REVERT] = fault_redis_held_revert,
             [FAULT_STEP_VERIFY_GONE] = pause_gone},
};
