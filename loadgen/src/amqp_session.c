/* SPDX-License-Identifier: Apache-2.0 */
/* https://www.rabbitmq.com/amqp-0-9-1-reference.html, confirms.html, consumers.html */
#include "amqp_session.h"

#include <stdio.h>
#include <string.h>

/* What a request that publishes has been answered so far: marks of its place. */
enum {
    CONFIRMED = 1,
    RETURNED = 2,
    DELIVERED = 4, /* it consumes */
    REDELIVERED = 8,
    AGAIN = 16 /* delivered more than once */
};

/* --- requests --- */

static void send_request(struct load_pipe *pipe, struct load_place *place)
{
    struct load_amqp *amqp = load_amqp_of(pipe);
    const struct load_conn *head = &place->head;
    const struct load_amqp_message *message = &load_amqp_plan_of(amqp)->messages[head->due.route];
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
    place->marks = 0;
    if (!message->consumes) {
        load_amqp_id_write(bytes + message->id_at, place->tag);
        return;
    }
    load_amqp_id_write(bytes + message->id_at, amqp->life);
    load_amqp_id_write(bytes + message->id_at + LOAD_AMQP_ID, place->tag);
    if (message->key == NULL)
        memcpy(bytes + message->key_at, amqp->queue, LOAD_AMQP_OWN_QUEUE_LEN);
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

static bool consumes(const struct load_amqp *amqp, const struct load_place *place)
{
    return load_amqp_plan_of(amqp)->messages[place->head.due.route].consumes;
}

/* Everything has come that was waited for. */
static void settle(struct load_amqp *amqp, struct load_place *place, int64_t now)
{
    if ((place->marks & AGAIN) != 0)
        fail(amqp, place, now, "the message was delivered more than once");
    else if ((place->marks & REDELIVERED) != 0)
        fail(amqp, place, now, "the message was delivered as one that had been delivered before");
    else
        succeed(amqp, place, now);
}

/* A message that was not taken, or that no queue takes, is not waited for. */
static void confirm(struct load_amqp *amqp, struct load_place *place, bool nacked, int64_t now)
{
    if (place->first_at == 0)
        place->first_at = now;
    place->marks |= CONFIRMED;
    if (nacked)
        fail(amqp, place, now, "the broker did not take the message (basic.nack)");
    else if ((place->marks & RETURNED) != 0)
        fail(amqp, place, now, amqp->text);
    else if (!consumes(amqp, place) || (place->marks & DELIVERED) != 0)
        settle(amqp, place, now);
}

static void deliver(struct load_amqp *amqp, struct load_place *place, int64_t now)
{
    if ((place->marks & DELIVERED) != 0) {
        place->marks |= AGAIN;
        amqp->pipe.wire.pool->deliveries.again++;
    }
    place->marks |= amqp->redelivered ? DELIVERED | REDELIVERED : DELIVERED;
    if ((place->marks & CONFIRMED) != 0)
        settle(amqp, place, now);
}

void load_amqp_overdue(const struct load_place *place)
{
    const struct load_amqp *amqp = load_amqp_of(load_pipe_of(place));
    bool delivered = (place->marks & DELIVERED) != 0;
    if (!consumes(amqp, place) || delivered == ((place->marks & CONFIRMED) != 0))
        return;
    load_pool_note_why(place->head.pool, LOAD_CAUSE_STALLED,
                       !delivered
                           ? "the broker confirmed the message, but did not deliver it within the "
                             "timeout"
                           : "the message was delivered, but not confirmed within the timeout");
}

/* Gives up a connection on which nonsense was said. */
static bool nonsense(struct load_amqp *amqp, const char *why)
{
    if (!amqp->pipe.wire.up)
        return load_amqp_refuse(amqp, "what came is not AMQP 0-9-1");
    load_pool_note_malformed(amqp->pipe.wire.pool, why);
    load_pipe_lose(&amqp->pipe, NULL, LOAD_FAIL_PROTOCOL, LOAD_CAUSE_COUNT, NULL);
    return false;
}

/* Of one message, or of all up to it that are still without; 0: of all there are. */
static bool on_confirm(struct load_amqp *amqp, const struct load_amqp_said *said, int64_t now)
{
    bool nacked = said->method == LOAD_AMQP_NACK;
    uint64_t last = amqp->published; /* what is published from now on is not meant */
    uint64_t upto = said->tag == 0 && said->multiple ? last : said->tag;
    struct load_place *place, *next;
    if (upto == 0 || upto > last)
        return nonsense(amqp, "a confirm of what was not published");
    if (!said->multiple) {
        place = place_tagged(amqp, upto);
        if (place == NULL || (place->marks & CONFIRMED) != 0)
            return nonsense(amqp, "a second confirm of one message");
        confirm(amqp, place, nacked, now);
        return true;
    }
    /* Tags grow along the list; a place that ends takes a new request at its end at once. */
    for (place = load_wire_oldest(&amqp->pipe.wire); place != NULL && place->tag <= upto;
         place = next) {
        next = TAILQ_NEXT(place, next);
        if (place->tag != 0 && (place->marks & CONFIRMED) == 0)
            confirm(amqp, place, nacked, now);
    }
    return true;
}

/* Whose a message is that was returned or delivered its header tells. */
static bool on_content(struct load_amqp *amqp, const struct load_amqp_said *said, int64_t now)
{
    bool got = said->method == LOAD_AMQP_GET_OK, delivered = said->method == LOAD_AMQP_DELIVER;
    struct load_place *place = got ? oldest(amqp, true) : NULL;
    if ((got && place == NULL) || (delivered && !load_amqp_plan_of(amqp)->consumes))
        return nonsense(amqp, "a message that nobody asked for");
    if (place != NULL)
        place->first_at = now;
    amqp->content = got ? LOAD_AMQP_GOT : delivered ? LOAD_AMQP_DELIVERED : LOAD_AMQP_RETURNED;
    amqp->whose = place;
    amqp->has_header = false;
    amqp->tag = said->tag;
    amqp->redelivered = said->redelivered;
    if (!got && !delivered)
        (void)snprintf(amqp->text, sizeof amqp->text, "%.*s", (int)sizeof amqp->text - 1,
                       said->text[0] != '\0' ? said->text : "returned");
    return true;
}

static bool on_empty(struct load_amqp *amqp, int64_t now)
{
    struct load_place *place = oldest(amqp, true);
    if (place == NULL)
        return nonsense(amqp, "an empty queue that nobody asked about");
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

/* The request that waited longest is told; a queue of one's own is made anew with the connection.
 */
static bool on_cancel(struct load_amqp *amqp)
{
    amqp->pipe.wire.pool->deliveries.cancelled++;
    load_pipe_lose(&amqp->pipe, NULL, LOAD_FAIL_REPLY, LOAD_CAUSE_REPLY,
                   "the broker cancelled the consumer (basic.cancel): its queue is gone");
    return false;
}

/* It reads no more from us: what is published has no answer until its time is over. */
static void note_blocked(struct load_amqp *amqp, const struct load_amqp_said *said)
{
    char why[LOAD_AMQP_TEXT + 40];
    (void)snprintf(why, sizeof why, "the broker blocks those who publish: %s", said->text);
    load_pool_note_why(amqp->pipe.wire.pool, LOAD_CAUSE_SILENT, why);
}

/* What is about the connection may come between the frames of a channel's content. */
static bool may_interrupt(const struct load_amqp_frame *frame, enum load_amqp_method method)
{
    return frame->channel == 0 &&
           (method == LOAD_AMQP_CLOSE || method == LOAD_AMQP_BLOCKED || method == LOAD_AMQP_OTHER);
}

static bool on_method(struct load_amqp *amqp, const struct load_amqp_frame *frame, int64_t now)
{
    struct load_amqp_said said;
    if (!load_amqp_decode(amqp->pipe.own->extra, frame, &said) ||
        (amqp->content != LOAD_AMQP_NO_CONTENT && !may_interrupt(frame, said.method)))
        return nonsense(amqp, "a method frame that is not to be understood here");
    if (!amqp->pipe.wire.up)
        return load_amqp_greet(amqp, &said, now);
    switch (said.method) {
    case LOAD_AMQP_ACK:
    case LOAD_AMQP_NACK:
        return on_confirm(amqp, &said, now);
    case LOAD_AMQP_RETURN:
    case LOAD_AMQP_GET_OK:
    case LOAD_AMQP_DELIVER:
        return on_content(amqp, &said, now);
    case LOAD_AMQP_GET_EMPTY:
        return on_empty(amqp, now);
    case LOAD_AMQP_CANCEL:
        return on_cancel(amqp);
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
    return nonsense(amqp, "a method that only an opening connection has");
}

/* --- content --- */

static bool content_is_whole(struct load_amqp *amqp, int64_t now)
{
    struct load_place *place = amqp->whose;
    bool returned = amqp->content == LOAD_AMQP_RETURNED, got = amqp->content == LOAD_AMQP_GOT;
    amqp->content = LOAD_AMQP_NO_CONTENT;
    amqp->whose = NULL;
    if (returned)
        return true; /* its confirm ends the request */
    (void)load_amqp_put_ack(&amqp->pipe.out, amqp->tag);
    if (got)
        succeed(amqp, place, now);
    else if (place != NULL)
        deliver(amqp, place, now);
    return true;
}

/* Whose message this was, by its id; NULL: nobody's who is under way. *ours: it was published on
 * this connection. */
static struct load_place *place_of_id(struct load_amqp *amqp, const char *id, bool *ours)
{
    bool whole = strlen(id) == LOAD_AMQP_LONG_ID;
    uint64_t life = 0, tag = 0;
    *ours = whole ? load_amqp_id_read(id, &life) && life == amqp->life
                  : amqp->content == LOAD_AMQP_RETURNED; /* what comes back has the whole */
    *ours = *ours && load_amqp_id_read(whole ? id + LOAD_AMQP_ID : id, &tag) && tag != 0 &&
            tag <= amqp->published;
    return *ours ? place_tagged(amqp, tag) : NULL;
}

/* Of what was delivered and is nobody's. */
static void count_stray(struct load_amqp *amqp, bool ours)
{
    struct load_delivery_troubles *met = &amqp->pipe.wire.pool->deliveries;
    *(ours ? &met->again : &met->foreign) += 1;
}

static bool on_header(struct load_amqp *amqp, const struct load_amqp_frame *frame, int64_t now)
{
    char id[LOAD_AMQP_LONG_ID + 1];
    bool ours = false;
    if (amqp->content == LOAD_AMQP_NO_CONTENT || amqp->has_header ||
        !load_amqp_decode_header(amqp->pipe.own->extra, frame, &amqp->body, id))
        return nonsense(amqp, "a header frame that is not to be understood here");
    amqp->has_header = true;
    if (amqp->content != LOAD_AMQP_GOT)
        amqp->whose = place_of_id(amqp, id, &ours);
    if (amqp->content == LOAD_AMQP_RETURNED) {
        if (amqp->whose == NULL)
            return nonsense(amqp, "a message came back that is not under way");
        amqp->whose->marks |= RETURNED;
    } else if (amqp->content == LOAD_AMQP_DELIVERED && amqp->whose == NULL) {
        count_stray(amqp, ours);
    }
    if (amqp->whose != NULL && amqp->whose->first_at == 0)
        amqp->whose->first_at = now;
    return amqp->body > 0 || content_is_whole(amqp, now);
}

static bool on_body(struct load_amqp *amqp, const struct load_amqp_frame *frame, int64_t now)
{
    if (amqp->content == LOAD_AMQP_NO_CONTENT || !amqp->has_header || frame->len > amqp->body)
        return nonsense(amqp, "a body frame that is not to be understood here");
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

/* Bytes belong to whom they are about, or else to the oldest. */
static void count_bytes(struct load_amqp *amqp, size_t len)
{
    struct load_place *place = amqp->whose != NULL ? amqp->whose : oldest(amqp, false);
    if (place == NULL)
        place = load_wire_oldest(&amqp->pipe.wire);
    if (place != NULL)
        place->bytes_in += len;
}

static bool received(struct load_pipe *pipe, const char *data, size_t len, int64_t now)
{
    struct load_amqp *amqp = load_amqp_of(pipe);
    while (len > 0) {
        struct load_amqp_frame frame;
        size_t used;
        enum load_parse parse = load_amqp_read(&amqp->reader, data, len, &used, &frame);
        if (parse == LOAD_PARSE_BAD)
            return nonsense(amqp, "no frame of AMQP 0-9-1");
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
    load_amqp_reader_fini(&load_amqp_of(pipe)->reader);
}

const struct load_pipe_speech load_amqp_speech = {.size = sizeof(struct load_amqp),
                                                  .begin = load_amqp_begin,
                                                  .send = send_request,
                                                  .received = received,
                                                  .fini = fini};
