/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_PASSWORD_H
#define LOAD_PASSWORD_H

#include "base/buf.h"
#include "model/load.h"

enum { LOAD_PASSWORD_MOST = 4096 };

/* Does the spec say where a password lies? */
bool load_password_given(const struct load_spec *spec);
/* Appends that password; the caller wipes it (load_password_wipe). BASE_INVALID: it is not there.
 * Not beside threads that change the environment. */
bool load_password_read(const struct load_spec *spec, struct base_buf *out, struct base_error *err);
void load_password_wipe(struct base_buf *password); /* and lets the buffer go */

#endif
