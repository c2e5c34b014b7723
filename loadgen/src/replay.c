/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { FIRST_CAP = 1024, SECOND_DIGITS = 9 };

/* Digits only: no sign, no exponent, nothing behind them. */
static bool read_digits(const char *text, size_t len, int64_t *out)
{
    int64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[i] - '0', &value))
            return false;
    }
    *out = value;
    return len > 0;
}

/* Exactly, without a double: epoch seconds with nanoseconds have 19 digits. */
static bool read_seconds(const char *text, int64_t *out)
{
    size_t whole_len = strcspn(text, ".");
    const char *decimals = text[whole_len] == '.' ? text + whole_len + 1 : "0";
    size_t decimals_len = strlen(decimals);
    int64_t whole, fraction;
    if (decimals_len > SECOND_DIGITS || !read_digits(text, whole_len, &whole) ||
        !read_digits(decimals, decimals_len, &fraction))
        return false;
    for (size_t i = decimals_len; i < SECOND_DIGITS; i++)
        fraction *= 10;
    return !__builtin_mul_overflow(whole, BASE_NS_PER_S, &whole) &&
           !__builtin_add_overflow(whole, fraction, out);
}

static bool keep(struct load_replay_reader *reader, int64_t at, struct base_error *err)
{
    struct load_replay *replay = &reader->replay;
    size_t max = replay->max > 0 ? replay->max : LOAD_REPLAY_MAX;
    if (replay->count == max)
        return base_fail(err, BASE_LIMIT,
                         "line %zu: more than the %zu timestamps that are accepted: split the file",
                         reader->line, max);
    if (replay->count == 0)
        reader->first = at;
    int64_t after = at - reader->first;
    if (replay->count > 0 && after < replay->at[replay->count - 1])
        return base_fail(err, BASE_INVALID,
                         "line %zu: %s lies before the timestamp above it: sort the file",
                         reader->line, reader->text);
    if (replay->count == reader->cap) {
        reader->cap = reader->cap == 0 ? FIRST_CAP : reader->cap * 2;
        replay->at = base_reallocarray(replay->at, reader->cap, sizeof *replay->at);
    }
    replay->at[replay->count++] = after;
    return true;
}

static bool end_line(struct load_replay_reader *reader, struct base_error *err)
{
    if (reader->len > 0 && reader->text[reader->len - 1] == '\r')
        reader->len--;
    reader->text[reader->len] = '\0';
    bool empty = reader->len == 0 || reader->text[0] == '#';
    bool seconds = reader->unit == LOAD_UNIT_S;
    int64_t at;
    reader->line++;
    if (!empty &&
        !(seconds ? read_seconds(reader->text, &at) : read_digits(reader->text, reader->len, &at)))
        return base_fail(err, BASE_INVALID, "line %zu: expected %s, found \"%.32s\"", reader->line,
                         seconds ? "seconds such as 12.345678901"
                                 : "whole nanoseconds such as 12345678901",
                         reader->text);
    reader->len = 0;
    return empty || keep(reader, at, err);
}

bool load_replay_feed(struct load_replay_reader *reader, const char *data, size_t len,
                      struct base_error *err)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            if (!end_line(reader, err))
                return false;
        } else if (reader->len > 0 && reader->text[0] == '#') {
            continue; /* the rest of a comment */
        } else if (reader->len + 1 == sizeof reader->text || data[i] == '\0') {
            reader->text[reader->len] = '\0';
            return base_fail(err, BASE_INVALID,
                             "line %zu: expected a timestamp, found \"%.32s...\"", reader->line + 1,
                             reader->text);
        } else {
            reader->text[reader->len++] = data[i];
        }
    }
    return true;
}

bool load_replay_finish(struct load_replay_reader *reader, struct base_error *err)
{
    if (reader->len > 0 && !end_line(reader, err))
        return false;
    return reader->replay.count > 0 || base_fail(err, BASE_INVALID, "it holds no timestamp");
}

static bool read_all(int fd, struct load_replay_reader *reader, struct base_error *err)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail_errno(err, "cannot be read");
        if (n == 0)
            return load_replay_finish(reader, err);
        if (!load_replay_feed(reader, chunk, (size_t)n, err))
            return false;
    }
}

bool load_replay_read(const char *path, enum load_unit unit, struct load_replay *out,
                      struct base_error *err)
{
    struct load_replay_reader reader = {.unit = unit, .replay = {.max = out->max}};
    BASE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot open the timestamps %s", path);
    if (!read_all(fd, &reader, err)) {
        load_replay_fini(&reader.replay);
        return base_fail_context(err, "timestamps %s", path);
    }
    *out = reader.replay;
    return true;
}

void load_replay_fini(struct load_replay *replay)
{
    free(replay->at);
    *replay = (struct load_replay){.max = replay->max};
}
