/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "p99.9 < 250ms", "errors < 1%", "achieved_rate >= 99%", "count > 1000", "mean < 20ms", "max <
 * 1s": what thresholds and abort conditions are written in. Latency statistics are of response
 * time.
 */
#ifndef MODEL_EXPECTATION_H
#define MODEL_EXPECTATION_H

#include <stdbool.h>

#include "base/error.h"

enum expect_stat {
    EXPECT_QUANTILE,      /* ns, of successful requests' response time */
    EXPECT_MEAN,          /* ns */
    EXPECT_MAX,           /* ns */
    EXPECT_ERRORS,        /* failed and missed over intended, 0..1 */
    EXPECT_ACHIEVED_RATE, /* sent over intended, 0..1 */
    EXPECT_RATE,          /* successful responses a second */
    EXPECT_COUNT          /* successful responses */
};
enum expect_op { EXPECT_LT, EXPECT_LE, EXPECT_GT, EXPECT_GE };

struct expectation {
    enum expect_stat stat;
    double quantile; /* for EXPECT_QUANTILE: 0.999 */
    enum expect_op op;
    double value; /* in the unit of stat */
};

/* The error says what was expected at which character. */
bool expectation_parse(const char *text, struct expectation *out, struct base_error *err);
/* NaN holds nothing: judge "missing" before asking. */
bool expectation_holds(const struct expectation *expectation, double measured);
enum { EXPECT_TEXT = 64 };
void expectation_format(const struct expectation *expectation, char out[static EXPECT_TEXT]);
/* A measured value of this statistic in the unit a person reads: "12.3ms", "0.4%", "500/s". */
void expectation_format_value(const struct expectation *expectation, double measured,
                              char out[static EXPECT_TEXT]);

#endif
