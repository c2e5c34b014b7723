/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <string.h>

#include "base/buf.h"

size_t base_utf8_len(const char *text)
{
    /* RFC 3629, section 4; the Unicode standard has the same as table 3-7. */
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t len;
    } forms[] = {
        {0x01, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (*p < forms[i].first_low || *p > forms[i].first_high)
            continue;
        for (size_t k = 1; k < forms[i].len; k++) {
            unsigned char low = k == 1 ? forms[i].second_low : 0x80;
            unsigned char high = k == 1 ? forms[i].second_high : 0xbf;
            if (p[k] < low || p[k] > high)
                return 0; /* the NUL at the end of the text is such a byte too */
        }
        return forms[i].len;
    }
    return 0;
}

char *base_utf8_clean(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    struct base_buf out;
    base_buf_init(&out, strlen(text) * (sizeof replacement - 1) + 1);
    for (const char *p = text; *p != '\0';) {
        size_t len = base_utf8_len(p);
        if (len == 0)
            base_buf_str(&out, replacement);
        else
            base_buf_append(&out, p, len);
        p += len == 0 ? 1 : len;
    }
    return base_buf_steal(&out);
}
