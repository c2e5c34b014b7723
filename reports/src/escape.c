/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd";

/* Of a whole sequence of that length: the first byte has as many ones in front as there are bytes,
 * each other one six bits. */
static uint32_t code_of(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t code = len == 1 ? at[0] : at[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (at[i] & 0x3fU);
    return code;
}

/* XML 1.0, production 2; U+007F and the C1 controls are legal there but shown by nobody. Controls
 * of writing direction make a text read as another one (CVE-2021-42574). */
static bool shown(uint32_t code)
{
    if (code < 0x20)
        return code == '\t' || code == '\n';
    bool turns = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return !(code >= 0x7f && code <= 0x9f) && !turns && code != 0xfffe && code != 0xffff;
}

/* Calls put for each character; one that may not be shown is replaced. */
static void each_character(struct base_buf *out, const char *text, size_t max_chars,
                           void (*put)(struct base_buf *out, const char *bytes, size_t len))
{
    const char *at = text == NULL ? "" : text;
    for (size_t chars = 0; *at != '\0'; chars++) {
        if (chars == max_chars) {
            put(out, "...", 3);
            return;
        }
        size_t len = base_utf8_len(at);
        if (len == 0 || !shown(code_of(at, len)))
            put(out, replacement, sizeof replacement - 1);
        else
            put(out, at, len);
        at += len == 0 ? 1 : len;
    }
}

static void put_xml(struct base_buf *out, const char *bytes, size_t len)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (size_t i = 0; len == 1 && i < sizeof entities / sizeof entities[0]; i++) {
        if (bytes[0] == entities[i].c) {
            (void)base_buf_str(out, entities[i].entity);
            return;
        }
    }
    (void)base_buf_append(out, bytes, len);
}

void escape_xml(struct base_buf *out, const char *text)
{
    each_character(out, text, SIZE_MAX, put_xml);
}

/* GitHub makes links of "://" and "www." wherever they stand. */
static bool makes_link(const char *at)
{
    return strncmp(at, "://", 3) == 0 || strncmp(at, "www.", 4) == 0;
}

static void put_md(struct base_buf *out, const char *bytes, size_t len)
{
    char c = bytes[0];
    if (len == 1 && (c == '\n' || c == '\t'))
        (void)base_buf_char(out, ' ');
    else if (len == 1 && strchr("<>&", c) != NULL)
        put_xml(out, bytes, len);
    else if (len == 1 && (strchr("\\`*_[]#|~@", c) != NULL || makes_link(bytes)))
        (void)base_buf_printf(out, "&#%d;", c); /* nor issues and mentions are made */
    else
        (void)base_buf_append(out, bytes, len);
}

void escape_md(struct base_buf *out, const char *text, size_t max_chars)
{
    each_character(out, text, max_chars, put_md);
}

static void put_terminal(struct base_buf *out, const char *bytes, size_t len)
{
    bool space = len == 1 && (bytes[0] == '\n' || bytes[0] == '\t');
    bool ascii = len == 1 || bytes[0] == '.'; /* "..." */
    if (space || !ascii)
        (void)base_buf_char(out, space ? ' ' : '?');
    else
        (void)base_buf_append(out, bytes, len);
}

void escape_terminal(struct base_buf *out, const char *text)
{
    each_character(out, text, SIZE_MAX, put_terminal);
}
