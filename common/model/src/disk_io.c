/* SPDX-License-Identifier: Apache-2.0 */
/* The faults "io" and "ioThrottle", and what a slow disk of PostgreSQL has of the latter: their
 * JSON, and which limits go together. */
#include "base/text.h"
#include "model/fault.h"
#include "shapes.h"

static const char *const mode_names[] = {
    [FAULT_IO_WRITE] = "write", [FAULT_IO_READ] = "read", [FAULT_IO_BOTH] = "both"};
static const struct codec_words modes = CODEC_WORDS(mode_names);

#define READ_RATE  "readRate"
#define WRITE_RATE "writeRate"
#define READ_OPS   "readOps"
#define WRITE_OPS  "writeOps"
static const char *const limit_names[] = {
    [FAULT_IO_READ_RATE] = READ_RATE,
    [FAULT_IO_WRITE_RATE] = WRITE_RATE,
    [FAULT_IO_READ_OPS] = READ_OPS,
    [FAULT_IO_WRITE_OPS] = WRITE_OPS,
};
static const struct codec_words limits = CODEC_WORDS(limit_names);

static bool check_throttle(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    return fault_io_limits_check(spec->throttle.limits, err) || base_fail_context(err, "%s", where);
}

static bool check_slow_disk(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    return fault_slow_disk_check(spec->postgres.disk.limits, err) ||
           base_fail_context(err, "%s", where);
}

#define AT(member) .offset = offsetof(struct fault_spec, member)
static const struct codec_field io_fields[] = {
    {.key = "path", .type = CODEC_TEXT, .form = FORM_LINE, AT(io.path)},
    {.key = "workers", .type = CODEC_INT, .min = 1, .max = 64, AT(io.workers)},
    {.key = "mode", .type = CODEC_WORD, .words = &modes, AT(io.mode)},
    {.key = "bytes", .type = CODEC_I64, .min = 1 << 20, .max = INT64_C(1) << 50, AT(io.bytes)},
    {.key = "rate", .type = CODEC_I64, .max = INT64_C(1) << 50, AT(io.rate)},
};
/* The arguments name members, which take no parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define LIMIT(word, member, limit)                                                                 \
    {                                                                                              \
        .key = (word), .type = CODEC_I64, .max = INT64_C(1) << 50, AT(member.limits[limit])        \
    }
#define THROTTLING(member)                                                                         \
    {.key = "path", .type = CODEC_TEXT, .form = FORM_LINE, AT(member.path)},                       \
        LIMIT(READ_RATE, member, FAULT_IO_READ_RATE),                                              \
        LIMIT(WRITE_RATE, member, FAULT_IO_WRITE_RATE),                                            \
        LIMIT(READ_OPS, member, FAULT_IO_READ_OPS), LIMIT(WRITE_OPS, member, FAULT_IO_WRITE_OPS)
/* NOLINTEND(bugprone-macro-parentheses) */
static const struct codec_field throttle_fields[] = {THROTTLING(throttle)};
static const struct codec_field slow_disk_fields[] = {THROTTLING(postgres.disk)};
#undef THROTTLING
#undef LIMIT
#undef AT
const struct codec_shape model_io_shape = {
    .name = "io", .size = sizeof(struct fault_spec), .closed = true, CODEC_FIELDS(io_fields)};
const struct codec_shape model_throttle_shape = {.name = "ioThrottle",
                                                 .size = sizeof(struct fault_spec),
                                                 .closed = true,
                                                 CODEC_FIELDS(throttle_fields),
                                                 .check = check_throttle};
const struct codec_shape model_slow_disk_shape = {.name = "disk",
                                                  .size = sizeof(struct fault_spec),
                                                  .closed = true,
                                                  CODEC_FIELDS(slow_disk_fields),
                                                  .check = check_slow_disk};

const char *fault_io_limit_name(enum fault_io_limit limit)
{
    return codec_word(&limits, limit);
}

bool fault_io_limits_check(const int64_t asked[static FAULT_IO_LIMITS], struct base_error *err)
{
    static const struct {
        enum fault_io_limit rate;
        enum fault_io_limit ops;
    } directions[] = {{FAULT_IO_READ_RATE, FAULT_IO_READ_OPS},
                      {FAULT_IO_WRITE_RATE, FAULT_IO_WRITE_OPS}};
    bool any = false;
    for (size_t i = 0; i < sizeof directions / sizeof directions[0]; i++) {
        bool rate = asked[directions[i].rate] > 0;
        bool ops = asked[directions[i].ops] > 0;
        if (rate && ops)
            return base_fail(err, BASE_INVALID,
                             "%s: beside %s, expected one of them: only the narrower could be "
                             "measured",
                             limit_names[directions[i].ops], limit_names[directions[i].rate]);
        any = any || rate || ops;
    }
    return any || base_fail(err, BASE_INVALID,
                            "does nothing, expected one of " READ_RATE ", " WRITE_RATE ", " READ_OPS
                            ", " WRITE_OPS);
}

bool fault_slow_disk_check(const int64_t asked[static FAULT_IO_LIMITS], struct base_error *err)
{
    bool writes = asked[FAULT_IO_WRITE_RATE] > 0 || asked[FAULT_IO_WRITE_OPS] > 0;
    return (writes || base_fail(err, BASE_INVALID,
                                "slows no commit, expected " WRITE_RATE " or " WRITE_OPS
                                "; reads alone are limited by ioThrottle")) &&
           fault_io_limits_check(asked, err);
}

const struct fault_throttling *fault_throttling_of(const struct fault_spec *spec)
{
    return fault_is_slow_disk(spec) ? &spec->postgres.disk : &spec->throttle;
}
