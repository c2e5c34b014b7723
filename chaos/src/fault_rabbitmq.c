/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rabbitmq: what an operator can do to a RabbitMQ node through its management interface: close the
 * connections of others, and fill a queue of the fault's own. The queue has a short expiry
 * (x-expires), which the agent sets anew by declaring it again and again, as long as the lease
 * lasts: RabbitMQ itself removes it when the agent is dead or stopped. A connection that was closed
 * holds nothing. Nobody's queues or messages are touched but the fault's own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "rabbit_action.h"

void fault_rabbit_names_fini(struct fault_rabbit_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct fault_rabbit_names){0};
}

void fault_rabbit_ok(struct fault_rabbit_subject *subject)
{
    io_timer_stop(&subject->wait);
    fault_store_done(subject->store, FAULT_OUTCOME_OK, NULL);
}

void fault_rabbit_fail(struct fault_rabbit_subject *subject, enum fault_outcome outcome,
                       const char *what, const struct fault_rest_answer *answer)
{
    struct base_error err = {0};
    if (answer == NULL)
        (void)base_fail(&err, BASE_UNAVAILABLE, "%s", what);
    else if (answer->status == 0)
        (void)base_fail(&err, BASE_UNAVAILABLE, "%s: %s", what, answer->error);
    else
        (void)base_fail(&err, BASE_UNAVAILABLE, "%s: answered %d %s", what, answer->status,
                        answer->error);
    io_timer_stop(&subject->wait);
    fault_rabbit_cancel(subject->api);
    fault_store_done(subject->store, outcome, &err);
}

/* --- before anything --- */

static const struct fault_rabbit_steps *action_of(const struct fault_spec *spec)
{
    static const struct fault_rabbit_steps *const actions[] = {
        [FAULT_RABBITMQ_CLOSE] = &fault_rabbit_close,
        [FAULT_RABBITMQ_FILL] = &fault_rabbit_fill,
    };
    return actions[spec->rabbitmq.action];
}

static void on_wait(void *ctx)
{
    struct fault_rabbit_subject *subject = ctx;
    subject->waited(subject);
}

static void on_again(void *ctx)
{
    struct fault_rabbit_subject *subject = ctx;
    subject->due(subject);
}

static struct fault_rabbit *api_of(const struct fault_store_subject *store)
{
    struct fault_env *env = fault_env_of(store->fault);
    return fault_rabbit_new(env->loop, env->http, store->target.address,
                            store->credentials.management_port, &store->credentials);
}

static void *rabbit_subject_open(struct fault_store_subject *store)
{
    struct fault_rabbit_subject *subject = base_calloc(1, sizeof *subject);
    struct io_loop *loop = fault_env_of(store->fault)->loop;
    const char *vhost = store->credentials.database;
    subject->store = store;
    subject->spec = fault_spec_of(store->fault);
    subject->api = api_of(store);
    subject->hand = api_of(store);
    subject->vhost_name = vhost != NULL ? vhost : "/";
    subject->vhost = fault_rest_encode(subject->vhost_name);
    subject->queue = base_str_printf("/queues/%s/squall.%s", subject->vhost, subject->spec->id);
    io_timer_init(&subject->wait, loop, on_wait, subject);
    io_timer_init(&subject->again, loop, on_again, subject);
    return subject;
}

static void rabbit_subject_close(void *own)
{
    struct fault_rabbit_subject *subject = own;
    fault_rabbit_free(subject->api);
    fault_rabbit_free(subject->hand);
    fault_rabbit_names_fini(&subject->watched);
    fault_rabbit_names_fini(&subject->users);
    io_timer_fini(&subject->wait);
    io_timer_fini(&subject->again);
    free(subject->vhost);
    free(subject->queue);
    free(subject);
}

static void rabbit_subject_cancel(void *own)
{
    struct fault_rabbit_subject *subject = own;
    io_timer_stop(&subject->wait);
    fault_rabbit_cancel(subject->api);
}

static void (*const *rabbit_steps(const struct fault_spec *spec))(void *own)
{
    return action_of(spec)->step;
}

static const struct fault_store_ops rabbit_ops = {
    .kind = "rabbitmq",
    .open = rabbit_subject_open,
    .close = rabbit_subject_close,
    .cancel = rabbit_subject_cancel,
    .steps = rabbit_steps,
};

static bool rabbit_platform(const struct topo *topo, struct base_error *err)
{
    return fault_store_platform(&rabbit_ops, topo, err);
}

static bool rabbit_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    return fault_store_open(fault, &rabbit_ops, topo, err);
}

static bool rabbit_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    return fault_store_reopen(fault, &rabbit_ops, undo, err);
}

static bool rabbit_instant(const struct fault_spec *spec)
{
    return spec->rabbitmq.action == FAULT_RABBITMQ_CLOSE && spec->rabbitmq.every.ns == 0;
}

const struct fault_ops fault_rabbitmq_ops = {
    .platform = rabbit_platform,
    .open = rabbit_open,
    .reopen = rabbit_reopen,
    FAULT_STORE_STEPS,
    .instant = rabbit_instant,
};
