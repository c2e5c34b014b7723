/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with padding, RFC 4648 section 4: the only accepted form of given bytes is the one that
 * is written. */
#ifndef MODEL_SRC_HDR_BASE64_H
#define MODEL_SRC_HDR_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends the text of len bytes to out, all or nothing. */
bool hdr_base64_encode(const unsigned char *data, size_t len, struct base_buf *out);
/* Room for what len characters decode to. */
size_t hdr_base64_room(size_t len);
/* Writes at most hdr_base64_room(len) bytes to out. false when text is not base64. */
bool hdr_base64_decode(const char *text, size_t len, unsigned char *out, size_t *out_len);

#endif
