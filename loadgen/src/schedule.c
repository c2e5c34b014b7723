/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "loadgen/replay.h"

/* Routes are drawn from their own generator, so that adding a route moves no arrival in time. */
static const uint64_t picks_stream = UINT64_C(0x726f757465730001);

/* 0.1/s for 10 s is one arrival, although 0.1 is not a binary fraction. */
static double near_whole(double area)
{
    double whole = nearbyint(area);
    return fabs(area - whole) <= 1e-12 * whole ? whole : area;
}

static struct load_piece make_piece(const struct load_stage *stage, int64_t start)
{
    double seconds = base_dur_to_s(stage->length);
    return (struct load_piece){.start = start,
                               .length = stage->length.ns,
                               .from = stage->from,
                               .slope = (stage->to - stage->from) / seconds,
                               .area = near_whole((stage->from + stage->to) / 2 * seconds),
                               .burst = stage->burst,
                               .every = stage->every.ns};
}

static void make_pieces(struct load_schedule *schedule, const struct load_spec *spec)
{
    const struct load_stage whole = {
        .length = spec->duration, .from = spec->rate, .to = spec->rate};
    const struct load_stage *stages = spec->stage_count > 0 ? spec->stages : &whole;
    schedule->piece_count = spec->stage_count > 0 ? spec->stage_count : 1;
    schedule->pieces = base_calloc(schedule->piece_count, sizeof *schedule->pieces);
    int64_t start = 0;
    for (size_t i = 0; i < schedule->piece_count; i++) {
        schedule->pieces[i] = make_piece(&stages[i], start);
        start += stages[i].length.ns;
    }
}

/* The way to the next arrival on the integral's axis. */
static void draw_gap(struct load_schedule *schedule)
{
    if (schedule->arrivals == LOAD_CONSTANT)
        schedule->steps++;
    else
        schedule->offset += base_rng_exponential(&schedule->gaps, 1.0);
}

void load_schedule_init(struct load_schedule *schedule, const struct load_spec *spec,
                        const struct load_replay *replay, uint32_t share, uint32_t shares)
{
    *schedule = (struct load_schedule){
        .arrivals = spec->arrivals,
        .replay = replay,
        .end = spec->duration.ns,
        .share = share,
        .shares = shares,
    };
    base_rng_seed(&schedule->gaps, spec->seed);
    base_rng_seed(&schedule->picks, spec->seed ^ picks_stream);
    if (replay == NULL)
        make_pieces(schedule, spec);
    if (spec->arrivals == LOAD_POISSON)
        draw_gap(schedule);
    load_picker_init(&schedule->picker, spec);
}

void load_schedule_fini(struct load_schedule *schedule)
{
    free(schedule->pieces);
    schedule->pieces = NULL;
    load_picker_fini(&schedule->picker);
}

/* How long after the piece's start its integral reaches y, in ns. In the form of the quadratic's
 * root that subtracts nothing, so it is good to the last bit for slow ramps and for flat ones. */
static double time_of(const struct load_piece *piece, double y)
{
    const double second = (double)BASE_NS_PER_S;
    if (y <= 0)
        return 0;
    if (piece->slope == 0)
        return y * (second / piece->from);
    double square = piece->from * piece->from + 2 * piece->slope * y;
    return 2 * y / (piece->from + sqrt(square > 0 ? square : 0)) * second;
}

/* The next arrival of a rate; false: none is left in this piece. */
static bool next_of_rate(struct load_schedule *schedule, const struct load_piece *piece,
                         int64_t *at)
{
    double y = schedule->offset + (double)schedule->steps;
    if (y >= piece->area) {
        schedule->offset = y - piece->area;
        schedule->steps = 0;
        return false;
    }
    double after = time_of(piece, y);
    double most = (double)(piece->length - 1);
    *at = piece->start + (int64_t)(after < most ? after : most);
    draw_gap(schedule);
    return true;
}

static bool next_of_burst(struct load_schedule *schedule, const struct load_piece *piece,
                          int64_t *at)
{
    uint64_t turn = schedule->fired / piece->burst;
    if (turn > (uint64_t)(piece->length - 1) / (uint64_t)piece->every) {
        schedule->fired = 0;
        return false;
    }
    *at = piece->start + (int64_t)turn * piece->every;
    schedule->fired++;
    return true;
}

static bool draw_time(struct load_schedule *schedule, int64_t *at)
{
    if (schedule->replay != NULL) {
        if (schedule->number >= schedule->replay->count)
            return false;
        *at = schedule->replay->at[schedule->number];
        return *at < schedule->end;
    }
    for (; schedule->piece < schedule->piece_count; schedule->piece++) {
        const struct load_piece *piece = &schedule->pieces[schedule->piece];
        if (piece->burst > 0 ? next_of_burst(schedule, piece, at)
                             : next_of_rate(schedule, piece, at))
            return true;
    }
    return false;
}

bool load_schedule_next(struct load_schedule *schedule, struct load_arrival *out)
{
    for (;;) {
        int64_t at;
        if (!draw_time(schedule, &at))
            return false;
        if (at < schedule->last)
            at = schedule->last; /* rounding, where arrivals are less than a nanosecond apart */
        schedule->last = at;
        uint32_t route = load_picker_draw(&schedule->picker, &schedule->picks);
        uint64_t number = schedule->number++;
        if (number % schedule->shares != schedule->share)
            continue;
        *out = (struct load_arrival){.at = at, .number = number, .route = route};
        return true;
    }
}
