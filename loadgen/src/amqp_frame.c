/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp_frame.h"

#include <stdbool.h>

void load_amqp_reader_init(struct load_amqp_reader *reader)
{
    *reader = (struct load_amqp_reader){.have = 0};
    base_buf_init(&reader->kept, LOAD_AMQP_FRAME_MAX);
}

void load_amqp_reader_fini(struct load_amqp_reader *reader)
{
    base_buf_fini(&reader->kept);
}

void load_amqp_reader_reset(struct load_amqp_reader *reader)
{
    base_buf_clear(&reader->kept);
    reader->have = 0;
    reader->left = 0;
}

static uint32_t size_of(const unsigned char *head)
{
    return (uint32_t)head[3] << 24 | (uint32_t)head[4] << 16 | (uint32_t)head[5] << 8 | head[6];
}

/* The head is whole. */
static bool begin(struct load_amqp_reader *reader)
{
    const unsigned char *head = reader->head;
    bool known = head[0] == LOAD_AMQP_METHOD || head[0] == LOAD_AMQP_HEADER ||
                 head[0] == LOAD_AMQP_BODY || head[0] == LOAD_AMQP_HEARTBEAT;
    uint32_t size = size_of(head);
    base_buf_clear(&reader->kept);
    reader->left = (size_t)size + 1;
    return known && size <= LOAD_AMQP_FRAME_MAX - LOAD_AMQP_AROUND;
}

enum load_parse load_amqp_read(struct load_amqp_reader *reader, const char *data, size_t len,
                               size_t *used, struct load_amqp_frame *frame)
{
    size_t at = 0;
    if (reader->left == 0) {
        while (reader->have < LOAD_AMQP_HEAD && at < len)
            reader->head[reader->have++] = (unsigned char)data[at++];
        *used = at;
        if (reader->have < LOAD_AMQP_HEAD)
            return LOAD_PARSE_MORE;
        if (!begin(reader))
            return LOAD_PARSE_BAD;
    }
    const unsigned char *head = reader->head;
    bool keeps = head[0] != LOAD_AMQP_BODY;
    size_t now = len - at < reader->left ? len - at : reader->left;
    const char *payload = data + at;
    bool whole = now == reader->left;
    if (keeps && (!whole || reader->kept.len > 0)) {
        base_buf_append(&reader->kept, payload, now); /* never more than its maximum */
        payload = reader->kept.data;
    }
    reader->left -= now;
    *used = at + now;
    if (!whole)
        return LOAD_PARSE_MORE;
    reader->have = 0;
    if ((unsigned char)data[at + now - 1] != LOAD_AMQP_END)
        return LOAD_PARSE_BAD;
    *frame = (struct load_amqp_frame){.type = head[0],
                                      .channel = (uint16_t)(head[1] << 8 | head[2]),
                                      .payload = keeps ? payload : NULL,
                                      .len = size_of(head)};
    return LOAD_PARSE_DONE;
}
