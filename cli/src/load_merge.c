/* SPDX-License-Identifier: Apache-2.0 */
/* squall load --merge: histogram logs of several generators as one. */
#include "load_merge.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "loadgen/merge.h"

static bool read_files(struct load_merge *merge, const struct load_adhoc *adhoc,
                       struct base_error *err)
{
    for (size_t i = 0; i < adhoc->word_count; i++)
        if (!load_merge_file(merge, adhoc->words[i], err))
            return false;
    return true;
}

static bool print_summary(struct load_merge *merge, bool as_json, struct base_error *err)
{
    static const size_t text_max = (size_t)64 * 1024 * 1024;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    if (!as_json) {
        (void)load_merge_summary(merge, &text);
        return base_fd_write_all(STDOUT_FILENO, text.data, text.len, err);
    }
    json_t *json = load_merge_summary_json(merge);
    BASE_AUTO_FREE char *dump = model_json_dump(json);
    json_decref(json);
    return base_fd_write_all(STDOUT_FILENO, dump, strlen(dump), err);
}

static bool write_merged(struct load_merge *merge, const char *path, struct base_error *err)
{
    struct base_staged out = BASE_STAGED_NONE;
    if (!base_staged_open(&out, path, 0644, err))
        return false;
    if (load_merge_write(merge, out.fd, err))
        return base_staged_commit(&out, err);
    base_staged_abandon(&out);
    return base_fail_context(err, "cannot write %s", path);
}

int load_merge_command(const struct load_adhoc *adhoc)
{
    struct base_error err;
    struct load_merge *merge = load_merge_new();
    int code = EXIT_CODE_PASS;
    if (!read_files(merge, adhoc, &err))
        code = cli_fail(err.code == BASE_INVALID || err.code == BASE_CORRUPT ||
                                err.code == BASE_NOT_FOUND
                            ? EXIT_CODE_USAGE
                            : EXIT_CODE_ERROR,
                        &err);
    else if ((adhoc->out_path != NULL && !write_merged(merge, adhoc->out_path, &err)) ||
             !print_summary(merge, adhoc->json, &err))
        code = cli_fail(EXIT_CODE_ERROR, &err);
    load_merge_free(merge);
    return code;
}
