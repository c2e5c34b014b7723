/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that lie in files and travel in HTTP headers. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"
#include "base/error.h"

/* Appends the one word that the file holds; white space behind it is left out. BASE_INVALID when it
 * holds none, or something else beside it: spaces, control characters, a second line. */
bool base_secret_read(const char *path, struct base_buf *out, struct base_error *err);

#endif
