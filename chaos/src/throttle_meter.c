/* SPDX-License-Identifier: Apache-2.0 */
#include "throttle_meter.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "folder.h"

enum {
    free_ms = 100, /* window when nothing is throttled */
    held_ms = 300,
    settle_ms = 150,  /* the kernel lets a slice of 100 ms pass at once (block/blk-throttle.c) */
    enough_units = 8, /* blocks in a window */
    file_bytes = 1 << 20
};
/* The kernel's slices and the blocks under way at both ends of a window blur it. */
static const double held_most = 1.25, held_least = 0.5;

static const struct fault_throttle_rule *rule_of(const struct throttle_meter *meter)
{
    return &meter->throttle->rules[meter->rule];
}

static bool is_read(const struct throttle_meter *meter)
{
    enum fault_io_limit limit = rule_of(meter)->limit;
    return limit == FAULT_IO_READ_RATE || limit == FAULT_IO_READ_OPS;
}

static bool in_operations(const struct throttle_meter *meter)
{
    enum fault_io_limit limit = rule_of(meter)->limit;
    return limit == FAULT_IO_READ_OPS || limit == FAULT_IO_WRITE_OPS;
}

static uint64_t block_of(const struct throttle_meter *meter)
{
    return in_operations(meter) ? FAULT_STRAIN_SECTOR : fault_strain_block(rule_of(meter)->value);
}

/* In the unit of the rule: bytes, or operations. */
static double in_unit(const struct throttle_meter *meter, double bytes)
{
    return in_operations(meter) ? bytes / (double)block_of(meter) : bytes;
}

static double unit_of_a_block(const struct throttle_meter *meter)
{
    return in_unit(meter, (double)block_of(meter));
}

bool throttle_meter_open(struct throttle_meter *meter, const char *folder, struct base_error *err)
{
    bool direct = true;
    meter->file = fault_folder_file(folder, &direct, err);
    if (meter->file < 0)
        return false;
    return direct || base_fail(err, BASE_UNAVAILABLE,
                               "the file system of %s has no direct I/O, by which a throttle is "
                               "measured",
                               folder);
}

void throttle_meter_cancel(struct throttle_meter *meter)
{
    fault_io_probe_free(meter->probe);
    meter->probe = NULL;
    meter->busy = false;
}

void throttle_meter_close(struct throttle_meter *meter)
{
    throttle_meter_cancel(meter);
    base_fd_close(&meter->file);
}

/* --- running --- */

static uint64_t counted(void *ctx)
{
    const struct throttle_meter *meter = ctx;
    return fault_throttle_counted(meter->throttle, meter->group, rule_of(meter)->limit);
}

static void on_done(void *ctx)
{
    struct throttle_meter *meter = ctx;
    meter->last = fault_io_probe_result(meter->probe);
    throttle_meter_cancel(meter);
    meter->on_done(meter->ctx);
}

static bool run(struct throttle_meter *meter, struct io_loop *loop,
                const struct fault_strain *groups, const struct fault_io_probe_spec *times,
                struct base_error *err)
{
    struct fault_io_probe_spec spec = *times;
    bool fill = spec.strain.io.fill;
    spec.strain = *groups;
    spec.strain.io.folder = NULL;
    spec.strain.io.fd = meter->file;
    spec.strain.io.direct = true;
    spec.strain.io.fill = fill;
    spec.strain.io.mode = is_read(meter) ? FAULT_IO_READ : FAULT_IO_WRITE;
    spec.strain.io.bytes = file_bytes;
    spec.strain.io.block = block_of(meter);
    spec.count = counted;
    spec.on_done = on_done;
    spec.ctx = meter;
    meter->last = (struct fault_io_probe_result){0};
    meter->probe = fault_io_probe_start(loop, &spec, err);
    meter->busy = meter->probe != NULL;
    return meter->busy;
}

bool throttle_meter_free_run(struct throttle_meter *meter, struct io_loop *loop,
                             const struct fault_strain *groups, bool first, struct base_error *err)
{
    const struct fault_io_probe_spec times = {.strain.io.fill = first,
                                              .window = {free_ms * BASE_NS_PER_MS}};
    return run(meter, loop, groups, &times, err);
}

bool throttle_meter_held_run(struct throttle_meter *meter, struct io_loop *loop,
                             const struct fault_strain *groups, struct dur_ns most,
                             struct base_error *err)
{
    double units = (double)rule_of(meter)->value / unit_of_a_block(meter);
    int64_t window = (int64_t)((double)enough_units / units * (double)BASE_NS_PER_S);
    if (window < held_ms * BASE_NS_PER_MS)
        window = held_ms * BASE_NS_PER_MS;
    const struct fault_io_probe_spec times = {.settle = {settle_ms * BASE_NS_PER_MS},
                                              .window = {window < most.ns ? window : most.ns}};
    return run(meter, loop, groups, &times, err);
}

/* --- judging --- */

static void in_words(const struct throttle_meter *meter, double value,
                     char out[static THROTTLE_METER_TEXT / 4])
{
    if (in_operations(meter))
        (void)snprintf(out, THROTTLE_METER_TEXT / 4, "%.1f/s", value);
    else
        (void)snprintf(out, THROTTLE_METER_TEXT / 4, "%.2f MiB/s", value / 1048576);
}

static const char *metric_of(const struct throttle_meter *meter)
{
    return is_read(meter) ? "reads of a probe in its group" : "writes of a probe in its group";
}

bool throttle_meter_is_free(const struct throttle_meter *meter, double share,
                            struct throttle_meter_words *words)
{
    double got = in_unit(meter, meter->last.rate);
    double above = (double)rule_of(meter)->value * share;
    char text[THROTTLE_METER_TEXT / 4];
    words->metric = metric_of(meter);
    in_words(meter, got, text);
    (void)snprintf(words->value, sizeof words->value, "%s",
                   meter->last.ok ? text : "none: it has ended");
    in_words(meter, above, text);
    (void)snprintf(words->expected, sizeof words->expected, "more than %s", text);
    return meter->last.ok && got > above;
}

/* The probe is one of several in the group that share what is allowed: it has no more than that,
 * and all together have not much less. */
bool throttle_meter_is_held(const struct throttle_meter *meter, struct throttle_meter_words *words)
{
    double limit = (double)rule_of(meter)->value;
    double got = in_unit(meter, meter->last.rate);
    double most = limit * held_most + unit_of_a_block(meter);
    double least = limit * held_least;
    char text[4][THROTTLE_METER_TEXT / 4];
    in_words(meter, got, text[0]);
    in_words(meter, meter->last.count_rate, text[1]);
    in_words(meter, least, text[2]);
    in_words(meter, most, text[3]);
    words->metric = metric_of(meter);
    if (meter->last.ok)
        (void)snprintf(words->value, sizeof words->value, "%s, of all in it %s", text[0], text[1]);
    else
        (void)snprintf(words->value, sizeof words->value, "none: it has ended");
    (void)snprintf(words->expected, sizeof words->expected, "at most %s, of all at least %s",
                   text[3], text[2]);
    bool enough = got >= least || meter->last.count_rate >= least;
    return meter->last.ok && got <= most && enough;
}
