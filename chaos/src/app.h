/* SPDX-License-Identifier: Apache-2.0 */
/* What the orders of an app fault (model/fault.h) differ in: how each is measured at a target,
 * always from outside of it. */
#ifndef CHAOS_APP_H
#define CHAOS_APP_H

#include "app_sample.h"
#include "engine.h"
#include "measure.h"
#include "resolve.h"

/* What a target has used until a moment. */
struct app_used {
    int64_t at_ns;
    int64_t time_ns;  /* of the processors, by all threads of all its processes */
    int64_t delay_ns; /* that they have waited for one */
    uint64_t bytes;   /* anonymous memory */
    size_t processes;
};

struct app_subject { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process; /* that holds the fault; pid 0: not known */
    const struct app_sample *sample;
    enum fault_step round; /* the measurement under way, or that was the last */
    bool measured;
    bool answered; /* something was there to be measured */
    struct {       /* errors, latency */
        int64_t median_before;
        struct fault_measure *measure; /* NULL: not under way */
        struct fault_measure_result result;
    } series;
    struct {                       /* readiness, dependency */
        struct io_http_call *call; /* NULL: not under way */
        int status;
        bool marked; /* the answer says itself that it was ordered */
        bool marks;  /* one of its answers has */
        char error[256];
    } ask;
    struct { /* cpu, memory */
        struct io_timer timer;
        struct app_used start; /* of the window */
        struct app_used end;
        int64_t before; /* the same as what is measured: ns a second, or bytes */
    } use;
};

struct app_order {
    /* A refusal costs nothing yet. NULL: nothing to check. */
    bool (*check)(struct app_subject *subject, struct base_error *err);
    /* Measures for subject->round; app_measured follows, never from inside. */
    bool (*start)(struct app_subject *subject, struct base_error *err);
    void (*cancel)(struct app_subject *subject); /* what start has begun */
    /* Whether it is as it should be in that round; record: as evidence. */
    bool (*ok)(struct app_subject *subject, bool record);
    /* How long it may take until the effect is whole: measured again and again. NULL: it is whole
     * when the target has agreed. */
    struct dur_ns (*patience)(const struct fault_spec *spec);
};
extern const struct app_order app_answers;   /* app_answers.c */
extern const struct app_order app_readiness; /* app_ask.c */
extern const struct app_order app_dependency;
extern const struct app_order app_cpu; /* app_use.c */
extern const struct app_order app_memory;

void app_measured(struct app_subject *subject); /* fault_app.c */

#endif
