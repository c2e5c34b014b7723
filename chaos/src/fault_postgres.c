/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres: what other clients can do to a PostgreSQL server: end sessions, lock a table, take the
 * connections. Everything in place is held by sessions of the agent, and ends with them: when the
 * agent dies the kernel closes their connections; when it is stopped the server ends them, since
 * they were opened with idle timeouts of one lease, which each renewal sets anew. Nothing of it has
 * to run for that, so that no watchdog is needed. Proven by a session of its own that asks for what
 * the fault denies.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "pg_action.h"

enum { name_max = 63, shortest_idle_ms = 10, oldest_version = 140000, probe_idle_s = 60 };

/* --- the probe --- */

static struct fault_pg_place place_of(const struct fault_pg_subject *subject, const char *name)
{
    const struct fault_target *target = &subject->store->target;
    return (struct fault_pg_place){.address = target->address,
                                   .port = target->port,
                                   .credentials = &subject->store->credentials,
                                   .name = name};
}

static void on_probe(void *ctx, const struct fault_pg_answer *answer)
{
    struct fault_pg_subject *subject = ctx;
    subject->next(subject, answer);
}

void fault_pg_probe(struct fault_pg_subject *subject,
                    void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    struct fault_pg_place place = place_of(subject, FAULT_PG_PROBE);
    place.idle = (struct dur_ns){probe_idle_s * BASE_NS_PER_S};
    fault_pg_free(subject->probe);
    subject->next = next;
    subject->asked = base_mono_now();
    subject->probe =
        fault_pg_open(fault_env_of(subject->store->fault)->loop, &place, on_probe, subject);
}

void fault_pg_probe_again(struct fault_pg_subject *subject,
                          void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    if (subject->probe == NULL)
        fault_pg_probe(subject, next);
    else
        fault_pg_probe_say(subject, "SELECT 1", next);
}

void fault_pg_probe_say(struct fault_pg_subject *subject, const char *sql,
                        void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    subject->next = next;
    subject->asked = base_mono_now();
    fault_pg_say(subject->probe, sql);
}

void fault_pg_probe_ask(struct fault_pg_subject *subject, const char *sql, const char *param,
                        void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    subject->next = next;
    subject->asked = base_mono_now();
    fault_pg_ask(subject->probe, sql, &param, param != NULL ? 1 : 0);
}

struct dur_ns fault_pg_took(const struct fault_pg_subject *subject)
{
    return base_mono_sub(base_mono_now(), subject->asked);
}

/* --- what is held --- */

/* 0 would switch the server's timeouts off. */
static struct dur_ns idle_of(struct dur_ns left)
{
    struct dur_ns least = base_dur_ms(shortest_idle_ms);
    return left.ns > least.ns ? left : least;
}

static void on_held(void *ctx, const struct fault_pg_answer *failure)
{
    struct fault_pg_subject *subject = ctx;
    subject->held_next(subject, failure);
}

void fault_pg_held_done(struct fault_pg_subject *subject, const struct fault_pg_answer *failure)
{
    if (failure == NULL)
        fault_pg_ok(subject);
    else
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "the sessions that hold the fault", failure);
}

void fault_pg_hold(struct fault_pg_subject *subject, size_t count, const char *first,
                   struct dur_ns idle, struct dur_ns lock,
                   void (*next)(struct fault_pg_subject *, const struct fault_pg_answer *))
{
    struct fault_pg_held_spec spec = {
        .loop = fault_env_of(subject->store->fault)->loop,
        .place = place_of(subject, subject->name),
        .count = count,
        .full_is_fine = subject->spec->postgres.action == FAULT_POSTGRES_CONNECTIONS,
        .first = first,
        .on_done = on_held,
        .ctx = subject,
    };
    spec.place.idle = idle_of(idle);
    spec.place.lock = lock;
    fault_pg_held_free(subject->held);
    subject->held_next = next;
    subject->held = fault_pg_held_open(&spec);
}

struct dur_ns fault_pg_idle(const struct fault_pg_subject *subject)
{
    return idle_of(fault_effect_left(subject->store->fault));
}

void fault_pg_renew_held(void *own)
{
    struct fault_pg_subject *subject = own;
    int64_t ms = base_dur_to_ms(fault_pg_idle(subject));
    BASE_AUTO_FREE char *sql = base_str_printf("SET idle_in_transaction_session_timeout = %" PRId64
                                               "; SET idle_session_timeout = %" PRId64,
                                               ms, ms);
    subject->held_next = fault_pg_held_done;
    fault_pg_held_say(subject->held, sql);
}

void fault_pg_release(void *own)
{
    struct fault_pg_subject *subject = own;
    fault_pg_held_free(subject->held);
    subject->held = NULL;
    fault_pg_ok(subject);
}

/* --- the end of a step --- */

void fault_pg_probe_end(struct fault_pg_subject *subject)
{
    fault_pg_free(subject->probe);
    subject->probe = NULL;
}

void fault_pg_ok(struct fault_pg_subject *subject)
{
    if (!fault_store_is_injecting(subject->store))
        fault_pg_probe_end(subject);
    fault_store_done(subject->store, FAULT_OUTCOME_OK, NULL);
}

void fault_pg_describe(const struct fault_pg_answer *answer, char out[static 256])
{
    (void)snprintf(out, 256, "%s%s%s", answer->state, answer->state[0] != '\0' ? ": " : "",
                   answer->message);
}

void fault_pg_fail(struct fault_pg_subject *subject, enum fault_outcome outcome, const char *what,
                   const struct fault_pg_answer *answer)
{
    struct base_error err = {0};
    char said[256] = "";
    if (answer != NULL)
        fault_pg_describe(answer, said);
    (void)base_fail(&err, BASE_UNAVAILABLE, "%s%s%s", what, answer != NULL ? ": " : "", said);
    fault_pg_probe_end(subject);
    fault_store_done(subject->store, outcome, &err);
}

int64_t fault_pg_number(const struct fault_pg_answer *answer, int column)
{
    const char *cell = fault_pg_cell(answer, column);
    int64_t number = -1;
    return cell != NULL && base_parse_i64(cell, &number) ? number : -1;
}

/* --- before anything --- */

static const struct fault_pg_action *action_of(const struct fault_spec *spec)
{
    static const struct fault_pg_action *const actions[] = {
        [FAULT_POSTGRES_TERMINATE] = &fault_pg_terminate,
        [FAULT_POSTGRES_LOCK] = &fault_pg_lock,
        [FAULT_POSTGRES_CONNECTIONS] = &fault_pg_connections,
    };
    return actions[spec->postgres.action];
}

static void after_version(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    int64_t version = answer->ok ? fault_pg_number(answer, 0) : -1;
    if (!answer->ok)
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot ask for its version", answer);
    else if (version < oldest_version)
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED,
                      "PostgreSQL before 14 has no idle_session_timeout, which ends the fault when "
                      "the agent is stopped",
                      NULL);
    else
        action_of(subject->spec)->before(subject);
}

static void after_open(struct fault_pg_subject *subject, const struct fault_pg_answer *answer)
{
    if (!answer->ok)
        fault_pg_fail(subject, FAULT_OUTCOME_FAILED, "cannot connect", answer);
    else
        fault_pg_probe_say(subject, "SHOW server_version_num", after_version);
}

void fault_pg_prepare(void *own)
{
    fault_pg_probe(own, after_open);
}

static void on_wait(void *ctx)
{
    struct fault_pg_subject *subject = ctx;
    subject->waited(subject);
}

static void on_again(void *ctx)
{
    struct fault_pg_subject *subject = ctx;
    action_of(subject->spec)->again(subject);
}

static void *pg_subject_open(struct fault_store_subject *store)
{
    struct fault_pg_subject *subject = base_calloc(1, sizeof *subject);
    const struct fault_spec *spec = fault_spec_of(store->fault);
    struct io_loop *loop = fault_env_of(store->fault)->loop;
    size_t len = strlen(spec->id);
    size_t most = name_max - strlen("squall-");
    subject->store = store;
    subject->spec = spec;
    subject->name = base_str_printf("squall-%s", spec->id + (len > most ? len - most : 0));
    if (spec->postgres.table != NULL)
        subject->table = fault_pg_quote(spec->postgres.table);
    io_timer_init(&subject->wait, loop, on_wait, subject);
    io_timer_init(&subject->again, loop, on_again, subject);
    return subject;
}

static void pg_subject_cancel(void *own)
{
    struct fault_pg_subject *subject = own;
    io_timer_stop(&subject->wait);
    fault_pg_probe_end(subject);
    if (subject->held != NULL)
        fault_pg_held_forget(subject->held);
}

static void pg_subject_close(void *own)
{
    struct fault_pg_subject *subject = own;
    fault_pg_held_free(subject->held);
    fault_pg_free(subject->probe);
    fault_pg_free(subject->hand);
    io_timer_fini(&subject->wait);
    io_timer_fini(&subject->again);
    free(subject->name);
    free(subject->table);
    free(subject->since);
    free(subject);
}

static void (*const *pg_steps(const struct fault_spec *spec))(void *own)
{
    return action_of(spec)->step;
}

static const struct fault_store_ops pg_ops = {
    .kind = "postgres",
    .open = pg_subject_open,
    .close = pg_subject_close,
    .cancel = pg_subject_cancel,
    .steps = pg_steps,
};

static bool pg_platform(const struct topo *topo, struct base_error *err)
{
    return fault_store_platform(&pg_ops, topo, err);
}

static bool pg_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    return fault_pg_load(err) && fault_store_open(fault, &pg_ops, topo, err);
}

static bool pg_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    return fault_pg_load(err) && fault_store_reopen(fault, &pg_ops, undo, err);
}

static bool pg_instant(const struct fault_spec *spec)
{
    return spec->postgres.action == FAULT_POSTGRES_TERMINATE && spec->postgres.every.ns == 0;
}

const struct fault_ops fault_postgres_ops = {
    .platform = pg_platform,
    .open = pg_open,
    .reopen = pg_reopen,
    FAULT_STORE_STEPS,
    .instant = pg_instant,
};
