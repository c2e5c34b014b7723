/* SPDX-License-Identifier: Apache-2.0 */
/* What a child is given besides descriptors: its environment, and its command as people read it. */
#ifndef IO_CHILD_ENV_H
#define IO_CHILD_ENV_H

#include "base/error.h"

/* Our environment with the "K=V" lines of extra (may be NULL) added or replacing; of two lines with
 * one name the later counts. free() the array, not the strings: they stay their owners'. */
char **io_child_env(const char *const *extra, struct base_error *err);
/* The arguments joined by spaces, cut at 300 bytes; free() it. */
char *io_child_command(const char *const *argv);

#endif
