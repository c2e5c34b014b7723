/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

/* Length of the UTF-8 sequence at text, 0 when it is none (RFC 3629: no overlong forms, no
 * surrogates, at most U+10FFFF). */
static size_t utf8_length(const unsigned char *text, uint32_t *code)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t n = 0; n < sizeof forms / sizeof forms[0]; n++) {
        if ((text[0] & forms[n].mask) != forms[n].lead)
            continue;
        uint32_t value = text[0] & (unsigned char)~forms[n].mask;
        for (size_t i = 1; i <= n; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (text[i] & 0x3fU);
        }
        bool surrogate = value >= 0xd800 && value <= 0xdfff;
        *code = value;
        return value < forms[n].least || value > 0x10ffff || surrogate ? 0 : n + 1;
    }
    return 0;
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
    const unsigned char *at = (const unsigned char *)(text == NULL ? "" : text);
    for (size_t chars = 0; *at != '\0'; chars++) {
        if (chars == max_chars) {
            put(out, "...", 3);
            return;
        }
        uint32_t code = 0;
        size_t len = utf8_length(at, &code);
        if (len == 0 || !shown(code))
            put(out, replacement, sizeof replacement - 1);
        else
            put(out, (const char *)at, len);
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
