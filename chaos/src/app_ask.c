/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness and dependencies, proven by one request: the readiness path, or the path that the fault
 * names as what needs the dependency. A target that is not ready for a reason of its own, or whose
 * dependency fails by itself while the fault is taken back, is told from one that still has the
 * fault by the header of ordered answers, where it has shown to send it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "step.h"

#define MARK "X-Chaos"
enum { timeout_s = 2, success = 200, redirect = 300, failure = 500 };

static bool is_readiness(const struct app_subject *subject)
{
    return fault_app_order_of(fault_spec_of(subject->fault)) == FAULT_APP_READINESS;
}

static const char *path_of(const struct app_subject *subject)
{
    return is_readiness(subject) ? subject->target.ready_path
                                 : fault_spec_of(subject->fault)->app.path;
}

static bool readiness_check(struct app_subject *subject, struct base_error *err)
{
    return subject->target.ready_path != NULL ||
           base_fail(err, BASE_UNAVAILABLE,
                     "%s: its service has no readyPath in the topology, where its readiness would "
                     "be seen",
                     subject->target.name);
}

static bool dependency_check(struct app_subject *subject, struct base_error *err)
{
    return path_of(subject) != NULL ||
           base_fail(err, BASE_INVALID, "%s: nothing is named that needs the dependency",
                     subject->target.name);
}

/* As if there were no fault. */
static bool is_well(const struct app_subject *subject)
{
    int status = subject->ask.status;
    return subject->answered &&
           (is_readiness(subject) ? status >= success && status < redirect : status < failure);
}

static bool ask_ok(struct app_subject *subject, bool record)
{
    bool during = subject->round == FAULT_STEP_VERIFY;
    bool by_itself = subject->round == FAULT_STEP_VERIFY_GONE && subject->answered &&
                     subject->ask.marks && !subject->ask.marked;
    bool ok = during ? subject->answered && subject->ask.status >= failure
                     : is_well(subject) || by_itself;
    if (!record)
        return ok;
    char value[320];
    BASE_AUTO_FREE char *metric = base_str_printf("GET %.120s", path_of(subject));
    if (subject->answered)
        (void)snprintf(value, sizeof value, "%d%s", subject->ask.status,
                       subject->ask.marked              ? ", ordered"
                       : by_itself && !is_well(subject) ? ", by itself: that was not ordered"
                                                        : "");
    else
        (void)snprintf(value, sizeof value, "no answer: %s", subject->ask.error);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(subject->round), metric,
                   value,
                   during                  ? "500 or more"
                   : is_readiness(subject) ? "200 to 299"
                                           : "less than 500",
                   ok);
    return ok;
}

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct app_subject *subject = ctx;
    subject->ask.call = NULL;
    subject->answered = response->ok;
    subject->ask.status = response->status;
    subject->ask.marked = response->ok && io_http_response_header(response, MARK) != NULL;
    subject->ask.marks = subject->ask.marks || subject->ask.marked;
    (void)snprintf(subject->ask.error, sizeof subject->ask.error, "%.*s", 255,
                   response->ok ? "" : response->error.message);
    app_measured(subject);
}

static bool ask_start(struct app_subject *subject, struct base_error *err)
{
    BASE_AUTO_FREE char *url =
        fault_url(subject->target.address, subject->target.port, path_of(subject));
    const char *headers[] = {"X-Traffic: probe", NULL};
    struct io_http_request request = {
        .url = url,
        .headers = headers,
        .timeout = base_dur_s(timeout_s),
        .max_response = 1 << 20,
    };
    subject->answered = false;
    subject->ask.call =
        io_http_start(fault_env_of(subject->fault)->http, &request, on_answer, subject, err);
    return subject->ask.call != NULL;
}

static void ask_cancel(struct app_subject *subject)
{
    if (subject->ask.call != NULL)
        io_http_cancel(subject->ask.call);
    subject->ask.call = NULL;
}

const struct app_order app_readiness = {
    .check = readiness_check,
    .start = ask_start,
    .cancel = ask_cancel,
    .ok = ask_ok,
};
const struct app_order app_dependency = {
    .check = dependency_check,
    .start = ask_start,
    .cancel = ask_cancel,
    .ok = ask_ok,
};
