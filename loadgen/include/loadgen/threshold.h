/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thresholds of a load without a scenario: "p99 < 250ms", over the whole of it or, as "p99 < 250ms
 * over 10s", in every window of that length; "... over 10s abort" ends the load when one fails,
 * "... route life.read" is of that route or step alone, "... phase warm-up" of the stages of that
 * name. What may follow the expectation, in any
 * order, are the keys of a scenario's thresholds: phase, route, over, abort. Judged by the same
 * code as those (model/window.h).
 */
#ifndef LOADGEN_THRESHOLD_H
#define LOADGEN_THRESHOLD_H

#include "base/buf.h"
#include "model/expectation.h"
#include "model/hdr.h"
#include "model/load.h"
#include "model/verdict.h"
#include "model/window.h"

struct load_threshold {
    char *text; /* as given */
    struct expectation expect;
    char *phase;        /* NULL: all */
    char *route;        /* or FLOW.STEP; NULL: all */
    struct dur_ns over; /* 0: the whole */
    bool abort;
    const struct load_spec *spec; /* of the load, once it starts */
    struct hdr response;          /* over the whole, with a phase or route: its response times */
    struct load_window *window;   /* made when the load starts */
};

struct load_thresholds {
    struct load_threshold *items;
    size_t count;
};

/* BASE_INVALID with what was expected at which character. */
bool load_thresholds_add(struct load_thresholds *thresholds, const char *text,
                         struct base_error *err);
void load_thresholds_fini(struct load_thresholds *thresholds); /* accepts a zeroed value */
/* Before the load starts; spec outlives what is judged. A window that is never full, or shorter
 * than what windows are made of, and a phase or route that the load does not have, are
 * BASE_INVALID. */
bool load_thresholds_start(struct load_thresholds *thresholds, const struct load_spec *spec,
                           struct base_error *err);
void load_thresholds_histogram(struct load_thresholds *thresholds, const char *phase,
                               const char *route, const char *kind, const struct hdr *hdr);
/* false: one failed that ends the load. */
bool load_thresholds_interval(struct load_thresholds *thresholds,
                              const struct load_interval *interval);

/* What a finished run left, of one process or of several. */
struct load_whole {
    const struct load_result *result;
    const struct hdr *response; /* all response times; NULL: none */
};

/* How one of them came out, after the run. */
struct load_judged {
    enum verdict_status status;
    double value;    /* NaN: none */
    const char *why; /* NULL unless insufficient */
};
struct load_judged load_threshold_judge(const struct load_threshold *threshold,
                                        const struct load_whole *whole);
/* The worst of all: a failure, else what is insufficient, else pass. */
enum verdict_status load_thresholds_judge(const struct load_thresholds *thresholds,
                                          const struct load_whole *whole);
bool load_thresholds_text(struct base_buf *out, const struct load_thresholds *thresholds,
                          const struct load_whole *whole);
/* [{"expect", "status", "value", "why"}...] */
json_t *load_thresholds_json(const struct load_thresholds *thresholds,
                             const struct load_whole *whole);

#endif
