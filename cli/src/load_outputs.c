/* SPDX-License-Identifier: Apache-2.0 */
#include "load_outputs.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/hlog.h"

static const size_t text_max = (size_t)4 * 1024 * 1024;
static const mode_t file_mode = 0644;

/* --- writing --- */

static bool write_staged(const struct base_staged *out, const struct base_buf *text,
                         struct base_error *err)
{
    if (text->failed)
        return base_fail(err, BASE_LIMIT, "cannot write %s: no memory", out->path);
    if (!base_fd_write_all(out->fd, text->data, text->len, err))
        return base_fail_context(err, "cannot write %s", out->path);
    return true;
}

static bool csv_to_stdout(const struct load_outputs *outputs)
{
    return base_str_eq(outputs->adhoc->csv_path, "-");
}

static bool write_csv(const struct load_outputs *outputs, const struct base_buf *text,
                      struct base_error *err)
{
    if (!csv_to_stdout(outputs))
        return write_staged(&outputs->csv, text, err);
    if (!base_fd_write_all(STDOUT_FILENO, text->data, text->len, err))
        return base_fail_context(err, "--csv: standard output");
    return true;
}

static bool open_one(struct base_staged *out, const char *path, struct base_error *err)
{
    return path == NULL || base_str_eq(path, "-") || base_staged_open(out, path, file_mode, err);
}

bool load_outputs_open(struct load_outputs *outputs, const struct load_adhoc *adhoc,
                       struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf head;
    base_buf_init(&head, text_max);
    *outputs = (struct load_outputs){.adhoc = adhoc,
                                     .hlog = BASE_STAGED_NONE,
                                     .csv = BASE_STAGED_NONE,
                                     .hgrm = BASE_STAGED_NONE,
                                     .view.fd = -1};
    if (!open_one(&outputs->hlog, adhoc->hlog_path, err) ||
        !open_one(&outputs->csv, adhoc->csv_path, err) ||
        !open_one(&outputs->hgrm, adhoc->hgrm_path, err) || !load_csv_head(&head) ||
        (adhoc->csv_path != NULL && !write_csv(outputs, &head, err)) ||
        !load_by_phase_init(&outputs->phases, &adhoc->spec, err)) {
        load_outputs_fini(outputs);
        return false;
    }
    /* Rows that go to the same terminal would be drawn over. */
    bool rows_there = csv_to_stdout(outputs) && isatty(STDOUT_FILENO);
    if (!adhoc->quiet && !rows_there)
        (void)live_view_start(&outputs->view, STDERR_FILENO);
    return true;
}

/* --- while running --- */

void load_outputs_redraw(struct load_outputs *outputs)
{
    unsigned cols, lines;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    if (!outputs->shown || !live_view_on(&outputs->view))
        return;
    const struct load_interval *last = &outputs->last;
    struct mono_ns end = base_mono_add(last->start_mono, last->length);
    const struct load_glance glance = {.duration = outputs->adhoc->spec.duration,
                                       .elapsed = base_mono_sub(end, outputs->start),
                                       .total = &outputs->total,
                                       .last = last};
    live_view_size(&outputs->view, &cols, &lines);
    /* The last column and the last line are left alone: writing there may wrap or scroll. */
    if (cols > 1 && lines > 1 && load_glance_text(&text, &glance, cols - 1, lines - 1))
        live_view_draw(&outputs->view, text.data);
}

/* A reader that has stopped reading must not stop us: we also hear Ctrl-C. */
static bool stderr_has_room(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

static void show_line(const struct load_outputs *outputs, const struct load_interval *interval)
{
    BASE_AUTO_BUF struct base_buf line;
    base_buf_init(&line, text_max);
    if (stderr_has_room() && load_interval_line(&line, interval, outputs->start))
        (void)base_fd_write_all(STDERR_FILENO, line.data, line.len, NULL);
}

bool load_outputs_interval(struct load_outputs *outputs, const struct load_interval *interval,
                           struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf row;
    base_buf_init(&row, text_max);
    load_counts_add(&outputs->total, &interval->counts);
    outputs->last = *interval;
    outputs->shown = true;
    if (live_view_on(&outputs->view))
        load_outputs_redraw(outputs);
    else if (!outputs->adhoc->quiet)
        show_line(outputs, interval);
    return outputs->adhoc->csv_path == NULL ||
           (load_csv_row(&row, interval, outputs->start) && write_csv(outputs, &row, err));
}

void load_outputs_histogram(struct load_outputs *outputs, const char *phase, const char *kind,
                            const struct hdr *hdr)
{
    load_by_phase_histogram(&outputs->phases, phase, kind, hdr);
}

/* --- the end --- */

static bool write_hgrm(const struct load_outputs *outputs, const struct load_totals *totals,
                       struct base_error *err)
{
    static const double ns_per_ms = 1e6;
    struct hdr none = {.counts = NULL};
    const struct hdr *response = totals->kinds[LOAD_KIND_RESPONSE];
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    if (response == NULL && !hdr_init_latency(&none, err))
        return false;
    (void)hgrm_write(&text, response != NULL ? response : &none, ns_per_ms);
    hdr_fini(&none);
    return write_staged(&outputs->hgrm, &text, err);
}

static struct load_whole whole_of(const struct load_result *result,
                                  const struct load_totals *totals)
{
    return (struct load_whole){.result = result, .response = totals->kinds[LOAD_KIND_RESPONSE]};
}

/* What was not sent did not pass (README, exit codes), whatever the rest did. Where the generator
 * is to blame, or nobody answered, there is no evidence at all. */
static bool missed_too_many(const struct load_adhoc *adhoc, const struct load_result *result)
{
    const struct load_counts *total = &result->total;
    return !result->client_limited && total->ok > 0 &&
           (double)total->missed > adhoc->max_missed * (double)total->intended;
}

enum verdict_status load_outputs_judge(const struct load_outputs *outputs,
                                       const struct load_result *result,
                                       const struct load_totals *totals)
{
    const struct load_whole whole = whole_of(result, totals);
    enum verdict_status status = load_thresholds_judge(&outputs->adhoc->thresholds, &whole);
    return missed_too_many(outputs->adhoc, result) ? VERDICT_FAIL : status;
}

static const char missed_why[] = "no connection got free for them in time: more connections, a "
                                 "lower rate, or --max-missed (in a scenario maxMissed)";

/* As a threshold that everybody has given. */
static void missed_text(struct base_buf *out, const struct load_adhoc *adhoc,
                        const struct load_counts *total)
{
    base_buf_printf(out, "threshold  %-12s missed <= %.6g%%: %.6g%%; %s\n",
                    verdict_status_name(VERDICT_FAIL), adhoc->max_missed * 100,
                    100 * (double)total->missed / (double)total->intended, missed_why);
}

static json_t *missed_json(const struct load_adhoc *adhoc, const struct load_counts *total)
{
    BASE_AUTO_FREE char *expect = base_str_printf("missed <= %.6g%%", adhoc->max_missed * 100);
    return json_pack("{s:s, s:s, s:f, s:s}", "expect", expect, "status",
                     verdict_status_name(VERDICT_FAIL), "value",
                     (double)total->missed / (double)total->intended, "why", missed_why);
}

static bool print_result(const struct load_outputs *outputs, const struct load_result *result,
                         const struct load_totals *totals, struct base_error *err)
{
    const struct load_adhoc *adhoc = outputs->adhoc;
    const struct load_whole whole = whole_of(result, totals);
    if (adhoc->json) {
        json_t *json = load_summary_json(result, totals);
        if (outputs->phases.count > 0)
            (void)json_object_set_new(json, "phases", load_by_phase_json(&outputs->phases, result));
        json_t *thresholds = load_thresholds_json(&adhoc->thresholds, &whole);
        if (missed_too_many(adhoc, result))
            (void)json_array_append_new(thresholds, missed_json(adhoc, &result->total));
        (void)json_object_set_new(json, "thresholds", thresholds);
        BASE_AUTO_FREE char *dump = model_json_dump(json);
        json_decref(json);
        return base_fd_write_all(STDOUT_FILENO, dump, strlen(dump), err) ||
               base_fail_context(err, "standard output");
    }
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    (void)load_summary_text(&text, adhoc, result, totals);
    (void)load_by_phase_text(&text, &outputs->phases, result);
    (void)load_thresholds_text(&text, &adhoc->thresholds, &whole);
    if (missed_too_many(adhoc, result))
        missed_text(&text, adhoc, &result->total);
    if (csv_to_stdout(outputs) && adhoc->quiet)
        return true;
    int fd = csv_to_stdout(outputs) ? STDERR_FILENO : STDOUT_FILENO;
    return base_fd_write_all(fd, text.data, text.len, err) ||
           base_fail_context(err, "standard output");
}

bool load_outputs_finish(struct load_outputs *outputs, const struct load_result *result,
                         const struct load_totals *totals, struct base_error *err)
{
    live_view_end(&outputs->view);
    if (outputs->hgrm.fd >= 0 && !write_hgrm(outputs, totals, err))
        return false;
    enum { FILES = 3 };
    struct base_staged *const files[FILES] = {&outputs->hlog, &outputs->csv, &outputs->hgrm};
    for (size_t i = 0; i < FILES; i++)
        if (files[i]->fd >= 0 && !base_staged_commit(files[i], err))
            return false;
    return print_result(outputs, result, totals, err);
}

void load_outputs_fini(struct load_outputs *outputs)
{
    live_view_end(&outputs->view);
    base_staged_abandon(&outputs->hlog);
    base_staged_abandon(&outputs->csv);
    base_staged_abandon(&outputs->hgrm);
    load_by_phase_fini(&outputs->phases);
}
