/* SPDX-License-Identifier: Apache-2.0 */
/* MANIFEST.sha256: what `sha256sum` writes and `sha256sum -c` checks, over all other files. */
#ifndef REPORTS_MANIFEST_H
#define REPORTS_MANIFEST_H

#include "base/buf.h"
#include "base/error.h"

extern const char manifest_name[];

/* fresh: the files (NULL-terminated) whose digests are made anew although an existing manifest
 * holds one; NULL: all. */
bool manifest_write(const char *run_dir, const char *const *fresh, struct base_error *err);
/* Appends what became of each sealed file that is missing or changed, but for `except`
 * (NULL-terminated). No manifest: nothing. BASE_CORRUPT when it is no manifest. */
bool manifest_check(const char *run_dir, const char *const *except, struct base_buf *out,
                    struct base_error *err);

#endif
