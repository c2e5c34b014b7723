/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of AMQP out of arbitrary bytes, and what is decoded of them: no crash, and the same frames
 * whole and in pieces. The first byte says how the bytes are cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "amqp_codec.h"

/* What came of all bytes, as a number. */
static uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * UINT64_C(0x100000001b3);
}

static uint64_t look_at(struct load_amqp_memory *memory, const struct load_amqp_frame *frame,
                        uint64_t sum)
{
    struct load_amqp_said said;
    char id[LOAD_AMQP_LONG_ID + 1];
    uint64_t body = 0;
    sum = mix(mix(mix(sum, frame->type), frame->channel), frame->len);
    if (frame->type == LOAD_AMQP_METHOD && load_amqp_decode(memory, frame, &said)) {
        sum = mix(mix(mix(sum, (uint64_t)said.method), said.tag), said.code);
        sum = mix(mix(sum, said.multiple), said.redelivered);
        if (strlen(said.text) >= LOAD_AMQP_TEXT)
            abort();
    }
    if (frame->type == LOAD_AMQP_HEADER && load_amqp_decode_header(memory, frame, &body, id)) {
        if (strlen(id) > LOAD_AMQP_LONG_ID)
            abort();
        sum = mix(mix(sum, body), strlen(id));
    }
    return sum;
}

static uint64_t read_all(struct load_amqp_memory *memory, const char *bytes, size_t len,
                         size_t piece)
{
    struct load_amqp_reader reader;
    struct load_amqp_frame frame;
    enum load_parse parse = LOAD_PARSE_MORE;
    uint64_t sum = 0;
    load_amqp_reader_init(&reader);
    for (size_t at = 0; at < len && parse != LOAD_PARSE_BAD;) {
        size_t used = 0, n = piece < len - at ? piece : len - at;
        parse = load_amqp_read(&reader, bytes + at, n, &used, &frame);
        if (used > n || (parse == LOAD_PARSE_MORE && used != n) ||
            (parse == LOAD_PARSE_DONE && used == 0))
            abort();
        if (parse == LOAD_PARSE_DONE)
            sum = look_at(memory, &frame, sum);
        at += used;
    }
    load_amqp_reader_fini(&reader);
    return mix(sum, (uint64_t)(parse == LOAD_PARSE_BAD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    struct load_amqp_memory *memory = load_amqp_memory_new();
    if (read_all(memory, bytes, size - 1, size) !=
        read_all(memory, bytes, size - 1, (data[0] & 0x1f) + (size_t)1))
        abort();
    load_amqp_memory_free(memory);
    return 0;
}
