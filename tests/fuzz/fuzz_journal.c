/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal decoder: an agent must start whatever lies in its folder. The bytes are read as a
 * whole file, and once more as the body of a file whose checksum fits, so that the fuzzer gets past
 * it; and both as a file of several entries, of which one is looked for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/digest.h"
#include "journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *data, size_t size)
{
    struct agent_journal_entry entry = {0};
    struct base_error err = {0};
    if (agent_journal_find(data, size, "run-1-7", &entry, &err)) {
        if (strcmp(entry.spec.id, "run-1-7") != 0)
            abort();
        agent_journal_entry_fini(&entry);
    }
    if (!agent_journal_decode(data, size, &entry, &err)) {
        if (err.code != BASE_CORRUPT || err.message[0] == '\0')
            abort();
        return;
    }
    if (!agent_id_valid(entry.spec.id) || entry.spec.target_count == 0)
        abort();
    agent_journal_entry_fini(&entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char digest[IO_SHA256_TEXT];
    struct base_buf framed;
    check(text, size);
    io_sha256(text, size, digest);
    base_buf_init(&framed, 2 * size + 256);
    (void)base_buf_printf(&framed, "squall-journal 1 %s %zu\n", digest, size);
    (void)base_buf_append(&framed, text, size);
    check(framed.data, framed.len);
    (void)base_buf_char(&framed, '\n');
    (void)base_buf_append(&framed, text, size);
    check(framed.data, framed.len);
    base_buf_fini(&framed);
    return 0;
}
