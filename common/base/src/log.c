/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/utf8.h"

const char *base_level_name(enum base_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return (size_t)level < sizeof names / sizeof names[0] ? names[level] : "unknown";
}

enum { LINE_MAX_BYTES = 16384, TAIL = 32 };

/* As a JSON string. false when the rest was left out because the line would be longer than limit;
 * the string is closed all the same. */
static bool append_text(struct base_buf *line, const char *text, size_t limit)
{
    if (text == NULL)
        return base_buf_str(line, "null");
    base_buf_char(line, '"');
    const char *p = text;
    while (*p != '\0' && line->len < limit) {
        size_t len = base_utf8_len(p);
        if (len == 0)
            base_buf_str(line, "\\ufffd");
        else if (*p == '"' || *p == '\\')
            base_buf_printf(line, "\\%c", *p);
        else if ((unsigned char)*p < 0x20)
            base_buf_printf(line, "\\u%04x", (unsigned)*p);
        else
            base_buf_append(line, p, len);
        p += len == 0 ? 1 : len;
    }
    base_buf_char(line, '"');
    return *p == '\0';
}

static void append_field(struct base_buf *line, const struct base_field *field)
{
    base_buf_char(line, ',');
    append_text(line, field->key, LINE_MAX_BYTES);
    base_buf_char(line, ':');
    switch (field->type) {
    case BASE_FIELD_TEXT:
        append_text(line, field->text, LINE_MAX_BYTES);
        break;
    case BASE_FIELD_INT:
        base_buf_printf(line, "%" PRId64, field->integer);
        break;
    case BASE_FIELD_REAL:
        if (isfinite(field->real))
            base_buf_printf(line, "%.9g", field->real);
        else
            base_buf_str(line, "null");
        break;
    }
}

/* false when the message had to be cut. */
static bool begin_line(struct base_buf *line, const struct base_log *log, enum base_level level,
                       const char *message)
{
    char time[BASE_WALL_TEXT];
    base_wall_format(base_wall_now(), time);
    base_buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":", time,
                    base_level_name(level));
    (void)append_text(line, log->service, LINE_MAX_BYTES / 4);
    base_buf_str(line, ",\"message\":");
    return append_text(line, message, LINE_MAX_BYTES - 2 * TAIL);
}

void base_log_fields(const struct base_log *log, enum base_level level, const char *message,
                     const struct base_field *fields)
{
    if (log == NULL || log->fd < 0 || level < log->min)
        return;
    BASE_AUTO_BUF struct base_buf line;
    base_buf_init(&line, LINE_MAX_BYTES);
    bool whole = begin_line(&line, log, level, message);
    for (const struct base_field *f = fields; whole && f != NULL && f->key != NULL; f++) {
        size_t before = line.len;
        append_field(&line, f);
        if (line.failed || line.len > LINE_MAX_BYTES - TAIL) {
            /* A field that does not fit is left out whole, so that the line stays valid JSON. */
            line.failed = false;
            line.len = before;
            whole = false;
        }
    }
    if (!whole)
        base_buf_str(&line, ",\"cut\":true");
    base_buf_str(&line, "}\n");
    (void)base_fd_write_all(log->fd, line.data, line.len, NULL); /* nowhere left to complain */
}

void base_log_text(const struct base_log *log, enum base_level level, const char *message)
{
    base_log_fields(log, level, message, NULL);
}
