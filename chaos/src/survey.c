/* SPDX-License-Identifier: Apache-2.0 */
#include "survey.h"

#include <stdlib.h>

#include "base/text.h"

struct leg {
    struct fault_survey *survey;
    struct fault_survey_path path;
    struct fault_probe *probe; /* NULL: not under way */
    bool training;
    bool done;
    struct effect_measured measured;
    struct effect_measured before;
};

struct fault_survey {
    struct io_loop *loop;
    struct leg *legs;
    size_t count;
    bool swiftly;
    struct io_timer over; /* for a round with nothing to wait for, or one that broke off */
    void (*on_done)(void *ctx);
    void *ctx;
};

static void on_over(void *ctx)
{
    struct fault_survey *survey = ctx;
    survey->on_done(survey->ctx);
}

struct fault_survey *fault_survey_new(struct io_loop *loop)
{
    struct fault_survey *survey = base_calloc(1, sizeof *survey);
    survey->loop = loop;
    io_timer_init(&survey->over, loop, on_over, survey);
    return survey;
}

void fault_survey_free(struct fault_survey *survey)
{
    if (survey == NULL)
        return;
    fault_survey_cancel(survey);
    for (size_t i = 0; i < survey->count; i++) {
        effect_measured_fini(&survey->legs[i].measured);
        effect_measured_fini(&survey->legs[i].before);
    }
    io_timer_fini(&survey->over);
    free(survey->legs);
    free(survey);
}

void fault_survey_add(struct fault_survey *survey, const struct fault_survey_path *path)
{
    survey->legs = base_reallocarray(survey->legs, survey->count + 1, sizeof *survey->legs);
    survey->legs[survey->count++] = (struct leg){.survey = survey, .path = *path};
}

void fault_survey_cancel(struct fault_survey *survey)
{
    if (survey == NULL)
        return;
    io_timer_stop(&survey->over);
    for (size_t i = 0; i < survey->count; i++) {
        fault_probe_cancel(survey->legs[i].probe);
        survey->legs[i].probe = NULL;
    }
}

static void leg_over(struct leg *leg)
{
    struct fault_survey *survey = leg->survey;
    leg->done = true;
    for (size_t i = 0; i < survey->count; i++)
        if (!survey->legs[i].done)
            return;
    io_timer_start(&survey->over, (struct dur_ns){0});
}

static void on_series(void *ctx, struct fault_probe_result *result);

static bool leg_start(struct leg *leg, bool training, struct base_error *err)
{
    const struct fault_survey_path *path = &leg->path;
    const struct fault_probe_plan *plan = training               ? &path->plan.train
                                          : leg->survey->swiftly ? &path->plan.swift
                                                                 : &path->plan.paced;
    leg->training = training;
    leg->probe =
        fault_probe_start(leg->survey->loop, path->netns, path->peer, plan, on_series, leg, err);
    return leg->probe != NULL;
}

static void on_series(void *ctx, struct fault_probe_result *result)
{
    struct leg *leg = ctx;
    leg->probe = NULL;
    struct fault_probe_result *place = leg->training ? &leg->measured.train : &leg->measured.paced;
    fault_probe_result_fini(place);
    *place = *result;
    /* A train that cannot start is one that nothing answered: the verdict says so. */
    if (leg->training || leg->path.plan.train.count == 0 || !leg_start(leg, true, NULL))
        leg_over(leg);
}

bool fault_survey_start(struct fault_survey *survey, bool swiftly, void (*on_done)(void *ctx),
                        void *ctx, struct base_error *err)
{
    fault_survey_cancel(survey);
    survey->swiftly = swiftly;
    survey->on_done = on_done;
    survey->ctx = ctx;
    bool any = false;
    for (size_t i = 0; i < survey->count; i++) {
        struct leg *leg = &survey->legs[i];
        effect_measured_fini(&leg->measured);
        leg->done = leg->path.netns->fd < 0;
        any = any || !leg->done;
    }
    for (size_t i = 0; i < survey->count; i++) {
        struct leg *leg = &survey->legs[i];
        if (leg->done || leg_start(leg, false, err))
            continue;
        fault_survey_cancel(survey);
        return base_fail_context(err, "%s", leg->path.target);
    }
    if (!any)
        io_timer_start(&survey->over, (struct dur_ns){0});
    return true;
}

size_t fault_survey_count(const struct fault_survey *survey)
{
    return survey->count;
}

const struct fault_survey_path *fault_survey_path_at(const struct fault_survey *survey, size_t i)
{
    return &survey->legs[i].path;
}

const struct effect_measured *fault_survey_measured(const struct fault_survey *survey, size_t i)
{
    return &survey->legs[i].measured;
}

const struct effect_measured *fault_survey_before(const struct fault_survey *survey, size_t i)
{
    return &survey->legs[i].before;
}

void fault_survey_keep(struct fault_survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        struct leg *leg = &survey->legs[i];
        effect_measured_fini(&leg->before);
        leg->before = leg->measured;
        leg->measured = (struct effect_measured){0};
    }
}
