/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: what other clients can do to a Redis server: pause the others, take memory, disconnect
 * everybody, let it sleep, make it evict. A pause or a sleep is made of short ones, which stop
 * following each other when the agent is dead, stopped or has ended the fault; keys of the fault
 * expire by themselves after one lease, which each renewal sets anew; a disconnection holds
 * nothing. No watchdog is needed. Nobody's keys are touched but the fault's own, save by the
 * server's own evictions where those are what was asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "redis_action.h"

struct fault_redis *fault_redis_session(const struct fault_redis_subject *subject)
{
    const struct fault_target *target = &subject->store->target;
    return fault_redis_open(fault_env_of(subject->store->fault)->loop, target->address,
                            target->port, &subject->store->credentials);
}

void fault_redis_probe(struct fault_redis_subject *subject)
{
    fault_redis_free(subject->probe);
    subject->probe = fault_redis_session(subject);
    subject->asked = base_mono_now();
}

static void end_probe(struct fault_redis_subject *subject)
{
    io_timer_stop(&subject->wait);
    fault_redis_free(subject->probe);
    subject->probe = NULL;
}

void fault_redis_ok(struct fault_redis_subject *subject)
{
    end_probe(subject);
    fault_store_done(subject->store, FAULT_OUTCOME_OK, NULL);
}

void fault_redis_fail(struct fault_redis_subject *subject, enum fault_outcome outcome,
                      const char *what, const struct fault_redis_answer *answer)
{
    struct base_error err = {0};
    (void)base_fail(&err, BASE_UNAVAILABLE, "%s%s%s", what, answer != NULL ? ": " : "",
                    answer != NULL ? answer->text : "");
    end_probe(subject);
    fault_store_done(subject->store, outcome, &err);
}

int64_t fault_redis_info(const struct fault_redis_answer *answer, const char *key)
{
    BASE_AUTO_FREE char *label = base_str_printf("\n%s:", key);
    const char *at = answer->ok ? strstr(answer->text, label) : NULL;
    int64_t number = -1;
    if (at == NULL)
        return -1;
    at += strlen(label);
    BASE_AUTO_FREE char *digits = base_str_ndup(at, strspn(at, "0123456789"));
    return base_parse_i64(digits, &number) ? number : -1;
}

/* --- what goes on as long as its session does --- */

void fault_redis_held_renew(void *own)
{
    struct fault_redis_subject *subject = own;
    if (subject->held != NULL)
        fault_redis_ok(subject); /* it goes on as long as the lease does */
    else
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, "the connection that held it is gone",
                         NULL);
}

void fault_redis_held_revert(void *own)
{
    struct fault_redis_subject *subject = own;
    io_timer_stop(&subject->again);
    fault_redis_free(subject->held);
    fault_redis_free(subject->hand);
    subject->held = subject->hand = NULL;
    subject->under_way = false;
    fault_redis_ok(subject);
}

/* --- before anything --- */

static const struct fault_redis_steps *action_of(const struct fault_spec *spec)
{
    static const struct fault_redis_steps *const actions[] = {
        [FAULT_REDIS_PAUSE] = &fault_redis_pause, [FAULT_REDIS_FILL] = &fault_redis_fill,
        [FAULT_REDIS_KILL] = &fault_redis_kill,   [FAULT_REDIS_SLEEP] = &fault_redis_sleep,
        [FAULT_REDIS_EVICT] = &fault_redis_evict,
    };
    return actions[spec->redis.action];
}

static void on_wait(void *ctx)
{
    struct fault_redis_subject *subject = ctx;
    subject->waited(subject);
}

static void on_again(void *ctx)
{
    struct fault_redis_subject *subject = ctx;
    subject->due(subject);
}

static void *redis_subject_open(struct fault_store_subject *store)
{
    struct fault_redis_subject *subject = base_calloc(1, sizeof *subject);
    struct io_loop *loop = fault_env_of(store->fault)->loop;
    subject->store = store;
    subject->spec = fault_spec_of(store->fault);
    io_timer_init(&subject->wait, loop, on_wait, subject);
    io_timer_init(&subject->again, loop, on_again, subject);
    return subject;
}

static void redis_subject_close(void *own)
{
    struct fault_redis_subject *subject = own;
    fault_redis_free(subject->probe);
    fault_redis_free(subject->held);
    fault_redis_free(subject->hand);
    io_timer_fini(&subject->wait);
    io_timer_fini(&subject->again);
    free(subject);
}

static void redis_subject_cancel(void *own)
{
    end_probe(own);
}

static void (*const *redis_steps(const struct fault_spec *spec))(void *own)
{
    return action_of(spec)->step;
}

static const struct fault_store_ops redis_ops = {
    .kind = "redis",
    .open = redis_subject_open,
    .close = redis_subject_close,
    .cancel = redis_subject_cancel,
    .steps = redis_steps,
};

static bool redis_platform(const struct topo *topo, struct base_error *err)
{
    return fault_store_platform(&redis_ops, topo, err);
}

static bool redis_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    return fault_store_open(fault, &redis_ops, topo, err);
}

static bool redis_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    return fault_store_reopen(fault, &redis_ops, undo, err);
}

static bool redis_instant(const struct fault_spec *spec)
{
    return spec->redis.action == FAULT_REDIS_KILL && spec->redis.every.ns == 0;
}

const struct fault_ops fault_redis_ops = {
    .platform = redis_platform,
    .open = redis_open,
    .reopen = redis_reopen,
    FAULT_STORE_STEPS,
    .instant = redis_instant,
};
