/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a scenario: every mistake with its place, collected in one pass, so that a
 * person mends the file once and not once for each mistake.
 */
#ifndef SCENARIOS_PROBLEMS_H
#define SCENARIOS_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { SCN_MAX_PROBLEMS = 100 };

struct scn_mark {
    unsigned line; /* from 1; 0: the file as a whole */
    unsigned column;
};

struct scn_problem {
    char *file;
    char *path; /* "spec.faults[1].service"; "" for the file as a whole */
    struct scn_mark mark;
    char *message; /* without control characters: it may quote the file and go to a terminal */
};

/* Starts zeroed. */
struct scn_problems {
    struct scn_problem *items;
    size_t count;
    size_t dropped; /* found beyond SCN_MAX_PROBLEMS */
};

void scn_problems_add(struct scn_problems *problems, const char *file, const char *path,
                      struct scn_mark mark, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* In the order of the file. */
void scn_problems_sort(struct scn_problems *problems);
/* Is one of them at path or anywhere below it? */
bool scn_problems_under(const struct scn_problems *problems, const char *path);
/* "file:line:col: message", or "file: message". */
void scn_problem_format(const struct scn_problem *problem, struct base_buf *out);
/* All of them, a line each, and how many were dropped. free() it. */
char *scn_problems_text(const struct scn_problems *problems);
void scn_problems_fini(struct scn_problems *problems); /* leaves it zeroed */

#endif
