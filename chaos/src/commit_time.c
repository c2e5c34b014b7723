/* SPDX-License-Identifier: Apache-2.0 */
#include "commit_time.h"

#include <stdio.h>

enum {
    /* The kernel lets pass at once what is due within a slice (block/blk-throttle.c). */
    slice_ms = 100,
    settle_ms = 150,
    held_ms = 500,    /* several slices */
    least_ms = 200,   /* two: less shows nothing */
    enough_units = 8, /* commits in a window */
    free_ms = 100,
    a_second = 16, /* commits that a limit in bytes allows */
    least_bytes = 16 << 10,
    most_bytes = 256 << 10,
    small_bytes = 64, /* with a limit in operations: one flush, whatever its size */
    free_bytes = 4 << 20
};
/* Others in the group share what is allowed: together they have at least so much of it. */
static const double held_least = 0.5;
/* The first page of a window may have been written before it. */
static const double written_least = 0.8;

const struct fault_throttle_rule *commit_rule(const struct fault_throttle *throttle)
{
    for (size_t i = 0; i < throttle->count; i++)
        if (throttle->rules[i].limit == FAULT_IO_WRITE_RATE ||
            throttle->rules[i].limit == FAULT_IO_WRITE_OPS)
            return &throttle->rules[i];
    return NULL;
}

static bool in_operations(const struct fault_throttle_rule *rule)
{
    return rule->limit == FAULT_IO_WRITE_OPS;
}

uint64_t commit_bytes(const struct fault_throttle_rule *rule)
{
    uint64_t bytes = rule->value / a_second;
    if (in_operations(rule))
        return small_bytes;
    return bytes < least_bytes ? least_bytes : bytes > most_bytes ? most_bytes : bytes;
}

/* What one commit takes of the limit at the least: one write, or the bytes of its own that it
 * flushes. */
static double least_units(const struct fault_throttle_rule *rule)
{
    return in_operations(rule) ? 1 : (double)commit_bytes(rule);
}

static double least_s(const struct fault_throttle_rule *rule)
{
    return least_units(rule) / (double)rule->value;
}

struct dur_ns commit_settle(void)
{
    return base_dur_ms(settle_ms);
}

struct dur_ns commit_held_window(const struct fault_throttle_rule *rule, struct dur_ns most)
{
    struct dur_ns window = {(int64_t)(enough_units * least_s(rule) * (double)BASE_NS_PER_S)};
    if (window.ns < base_dur_ms(held_ms).ns)
        window = base_dur_ms(held_ms);
    if (window.ns > most.ns)
        window = most;
    return window.ns < base_dur_ms(least_ms).ns ? base_dur_ms(least_ms) : window;
}

bool commit_free_enough(const struct fault_throttle_rule *rule, size_t count, struct dur_ns took)
{
    return took.ns >= base_dur_ms(free_ms).ns || count * commit_bytes(rule) >= free_bytes;
}

/* --- judging --- */

static double each_ms(const struct commit_window *seen)
{
    return seen->count > 0 ? base_dur_to_s(seen->took) * 1e3 / (double)seen->count : 0;
}

static void say_metric(const struct fault_throttle_rule *rule, struct commit_words *words)
{
    if (in_operations(rule))
        (void)snprintf(words->metric, sizeof words->metric, "time of a commit");
    else
        (void)snprintf(words->metric, sizeof words->metric, "time of a commit of %.0f KiB",
                       (double)commit_bytes(rule) / 1024);
}

static void say_rate(const struct fault_throttle_rule *rule, double rate,
                     char out[static COMMIT_TEXT / 4])
{
    if (in_operations(rule))
        (void)snprintf(out, COMMIT_TEXT / 4, "%.1f writes/s", rate);
    else
        (void)snprintf(out, COMMIT_TEXT / 4, "%.2f MiB/s", rate / 1048576);
}

bool commit_is_written(const struct fault_throttle_rule *rule, const struct commit_window *seen,
                       struct commit_words *words)
{
    double least = least_units(rule) * written_least;
    double all = seen->group_rate * base_dur_to_s(seen->took);
    double each = seen->count > 0 ? all / (double)seen->count : 0;
    double unit = in_operations(rule) ? 1 : 1024;
    const char *name = in_operations(rule) ? "" : " KiB";
    (void)snprintf(words->metric, sizeof words->metric, "writes to the device for a commit");
    (void)snprintf(words->value, sizeof words->value, "%.1f%s", each / unit, name);
    (void)snprintf(words->expected, sizeof words->expected, "at least %.1f%s", least / unit, name);
    return each >= least;
}

bool commit_is_free(const struct fault_throttle_rule *rule, const struct commit_window *seen,
                    double share, struct commit_words *words)
{
    double most = least_s(rule) * 1e3 / share;
    double each = each_ms(seen);
    say_metric(rule, words);
    if (seen->count > 0)
        (void)snprintf(words->value, sizeof words->value, "%.2f ms", each);
    else
        (void)snprintf(words->value, sizeof words->value, "none was measured");
    (void)snprintf(words->expected, sizeof words->expected, "less than %.2f ms", most);
    return seen->count > 0 && each < most;
}

bool commit_is_held(const struct fault_throttle_rule *rule, const struct commit_window *seen,
                    const struct commit_window *free, struct commit_words *words)
{
    double count = seen->count > 0 ? (double)seen->count : 1;
    double each = each_ms(seen);
    double least = least_s(rule) * 1e3 - slice_ms / count;
    double most = least_s(rule) * 1e3 / held_least + each_ms(free);
    double group_least = (double)rule->value * held_least;
    char rates[2][COMMIT_TEXT / 4];
    say_metric(rule, words);
    say_rate(rule, seen->group_rate, rates[0]);
    say_rate(rule, group_least, rates[1]);
    if (seen->count > 0)
        (void)snprintf(words->value, sizeof words->value, "%.2f ms, of all in its group %s", each,
                       rates[0]);
    else
        (void)snprintf(words->value, sizeof words->value, "none was measured");
    (void)snprintf(words->expected, sizeof words->expected,
                   "at least %.2f ms; at most %.2f ms, or of all at least %s", least, most,
                   rates[1]);
    return seen->count > 0 && each >= least && (each <= most || seen->group_rate >= group_least);
}
