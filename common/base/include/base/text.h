/* SPDX-License-Identifier: Apache-2.0 */
/* Strict parsing of numbers and units, and small string helpers. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

/* The whole of text must be the value: no leading space, no trailing byte. false leaves *out. */
bool base_parse_u64(const char *text, uint64_t *out);
bool base_parse_i64(const char *text, int64_t *out);
bool base_parse_double(const char *text, double *out); /* finite only; '.' in every locale */
/* A number with one of ns us ms s m h ("1.5s"); no bare numbers; at most 2^62 ns, not negative. */
bool base_parse_duration(const char *text, struct dur_ns *out);
/* "500/s", "30/m", "2.5/s": events a second, > 0. */
bool base_parse_rate(const char *text, double *out_per_s);
/* "1%", "0.5%": as a fraction 0..1 ("1%" is 0.01). */
bool base_parse_percent(const char *text, double *out_fraction);
/* "4096", "64KiB", "10MB", "1GiB": bytes. */
bool base_parse_bytes(const char *text, uint64_t *out);

bool base_str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool base_str_starts(const char *text, const char *prefix);
bool base_str_ends(const char *text, const char *suffix);
/* strdup that aborts the process with a message when memory is out: for small strings of
 * configuration, where there is nothing better to do. free() the result. NULL gives NULL. */
char *base_str_dup(const char *text);
char *base_str_ndup(const char *text, size_t len);
char *base_str_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* calloc that aborts as above; never NULL. */
void *base_calloc(size_t count, size_t size);
/* realloc to count*size (overflow checked) that aborts as above. */
void *base_reallocarray(void *old, size_t count, size_t size);
/* Of count names the one nearest to word by edit distance, or NULL when none is near enough to be
 * worth suggesting (more than a third of the word's letters differ). */
const char *base_str_nearest(const char *word, const char *const *names, size_t count);

#endif
