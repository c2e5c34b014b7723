/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"

static size_t encode(uint32_t code, char out[5])
{
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[len] | code);
    out[len] = '\0';
    return len;
}

static void every_code_point_but_surrogates(void **state)
{
    (void)state;
    char text[5];
    for (uint32_t code = 1; code <= 0x10ffff; code++) {
        size_t len = encode(code, text);
        size_t expected = code >= 0xd800 && code <= 0xdfff ? 0 : len;
        if (base_utf8_len(text) != expected)
            fail_msg("U+%04X", (unsigned)code);
    }
}

static void what_is_none(void **state)
{
    (void)state;
    static const char *const none[] = {"",
                                       "\x80",
                                       "\xbf",
                                       "\xc0\xaf",
                                       "\xc1\xbf",
                                       "\xe0\x9f\xbf",
                                       "\xc3",
                                       "\xe2\x82",
                                       "\xe2\x82z",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80",
                                       "\xf0\x9f\x98",
                                       "\xff",
                                       "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (base_utf8_len(none[i]) != 0)
            fail_msg("case %zu", i);
}

static void what_is_none_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xc3\x9f\xe2\x82\xac\xf0\x9f\x8c\x8a", "\xc3\x9f\xe2\x82\xac\xf0\x9f\x8c\x8a"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* overlong NUL */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* > 10FFFF */
        {"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},                               /* cut off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *clean = base_utf8_clean(cases[i].in);
        assert_string_equal(clean, cases[i].out);
        free(clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(what_is_none_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
