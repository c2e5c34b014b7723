/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "amqp_frame.h"

#define TEXT(text) text, sizeof text - 1

static const struct {
    const char *bytes;
    size_t len;
    enum load_parse parse; /* of the last frame that there is */
    unsigned frames;
    uint8_t type; /* of the last whole one */
    uint16_t channel;
    const char *payload;
    size_t payload_len;
} table[] = {
    {TEXT("\x01\0\x01\0\0\0\x04\0\x3c\0\x48\xce"), LOAD_PARSE_DONE, 1, 1, 1, "\0\x3c\0\x48", 4},
    {TEXT("\x08\0\0\0\0\0\0\xce"), LOAD_PARSE_DONE, 1, 8, 0, "", 0},
    {TEXT("\x03\x01\x02\0\0\0\x03"
          "abc\xce"),
     LOAD_PARSE_DONE, 1, 3, 0x102, NULL, 3},
    {TEXT("\x03\0\x01\0\0\0\x01"
          "a\xce\x02\0\x01\0\0\0\x02"
          "bc\xce"),
     LOAD_PARSE_DONE, 2, 2, 1, "bc", 2},
    {TEXT("\x01\0\x01\0\0\0\x04\0\x3c\0\x48"), LOAD_PARSE_MORE, 0, 0, 0, NULL, 0},
    {TEXT("\x01\0\x01\0\0"), LOAD_PARSE_MORE, 0, 0, 0, NULL, 0},
    {TEXT("\x01\0\x01\0\0\0\x04\0\x3c\0\x48\xcf"), LOAD_PARSE_BAD, 0, 0, 0, NULL, 0},
    {TEXT("\x03\0\x01\0\0\0\x01"
          "a\xff"),
     LOAD_PARSE_BAD, 0, 0, 0, NULL, 0},
    {TEXT("AMQP\0\0\x09\x01"), LOAD_PARSE_BAD, 0, 0, 0, NULL, 0},
    {TEXT("HTTP/1.1 400 Bad Request\r\n"), LOAD_PARSE_BAD, 0, 0, 0, NULL, 0},
    {TEXT("\x04\0\x01\0\0\0\x01"
          "a\xce"),
     LOAD_PARSE_BAD, 0, 0, 0, NULL, 0},
    {TEXT("\x01\0\x01\0\x02\0\0"), LOAD_PARSE_BAD, 0, 0, 0, NULL, 0}, /* longer than allowed */
    {TEXT("\x03\0\x01\xff\xff\xff\xff"), LOAD_PARSE_BAD, 0, 0, 0, NULL, 0},
};

static void test_frames_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (size_t piece = 1; piece <= table[i].len; piece++) {
            struct load_amqp_reader reader;
            struct load_amqp_frame frame = {0};
            enum load_parse parse = LOAD_PARSE_MORE;
            unsigned frames = 0;
            load_amqp_reader_init(&reader);
            for (size_t at = 0; at < table[i].len && parse != LOAD_PARSE_BAD;) {
                size_t used, n = table[i].len - at < piece ? table[i].len - at : piece;
                parse = load_amqp_read(&reader, table[i].bytes + at, n, &used, &frame);
                if (parse == LOAD_PARSE_MORE)
                    assert_int_equal(used, n);
                assert_true(parse == LOAD_PARSE_BAD || (used > 0 && used <= n));
                frames += parse == LOAD_PARSE_DONE;
                at += used;
            }
            if (parse != table[i].parse || frames != table[i].frames)
                fail_msg("case %zu in pieces of %zu: %d after %u", i, piece, (int)parse, frames);
            if (parse == LOAD_PARSE_DONE) {
                assert_int_equal(frame.type, table[i].type);
                assert_int_equal(frame.channel, table[i].channel);
                assert_int_equal(frame.len, table[i].payload_len);
                assert_int_equal(frame.payload == NULL, table[i].payload == NULL);
                if (frame.payload != NULL)
                    assert_memory_equal(frame.payload, table[i].payload, frame.len);
            }
            load_amqp_reader_fini(&reader);
        }
    }
}

static void test_a_reset_forgets_half_a_frame(void **state)
{
    (void)state;
    struct load_amqp_reader reader;
    struct load_amqp_frame frame;
    size_t used;
    load_amqp_reader_init(&reader);
    assert_int_equal(load_amqp_read(&reader, "\x01\0\x01\0\0\0\x04\0", 8, &used, &frame),
                     LOAD_PARSE_MORE);
    load_amqp_reader_reset(&reader);
    assert_int_equal(load_amqp_read(&reader, "\x08\0\0\0\0\0\0\xce", 8, &used, &frame),
                     LOAD_PARSE_DONE);
    load_amqp_reader_fini(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_however_they_are_cut),
        cmocka_unit_test(test_a_reset_forgets_half_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
