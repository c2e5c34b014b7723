/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/carry.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"

static const size_t file_max = (size_t)16 * 1024 * 1024;

static bool is_text(const char *text)
{
    size_t len;
    while (*text != '\0' && (len = base_utf8_len(text)) > 0)
        text += len;
    return *text == '\0';
}

static bool read_text(const char *file, char **out, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf bytes;
    base_buf_init(&bytes, file_max);
    if (!base_file_read(file, &bytes, err)) {
        if (err != NULL)
            err->code = BASE_INVALID;
        return false;
    }
    if (bytes.len > 0 && (memchr(bytes.data, '\0', bytes.len) != NULL || !is_text(bytes.data)))
        return base_fail(err, BASE_INVALID,
                         "%s is not text in UTF-8: with several workers it stands in their plan",
                         file);
    *out = bytes.len > 0 ? base_buf_steal(&bytes) : base_str_dup("");
    return true;
}

bool load_spec_carry(struct load_spec *spec, struct base_error *err)
{
    for (size_t i = 0; i < spec->route_count; i++) {
        struct load_route *route = &spec->routes[i];
        if (route->body_file == NULL)
            continue;
        if (!read_text(route->body_file, &route->body, err))
            return false;
        free(route->body_file);
        route->body_file = NULL;
    }
    for (size_t i = 0; i < spec->feeder_count; i++)
        if (spec->feeders[i].text == NULL &&
            !read_text(spec->feeders[i].file, &spec->feeders[i].text, err))
            return false;
    return true;
}
