/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 allows it: no overlong forms, no surrogates, nothing over U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* How many bytes the sequence has that begins at text, which ends with a NUL; 0 when none does, at
 * the end too. */
size_t base_utf8_len(const char *text);
/* A copy in which U+FFFD stands for each byte that begins none; free() it. */
char *base_utf8_clean(const char *text);

#endif
