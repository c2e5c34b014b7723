/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 through OpenSSL (adapter: src/digest.c). */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { IO_SHA256_TEXT = 65 };
bool io_sha256(const void *data, size_t len, char out[static IO_SHA256_TEXT],
               struct base_error *err); /* lower-case hex */
bool io_sha256_file(const char *path, char out[static IO_SHA256_TEXT], struct base_error *err);
/* Compares two secrets in constant time for equal lengths. */
bool io_secret_equal(const char *a, const char *b);

#endif
