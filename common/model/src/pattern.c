/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/text.h"

/* Steps of a search. An honest pattern over a megabyte takes a few for each byte; a nested
 * quantifier would take an exponential number (pcre2api(3), pcre2_set_match_limit). */
enum { STEPS_MAX = 10000000, DEPTH_MAX = 100000, ERROR_TEXT = 120 };

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

struct pattern *pattern_new(const char *text, struct base_error *err)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &at, NULL);
    if (code == NULL) {
        PCRE2_UCHAR why[ERROR_TEXT];
        (void)pcre2_get_error_message(error, why, sizeof why);
        (void)base_fail(err, BASE_INVALID,
                        "\"%.60s\" is no regular expression: %s, at its character %zu", text,
                        (const char *)why, (size_t)at + 1);
        return NULL;
    }
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (limits == NULL) {
        pcre2_code_free(code);
        (void)base_fail(err, BASE_LIMIT, "no memory for a regular expression");
        return NULL;
    }
    (void)pcre2_set_match_limit(limits, STEPS_MAX);
    (void)pcre2_set_depth_limit(limits, DEPTH_MAX);
    struct pattern *pattern = base_calloc(1, sizeof *pattern);
    *pattern = (struct pattern){.code = code, .limits = limits};
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    free(pattern);
}

/* How many groups there are besides the whole does not matter: two pairs are enough. */
enum pattern_result pattern_find(const struct pattern *pattern, const char *text, size_t len,
                                 struct pattern_span *out)
{
    pcre2_match_data *data = pcre2_match_data_create(2, NULL);
    if (data == NULL)
        return PATTERN_GAVE_UP;
    int pairs = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0, 0, data, pattern->limits);
    if (pairs >= 0 && out != NULL) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
        bool group = pairs != 1 && at[2] != PCRE2_UNSET;
        size_t first = group ? 2 : 0;
        /* \K in a lookahead can put the end before the start. */
        size_t end = at[first + 1] > at[first] ? at[first + 1] : at[first];
        *out = (struct pattern_span){.start = at[first], .len = end - at[first]};
    }
    pcre2_match_data_free(data);
    return pairs >= 0                     ? PATTERN_FOUND
           : pairs == PCRE2_ERROR_NOMATCH ? PATTERN_NONE
                                          : PATTERN_GAVE_UP;
}
