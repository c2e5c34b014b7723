/* SPDX-License-Identifier: Apache-2.0 */
#include "feeder.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

static const size_t file_max = (size_t)256 * 1024 * 1024;

void load_rows_add(struct load_rows *rows, const char *text, size_t len)
{
    size_t used = rows->count;
    if (used == rows->cap) {
        rows->cap = rows->cap == 0 ? 256 : rows->cap * 2;
        rows->cells = base_reallocarray(rows->cells, rows->cap, sizeof *rows->cells);
    }
    rows->cells[rows->count++] = rows->text.len;
    base_buf_append(&rows->text, text, len);
    base_buf_char(&rows->text, '\0');
}

/* While they are read, count is that of the cells. */
static bool settle(struct load_rows *rows, const struct load_rows_source *source,
                   struct base_error *err)
{
    if (rows->text.failed)
        return base_fail(err, BASE_LIMIT, "%s: its cells exceed %zu bytes", source->file,
                         rows->text.max);
    rows->count /= rows->columns;
    return rows->count > 0 || base_fail(err, BASE_INVALID, "%s: has no rows", source->file);
}

bool load_rows_parse(struct load_rows *out, enum load_feeder_format format, const char *file,
                     const char *bytes, size_t len, const char *const *columns, size_t count,
                     struct base_error *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors put it in front of UTF-8 */
    size_t skip = len >= 3 && memcmp(bytes, mark, 3) == 0 ? 3 : 0;
    const struct load_rows_source source = {.file = file,
                                            .bytes = bytes + skip,
                                            .len = len - skip,
                                            .columns = columns,
                                            .column_count = count};
    struct load_rows made = {.columns = count};
    base_buf_init(&made.text, 2 * file_max); /* a NUL for each byte at the most */
    bool good = format == LOAD_FEEDER_CSV ? load_rows_csv(&made, &source, err)
                                          : load_rows_jsonl(&made, &source, err);
    if (!good || !settle(&made, &source, err)) {
        load_rows_fini(&made);
        return false;
    }
    *out = made;
    return true;
}

bool load_rows_read(struct load_rows *out, const struct load_feeder *feeder,
                    const char *const *columns, size_t count, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf bytes;
    base_buf_init(&bytes, file_max);
    if (feeder->text != NULL)
        return load_rows_parse(out, feeder->format, feeder->file, feeder->text,
                               strlen(feeder->text), columns, count, err);
    return base_file_read(feeder->file, &bytes, err) &&
           load_rows_parse(out, feeder->format, feeder->file, bytes.data, bytes.len, columns, count,
                           err);
}

void load_rows_fini(struct load_rows *rows)
{
    base_buf_fini(&rows->text);
    free(rows->cells);
    *rows = (struct load_rows){.columns = 0};
}
