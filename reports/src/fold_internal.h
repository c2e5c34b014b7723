/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of fold.c: each reads one file's bytes into the report and states what it found. */
#ifndef REPORTS_FOLD_INTERNAL_H
#define REPORTS_FOLD_INTERNAL_H

#include "reports/fold.h"

/* States what a file is; the worse of two statements stays. */
void fold_state(struct report *report, enum report_file file, enum report_state state,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

void fold_events(struct report *report, const struct report_bytes *bytes);
void fold_hlog(struct report *report, const struct report_bytes *bytes);
void fold_due(struct report *report, const struct report_bytes *hlog);     /* after fold_hlog */
void fold_windows(struct report *report, const struct report_bytes *hlog); /* after all others */
void fold_queries(struct report *report, const json_t *root);
void fold_events_fini(struct report *report);
void fold_queries_fini(struct report *report);

#endif
