/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4180, with LF as well as CRLF; what a spreadsheet would guess about is refused. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "feeder.h"

enum { COLUMNS_MAX = 10000 };

struct reader {
    const struct load_rows_source *source;
    size_t at;
    unsigned line;   /* of the byte at `at` */
    unsigned record; /* the line in which the record under way began */
    struct base_buf field;
};

static bool complain(const struct reader *r, unsigned line, const char *what,
                     struct base_error *err)
{
    return base_fail(err, BASE_INVALID, "%s:%u: %s", r->source->file, line, what);
}

static bool at_line_end(const struct reader *r)
{
    const char *bytes = r->source->bytes;
    size_t left = r->source->len - r->at;
    return left == 0 || bytes[r->at] == '\n' ||
           (bytes[r->at] == '\r' && (left == 1 || bytes[r->at + 1] == '\n'));
}

static void skip_line_end(struct reader *r)
{
    if (r->at < r->source->len && r->source->bytes[r->at] == '\r')
        r->at++;
    if (r->at < r->source->len)
        r->at++;
    r->line++;
}

/* Behind the opening quote. */
static bool read_quoted(struct reader *r, struct base_error *err)
{
    unsigned began = r->line;
    while (r->at < r->source->len) {
        char c = r->source->bytes[r->at++];
        if (c == '"' && r->at < r->source->len && r->source->bytes[r->at] == '"')
            r->at++; /* two stand for one */
        else if (c == '"')
            return at_line_end(r) || r->source->bytes[r->at] == ',' ||
                   complain(r, r->line,
                            "something follows a closing quote, expected ',' or the "
                            "line's end",
                            err);
        r->line += c == '\n';
        base_buf_char(&r->field, c);
    }
    return complain(r, began, "a quote is opened here and never closed", err);
}

static bool read_plain(struct reader *r, struct base_error *err)
{
    while (!at_line_end(r) && r->source->bytes[r->at] != ',') {
        char c = r->source->bytes[r->at++];
        if (c == '"')
            return complain(r, r->line,
                            "a quote inside of a field, expected the whole field in "
                            "quotes and this one twice",
                            err);
        base_buf_char(&r->field, c);
    }
    return true;
}

/* The next field of the record, into r->field; *last: the record ends with it. */
static bool read_field(struct reader *r, bool *last, struct base_error *err)
{
    base_buf_clear(&r->field);
    bool quoted = r->at < r->source->len && r->source->bytes[r->at] == '"';
    if (quoted)
        r->at++;
    if (!(quoted ? read_quoted(r, err) : read_plain(r, err)))
        return false;
    if (r->field.failed || memchr(r->field.data, '\0', r->field.len) != NULL)
        return complain(r, r->record, "a field is too long, or has a NUL byte", err);
    *last = at_line_end(r);
    if (*last)
        skip_line_end(r);
    else
        r->at++; /* the comma */
    return true;
}

/* Which of the file's columns each asked-for one is. */
struct header {
    char **names;
    size_t count;
    size_t *places; /* by asked-for column */
};

static void header_fini(struct header *header)
{
    for (size_t i = 0; i < header->count; i++)
        free(header->names[i]);
    free(header->names);
    free(header->places);
}

static bool read_names(struct reader *r, struct header *header, struct base_error *err)
{
    for (bool last = false; !last;) {
        if (!read_field(r, &last, err))
            return false;
        for (size_t i = 0; i < header->count; i++)
            if (base_str_eq(header->names[i], r->field.data))
                return base_fail(err, BASE_INVALID, "%s:1: two columns are called \"%.60s\"",
                                 r->source->file, r->field.data);
        if (header->count == COLUMNS_MAX)
            return complain(r, 1, "has too many columns", err);
        header->names = base_reallocarray(header->names, header->count + 1, sizeof *header->names);
        header->names[header->count++] = base_str_dup(r->field.data);
    }
    return true;
}

static bool find_column(const struct reader *r, const struct header *header, const char *name,
                        size_t *out, struct base_error *err)
{
    const char *const *names = (const char *const *)header->names;
    for (*out = 0; *out < header->count; (*out)++)
        if (base_str_eq(names[*out], name))
            return true;
    const char *near = base_str_nearest(name, names, header->count);
    if (near != NULL)
        return base_fail(err, BASE_INVALID, "%s:1: no column \"%s\", did you mean \"%s\"?",
                         r->source->file, name, near);
    return base_fail(err, BASE_INVALID, "%s:1: no column \"%s\"", r->source->file, name);
}

static bool read_header(struct reader *r, struct header *header, struct base_error *err)
{
    const struct load_rows_source *source = r->source;
    if (source->len == 0)
        return base_fail(err, BASE_INVALID,
                         "%s: is empty, expected the columns' names in its first line",
                         source->file);
    if (!read_names(r, header, err))
        return false;
    header->places = base_calloc(source->column_count, sizeof *header->places);
    for (size_t i = 0; i < source->column_count; i++)
        if (!find_column(r, header, source->columns[i], &header->places[i], err))
            return false;
    return true;
}

/* Into ends: where each field of the record ends in `record`. */
static bool read_record(struct reader *r, const struct header *header, struct base_buf *record,
                        size_t *ends, struct base_error *err)
{
    size_t count = 0;
    r->record = r->line;
    base_buf_clear(record);
    for (bool last = false; !last; count++) {
        if (!read_field(r, &last, err))
            return false;
        if (count >= header->count)
            continue;
        base_buf_append(record, r->field.data, r->field.len);
        ends[count] = record->len;
    }
    if (count != header->count)
        return base_fail(err, BASE_INVALID, "%s:%u: has %zu field%s, expected %zu as in line 1",
                         r->source->file, r->record, count, count == 1 ? "" : "s", header->count);
    return true;
}

static bool read_records(struct reader *r, const struct header *header, struct load_rows *rows,
                         struct base_error *err)
{
    BASE_AUTO_FREE size_t *ends = base_calloc(header->count, sizeof *ends);
    BASE_AUTO_BUF struct base_buf record;
    base_buf_init(&record, r->source->len);
    while (r->at < r->source->len) {
        if (!read_record(r, header, &record, ends, err))
            return false;
        for (size_t i = 0; i < r->source->column_count; i++) {
            size_t place = header->places[i];
            size_t start = place == 0 ? 0 : ends[place - 1];
            load_rows_add(rows, record.data + start, ends[place] - start);
        }
    }
    return true;
}

bool load_rows_csv(struct load_rows *rows, const struct load_rows_source *source,
                   struct base_error *err)
{
    struct reader reader = {.source = source, .line = 1, .record = 1};
    struct header header = {.count = 0};
    base_buf_init(&reader.field, source->len);
    bool good = read_header(&reader, &header, err) && read_records(&reader, &header, rows, err);
    header_fini(&header);
    base_buf_fini(&reader.field);
    return good;
}
