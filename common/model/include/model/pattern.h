/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions, as PCRE2 has them, over bytes that may be anything: what is no UTF-8 matches
 * nothing. A search is bounded: a pattern that would try forever gives up. Source: PCRE2.
 */
#ifndef MODEL_PATTERN_H
#define MODEL_PATTERN_H

#include <stddef.h>

#include "base/error.h"

struct pattern;

struct pattern_span {
    size_t start;
    size_t len;
};

enum pattern_result { PATTERN_NONE, PATTERN_FOUND, PATTERN_GAVE_UP };

/* NULL with the place of the mistake in the message. */
struct pattern *pattern_new(const char *text, struct base_error *err);
void pattern_free(struct pattern *pattern); /* accepts NULL */
/* May be called by several threads at a time. out: the first group, or the whole match when the
 * pattern has no group or the group took no part; NULL: not asked for. */
enum pattern_result pattern_find(const struct pattern *pattern, const char *text, size_t len,
                                 struct pattern_span *out);

#endif
