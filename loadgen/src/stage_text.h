/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages as they are written on a command line:
 *   30s 500/s                   a rate, also as 500 or 2k
 *   1m 0..500/s                 a ramp from one rate to another
 *   1m 100..500/s in 5 steps    a staircase, from the first rate to the last
 *   10s 50 every 1s             bursts of 50 at once
 *   warm-up: 30s 500/s          the phase of what becomes due in it; without one it is "load"
 */
#ifndef LOAD_STAGE_TEXT_H
#define LOAD_STAGE_TEXT_H

#include "model/load.h"

#define LOAD_UNNAMED_PHASE "load"

/* Appends what text says to spec's stages and phases; BASE_INVALID with what was expected where. */
bool load_stage_parse(const char *text, struct load_spec *spec, struct base_error *err);
/* The same for numbers of users, without bursts and staircases: "30s 50", "10s 0..50". */
bool load_user_stage_parse(const char *text, struct load_spec *spec, struct base_error *err);
/* "1s", "uniform 1s..3s", "exponential 1s" (its mean), "lognormal 1s..4s" (its median, and what
 * 95 % of it is below). */
bool load_think_parse(const char *text, struct load_closed *closed, struct base_error *err);
/* "1000", or as wrk has it "1k", "2M". */
bool load_number_parse(const char *text, double *out);

#endif
