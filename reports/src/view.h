/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the report shows, as tables of text: built once, written by each renderer in its own
 * language. Texts here are raw; renderers escape them.
 */
#ifndef REPORTS_VIEW_H
#define REPORTS_VIEW_H

#include "reports/judge.h"

enum view_tone { VIEW_PLAIN, VIEW_GOOD, VIEW_BAD, VIEW_WARN };

enum { VIEW_COLUMNS_MAX = 12 };

struct view_row {
    char *cells[VIEW_COLUMNS_MAX]; /* of column_count */
    enum view_tone tone;           /* of the first cell */
};

struct view_table {
    const char *id; /* a word */
    const char *title;
    const char *note; /* static text under the title; NULL: none */
    const char *columns[VIEW_COLUMNS_MAX];
    size_t column_count;
    struct view_row *rows;
    size_t row_count;
};

enum { VIEW_TABLES_MAX = 16 };

struct view {
    char *headline; /* "PASS", "FAIL: 2 of 9 objectives not met" */
    enum view_tone tone;
    char *facts; /* one line: scenario, run, target, seed */
    struct view_table tables[VIEW_TABLES_MAX];
    size_t table_count;
};

void view_build(const struct report *report, const struct verdict *verdict, struct view *out);
void view_fini(struct view *view);

/* Starts a table; columns end at NULL. Tables without rows are not shown. */
struct view_table *view_table_add(struct view *view, const char *id, const char *title,
                                  const char *note, const char *const *columns);
/* The cells are taken over; NULL cells are empty. */
void view_row_add(struct view_table *table, enum view_tone tone,
                  char *const cells[static VIEW_COLUMNS_MAX]);

/* Tables about the run (view_run.c): load, timeline, probes, evidence, queries. */
void view_load(const struct report *report, struct view *view);
void view_timeline(const struct report *report, struct view *view);
void view_probes(const struct report *report, struct view *view);
void view_evidence(const struct report *report, struct view *view);
void view_queries(const struct report *report, struct view *view);

/* "12.34 ms", "250 us", "1.5 s" */
char *view_latency(int64_t ns);
/* Seconds since the load's start, "+12.345 s"; "" when either is unknown. */
char *view_since_load(const struct report *report, struct wall_ns at);
enum view_tone view_status_tone(enum verdict_status status, bool advisory);
/* "PASS", "FAIL", "INSUFFICIENT", "ERROR" */
const char *view_status_word(enum verdict_status status);

#endif
