/* SPDX-License-Identifier: Apache-2.0 */
/* https://www.rabbitmq.com/amqp-0-9-1-reference.html, confirms.html */
#include "amqp_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct load_amqp *of(struct load_pipe *pipe)
{
    return (struct load_amqp *)(void *)pipe; /* its first member */
}

static const struct load_amqp_plan *plan_of(const struct load_amqp *amqp)
{
    return amqp->pipe.own->prepared;
}

/* --- the greeting --- */

static void begin(struct load_pipe *pipe, int64_t now)
{
    static const char hello[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    struct load_amqp *amqp = of(pipe);
    (void)now;
    if (amqp->reader.kept.max == 0)
        load_amqp_reader_init(&amqp->reader);
    load_amqp_reader_reset(&amqp->reader);
    amqp->stage = LOAD_AMQP_EXPECTS_START;
    amqp->unanswered = 0;
    amqp->published = 0;
    amqp->content = LOAD_AMQP_NO_CONTENT;
    if (base_buf_append(&pipe->out, hello, sizeof hello))
        load_pipe_push(pipe);
}

static bool refuse(struct load_amqp *amqp, const char *why)
{
    load_pipe_refuse(&amqp->pipe, LOAD_CAUSE_SESSION, why);
    return false;
}

static bool on_start(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    const struct base_buf *start_ok = &plan_of(amqp)->start_ok;
    if (!said->plain)
        return refuse(amqp, "the broker does not let anybody in by a password (PLAIN)");
    amqp->stage = LOAD_AMQP_EXPECTS_TUNE;
    base_buf_append(&amqp->pipe.out, start_ok->data, start_ok->len);
    return true;
}

/* Everything else is said at once; the broker answers in that order. */
static bool on_tune(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    const struct load_amqp_plan *plan = plan_of(amqp);
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
        return refuse(amqp, why);
    }
    amqp->stage = LOAD_AMQP_ASKS;
    amqp->unanswered = 2 + plan->question_count;
    (void)(load_amqp_put_tune_ok(out, most) && load_amqp_put_open(out, plan->vhost) &&
           load_amqp_put_channel_open(out) &&
           base_buf_append(out, plan->questions.data, plan->questions.len));
    return true;
}

static bool on_close_greeting(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    return refuse(amqp, said->text[0] != '\0' ? said->text : "it closed the connection");
}

static bool greet(struct load_amqp *amqp, const struct load_amqp_said *said, int64_t now)
{
    if (said->method == LOAD_AMQP_CLOSE)
        return on_close_greeting(amqp, said);
    if (said->method == LOAD_AMQP_START && amqp->stage == LOAD_AMQP_EXPECTS_START)
        return on_start(amqp, said);
    if (said->method == LOAD_AMQP_TUNE && amqp->stage == LOAD_AMQP_EXPECTS_TUNE)
        return on_tune(amqp, said);
    if (said->method != LOAD_AMQP_AGREED || amqp->stage != LOAD_AMQP_ASKS)
        return refuse(amqp, "what it said does not belong into a greeting of AMQP 0-9-1");
    if (--amqp->unanswered == 0)
        load_pipe_ready(&amqp->pipe, now);
    return true;
}

/* --- requests --- */

static void send_request(struct load_pipe *pipe, struct load_place *place)
{
    struct load_amqp *amqp = of(pipe);
    const struct load_conn *head = &place->head;
    const struct load_amqp_message *message = &plan_of(amqp)->messages[head->due.route];
    char *bytes = load_pipe_room(pipe, message->request.len);
    place->tag = 0;
    if (bytes == NULL)
        return;
    memcpy(bytes, message->request.bytes, message->request.len);
    if (message->request.patch_count > 0)
        load_request_patch(&message->request, bytes, head->due.number, &head->pool->rng);
    if (message->gets)
        return;
    place->tag = ++amqp->published;
    place->refused = false;
    load_amqp_id_write(bytes + message->id_at, place->tag);
}

static void succeed(struct load_amqp *amqp, struct load_place *place, int64_t now)
{
    struct load_outcome outcome = {.ok = true, .cause = LOAD_CAUSE_COUNT, .at = now};
    load_pipe_answer(&amqp->pipe, place, &outcome, false);
}

static void fail(struct load_amqp *amqp, struct load_place *place, int64_t now, const char *why)
{
    struct load_outcome outcome = {
        .failure = LOAD_FAIL_REPLY, .cause = LOAD_CAUSE_REPLY, .at = now, .why = why};
    load_pipe_answer(&amqp->pipe, place, &outcome, false);
}

static struct load_place *place_tagged(struct load_amqp *amqp, uint64_t tag)
{
    struct load_place *place;
    TAILQ_FOREACH(place, &amqp->pipe.wire.under_way, next)
    if (place->tag == tag)
        return place;
    return NULL;
}

/* The oldest of those that publish, or that get: among either the broker keeps their order. */
static struct load_place *oldest(struct load_amqp *amqp, bool gets)
{
    struct load_place *place;
    TAILQ_FOREACH(place, &amqp->pipe.wire.under_way, next)
    if ((place->tag == 0) == gets)
        return place;
    return NULL;
}

static void confirm(struct load_amqp *amqp, struct load_place *place, bool nacked, int64_t now)
{
    place->first_at = now;
    if (nacked)
        fail(amqp, place, now, "the broker did not take the message (basic.nack)");
    else if (place->refused)
        fail(amqp, place, now, amqp->text);
    else
        succeed(amqp, place, now);
}

/* Gives up a connection on which nonsense was said. */
static bool nonsense(struct load_amqp *amqp)
{
    if (!amqp->pipe.wire.up)
        return refuse(amqp, "what came is not AMQP 0-9-1");
    load_pipe_lose(&amqp->pipe, NULL, LOAD_FAIL_PROTOCOL, LOAD_CAUSE_COUNT, NULL);
    return false;
}

/* Of one message, or of all up to it that are still without; 0: of all there are. */
static bool on_confirm(struct load_amqp *amqp, const struct load_amqp_said *said, int64_t now)
{
    bool nacked = said->method == LOAD_AMQP_NACK;
    uint64_t last = amqp->published; /* what is published from now on is not meant */
    uint64_t upto = said->tag == 0 && said->multiple ? last : said->tag;
    struct load_place *place;
    if (upto == 0 || upto > last)
        return nonsense(amqp);
    if (!said->multiple) {
        place = place_tagged(amqp, upto);
        if (place == NULL)
            return nonsense(amqp); /* it was confirmed before */
        confirm(amqp, place, nacked, now);
        return true;
    }
    while ((place = oldest(amqp, false)) != NULL && place->tag <= upto)
        confirm(amqp, place, nacked, now);
    return true;
}

static bool on_content(struct load_amqp *amqp, const struct load_amqp_said *said, int64_t now)
{
    bool got = said->method == LOAD_AMQP_GET_OK;
    struct load_place *place = oldest(amqp, got);
    if (place == NULL)
        return nonsense(amqp); /* nobody asked */
    if (place->first_at == 0)
        place->first_at = now;
    amqp->content = got ? LOAD_AMQP_GOT : LOAD_AMQP_RETURNED;
    amqp->has_header = false;
    amqp->tag = said->tag;
    amqp->code = said->code;
    if (!got)
        (void)snprintf(amqp->text, sizeof amqp->text, "%.*s", (int)sizeof amqp->text - 1,
                       said->text[0] != '\0' ? said->text : "returned");
    return true;
}

static bool on_empty(struct load_amqp *amqp, int64_t now)
{
    struct load_place *place = oldest(amqp, true);
    if (place == NULL)
        return nonsense(amqp);
    place->first_at = now;
    fail(amqp, place, now, "the queue is empty");
    return true;
}

static bool on_close(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    load_pipe_lose(&amqp->pipe, NULL, LOAD_FAIL_REPLY, LOAD_CAUSE_REPLY,
                   said->text[0] != '\0' ? said->text : "the broker closed the channel");
    return false;
}

/* It reads no more from us: what is published has no answer until its time is over. */
static void note_blocked(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    char why[LOAD_AMQP_TEXT + 40];
    (void)snprintf(why, sizeof why, "the broker blocks those who publish: %s", said->text);
    load_pool_note_why(amqp->pipe.wire.pool, LOAD_CAUSE_SILENT, why);
}

static bool on_method(struct load_amqp *amqp, const struct load_amqp_frame *frame, int64_t now)
{
    struct load_amqp_said said;
    if (amqp->content != LOAD_AMQP_NO_CONTENT ||
        !load_amqp_decode(amqp->pipe.own->extra, frame, &said))
        return nonsense(amqp);
    if (!amqp->pipe.wire.up)
        return greet(amqp, &said, now);
    switch (said.method) {
    case LOAD_AMQP_ACK:
    case LOAD_AMQP_NACK:
        return on_confirm(amqp, &said, now);
    case LOAD_AMQP_RETURN:
    case LOAD_AMQP_GET_OK:
        return on_content(amqp, &said, now);
    case LOAD_AMQP_GET_EMPTY:
        return on_empty(amqp, now);
    case LOAD_AMQP_CLOSE:
        return on_close(amqp, &said);
    case LOAD_AMQP_BLOCKED:
        note_blocked(amqp, &said);
        return true;
    case LOAD_AMQP_OTHER:
        return true;
    case LOAD_AMQP_START:
    case LOAD_AMQP_TUNE:
    case LOAD_AMQP_AGREED:
        break;
    }
    return nonsense(amqp);
}

/* --- content --- */

static bool content_is_whole(struct load_amqp *amqp, int64_t now)
{
    bool got = amqp->content == LOAD_AMQP_GOT;
    amqp->content = LOAD_AMQP_NO_CONTENT;
    if (!got)
        return true; /* its confirm ends the request */
    struct load_place *place = oldest(amqp, true);
    if (place == NULL)
        return nonsense(amqp);
    (void)load_amqp_put_ack(&amqp->pipe.out, amqp->tag);
    succeed(amqp, place, now);
    return true;
}

static bool on_header(struct load_amqp *amqp, const struct load_amqp_frame *frame, int64_t now)
{
    char id[LOAD_AMQP_ID + 1];
    uint64_t tag;
    if (amqp->content == LOAD_AMQP_NO_CONTENT || amqp->has_header ||
        !load_amqp_decode_header(amqp->pipe.own->extra, frame, &amqp->body, id))
        return nonsense(amqp);
    amqp->has_header = true;
    if (amqp->content == LOAD_AMQP_RETURNED) {
        struct load_place *place =
            load_amqp_id_read(id, &tag) && tag != 0 ? place_tagged(amqp, tag) : NULL;
        if (place == NULL)
            return nonsense(amqp); /* it is none of those under way */
        place->refused = true;
    }
    return amqp->body > 0 || content_is_whole(amqp, now);
}

static bool on_body(struct load_amqp *amqp, const struct load_amqp_frame *frame, int64_t now)
{
    if (amqp->content == LOAD_AMQP_NO_CONTENT || !amqp->has_header || frame->len > amqp->body)
        return nonsense(amqp);
    amqp->body -= frame->len;
    return amqp->body > 0 || content_is_whole(amqp, now);
}

static bool on_frame(struct load_amqp *amqp, const struct load_amqp_frame *frame, int64_t now)
{
    switch (frame->type) {
    case LOAD_AMQP_METHOD:
        return on_method(amqp, frame, now);
    case LOAD_AMQP_HEADER:
        return on_header(amqp, frame, now);
    case LOAD_AMQP_BODY:
        return on_body(amqp, frame, now);
    default: /* heartbeat */
        return true;
    }
}

/* Bytes belong to whom they are about: what is being got, or else the oldest. */
static void count_bytes(struct load_amqp *amqp, size_t len)
{
    struct load_place *place = oldest(amqp, amqp->content == LOAD_AMQP_GOT);
    if (place == NULL)
        place = load_wire_oldest(&amqp->pipe.wire);
    if (place != NULL)
        place->bytes_in += len;
}

static bool received(struct load_pipe *pipe, const char *data, size_t len, int64_t now)
{
    struct load_amqp *amqp = of(pipe);
    while (len > 0) {
        struct load_amqp_frame frame;
        size_t used;
        enum load_parse parse = load_amqp_read(&amqp->reader, data, len, &used, &frame);
        if (parse == LOAD_PARSE_BAD)
            return nonsense(amqp);
        count_bytes(amqp, used);
        if (parse == LOAD_PARSE_DONE && !on_frame(amqp, &frame, now))
            return false;
        data += used;
        len -= used;
    }
    return true;
}

static void fini(struct load_pipe *pipe)
{
    load_amqp_reader_fini(&of(pipe)->reader);
}

const struct load_pipe_speech load_amqp_speech = {.size = sizeof(struct load_amqp),
                                                  .begin = begin,
                                                  .send = send_request,
                                                  .received = received,
                                                  .fini = fini};
