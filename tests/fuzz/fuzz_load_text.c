/* SPDX-License-Identifier: Apache-2.0 */
/* What says when requests are due and what must hold: timestamps, stages, think times, conditions.
 * The first byte chooses which. What is accepted keeps its promises. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "loadgen/replay.h"
#include "loadgen/threshold.h"
#include "schedule.h"
#include "stage_text.h"
#include "users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 1000, REPLAY_MAX = 1000 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool read_replay(const char *text, size_t len, enum load_unit unit, size_t piece,
                        struct load_replay *out)
{
    struct load_replay_reader reader = {.unit = unit, .replay = {.max = REPLAY_MAX}};
    struct base_error err;
    bool good = true;
    for (size_t at = 0; good && at < len; at += piece)
        good = load_replay_feed(&reader, text + at, len - at < piece ? len - at : piece, &err);
    good = good && load_replay_finish(&reader, &err);
    *out = reader.replay;
    return good;
}

/* However it is cut, it is the same; times start at 0 and do not decrease. */
static void try_replay(const char *text, size_t len, enum load_unit unit)
{
    struct load_replay whole, bytes;
    bool good = read_replay(text, len, unit, len + 1, &whole);
    must(read_replay(text, len, unit, 1, &bytes) == good && bytes.count == whole.count);
    for (size_t i = 0; good && i < whole.count; i++)
        must(whole.at[i] == bytes.at[i] && whole.at[i] >= (i == 0 ? 0 : whole.at[i - 1]));
    must(!good || (whole.count > 0 && whole.at[0] == 0));
    load_replay_fini(&whole);
    load_replay_fini(&bytes);
}

static void try_condition(const char *text)
{
    struct load_thresholds thresholds = {.count = 0};
    struct expectation again;
    char formatted[EXPECT_TEXT];
    if (load_thresholds_add(&thresholds, text, NULL)) {
        const struct expectation *first = &thresholds.items[0].expect;
        expectation_format(first, formatted);
        must(expectation_parse(formatted, &again, NULL) && again.value == first->value &&
             again.quantile == first->quantile && again.op == first->op);
    }
    load_thresholds_fini(&thresholds);
}

/* The schedule of whatever was accepted can be walked, in order and inside of its time. */
static void walk(struct load_spec *spec)
{
    struct load_schedule schedule;
    struct load_arrival arrival;
    int64_t last = 0;
    load_schedule_init(&schedule, spec, NULL, 0, 1);
    for (int i = 0; i < STEPS && load_schedule_next(&schedule, &arrival); i++) {
        must(arrival.at >= last && arrival.at < spec->duration.ns);
        last = arrival.at;
    }
    load_schedule_fini(&schedule);
}

static void try_stages(char *text, enum load_arrivals arrivals)
{
    struct load_route route = {.weight = 1};
    struct load_spec spec = {.arrivals = arrivals, .seed = 1, .routes = &route, .route_count = 1};
    for (char *line; (line = strsep(&text, "\n")) != NULL;)
        (void)load_stage_parse(line, &spec, NULL);
    bool fits = spec.stage_count > 0;
    for (size_t i = 0; i < spec.stage_count; i++) {
        const struct load_stage *stage = &spec.stages[i];
        must(stage->length.ns > 0 && stage->from >= 0 && stage->to >= 0);
        must(stage->from <= LOAD_RATE_MAX && stage->to <= LOAD_RATE_MAX);
        fits =
            fits && !__builtin_add_overflow(spec.duration.ns, stage->length.ns, &spec.duration.ns);
    }
    if (fits)
        walk(&spec);
    for (size_t i = 1; i < spec.phase_count; i++)
        must(spec.phases[i].start.ns > spec.phases[i - 1].start.ns);
    spec.routes = NULL;
    spec.route_count = 0;
    load_spec_fini(&spec);
}

static void try_users(char *text)
{
    struct load_spec spec = {.rate = 0};
    const struct load_closed *closed = &spec.closed;
    for (char *line; (line = strsep(&text, "\n")) != NULL;)
        if (!load_user_stage_parse(line, &spec, NULL))
            (void)load_think_parse(line, &spec.closed, NULL);
    for (size_t i = 0; i < closed->stage_count; i++)
        must(closed->stages[i].length.ns > 0 && closed->stages[i].from >= 0 &&
             closed->stages[i].to <= LOAD_USERS_MAX);
    must(closed->think != LOAD_THINK_UNIFORM || closed->think_a.ns <= closed->think_b.ns);
    load_spec_fini(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return 0;
    char *text = base_str_ndup((const char *)data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
    case 1:
        try_replay((const char *)data + 1, size - 1, data[0] % 6 == 0 ? LOAD_UNIT_S : LOAD_UNIT_NS);
        break;
    case 2:
    case 3:
        try_stages(text, data[0] % 6 == 2 ? LOAD_POISSON : LOAD_CONSTANT);
        break;
    case 4:
        try_users(text);
        break;
    default:
        try_condition(text);
    }
    free(text);
    return 0;
}
