/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty[1] = "";

void base_buf_init(struct base_buf *buf, size_t max)
{
    *buf = (struct base_buf){.data = empty, .max = max};
}

void base_buf_fini(struct base_buf *buf)
{
    if (buf->cap > 0)
        free(buf->data);
    *buf = (struct base_buf){.data = empty};
}

void base_buf_clear(struct base_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->cap > 0)
        buf->data[0] = '\0';
}

char *base_buf_reserve(struct base_buf *buf, size_t more)
{
    if (buf->failed || more > buf->max - buf->len) {
        buf->failed = true;
        return NULL;
    }
    size_t need = buf->len + more + 1;
    if (need == 0 || need > buf->cap) {
        size_t cap = buf->cap == 0 ? 64 : buf->cap;
        while (cap < need && cap <= SIZE_MAX / 2)
            cap *= 2;
        /* need is 0 and cap too small where the sizes themselves overflow. */
        char *data = need == 0 || cap < need ? NULL : realloc(buf->cap > 0 ? buf->data : NULL, cap);
        if (data == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->cap = cap;
        data[buf->len] = '\0';
    }
    return buf->data + buf->len;
}

bool base_buf_append(struct base_buf *buf, const void *data, size_t len)
{
    char *at = base_buf_reserve(buf, len);
    if (at == NULL)
        return false;
    if (len > 0)
        memcpy(at, data, len);
    at[len] = '\0';
    buf->len += len;
    return true;
}

bool base_buf_str(struct base_buf *buf, const char *text)
{
    return base_buf_append(buf, text, strlen(text));
}

bool base_buf_char(struct base_buf *buf, char c)
{
    return base_buf_append(buf, &c, 1);
}

bool base_buf_vprintf(struct base_buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *at = len < 0 ? NULL : base_buf_reserve(buf, (size_t)len);
    if (at != NULL) {
        (void)vsnprintf(at, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    } else {
        buf->failed = true;
    }
    va_end(again);
    return at != NULL;
}

bool base_buf_printf(struct base_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool ok = base_buf_vprintf(buf, format, args);
    va_end(args);
    return ok;
}

void base_buf_consume(struct base_buf *buf, size_t n)
{
    if (n == 0)
        return;
    memmove(buf->data, buf->data + n, buf->len - n + 1);
    buf->len -= n;
}

char *base_buf_steal(struct base_buf *buf)
{
    char *data = NULL;
    if (!buf->failed && base_buf_reserve(buf, 0) != NULL)
        data = buf->data;
    size_t max = buf->max;
    if (data == NULL)
        base_buf_fini(buf);
    else
        data[buf->len] = '\0';
    base_buf_init(buf, max);
    return data;
}
