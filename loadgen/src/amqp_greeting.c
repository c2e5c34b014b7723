/* SPDX-License-Identifier: Apache-2.0 */
/* https://www.rabbitmq.com/amqp-0-9-1-reference.html */
#include "amqp_session.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/random.h"

void load_amqp_begin(struct load_pipe *pipe, int64_t now)
{
    static const char hello[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    struct load_amqp *amqp = load_amqp_of(pipe);
    (void)now;
    if (amqp->reader.kept.max == 0)
        load_amqp_reader_init(&amqp->reader);
    load_amqp_reader_reset(&amqp->reader);
    amqp->stage = LOAD_AMQP_EXPECTS_START;
    amqp->unanswered = 0;
    amqp->published = 0;
    amqp->content = LOAD_AMQP_NO_CONTENT;
    amqp->whose = NULL;
    amqp->life = base_random_u64();
    load_amqp_own_queue(amqp->queue, amqp->life);
    if (base_buf_append(&pipe->out, hello, sizeof hello))
        load_pipe_push(pipe);
}

bool load_amqp_refuse(struct load_amqp *amqp, const char *why)
{
    load_pipe_refuse(&amqp->pipe, LOAD_CAUSE_SESSION, why);
    return false;
}

static bool on_start(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    const struct base_buf *start_ok = &load_amqp_plan_of(amqp)->start_ok;
    if (!said->plain)
        return load_amqp_refuse(amqp, "the broker does not let anybody in by a password (PLAIN)");
    amqp->stage = LOAD_AMQP_EXPECTS_TUNE;
    base_buf_append(&amqp->pipe.out, start_ok->data, start_ok->len);
    return true;
}

/* Makes the queue and consumes from it, behind all other questions: what is delivered comes behind
 * the last answer. A binding to an exchange that is not there is refused by the broker. */
static bool put_consumer(struct load_amqp *amqp, unsigned *asked)
{
    const struct load_amqp_plan *plan = load_amqp_plan_of(amqp);
    struct base_buf *out = &amqp->pipe.out;
    bool put = load_amqp_put_own_queue(out, amqp->queue);
    for (size_t i = 0; i < plan->count; i++) {
        const struct load_amqp_message *message = &plan->messages[i];
        if (!message->consumes || message->exchange[0] == '\0')
            continue;
        put = put && load_amqp_put_bind(out, amqp->queue, message->exchange,
                                        message->key != NULL ? message->key : amqp->queue);
        ++*asked;
    }
    *asked += 3;
    return put && load_amqp_put_qos(out, (uint16_t)amqp->pipe.wire.count) &&
           load_amqp_put_consume(out, amqp->queue);
}

/* Everything else is said at once; the broker answers in that order. */
static bool on_tune(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    const struct load_amqp_plan *plan = load_amqp_plan_of(amqp);
    struct base_buf *out = &amqp->pipe.out;
    uint32_t most = said->frame_max == 0 || said->frame_max > LOAD_AMQP_FRAME_MAX
                        ? LOAD_AMQP_FRAME_MAX
                        : said->frame_max;
    if (plan->largest > most) {
        char why[LOAD_AMQP_TEXT];
        (void)snprintf(why, sizeof why,
                       "its frames have at most %" PRIu32 " bytes, this message's "
                       "%zu: use shorter ones, or raise its frame_max",
                       most, plan->largest);
        return load_amqp_refuse(amqp, why);
    }
    amqp->stage = LOAD_AMQP_ASKS;
    amqp->unanswered = 2 + plan->question_count;
    (void)(load_amqp_put_tune_ok(out, most) && load_amqp_put_open(out, plan->vhost) &&
           load_amqp_put_channel_open(out) &&
           base_buf_append(out, plan->questions.data, plan->questions.len) &&
           (!plan->consumes || put_consumer(amqp, &amqp->unanswered)));
    return true;
}

static bool on_close_greeting(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    return load_amqp_refuse(amqp, said->text[0] != '\0' ? said->text : "it closed the connection");
}

bool load_amqp_greet(struct load_amqp *amqp, const struct load_amqp_said *said, int64_t now)
{
    if (said->method == LOAD_AMQP_CLOSE)
        return on_close_greeting(amqp, said);
    if (said->method == LOAD_AMQP_START && amqp->stage == LOAD_AMQP_EXPECTS_START)
        return on_start(amqp, said);
    if (said->method == LOAD_AMQP_TUNE && amqp->stage == LOAD_AMQP_EXPECTS_TUNE)
        return on_tune(amqp, said);
    if (said->method != LOAD_AMQP_AGREED || amqp->stage != LOAD_AMQP_ASKS)
        return load_amqp_refuse(amqp, "what it said does not belong into a greeting of AMQP 0-9-1");
    if (--amqp->unanswered == 0)
        load_pipe_ready(&amqp->pipe, now);
    return true;
}
