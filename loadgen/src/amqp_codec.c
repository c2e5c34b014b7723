/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp_codec.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { PAGE = 4096, METHOD_MAX = 16384, NAME_MAX_BYTES = 255, HEADER_FIXED = 12, BASIC = 60 };
enum { CONNECTION = 0, CHANNEL = 1 };

struct load_amqp_memory {
    amqp_pool_t pool;
};

struct load_amqp_memory *load_amqp_memory_new(void)
{
    struct load_amqp_memory *memory = base_calloc(1, sizeof *memory);
    init_amqp_pool(&memory->pool, PAGE);
    return memory;
}

void load_amqp_memory_free(struct load_amqp_memory *memory)
{
    if (memory == NULL)
        return;
    empty_amqp_pool(&memory->pool);
    free(memory);
}

/* --- what a server says --- */

static const struct {
    amqp_method_number_t id;
    enum load_amqp_method method;
} known[] = {
    {AMQP_BASIC_ACK_METHOD, LOAD_AMQP_ACK},
    {AMQP_BASIC_CANCEL_METHOD, LOAD_AMQP_CANCEL},
    {AMQP_BASIC_CONSUME_OK_METHOD, LOAD_AMQP_AGREED},
    {AMQP_BASIC_DELIVER_METHOD, LOAD_AMQP_DELIVER},
    {AMQP_BASIC_GET_OK_METHOD, LOAD_AMQP_GET_OK},
    {AMQP_BASIC_GET_EMPTY_METHOD, LOAD_AMQP_GET_EMPTY},
    {AMQP_BASIC_NACK_METHOD, LOAD_AMQP_NACK},
    {AMQP_BASIC_QOS_OK_METHOD, LOAD_AMQP_AGREED},
    {AMQP_BASIC_RETURN_METHOD, LOAD_AMQP_RETURN},
    {AMQP_CHANNEL_CLOSE_METHOD, LOAD_AMQP_CLOSE},
    {AMQP_CHANNEL_OPEN_OK_METHOD, LOAD_AMQP_AGREED},
    {AMQP_CONFIRM_SELECT_OK_METHOD, LOAD_AMQP_AGREED},
    {AMQP_CONNECTION_BLOCKED_METHOD, LOAD_AMQP_BLOCKED},
    {AMQP_CONNECTION_CLOSE_METHOD, LOAD_AMQP_CLOSE},
    {AMQP_CONNECTION_OPEN_OK_METHOD, LOAD_AMQP_AGREED},
    {AMQP_CONNECTION_START_METHOD, LOAD_AMQP_START},
    {AMQP_CONNECTION_TUNE_METHOD, LOAD_AMQP_TUNE},
    {AMQP_EXCHANGE_DECLARE_OK_METHOD, LOAD_AMQP_AGREED},
    {AMQP_QUEUE_BIND_OK_METHOD, LOAD_AMQP_AGREED},
    {AMQP_QUEUE_DECLARE_OK_METHOD, LOAD_AMQP_AGREED},
};

static enum load_amqp_method method_of(amqp_method_number_t id)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id)
            return known[i].method;
    return LOAD_AMQP_OTHER;
}

static void take_text(struct load_amqp_said *out, uint16_t code, amqp_bytes_t text)
{
    size_t len = text.len < sizeof out->text - 1 ? text.len : sizeof out->text - 1;
    out->code = code;
    memcpy(out->text, text.bytes, len);
    out->text[len] = '\0';
    for (char *c = out->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

/* Words are separated by spaces: section 1.4.2.1 of the reference. */
static bool offers_plain(amqp_bytes_t mechanisms)
{
    BASE_AUTO_FREE char *words = base_str_ndup(mechanisms.bytes, mechanisms.len);
    BASE_AUTO_FREE char *padded = base_str_printf(" %s ", words);
    return strstr(padded, " PLAIN ") != NULL;
}

static void take_fields(amqp_method_number_t id, const void *decoded, struct load_amqp_said *out)
{
    if (id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = decoded;
        out->tag = ack->delivery_tag;
        out->multiple = ack->multiple != 0;
    } else if (id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = decoded;
        out->tag = nack->delivery_tag;
        out->multiple = nack->multiple != 0;
    } else if (id == AMQP_BASIC_GET_OK_METHOD) {
        out->tag = ((const amqp_basic_get_ok_t *)decoded)->delivery_tag;
    } else if (id == AMQP_BASIC_DELIVER_METHOD) {
        const amqp_basic_deliver_t *delivered = decoded;
        out->tag = delivered->delivery_tag;
        out->redelivered = delivered->redelivered != 0;
    } else if (id == AMQP_BASIC_RETURN_METHOD) {
        const amqp_basic_return_t *returned = decoded;
        take_text(out, returned->reply_code, returned->reply_text);
    } else if (id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *closed = decoded;
        take_text(out, closed->reply_code, closed->reply_text);
    } else if (id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *closed = decoded;
        take_text(out, closed->reply_code, closed->reply_text);
    } else if (id == AMQP_CONNECTION_BLOCKED_METHOD) {
        take_text(out, 0, ((const amqp_connection_blocked_t *)decoded)->reason);
    } else if (id == AMQP_CONNECTION_START_METHOD) {
        out->plain = offers_plain(((const amqp_connection_start_t *)decoded)->mechanisms);
    } else if (id == AMQP_CONNECTION_TUNE_METHOD) {
        out->frame_max = ((const amqp_connection_tune_t *)decoded)->frame_max;
    }
}

/* The library takes what it reads as not const, and does not write there. */
static amqp_bytes_t bytes_of(const char *data, size_t len)
{
    return (amqp_bytes_t){.len = len, .bytes = (void *)(uintptr_t)data};
}

bool load_amqp_decode(struct load_amqp_memory *memory, const struct load_amqp_frame *frame,
                      struct load_amqp_said *out)
{
    if (frame->len < 4)
        return false;
    const unsigned char *p = (const unsigned char *)frame->payload;
    amqp_method_number_t id =
        (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    *out = (struct load_amqp_said){.method = method_of(id)};
    if (out->method == LOAD_AMQP_OTHER)
        return true;
    void *decoded = NULL;
    bool good = amqp_decode_method(id, &memory->pool, bytes_of(frame->payload + 4, frame->len - 4),
                                   &decoded) == AMQP_STATUS_OK;
    if (good)
        take_fields(id, decoded, out);
    recycle_amqp_pool(&memory->pool);
    return good;
}

bool load_amqp_decode_header(struct load_amqp_memory *memory, const struct load_amqp_frame *frame,
                             uint64_t *body, char id[static LOAD_AMQP_LONG_ID + 1])
{
    if (frame->len < HEADER_FIXED)
        return false;
    const unsigned char *p = (const unsigned char *)frame->payload;
    uint64_t size = 0;
    for (size_t i = 4; i < HEADER_FIXED; i++)
        size = size << 8 | p[i];
    void *decoded = NULL;
    bool good =
        p[0] == 0 && p[1] == BASIC &&
        amqp_decode_properties(BASIC, &memory->pool,
                               bytes_of(frame->payload + HEADER_FIXED, frame->len - HEADER_FIXED),
                               &decoded) == AMQP_STATUS_OK;
    id[0] = '\0';
    if (good) {
        const amqp_basic_properties_t *about = decoded;
        bool ours =
            (about->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0 &&
            (about->message_id.len == LOAD_AMQP_ID || about->message_id.len == LOAD_AMQP_LONG_ID);
        *body = size;
        if (ours) {
            memcpy(id, about->message_id.bytes, about->message_id.len);
            id[about->message_id.len] = '\0';
        }
    }
    recycle_amqp_pool(&memory->pool);
    return good;
}

/* --- what we say --- */

static void put_u16(struct base_buf *out, uint16_t value)
{
    base_buf_char(out, (char)(value >> 8));
    base_buf_char(out, (char)value);
}

static void put_u32(struct base_buf *out, uint32_t value)
{
    put_u16(out, (uint16_t)(value >> 16));
    put_u16(out, (uint16_t)value);
}

static void put_head(struct base_buf *out, uint8_t type, uint16_t channel, size_t len)
{
    base_buf_char(out, (char)type);
    put_u16(out, channel);
    put_u32(out, (uint32_t)len);
}

static bool put_end(struct base_buf *out)
{
    return base_buf_char(out, (char)LOAD_AMQP_END);
}

static bool put_method(struct base_buf *out, uint16_t channel, amqp_method_number_t id,
                       void *method)
{
    char space[METHOD_MAX];
    int len = amqp_encode_method(id, method, (amqp_bytes_t){sizeof space, space});
    if (len < 0)
        return false;
    put_head(out, LOAD_AMQP_METHOD, channel, (size_t)len + 4);
    put_u32(out, id);
    base_buf_append(out, space, (size_t)len);
    return put_end(out);
}

/* A short string (section 4.2.5.3). */
static bool fits(const char *name)
{
    return strlen(name) <= NAME_MAX_BYTES;
}

static amqp_bytes_t text(const char *name)
{
    return bytes_of(name, strlen(name));
}

static amqp_table_entry_t entry(const char *key, uint8_t kind)
{
    return (amqp_table_entry_t){.key = text(key), .value = {.kind = kind}};
}

/* Without the capabilities the server says neither that a password is wrong nor that it has no
 * memory or disk for messages nor that a consumer's queue is gone
 * (https://www.rabbitmq.com/auth-notification.html, connection-blocked.html, consumer-cancel.html).
 */
bool load_amqp_put_start_ok(struct base_buf *out, const char *user, const char *password)
{
    BASE_AUTO_BUF struct base_buf proof; /* RFC 4616 */
    base_buf_init(&proof, METHOD_MAX / 2);
    base_buf_char(&proof, '\0');
    base_buf_str(&proof, user);
    base_buf_char(&proof, '\0');
    base_buf_str(&proof, password);
    amqp_table_entry_t able[] = {entry("authentication_failure_close", AMQP_FIELD_KIND_BOOLEAN),
                                 entry("connection.blocked", AMQP_FIELD_KIND_BOOLEAN),
                                 entry("consumer_cancel_notify", AMQP_FIELD_KIND_BOOLEAN),
                                 entry("publisher_confirms", AMQP_FIELD_KIND_BOOLEAN)};
    for (size_t i = 0; i < sizeof able / sizeof *able; i++)
        able[i].value.value.boolean = 1;
    amqp_table_entry_t about[] = {entry("product", AMQP_FIELD_KIND_UTF8),
                                  entry("capabilities", AMQP_FIELD_KIND_TABLE)};
    about[0].value.value.bytes = text("squall-load");
    about[1].value.value.table =
        (amqp_table_t){.num_entries = sizeof able / sizeof *able, .entries = able};
    amqp_connection_start_ok_t method = {.client_properties = {.num_entries = 2, .entries = about},
                                         .mechanism = text("PLAIN"),
                                         .response = bytes_of(proof.data, proof.len),
                                         .locale = text("en_US")};
    bool done =
        !proof.failed && put_method(out, CONNECTION, AMQP_CONNECTION_START_OK_METHOD, &method);
    explicit_bzero(proof.data, proof.len);
    return done;
}

/* One channel; no heartbeats: what is silent too long is a request's timeout. */
bool load_amqp_put_tune_ok(struct base_buf *out, uint32_t frame_max)
{
    amqp_connection_tune_ok_t method = {.channel_max = 1, .frame_max = frame_max};
    return put_method(out, CONNECTION, AMQP_CONNECTION_TUNE_OK_METHOD, &method);
}

bool load_amqp_put_open(struct base_buf *out, const char *vhost)
{
    amqp_connection_open_t method = {.virtual_host = text(vhost)};
    return fits(vhost) && put_method(out, CONNECTION, AMQP_CONNECTION_OPEN_METHOD, &method);
}

bool load_amqp_put_channel_open(struct base_buf *out)
{
    amqp_channel_open_t method = {.out_of_band = {0}};
    return put_method(out, CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &method);
}

bool load_amqp_put_confirm_select(struct base_buf *out)
{
    amqp_confirm_select_t method = {.nowait = 0};
    return put_method(out, CHANNEL, AMQP_CONFIRM_SELECT_METHOD, &method);
}

bool load_amqp_put_queue_exists(struct base_buf *out, const char *queue)
{
    amqp_queue_declare_t method = {.queue = text(queue), .passive = 1};
    return fits(queue) && put_method(out, CHANNEL, AMQP_QUEUE_DECLARE_METHOD, &method);
}

bool load_amqp_put_exchange_exists(struct base_buf *out, const char *exchange)
{
    amqp_exchange_declare_t method = {
        .exchange = text(exchange), .type = text("direct"), .passive = 1};
    return fits(exchange) && put_method(out, CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD, &method);
}

bool load_amqp_put_publish(struct base_buf *out, const char *exchange, const char *key,
                           size_t *key_at)
{
    amqp_basic_publish_t method = {
        .exchange = text(exchange), .routing_key = text(key), .mandatory = 1};
    if (!fits(exchange) || !fits(key) ||
        !put_method(out, CHANNEL, AMQP_BASIC_PUBLISH_METHOD, &method))
        return false;
    *key_at = out->len - 2 - strlen(key); /* the bits and the frame's end follow it */
    return true;
}

bool load_amqp_put_header(struct base_buf *out, uint64_t body, bool persistent, size_t id_len,
                          size_t *id_at)
{
    static const char id[LOAD_AMQP_LONG_ID + 1] = "00000000000000000000000000000000";
    char space[256];
    amqp_basic_properties_t about = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
        .delivery_mode = persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT,
        .message_id = bytes_of(id, id_len)};
    int len = amqp_encode_properties(BASIC, &about, (amqp_bytes_t){sizeof space, space});
    if (len < 0)
        return false;
    put_head(out, LOAD_AMQP_HEADER, CHANNEL, HEADER_FIXED + (size_t)len);
    put_u16(out, BASIC);
    put_u16(out, 0); /* weight: section 4.2.6.1 */
    put_u32(out, (uint32_t)(body >> 32));
    put_u32(out, (uint32_t)body);
    base_buf_append(out, space, (size_t)len);
    *id_at = out->len - id_len; /* no property with a higher bit follows it */
    return put_end(out);
}

bool load_amqp_put_body(struct base_buf *out, const char *data, size_t len)
{
    put_head(out, LOAD_AMQP_BODY, CHANNEL, len);
    base_buf_append(out, data, len);
    return put_end(out);
}

bool load_amqp_put_get(struct base_buf *out, const char *queue)
{
    amqp_basic_get_t method = {.queue = text(queue)};
    return fits(queue) && put_method(out, CHANNEL, AMQP_BASIC_GET_METHOD, &method);
}

bool load_amqp_put_ack(struct base_buf *out, uint64_t tag)
{
    amqp_basic_ack_t method = {.delivery_tag = tag};
    return put_method(out, CHANNEL, AMQP_BASIC_ACK_METHOD, &method);
}

bool load_amqp_put_own_queue(struct base_buf *out, const char *queue)
{
    amqp_queue_declare_t method = {.queue = text(queue), .exclusive = 1, .auto_delete = 1};
    return fits(queue) && put_method(out, CHANNEL, AMQP_QUEUE_DECLARE_METHOD, &method);
}

bool load_amqp_put_bind(struct base_buf *out, const char *queue, const char *exchange,
                        const char *key)
{
    amqp_queue_bind_t method = {
        .queue = text(queue), .exchange = text(exchange), .routing_key = text(key)};
    return fits(queue) && fits(exchange) && fits(key) &&
           put_method(out, CHANNEL, AMQP_QUEUE_BIND_METHOD, &method);
}

bool load_amqp_put_qos(struct base_buf *out, uint16_t prefetch)
{
    amqp_basic_qos_t method = {.prefetch_count = prefetch};
    return put_method(out, CHANNEL, AMQP_BASIC_QOS_METHOD, &method);
}

bool load_amqp_put_consume(struct base_buf *out, const char *queue)
{
    amqp_basic_consume_t method = {.queue = text(queue), .exclusive = 1};
    return fits(queue) && put_method(out, CHANNEL, AMQP_BASIC_CONSUME_METHOD, &method);
}
