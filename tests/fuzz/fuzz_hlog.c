/* SPDX-License-Identifier: Apache-2.0 */
/* Histogram logs from anywhere: refused as corrupt, or each entry can be written and read again. */
#include <stdlib.h>
#include <string.h>

#include "model/hlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 16 };

static bool check_entry(void *ctx, struct hlog_entry *entry)
{
    int *entries = ctx;
    struct base_error err;
    struct base_buf out;
    base_buf_init(&out, 64 << 20);
    if (!hlog_write_entry(&out, entry->tag, (struct wall_ns){0}, (struct dur_ns){0}, &entry->hdr,
                          &err) ||
        !hgrm_write(&out, &entry->hdr, 1e6) || strlen(out.data) != out.len)
        abort();
    base_buf_fini(&out);
    return ++*entries < ENTRIES_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct base_error err = {.code = BASE_OK};
    int entries = 0;
    double start_time;
    if (!hlog_read((const char *)data, size, &start_time, check_entry, &entries, &err) &&
        err.code != BASE_CORRUPT)
        abort();
    return 0;
}
