/* SPDX-License-Identifier: Apache-2.0 */
/* The live view of a run: a line for each event that an onlooker cares about. */
#include "progress.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/fault.h"
#include "model/load.h"

static const char *text_of(const json_t *fields, const char *key)
{
    const char *text = json_string_value(json_object_get(fields, key));
    return text != NULL ? text : "";
}

static void stamp(const struct progress *progress)
{
    double seconds = base_dur_to_s(base_mono_sub(base_mono_now(), progress->start));
    (void)fprintf(progress->out, "%6.1fs  ", seconds);
}

static void show_load_started(struct progress *progress, const json_t *fields)
{
    (void)fields;
    stamp(progress);
    (void)fprintf(progress->out, "load    started\n");
}

static void show_load_finished(struct progress *progress, const json_t *fields)
{
    stamp(progress);
    const char *error = text_of(fields, "error");
    (void)fprintf(progress->out, "load    finished%s%s\n", *error != '\0' ? ": " : "", error);
}

static void show_interval(struct progress *progress, const json_t *fields)
{
    struct load_interval in = {0};
    if (!load_interval_from_json(fields, &in, NULL)) {
        load_interval_fini(&in);
        return;
    }
    double seconds = in.length.ns > 0 ? base_dur_to_s(in.length) : 1;
    stamp(progress);
    (void)fprintf(progress->out,
                  "load    %6.0f/s ok %5" PRIu64 " failed %3" PRIu64
                  " in flight  p50 %7.2f ms  p99 %7.2f ms  late p99 %6.2f ms\n",
                  (double)in.counts.ok / seconds, load_counts_failed(&in.counts) + in.counts.missed,
                  in.in_flight, (double)in.p50.ns / 1e6, (double)in.p99.ns / 1e6,
                  (double)in.late_p99.ns / 1e6);
    load_interval_fini(&in);
}

static void show_phase(struct progress *progress, const json_t *fields)
{
    stamp(progress);
    (void)fprintf(progress->out, "phase   %s\n", text_of(fields, "phase"));
}

static void show_checks(struct progress *progress, const json_t *fields)
{
    bool ok = json_is_true(json_object_get(fields, "ok"));
    const char *said = ok ? "" : text_of(fields, "detail");
    if (base_str_eq(said, progress->steady))
        return;
    free(progress->steady);
    progress->steady = base_str_dup(said);
    stamp(progress);
    (void)fprintf(progress->out, "steady  %s%s\n", ok ? "checks hold" : "not yet: ", said);
}

static void show_evidence(const struct progress *progress, const json_t *record)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(record, "evidence"), i, one)
    {
        (void)fprintf(progress->out, "                 %-7s %s %s: %s (expected %s)%s\n",
                      text_of(one, "when"), text_of(one, "target"), text_of(one, "metric"),
                      text_of(one, "value"), text_of(one, "expected"),
                      json_is_true(json_object_get(one, "ok")) ? "" : "  <- not so");
    }
}

static void show_fault(struct progress *progress, const char *state, const json_t *fields)
{
    const char *error = text_of(fields, "error");
    const char *why = *error != '\0' ? error : text_of(fields, "why");
    stamp(progress);
    (void)fprintf(progress->out, "fault   %s: %s%s%s", text_of(fields, "name"), state,
                  *why != '\0' ? ": " : "", why);
    if (strcmp(state, "waiting") == 0)
        (void)fprintf(progress->out, " for probe %s, at most %s", text_of(fields, "probe"),
                      text_of(fields, "within"));
    if (*text_of(fields, "how") != '\0')
        (void)fprintf(progress->out, " %s (%s): %s", text_of(fields, "target"),
                      text_of(fields, "what"), text_of(fields, "how"));
    (void)fputc('\n', progress->out);
    if (strcmp(state, "gone") == 0 || strcmp(state, "ineffective") == 0)
        show_evidence(progress, json_object_get(fields, "record"));
}

static void show_suspended(struct progress *progress, const json_t *fields)
{
    const char *message = text_of(fields, "message");
    stamp(progress);
    (void)fprintf(progress->out,
                  "SUSPENDED before fault %s%s%s\n"
                  "         goes on with Enter here, or: squall continue %s\n"
                  "         aborted when nobody does so within %s\n",
                  text_of(fields, "before"), *message != '\0' ? ": " : "", message,
                  progress->run_dir, text_of(fields, "within"));
}

static void show_continued(struct progress *progress, const json_t *fields)
{
    stamp(progress);
    (void)fprintf(progress->out, "CONTINUED by %s\n", text_of(fields, "by"));
}

static void show_abort(struct progress *progress, const json_t *fields)
{
    stamp(progress);
    (void)fprintf(progress->out, "ABORT   by %s: %s\n", text_of(fields, "by"),
                  text_of(fields, "why"));
}

static const struct {
    const char *type;
    void (*show)(struct progress *progress, const json_t *fields);
} views[] = {
    {"load.started", show_load_started},   {"load.interval", show_interval},
    {"load.finished", show_load_finished}, {"phase.changed", show_phase},
    {"steady.checked", show_checks},       {"abort", show_abort},
    {"run.suspended", show_suspended},     {"run.continued", show_continued},
};

void progress_start(struct progress *progress, FILE *out, bool quiet, const char *run_dir)
{
    *progress =
        (struct progress){.out = out, .quiet = quiet, .run_dir = run_dir, .start = base_mono_now()};
}

/* A reader that has stopped reading (Ctrl-S, a pager) must not stop the run: the loop that would
 * wait for it also renews leases and hears Ctrl-C. What cannot be shown now is on the timeline. */
static bool has_room(const struct progress *progress)
{
    struct pollfd out = {.fd = fileno(progress->out), .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

void progress_fini(struct progress *progress)
{
    free(progress->steady);
    progress->steady = NULL;
}

void progress_event(void *ctx, const char *type, const json_t *fields)
{
    struct progress *progress = ctx;
    /* Who is waited for must know, however quiet it is to be. */
    bool quiet = progress->quiet && !base_str_eq(type, "run.suspended");
    if (quiet || !has_room(progress))
        return;
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (base_str_eq(type, views[i].type))
            views[i].show(progress, fields);
    }
    if (base_str_starts(type, "fault."))
        show_fault(progress, type + strlen("fault."), fields);
    else if (base_str_eq(type, "agent.lost"))
        show_fault(progress, "the agent does not answer", fields);
    (void)fflush(progress->out);
}
