/* SPDX-License-Identifier: Apache-2.0 */
/* What flows read besides responses: Set-Cookie headers, feeders' files, templates. The first byte
 * says which; no crash, and what comes out keeps what it promises. */
#include <stdlib.h>
#include <string.h>

#include "cookies.h"
#include "feeder.h"
#include "model/template.h"

static const struct wall_ns now = {INT64_C(1795651200) * BASE_NS_PER_S};

/* A header for each line; the request that follows stays one header line. */
static void cookies(const char *text, size_t len)
{
    static const struct load_site site = {.host = "www.shop.example"};
    struct load_jar jar = {.count = 0};
    struct load_jar copy;
    struct base_buf out;
    base_buf_init(&out, 1 << 20);
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end == NULL ? len - at : (size_t)(end - text) - at;
        load_jar_store(&jar, &site, "/a/b/c?d", text + at, line, now);
        at += line + 1;
    }
    load_jar_copy(&copy, &jar);
    (void)load_jar_write(&copy, &site, "/a/b/c", now, &out);
    if (jar.count > LOAD_COOKIES_MAX || copy.count != jar.count || out.failed ||
        strpbrk(out.data, "\r\n") != NULL || strlen(out.data) != out.len)
        abort();
    load_jar_fini(&jar);
    load_jar_fini(&copy);
    base_buf_fini(&out);
}

static void rows(enum load_feeder_format format, const char *text, size_t len)
{
    static const char *const columns[] = {"a", "b"};
    struct load_rows rows;
    struct base_error err = {.message = ""};
    if (!load_rows_parse(&rows, format, "f", text, len, columns, 2, &err)) {
        if (strncmp(err.message, "f:", 2) != 0)
            abort();
        return;
    }
    size_t read = 0;
    for (size_t row = 0; row < rows.count; row++)
        for (size_t column = 0; column < 2; column++)
            read += strlen(load_rows_cell(&rows, row, column)) + 1;
    if (rows.count == 0 || read != rows.text.len)
        abort();
    load_rows_fini(&rows);
}

static void template(const char *text, size_t len)
{
    char *copy = strndup(text, len);
    struct template template;
    struct base_error err;
    if (copy != NULL && template_parse(copy, &template, &err))
        template_fini(&template);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    if (size == 0)
        return 0;
    if (data[0] == 'c')
        cookies(text, size - 1);
    else if (data[0] == 't')
        template(text, size - 1);
    else
        rows(data[0] == 'j' ? LOAD_FEEDER_JSONL : LOAD_FEEDER_CSV, text, size - 1);
    return 0;
}
