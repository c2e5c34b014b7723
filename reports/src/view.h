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

/* How a column is laid out where that can be said. */
enum view_kind {
    VIEW_WORD,   /* a word or two: never broken */
    VIEW_NUMBER, /* aligned by its digits, never broken */
    VIEW_NAME,   /* a name: broken at its hyphens */
    VIEW_TEXT    /* a sentence */
};
struct view_column {
    const char *title; /* NULL ends a list of columns */
    enum view_kind kind;
};

struct view_row {
    char *cells[VIEW_COLUMNS_MAX]; /* of column_count */
    enum view_tone tone;           /* of the first cell */
};

struct view_table {
    const char *id; /* a word */
    const char *title;
    const char *note; /* static text under the title; NULL: none */
    struct view_column columns[VIEW_COLUMNS_MAX];
    size_t column_count;
    struct view_row *rows;
    size_t row_count;
};

/* An objective as a person has to act on it. */
struct view_objective {
    const struct verdict_objective *is; /* the verdict's */
    enum view_tone tone;
    const char *advice; /* what to do; "" when it was met */
    char *also;         /* names of others that one cause left without evidence too; NULL: none */
    bool told;          /* it stands in the also of another one */
};

/* One of the few numbers that sum a run up. */
struct view_tile {
    const char *label;
    char *value;
    char *detail;
    enum view_tone tone;
};

enum { VIEW_TABLES_MAX = 16, VIEW_TILES_MAX = 6 };

/* verdict_fini only after view_fini. */
struct view {
    char *headline; /* "PASS", "FAIL: 2 of 9 objectives not met" */
    enum view_tone tone;
    char *facts;                       /* one line: scenario, run, target, seed */
    struct view_objective *objectives; /* all, what must be acted on first */
    size_t objective_count;
    size_t problem_count; /* the first so many decide and were not met */
    struct view_tile tiles[VIEW_TILES_MAX];
    size_t tile_count;
    struct view_table tables[VIEW_TABLES_MAX];
    size_t table_count;
};

void view_build(const struct report *report, const struct verdict *verdict, struct view *out);
void view_fini(struct view *view);

/* Starts a table; columns end at a NULL title. Tables without rows are not shown. */
struct view_table *view_table_add(struct view *view, const char *id, const char *title,
                                  const char *note, const struct view_column *columns);
/* The cells are taken over; NULL cells are empty. */
void view_row_add(struct view_table *table, enum view_tone tone,
                  char *const cells[static VIEW_COLUMNS_MAX]);

/* The numbers on top (view_tiles.c). */
void view_tiles(const struct report *report, struct view *view);
/* Tables about faults (view_faults.c) and service levels (view_slos.c). */
void view_faults(const struct report *report, struct view *view);
void view_gates(const struct report *report, struct view *view);
void view_arrivals(const struct report *report, struct view *view);
void view_fault_times(const struct report *report, struct view *view);
void view_fault_evidence(const struct report *report, struct view *view);
void view_slos(const struct report *report, struct view *view);
void view_reconcile(const struct report *report, struct view *view);
/* Tables about the run (view_run.c): load, timeline, probes, evidence, queries. */
void view_load(const struct report *report, struct view *view);
void view_timeline(const struct report *report, struct view *view);
void view_probes(const struct report *report, struct view *view);
void view_evidence(const struct report *report, struct view *view);
void view_queries(const struct report *report, struct view *view);

/* "12.34ms", "250us", "1.5s": four digits, as thresholds say it. */
char *view_latency(int64_t ns);
/* "74us", "5.9ms", "506ms", "4.0s", "2m05s": as precise as a person reads it. */
char *view_duration(int64_t ns);
/* From one moment to another; "" when either is unknown. */
char *view_span(struct wall_ns from, struct wall_ns to);
/* Seconds since the load's start, "+12.345s"; "" when either is unknown. */
char *view_since_load(const struct report *report, struct wall_ns at);
enum view_tone view_status_tone(enum verdict_status status, bool advisory);
/* "PASS", "FAIL", "INSUFFICIENT", "ERROR" */
const char *view_status_word(enum verdict_status status);

#endif
