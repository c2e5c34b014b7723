/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several histogram logs as one, without loss: intervals of the same tag that different logs
 * recorded at the same time are added bucket for bucket, all others are kept as they are. Memory
 * follows the size of the logs, not the number of histograms in them.
 */
#ifndef LOADGEN_MERGE_H
#define LOADGEN_MERGE_H

#include "base/buf.h"
#include "loadgen/run.h"
#include "model/hdr.h"
#include "model/json.h"

struct load_merge;

struct load_merge *load_merge_new(void);
void load_merge_free(struct load_merge *merge); /* accepts NULL */

/* Reads all of a log; several make one merged log. Refused (BASE_CORRUPT or BASE_INVALID, as
 * "file:line: ...") are damage, histograms of another shape than the first, logs without an
 * interval, and the same file twice. */
bool load_merge_file(struct load_merge *merge, const char *path, struct base_error *err);
/* A log that lies in memory; text is copied. An empty one is fine: nothing was due there. */
bool load_merge_text(struct load_merge *merge, const char *name, const char *text, size_t len,
                     struct base_error *err);
/* The merged log to a descriptor. */
bool load_merge_write(struct load_merge *merge, int fd, struct base_error *err);

/* Sums over everything read. */
size_t load_merge_tag_count(const struct load_merge *merge);
const char *load_merge_tag(const struct load_merge *merge, size_t i); /* "": entries without one */
const struct hdr *load_merge_total(const struct load_merge *merge, size_t i);
/* All tags that end in "/<kind>"; NULL when they hold nothing. Valid until asked again. */
const struct hdr *load_merge_kind(struct load_merge *merge, enum load_kind kind);
/* Response times by when requests ended; NULL: the logs have none, as those of earlier releases. */
const struct hdr *load_merge_ended(struct load_merge *merge);
/* Percentiles by kind and by tag, for a person and for a machine. */
bool load_merge_summary(struct load_merge *merge, struct base_buf *out);
json_t *load_merge_summary_json(struct load_merge *merge);

#endif
