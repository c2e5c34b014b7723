/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the /api/chaos endpoints of several instances at once, one answer for all. */
#ifndef CHAOS_APP_CONTROL_H
#define CHAOS_APP_CONTROL_H

#include "engine.h"
#include "resolve.h"

struct app_control;

struct app_control_order {
    bool on;             /* POST what is asked for, else DELETE it */
    bool insist;         /* again and again while a target does not answer, until cancelled */
    struct fault *fault; /* what it asks for; its remaining time is the TTL of each POST */
};

/* on_done fires once after start, unless cancelled: err NULL when every target has agreed. The
 * value is freed before it fires. */
struct app_control *app_control_new(struct fault_env *env, const struct app_control_order *order,
                                    void (*on_done)(void *ctx, const struct base_error *err),
                                    void *ctx);
void app_control_add(struct app_control *control, const struct fault_target *target);
void app_control_start(struct app_control *control);
void app_control_cancel(struct app_control *control); /* accepts NULL */
/* Notes on the fault what the targets have said so far; accepts NULL. */
void app_control_describe(const struct app_control *control, struct fault *fault);

#endif
