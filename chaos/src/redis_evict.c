/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An eviction storm: keys of the fault's own (redis_keys.h) take what is free below the server's
 * maxmemory and then so much more, and the server evicts by its own policy. Settings are never
 * changed, for nothing would put them back. What was evicted is lost; what ends with the fault, or
 * by itself when the agent is dead or stopped, is the writing, and the keys' time to live.
 *
 * A storm that came at once would be over before anybody could feel it: an eighth comes while the
 * fault is applied, so that it can be shown, the rest evenly until its end. A key is written only
 * when the server is down to its maxmemory again, for it answers before it has evicted all that it
 * has to (maxmemory-eviction-tenacity). Some policies evict the fault's own keys as well: they are
 * written again, so that what others lose is what was asked for. It can never be more, since the
 * fault's keys never hold more.
 */
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "redis_keys.h"

enum {
    look_ms = 200,
    again_ms = 10,
    shortest_ms = 10,
    rounds_first = 200, /* as far as the time for it goes */
    rounds_later = 20,
    batch = 16 << 20,
    over = 256 << 10
};
static const double mib = FAULT_REDIS_MIB;
static const double least = 0.9; /* of what must have been driven out: the server counts buffers */

static void ask_info(struct fault_redis_subject *subject, struct fault_redis *session,
                     fault_redis_next *next)
{
    fault_redis_ask(session, FAULT_REDIS_WORDS("INFO"), next, subject);
}

/* false: the step has failed. */
static bool read_info(struct fault_redis_subject *subject, const struct fault_redis_answer *answer,
                      struct fault_redis_state *state)
{
    bool ok = fault_redis_state_of(answer, state);
    if (!ok)
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "INFO does not say what it evicts",
                         answer->ok ? NULL : answer);
    return ok;
}

/* --- how many keys it evicts while nobody does anything about it --- */

static void look_again(struct fault_redis_subject *subject, fault_redis_next *next)
{
    ask_info(subject, subject->probe, next);
}

/* For people: what it evicts then is others' doing, and a cache that was emptied fills again. */
static void say_growth(struct fault_redis_subject *subject, const struct fault_redis_state *state)
{
    BASE_AUTO_FREE char *value =
        base_str_printf("%" PRId64 " in %d ms", state->evicted - subject->storm.evicted, look_ms);
    fault_store_evidence(subject->store, "evicted_keys, more", value, NULL, true);
}

static void wait_for_look(struct fault_redis_subject *subject,
                          void (*waited)(struct fault_redis_subject *subject), int64_t evicted)
{
    subject->storm.evicted = evicted;
    subject->waited = waited;
    io_timer_start(&subject->wait, base_dur_ms(look_ms));
}

/* --- before --- */

static const char *plan(struct fault_redis_subject *subject,
                        const struct fault_redis_answer *answer,
                        const struct fault_redis_state *state)
{
    struct fault_redis_storm *storm = &subject->storm.plan;
    const char *why = fault_redis_storm_plan(state, subject->spec->redis.bytes, storm);
    if (why != NULL)
        return why;
    size_t filling = fault_redis_storm_filling(storm);
    why =
        fault_redis_host_is_short(subject, answer, (double)fault_redis_storm_bytes(storm, filling));
    return why != NULL ? why : fault_redis_keys_would_stay(subject, answer);
}

static void before_later(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    struct fault_redis_state state;
    if (!read_info(subject, answer, &state))
        return;
    say_growth(subject, &state);
    fault_redis_ok(subject);
}

static void before_waited(struct fault_redis_subject *subject)
{
    look_again(subject, before_later);
}

static void before_info(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    struct fault_redis_state state;
    if (!read_info(subject, answer, &state))
        return;
    const char *why = plan(subject, answer, &state);
    BASE_AUTO_FREE char *used =
        base_str_printf("%.1f of %.1f MiB, %s, %" PRId64 " keys", (double)state.used / mib,
                        (double)state.limit / mib, state.policy, state.keys);
    fault_store_evidence(subject->store, "used_memory of maxmemory", used, NULL, why == NULL);
    if (why == NULL)
        wait_for_look(subject, before_waited, state.evicted);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, why, NULL);
}

static void before_keys(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (fault_redis_no_keys(subject, answer, "somebody's keys have the fault's names"))
        ask_info(subject, subject->probe, before_info);
}

static void before_database(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    subject->apart = answer->ok;
    fault_redis_ask_of_keys(subject, "EXISTS", FAULT_REDIS_KEYS, before_keys);
}

static void evict_prepare(void *own)
{
    fault_redis_find_database(own, before_database);
}

/* --- the storm --- */

static void on_level(void *ctx, const struct fault_redis_answer *answer);

static void storm_broke(struct fault_redis_subject *subject,
                        const struct fault_redis_answer *answer)
{
    bool applying = subject->under_way;
    subject->under_way = subject->storm.on = false;
    fault_redis_free(subject->held); /* the next renewal finds that there is none */
    subject->held = NULL;
    if (applying)
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "cannot write what drives out keys",
                         answer);
}

static void on_written(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok && subject->storm.on)
        storm_broke(subject, answer);
}

static void ask_level(struct fault_redis_subject *subject)
{
    ask_info(subject, subject->held, on_level);
}

static void write_key(struct fault_redis_subject *subject, size_t index)
{
    size_t size = fault_redis_storm_size(&subject->storm.plan, index);
    fault_redis_make_key(subject, subject->held, index, size, on_written);
}

/* Of those that only fill several: never more than the server does in a moment, for what it has
 * been sent it will do, whoever is dead by then. */
static void write_more(struct fault_redis_subject *subject)
{
    size_t filling = fault_redis_storm_filling(&subject->storm.plan);
    size_t sent = 0;
    subject->storm.all_there = false;
    do {
        sent += fault_redis_storm_size(&subject->storm.plan, subject->storm.written);
        write_key(subject, subject->storm.written++);
    } while (subject->storm.written < filling && sent < batch);
    ask_level(subject);
}

static void go_on(struct fault_redis_subject *subject);

static void on_rolled(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!subject->storm.on)
        return;
    if (!answer->ok) {
        storm_broke(subject, answer);
        return;
    }
    struct fault_redis_roll *roll = &subject->storm.roll;
    subject->storm.gone[roll->looked] = answer->number == 0;
    if (answer->number == 1) {
        roll->there++;
        roll->bytes += (int64_t)fault_redis_storm_size(&subject->storm.plan, roll->looked);
    }
    if (++roll->looked < subject->storm.written)
        return;
    subject->storm.all_there = roll->there == subject->storm.written;
    go_on(subject);
}

static void call_the_roll(struct fault_redis_subject *subject)
{
    subject->storm.roll = (struct fault_redis_roll){0};
    fault_redis_keep_keys(subject, subject->held, subject->storm.written, on_rolled);
}

static void next_key(struct fault_redis_subject *subject)
{
    /* A stopped process sees this timer before that of its lease. */
    if (!subject->storm.on || fault_effect_left(subject->store->fault).ns <= 0)
        return;
    subject->storm.target = subject->storm.written + 1;
    subject->storm.rounds = rounds_later;
    go_on(subject);
}

static void pace(struct fault_redis_subject *subject)
{
    size_t all = fault_redis_storm_all(&subject->storm.plan);
    int64_t ms = base_dur_to_ms(subject->spec->duration) / (int64_t)(subject->storm.plan.rest + 1);
    subject->due = next_key;
    if (subject->storm.on && subject->storm.written < all)
        io_timer_start(&subject->again, base_dur_ms(ms > shortest_ms ? ms : shortest_ms));
}

static size_t first_gone(const struct fault_redis_subject *subject)
{
    size_t i = 0;
    while (i < subject->storm.written && !subject->storm.gone[i])
        i++;
    return i;
}

static void go_on(struct fault_redis_subject *subject)
{
    size_t gone = first_gone(subject);
    if (gone < subject->storm.written) {
        subject->storm.gone[gone] = false;
        subject->storm.rewritten++;
        write_key(subject, gone);
        ask_level(subject);
    } else if (subject->storm.written < subject->storm.target) {
        write_more(subject);
    } else if (!subject->storm.all_there && subject->storm.rounds > 0) {
        subject->storm.rounds--;
        call_the_roll(subject);
    } else if (subject->under_way) {
        subject->under_way = false;
        subject->storm.settled(subject);
    } else {
        pace(subject);
    }
}

static void on_level(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    struct fault_redis_state state;
    if (!subject->storm.on)
        return;
    if (!fault_redis_state_of(answer, &state)) {
        storm_broke(subject, answer);
        return;
    }
    if (state.used > subject->storm.peak)
        subject->storm.peak = state.used;
    if (state.used > state.limit + over) { /* it is still at it */
        subject->due = ask_level;
        io_timer_start(&subject->again, base_dur_ms(again_ms));
        return;
    }
    go_on(subject);
}

static void storm_planned(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!subject->storm.on)
        return;
    const char *why = fault_redis_state_of(answer, &subject->storm.before)
                          ? plan(subject, answer, &subject->storm.before)
                          : "INFO";
    if (why == NULL) {
        subject->storm.target = fault_redis_storm_begun(&subject->storm.plan);
        go_on(subject);
        return;
    }
    subject->storm.on = subject->under_way = false;
    fault_redis_fail(subject, FAULT_OUTCOME_FAILED, why, answer->ok ? NULL : answer);
}

static void evict_apply(void *own)
{
    struct fault_redis_subject *subject = own;
    subject->under_way = subject->storm.on = true;
    subject->storm.rounds = rounds_first;
    subject->storm.settled = fault_redis_ok;
    subject->held = fault_redis_keys_session(subject);
    ask_info(subject, subject->held, storm_planned);
}

/* --- during --- */

/* Keys of others that have gone since: those that the server has evicted, without the fault's own,
 * which are among them when they are not there any more. */
static int64_t others_gone(const struct fault_redis_subject *subject,
                           const struct fault_redis_state *now, int64_t own_left)
{
    int64_t own_gone = (int64_t)subject->storm.written + subject->storm.rewritten - own_left;
    return now->evicted - subject->storm.before.evicted - own_gone;
}

static bool say_driven_out(struct fault_redis_subject *subject, const struct fault_redis_state *now)
{
    const struct fault_redis_storm *storm = &subject->storm.plan;
    int64_t growth = now->used - subject->storm.before.used;
    int64_t gone = subject->storm.roll.bytes - growth; /* what is not the fault's has shrunk */
    double wanted = (double)(storm->first - 1) * (double)storm->size * least;
    bool ok = (double)gone >= wanted;
    BASE_AUTO_FREE char *value = base_str_printf("%.1f MiB", (double)gone / mib);
    BASE_AUTO_FREE char *expected = base_str_printf("at least %.1f MiB", wanted / mib);
    fault_store_evidence(subject->store, "driven out of what others keep", value, expected, ok);
    return ok;
}

static bool say_level(struct fault_redis_subject *subject, const struct fault_redis_state *now)
{
    int64_t most = now->limit + (int64_t)subject->storm.plan.size + over; /* it comes, one goes */
    bool ok = subject->storm.peak <= most;
    BASE_AUTO_FREE char *value =
        base_str_printf("%.1f MiB at most", (double)subject->storm.peak / mib);
    BASE_AUTO_FREE char *expected = base_str_printf("at most %.1f MiB", (double)most / mib);
    fault_store_evidence(subject->store, "used_memory", value, expected, ok);
    return ok;
}

static void during_info(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    struct fault_redis_state now;
    if (!read_info(subject, answer, &now))
        return;
    int64_t gone = others_gone(subject, &now, (int64_t)subject->storm.roll.there);
    /* How many is the policy's choice, and may be one large key: how much is shown by the memory.
     */
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64, gone);
    fault_store_evidence(subject->store, "keys of others that were evicted", value, "at least 1",
                         gone >= 1);
    bool ok = say_driven_out(subject, &now);
    ok = say_level(subject, &now) && ok && gone >= 1;
    if (ok) {
        pace(subject);
        fault_redis_ok(subject);
    } else {
        fault_redis_fail(subject, FAULT_OUTCOME_NO_EFFECT,
                         "the server did not evict what was asked for; see the evidence", NULL);
    }
}

static void settled_again(struct fault_redis_subject *subject)
{
    ask_info(subject, subject->held, during_info);
}

/* By the session that writes, once more when keys of its own have gone: even the memory that
 * another session takes has the server evict something. */
static void evict_verify(void *own)
{
    struct fault_redis_subject *subject = own;
    if (subject->held == NULL) {
        fault_redis_held_renew(subject);
        return;
    }
    io_timer_stop(&subject->again);
    subject->under_way = true;
    subject->storm.all_there = false;
    subject->storm.rounds = rounds_first;
    subject->storm.settled = settled_again;
    go_on(subject);
}

static void one_kept(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (!answer->ok) /* that one was evicted as well is no failure */
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "a key of the fault", answer);
    else if (--subject->answers_due == 0)
        fault_redis_ok(subject);
}

static void evict_renew(void *own)
{
    struct fault_redis_subject *subject = own;
    if (subject->held == NULL) {
        fault_redis_held_renew(subject);
        return;
    }
    fault_redis_probe_keys(subject);
    subject->answers_due = subject->storm.written;
    fault_redis_keep_keys(subject, subject->probe, subject->answers_due, one_kept);
}

/* --- after --- */

static void on_unlinked(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    subject->storm.left_over = answer->ok ? answer->number : -1;
    if (answer->ok)
        fault_redis_ok(subject);
    else /* then they expire */
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "UNLINK", answer);
}

static void by_a_new_session(struct fault_redis_subject *subject)
{
    fault_redis_probe_keys(subject);
    fault_redis_ask_of_keys(subject, "UNLINK", FAULT_REDIS_KEYS, on_unlinked);
}

static void on_unlinked_by_writer(void *ctx, const struct fault_redis_answer *answer)
{
    if (answer->lost)
        by_a_new_session(ctx);
    else
        on_unlinked(ctx, answer);
}

/* By the session that writes: a key that is on its way there could come after the end of them. */
static void evict_revert(void *own)
{
    struct fault_redis_subject *subject = own;
    io_timer_stop(&subject->again);
    subject->under_way = subject->storm.on = false;
    if (subject->held == NULL) {
        by_a_new_session(subject);
        return;
    }
    fault_redis_free(subject->probe);
    subject->probe = subject->held;
    subject->held = NULL;
    fault_redis_ask_of_keys(subject, "UNLINK", FAULT_REDIS_KEYS, on_unlinked_by_writer);
}

/* Not after a recovery, or a restart of the server, when nobody has counted. */
static void say_toll(struct fault_redis_subject *subject, const struct fault_redis_state *now)
{
    int64_t gone = others_gone(subject, now, subject->storm.left_over);
    if (subject->storm.written == 0 || subject->storm.left_over < 0 || gone < 0)
        return;
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64 " since it began, lost", gone);
    fault_store_evidence(subject->store, "keys of others that were evicted", value, NULL, true);
}

static void after_later(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    struct fault_redis_state state;
    if (!read_info(subject, answer, &state))
        return;
    fault_redis_say_keys(subject, 0, 0, true);
    say_growth(subject, &state);
    say_toll(subject, &state);
    fault_redis_ok(subject);
}

static void after_waited(struct fault_redis_subject *subject)
{
    look_again(subject, after_later);
}

static void after_info(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    struct fault_redis_state state;
    if (read_info(subject, answer, &state))
        wait_for_look(subject, after_waited, state.evicted);
}

static void after_keys(void *ctx, const struct fault_redis_answer *answer)
{
    struct fault_redis_subject *subject = ctx;
    if (answer->ok && answer->number == 0)
        ask_info(subject, subject->probe, after_info);
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "keys of the fault are still there",
                         answer->ok ? NULL : answer);
}

static void evict_gone(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_probe_keys(subject);
    fault_redis_ask_of_keys(subject, "EXISTS", FAULT_REDIS_KEYS, after_keys);
}

const struct fault_redis_steps fault_redis_evict = {
    .step = {[FAULT_STEP_PREPARE] = evict_prepare,
             [FAULT_STEP_APPLY] = evict_apply,
             [FAULT_STEP_VERIFY] = evict_verify,
             [FAULT_STEP_RENEW] = evict_renew,
             [FAULT_STEP_REVERT] = evict_revert,
             [FAULT_STEP_VERIFY_GONE] = evict_gone},
};
