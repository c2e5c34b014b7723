/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and base64 through nettle (adapter: src/digest.c): the server's TLS brings it along,
 * while OpenSSL alone would cost a process as much memory as all the rest of it. */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum { IO_SHA256_TEXT = 65 };
/* As lower-case hex. */
void io_sha256(const void *data, size_t len, char out[static IO_SHA256_TEXT]);
bool io_sha256_file(const char *path, char out[static IO_SHA256_TEXT], struct base_error *err);
/* Appends len bytes as base64 with padding (RFC 4648 section 4); false when out is full. */
bool io_base64(const void *data, size_t len, struct base_buf *out);
/* Compares two secrets in constant time for equal lengths. */
bool io_secret_equal(const char *a, const char *b);

#endif
