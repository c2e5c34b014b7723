/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a feeder's file: CSV (RFC 4180, columns named in the first line) or a JSON object a line.
 * Only the columns that are asked for are kept. What is wrong is said with file and line.
 */
#ifndef LOAD_FEEDER_H
#define LOAD_FEEDER_H

#include "base/buf.h"
#include "model/load.h"

struct load_rows {
    struct base_buf text; /* all cells, each with a NUL behind it */
    size_t *cells;        /* where in text: [row * columns + column] */
    size_t columns;
    size_t count;
    size_t cap; /* of cells */
};

/* columns: the names asked for, in the order in which rows have them. JSON: text as it is, other
 * values as compact JSON. At least one row, or it is an error. */
bool load_rows_parse(struct load_rows *out, enum load_feeder_format format, const char *file,
                     const char *bytes, size_t len, const char *const *columns, size_t count,
                     struct base_error *err);
bool load_rows_read(struct load_rows *out, const struct load_feeder *feeder,
                    const char *const *columns, size_t count, struct base_error *err);
void load_rows_fini(struct load_rows *rows); /* accepts a zeroed value */

static inline const char *load_rows_cell(const struct load_rows *rows, size_t row, size_t column)
{
    return rows->text.data + rows->cells[row * rows->columns + column];
}

/* For the parsers (feeder_csv.c, feeder_jsonl.c). */
struct load_rows_source {
    const char *file;
    const char *bytes;
    size_t len;
    const char *const *columns;
    size_t column_count;
};
/* A cell of the row under way; they come in the order of the columns. */
void load_rows_add(struct load_rows *rows, const char *text, size_t len);
bool load_rows_csv(struct load_rows *rows, const struct load_rows_source *source,
                   struct base_error *err);
bool load_rows_jsonl(struct load_rows *rows, const struct load_rows_source *source,
                     struct base_error *err);

#endif
