/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON with errors that say where: every getter names the key (and, through `where`, the
 * object) that is missing or of the wrong type. Source: jansson.
 */
#ifndef MODEL_JSON_H
#define MODEL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

/* `where` is text such as "fault" or "plan.faults[2]" and goes in front of the message. */
bool model_get_text(const json_t *object, const char *where, const char *key, char **out,
                    struct base_error *err); /* replaces *out (free()d) by a copy */
bool model_get_text_or(const json_t *object, const char *where, const char *key,
                       const char *fallback, char **out, struct base_error *err);
bool model_get_i64(const json_t *object, const char *where, const char *key, int64_t min,
                   int64_t max, int64_t *out, struct base_error *err);
bool model_get_u64(const json_t *object, const char *where, const char *key, uint64_t max,
                   uint64_t *out, struct base_error *err);
bool model_get_real(const json_t *object, const char *where, const char *key, double *out,
                    struct base_error *err); /* integers are accepted; finite only */
bool model_get_bool(const json_t *object, const char *where, const char *key, bool *out,
                    struct base_error *err);
bool model_get_dur(const json_t *object, const char *where, const char *key, struct dur_ns *out,
                   struct base_error *err); /* integer nanoseconds; keys end in "Ns" */
const json_t *model_get_object(const json_t *object, const char *where, const char *key,
                               struct base_error *err);
const json_t *model_get_array(const json_t *object, const char *where, const char *key,
                              struct base_error *err);

/* Parses text as JSON (duplicate keys refused, depth and size limited); error with line and column.
 */
json_t *model_json_parse(const char *text, size_t len, const char *where, struct base_error *err);
json_t *model_json_read(const char *path, size_t max, struct base_error *err);
/* Sorted keys, two spaces, a final newline: the same value always gives the same bytes. free() it.
 */
char *model_json_dump(const json_t *value);
char *model_json_dump_line(const json_t *value); /* compact, sorted, without newline */
bool model_json_write(const char *path, const json_t *value, struct base_error *err); /* atomic */
/* A new string value; bytes that are not UTF-8 become U+FFFD, so that it never fails on input. */
json_t *model_json_text(const char *text); /* NULL gives null */

#endif
