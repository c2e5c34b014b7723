/* SPDX-License-Identifier: Apache-2.0 */
/* The thin part that touches the disk: a run directory's files into memory, and into fold. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "manifest.h"
#include "render.h"
#include "reports/fold.h"

/* Longer runs have more intervals; queries.json grows with series x scrapes. */
static const size_t file_max = (size_t)512 << 20;

static bool read_file(const char *run_dir, enum report_file file, struct report_bytes *out)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", run_dir, report_file_name(file));
    BASE_AUTO_BUF struct base_buf buf;
    struct base_error err = {0};
    base_buf_init(&buf, file_max);
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* to open a pipe may wait for ever */
        out->unreadable =
            base_str_printf("%s could not be read (it is no regular file)", report_file_name(file));
        return true;
    }
    if (base_file_read(path, &buf, &err)) {
        out->len = buf.len;
        out->data = base_buf_steal(&buf);
        return true;
    }
    if (err.code == BASE_NOT_FOUND)
        return false;
    /* Not the whole path: the verdict must not depend on where the directory lies. */
    out->unreadable = base_str_printf("%s could not be read (%s)", report_file_name(file),
                                      base_code_name(err.code));
    return true;
}

/* What is rendered from the evidence is not evidence: it is about to be written anew. */
static char *compare_with_seal(const char *run_dir)
{
    BASE_AUTO_BUF struct base_buf text;
    struct base_error err = {0};
    base_buf_init(&text, 16384);
    if (!manifest_check(run_dir, report_output_names, &text, &err))
        return base_str_dup("MANIFEST.sha256 is damaged");
    if (text.failed)
        return base_str_dup("more files than can be listed");
    return text.len == 0 ? NULL : base_buf_steal(&text);
}

bool report_read(const char *run_dir, struct report *out, struct base_error *err)
{
    struct report_bytes files[REPORT_FILE_COUNT] = {{0}};
    bool any = false;
    for (int i = 0; i < REPORT_FILE_COUNT; i++)
        any = read_file(run_dir, (enum report_file)i, &files[i]) || any;
    if (any) {
        report_fold(files, out);
        out->unsealed = compare_with_seal(run_dir);
    }
    for (int i = 0; i < REPORT_FILE_COUNT; i++) {
        free(files[i].data);
        free(files[i].unreadable);
    }
    if (!any)
        return base_fail(err, BASE_NOT_FOUND,
                         "%s holds none of a run's files (plan.json, events.ndjson...): name the "
                         "directory that `squall run` printed",
                         run_dir);
    return true;
}
