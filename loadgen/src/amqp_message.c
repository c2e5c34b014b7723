/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp_message.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const size_t message_max = (size_t)64 * 1024 * 1024;
static const size_t payload_max = LOAD_AMQP_FRAME_MAX - LOAD_AMQP_AROUND;

/* The queue is made for it, goes with its connection, and gets what is published to it. */
static bool check_consume(const struct load_route *route, struct base_error *err)
{
    const char *name = route->name;
    if (route->queue != NULL)
        return base_fail(err, BASE_INVALID,
                         "route \"%s\": to consume each connection has a queue of its own: leave "
                         "the queue out, or get from it instead",
                         name);
    if (route->exchange == NULL && route->key != NULL)
        return base_fail(err, BASE_INVALID,
                         "route \"%s\": to consume, the default exchange's key is the name of the "
                         "connection's own queue: leave the key out, or name an exchange",
                         name);
    return route->exchange != NULL || !route->persistent ||
           base_fail(err, BASE_INVALID,
                     "route \"%s\": nothing is kept on disk of a queue that goes with its "
                     "connection: leave persistence out, or name an exchange with other queues",
                     name);
}

static bool check(const struct load_route *route, struct base_error *err)
{
    const char *name = route->name;
    if (route->consume && !check_consume(route, err))
        return false;
    if (!route->consume && (route->key == NULL) == (route->queue == NULL))
        return base_fail(err, BASE_INVALID,
                         "route \"%s\": publish by a routing key, get from a queue, or consume: "
                         "one of them is needed (--publish KEY, --get QUEUE, --consume)",
                         name);
    if (route->queue != NULL &&
        (route->body != NULL || route->exchange != NULL || route->persistent))
        return base_fail(err, BASE_INVALID,
                         "route \"%s\": a body, an exchange and persistence are of what is "
                         "published: leave them out to get",
                         name);
    if (route->queue != NULL && *route->queue == '\0')
        return base_fail(err, BASE_INVALID, "route \"%s\": the queue has no name", name);
    if (route->body_file != NULL || route->header_count > 0)
        return base_fail(err, BASE_INVALID, "route \"%s\": headers and a body's file are for HTTP",
                         name);
    return load_request_check_fields(route, route->body, err);
}

/* In one frame, or in as many as it takes; fields must not lie across their borders, which are made
 * before the fields are filled in. */
static bool put_body(struct load_amqp_message *made, struct base_buf *out, const char *name,
                     const char *body, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf whole;
    base_buf_init(&whole, message_max);
    struct load_request fields = {.file = -1};
    size_t first = out->len + LOAD_AMQP_HEAD;
    load_request_fill(&fields, &whole, body);
    if (fields.patch_count > 0 && whole.len > payload_max) {
        load_request_fini(&fields);
        return base_fail(err, BASE_INVALID,
                         "route \"%s\": {{fields}} cannot stand in a message of more than %zu "
                         "bytes",
                         name, payload_max);
    }
    for (size_t i = 0; i < fields.patch_count; i++)
        fields.patches[i].at += first;
    made->request.patches = fields.patches;
    made->request.patch_count = fields.patch_count;
    for (size_t at = 0; at < whole.len; at += payload_max) {
        size_t len = whole.len - at < payload_max ? whole.len - at : payload_max;
        load_amqp_put_body(out, whole.data + at, len);
        if (len + LOAD_AMQP_AROUND > made->largest)
            made->largest = len + LOAD_AMQP_AROUND;
    }
    out->failed = out->failed || whole.failed;
    return true;
}

static bool put_frames(struct load_amqp_message *made, struct base_buf *out,
                       const struct load_route *route, struct base_error *err)
{
    const char *body = route->body != NULL ? route->body : "";
    if (made->gets)
        return load_amqp_put_get(out, made->queue) ||
               base_fail(err, BASE_INVALID, "route \"%s\": the queue's name is too long",
                         route->name);
    char own[LOAD_AMQP_OWN_QUEUE_LEN + 1]; /* to be filled in by each connection */
    load_amqp_own_queue(own, 0);
    if (!load_amqp_put_publish(out, made->exchange, made->key != NULL ? made->key : own,
                               &made->key_at) ||
        !load_amqp_put_header(out, load_request_filled(body), route->persistent,
                              made->consumes ? LOAD_AMQP_LONG_ID : LOAD_AMQP_ID, &made->id_at))
        return base_fail(err, BASE_INVALID,
                         "route \"%s\": the exchange's name or the routing key is too long",
                         route->name);
    made->largest = out->len;
    return put_body(made, out, route->name, body, err);
}

bool load_amqp_message_build(struct load_amqp_message *out, const struct load_route *route,
                             struct base_error *err)
{
    if (!check(route, err))
        return false;
    struct load_amqp_message made = {.gets = route->queue != NULL,
                                     .consumes = route->consume,
                                     .queue = route->queue,
                                     .key = route->key,
                                     .exchange = route->exchange != NULL ? route->exchange : "",
                                     .request = {.file = -1}};
    BASE_AUTO_BUF struct base_buf frames;
    base_buf_init(&frames, message_max + message_max / 2);
    if (!put_frames(&made, &frames, route, err)) {
        load_amqp_message_fini(&made);
        return false;
    }
    made.request.len = made.request.total = frames.len;
    made.request.bytes = base_buf_steal(&frames);
    if (made.request.bytes == NULL) {
        load_amqp_message_fini(&made);
        return base_fail(err, BASE_LIMIT, "route \"%s\": the message exceeds %zu bytes",
                         route->name, message_max);
    }
    *out = made;
    return true;
}

void load_amqp_message_fini(struct load_amqp_message *message)
{
    load_request_fini(&message->request);
    *message = (struct load_amqp_message){0};
}

void load_amqp_id_write(char id[static LOAD_AMQP_ID], uint64_t tag)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = LOAD_AMQP_ID; i-- > 0; tag >>= 4)
        id[i] = hex[tag & 15];
}

bool load_amqp_id_read(const char *id, uint64_t *tag)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t value = 0;
    for (size_t i = 0; i < LOAD_AMQP_ID; i++) {
        const char *digit = id[i] == '\0' ? NULL : strchr(hex, id[i]);
        if (digit == NULL)
            return false;
        value = value << 4 | (uint64_t)(digit - hex);
    }
    *tag = value;
    return true;
}

void load_amqp_own_queue(char name[static LOAD_AMQP_OWN_QUEUE_LEN + 1], uint64_t life)
{
    static const size_t prefix = sizeof LOAD_AMQP_OWN_QUEUE - 1;
    memcpy(name, LOAD_AMQP_OWN_QUEUE, prefix);
    load_amqp_id_write(name + prefix, life);
    name[LOAD_AMQP_OWN_QUEUE_LEN] = '\0';
}
