/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's small files: JSON that is replaced whole, log files that are bounded, secrets. */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include <jansson.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

enum { SANDBOX_SMALL_FILE = 1 << 20, SANDBOX_LOG_MOST = 1 << 20 };

/* Replaces path atomically, without the fsync of base_file_write: what these files say does not
 * outlive a reboot, and the supervisor must not wait for the disk at each change of state. */
bool sandbox_store_text(const char *path, const char *text, mode_t mode, struct base_error *err);
/* Takes the reference of value (also on failure). Sorted keys, a final newline. */
bool sandbox_store_json(const char *path, json_t *value, struct base_error *err);
json_t *sandbox_load_json(const char *path, struct base_error *err); /* json_decref() it */
/* The secret in path, made of random letters (mode 0600) when it is not there yet. */
bool sandbox_secret(const char *path, struct base_buf *out, struct base_error *err);

/* When the log is over SANDBOX_LOG_MOST, its last so many bytes, in whole lines, become PATH.1 in
 * place of what was there, the log starts anew, and *moved is set. Whoever writes it goes on in the
 * same file, and must append (O_APPEND); what is written in between is lost. */
bool sandbox_log_bound(const char *path, bool *moved, struct base_error *err);
/* Opens a log for appending, bounded first; *start is where new lines begin. -1 with err. */
int sandbox_log_open(const char *path, off_t *start, struct base_error *err);
/* Appends the last `lines` whole lines behind offset `start`, each with `indent` before it; nothing
 * when there are none or the file cannot be read. */
void sandbox_log_tail(const char *path, off_t start, unsigned lines, const char *indent,
                      struct base_buf *out);

#endif
