/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in less room, as a zlib stream (RFC 1950). Source: zlib. */
#ifndef MODEL_DEFLATE_H
#define MODEL_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends the stream. false: no memory, or no room in *out, which is as it was. */
bool model_deflate(const void *data, size_t len, struct base_buf *out);
/* A stream that model_deflate has made of out_len bytes; false: it is damaged, or of another
 * length. For what came from elsewhere, which may claim any length, there is the reader below. */
bool model_inflate(const void *stream, size_t len, void *out, size_t out_len);

/* A stream from elsewhere, piece by piece at constant memory, so that a small one cannot become a
 * huge one. NULL: no memory; the stream stays the caller's, and must outlive it. */
struct model_inflater;
struct model_inflater *model_inflater_new(unsigned char *stream, size_t len);
/* The next byte; -1 at the end and at damage, which model_inflater_done tells apart. */
int model_inflater_byte(struct model_inflater *inflater);
/* Whether the stream ended here with its checksum right and nothing behind it. */
bool model_inflater_done(struct model_inflater *inflater);
void model_inflater_free(struct model_inflater *inflater);

#endif
