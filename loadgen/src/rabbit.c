/* SPDX-License-Identifier: Apache-2.0 */
#include "rabbit.h"

#include <stdlib.h>
#include <string.h>

#include "amqp_session.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "password.h"

enum { PROBE_MOST = 4096, START_MOST = 8192, QUESTIONS_MOST = 1 << 20 };

static void discard(void *prepared)
{
    struct load_amqp_plan *plan = prepared;
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->count; i++)
        load_amqp_message_fini(&plan->messages[i]);
    free(plan->messages);
    free(plan->vhost);
    explicit_bzero(plan->start_ok.data, plan->start_ok.len);
    base_buf_fini(&plan->start_ok);
    base_buf_fini(&plan->questions);
    free(plan);
}

/* RabbitMQ's own default for those who say nothing, from the host itself alone. */
static bool introduce(struct load_amqp_plan *plan, const struct load_spec *spec,
                      struct base_error *err)
{
    bool given = load_password_given(spec);
    struct base_buf secret;
    if (spec->user != NULL && !given)
        return base_fail(err, BASE_INVALID,
                         "user \"%s\" needs a password: put it into a file and name that "
                         "(--password-file; in a scenario passwordFile)",
                         spec->user);
    base_buf_init(&secret, LOAD_PASSWORD_MOST);
    if (given && !load_password_read(spec, &secret, err)) {
        load_password_wipe(&secret);
        return base_fail_context(err, "the broker's password");
    }
    bool put = load_amqp_put_start_ok(&plan->start_ok, spec->user != NULL ? spec->user : "guest",
                                      given ? secret.data : "guest");
    load_password_wipe(&secret);
    return put || base_fail(err, BASE_LIMIT, "the broker's user or password is too long");
}

/* What is asked of the broker on every new channel. */
static bool put_questions(struct load_amqp_plan *plan, struct base_error *err)
{
    bool publishes = false, put = true;
    for (size_t i = 0; i < plan->count; i++) {
        const struct load_amqp_message *message = &plan->messages[i];
        publishes = publishes || !message->gets;
        plan->consumes = plan->consumes || message->consumes;
        bool asks = message->gets || (!message->consumes && message->exchange[0] != '\0');
        if (message->gets)
            put = put && load_amqp_put_queue_exists(&plan->questions, message->queue);
        else if (asks)
            put = put && load_amqp_put_exchange_exists(&plan->questions, message->exchange);
        plan->question_count += asks;
        plan->largest = message->largest > plan->largest ? message->largest : plan->largest;
    }
    if (publishes)
        put = put && load_amqp_put_confirm_select(&plan->questions);
    plan->question_count += publishes;
    return put || base_fail(err, BASE_LIMIT, "too many queues and exchanges");
}

static bool fill(struct load_amqp_plan *plan, const struct load_spec *spec, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf probe;
    base_buf_init(&probe, PROBE_MOST);
    plan->vhost = base_str_dup(spec->database != NULL ? spec->database : "/");
    if (!load_amqp_put_open(&probe, plan->vhost))
        return base_fail(err, BASE_INVALID, "the virtual host's name is too long");
    for (; plan->count < spec->route_count; plan->count++)
        if (!load_amqp_message_build(&plan->messages[plan->count], &spec->routes[plan->count], err))
            return false;
    return introduce(plan, spec, err) && put_questions(plan, err);
}

static bool prepare(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    struct load_amqp_plan *plan = base_calloc(1, sizeof *plan);
    base_buf_init(&plan->start_ok, START_MOST);
    base_buf_init(&plan->questions, QUESTIONS_MOST);
    plan->messages = base_calloc(spec->route_count, sizeof *plan->messages);
    if (!fill(plan, spec, err)) {
        discard(plan);
        return false;
    }
    *prepared = plan;
    return true;
}

static bool pool_init(struct load_pool *pool, const void *prepared, struct base_error *err)
{
    bool made = load_pipes_init(pool, &load_amqp_speech, prepared, err);
    ((struct load_pipes *)pool->engine)->extra = load_amqp_memory_new();
    return made;
}

static void pool_fini(struct load_pool *pool)
{
    struct load_pipes *pipes = pool->engine;
    if (pipes != NULL)
        load_amqp_memory_free(pipes->extra);
    load_pipes_fini(pool);
}

static void abort_request(struct load_conn *conn, int64_t now)
{
    load_amqp_overdue(load_place_of(conn));
    load_pipe_abort(conn, now);
}

const struct load_driver load_amqp_driver = {
    .name = "amqp",
    .conn_size = sizeof(struct load_place),
    .prepare = prepare,
    .discard = discard,
    .pool_init = pool_init,
    .pool_fini = pool_fini,
    .count_tls = load_pipes_count_tls,
    .init = load_pipe_init,
    .open = load_pipe_open,
    .send = load_pipe_send,
    .abort = abort_request,
    .fini = load_pipe_fini,
};
