/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging for long-running programs: library code is handed a struct base_log and never prints by
 * itself. One JSON object a line: {"time","level","service","message", key: value...}.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum base_level { BASE_DEBUG, BASE_INFO, BASE_WARN, BASE_ERROR };

struct base_log {
    int fd;              /* where lines go; -1 discards */
    enum base_level min; /* lines below are dropped */
    const char *service; /* not owned; outlives the log */
};

/* One field of a line. Text is escaped; NULL text is written as null. */
struct base_field {
    const char *key;
    enum { BASE_FIELD_TEXT, BASE_FIELD_INT, BASE_FIELD_REAL } type;
    const char *text;
    int64_t integer;
    double real;
};

#define BASE_TEXT(k, v) ((struct base_field){.key = (k), .type = BASE_FIELD_TEXT, .text = (v)})
#define BASE_INT(k, v)                                                                             \
    ((struct base_field){.key = (k), .type = BASE_FIELD_INT, .integer = (int64_t)(v)})
#define BASE_REAL(k, v)                                                                            \
    ((struct base_field){.key = (k), .type = BASE_FIELD_REAL, .real = (double)(v)})

/* Writes one line in one write(2); a line over 16 KiB is cut with a mark. Fields end at key NULL.
 */
void base_log_fields(const struct base_log *log, enum base_level level, const char *message,
                     const struct base_field *fields);

/* base_log_line(log, BASE_INFO, "listening", BASE_INT("port", 3000)): one field at least. */
#define base_log_line(log, level, message, ...)                                                    \
    base_log_fields((log), (level), (message),                                                     \
                    (const struct base_field[]){__VA_ARGS__, {.key = NULL}})

void base_log_text(const struct base_log *log, enum base_level level, const char *message);

const char *base_level_name(enum base_level level);

#endif
