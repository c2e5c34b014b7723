/* SPDX-License-Identifier: Apache-2.0 */
/* The figures that every summary shows, in one order and one way to write them. */
#ifndef LOAD_SUMMARY_H
#define LOAD_SUMMARY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "model/hdr.h"

struct load_figure {
    const char *label; /* "p99.9" */
    const char *key;   /* "p99_9Ns" */
    double quantile;
};
extern const struct load_figure load_figures[];
extern const size_t load_figure_count;

enum { LOAD_TIME_TEXT = 24 };
/* Some figures and a unit that a person reads: 412us, 1.23ms, 2.5s. */
void load_time_text(int64_t ns, char out[static LOAD_TIME_TEXT]);
/* {"count", "meanNs", one key for each figure} */
json_t *load_figures_json(const struct hdr *hdr);

#endif
