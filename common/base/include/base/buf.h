/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer that is born with a maximum. A failed append (maximum reached, no memory)
 * leaves the bytes as they were and sets `failed`, which stays set: a writer may append many times
 * and check once at the end. The bytes are always followed by a NUL that is not counted.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct base_buf {
    char *data; /* never NULL after init: an empty buffer reads as "" */
    size_t len;
    size_t cap;
    size_t max; /* bytes, without the NUL */
    bool failed;
};

void base_buf_init(struct base_buf *buf, size_t max);
void base_buf_fini(struct base_buf *buf);  /* accepts a zeroed or finished buffer */
void base_buf_clear(struct base_buf *buf); /* keeps the memory, resets `failed` */
bool base_buf_append(struct base_buf *buf, const void *data, size_t len);
bool base_buf_str(struct base_buf *buf, const char *text);
bool base_buf_char(struct base_buf *buf, char c);
bool base_buf_printf(struct base_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool base_buf_vprintf(struct base_buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Makes room for `more` bytes behind len and returns where they go; NULL as a failed append. The
 * caller writes there and then adds to len. */
char *base_buf_reserve(struct base_buf *buf, size_t more);
/* Drops the first n bytes (n <= len). */
void base_buf_consume(struct base_buf *buf, size_t n);
/* Hands the bytes to the caller (free() them) and leaves an empty buffer; NULL when failed. */
char *base_buf_steal(struct base_buf *buf);

#endif
