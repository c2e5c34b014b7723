/* SPDX-License-Identifier: Apache-2.0 */
#include "hdr_base64.h"

#include <stdint.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool hdr_base64_encode(const unsigned char *data, size_t len, struct base_buf *out)
{
    size_t text_len = (len + 2) / 3 * 4;
    char *at = base_buf_reserve(out, text_len);
    if (at == NULL)
        return false;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)data[i] << 16;
        if (left > 1)
            bits |= (uint32_t)data[i + 1] << 8;
        if (left > 2)
            bits |= data[i + 2];
        *at++ = letters[bits >> 18];
        *at++ = letters[bits >> 12 & 63];
        *at++ = '=';
        *at++ = '=';
        if (left > 1)
            at[-2] = letters[bits >> 6 & 63];
        if (left > 2)
            at[-1] = letters[bits & 63];
    }
    *at = '\0';
    out->len += text_len;
    return true;
}

size_t hdr_base64_room(size_t len)
{
    return len / 4 * 3;
}

static int letter_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* How many of the last four characters are padding; 0 to 2. */
static size_t padding(const char *text, size_t len)
{
    if (len == 0 || text[len - 1] != '=')
        return 0;
    return text[len - 2] == '=' ? 2 : 1;
}

bool hdr_base64_decode(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
    if (len % 4 != 0)
        return false;
    size_t pad = padding(text, len);
    size_t total = len / 4 * 3 - pad;
    size_t at = 0;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = i + k >= len - pad ? 0 : letter_value(text[i + k]);
            if (value < 0)
                return false;
            bits = bits << 6 | (uint32_t)value;
        }
        for (int shift = 16; shift >= 0; shift -= 8) {
            unsigned char byte = (unsigned char)(bits >> shift & 0xff);
            if (at < total)
                out[at++] = byte;
            else if (byte != 0)
                return false; /* bits behind the last byte: another spelling of the same */
        }
    }
    *out_len = total;
    return true;
}
