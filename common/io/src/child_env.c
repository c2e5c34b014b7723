/* SPDX-License-Identifier: Apache-2.0 */
#include "child_env.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

enum { COMMAND_MAX = 300 };

static size_t name_len(const char *line)
{
    const char *equals = strchr(line, '=');
    return equals == NULL ? 0 : (size_t)(equals - line);
}

static bool same_name(const char *a, const char *b, size_t len)
{
    return name_len(b) == len && strncmp(a, b, len) == 0;
}

static bool named_in(const char *line, const char *const *lines)
{
    size_t len = name_len(line);
    for (; *lines != NULL; lines++) {
        if (same_name(line, *lines, len))
            return true;
    }
    return false;
}

static size_t count(const char *const *lines)
{
    size_t n = 0;
    while (lines[n] != NULL)
        n++;
    return n;
}

char **io_child_env(const char *const *extra, struct base_error *err)
{
    static const char *const none[] = {NULL};
    if (extra == NULL)
        extra = none;
    union { /* execve takes pointers to non-const and writes nothing: exec(3p) */
        const char **lines;
        char **env;
    } all;
    char *const *ours = environ;
    size_t room = count(extra) + 1;
    for (size_t i = 0; ours != NULL && ours[i] != NULL; i++)
        room++;
    for (size_t i = 0; extra[i] != NULL; i++) {
        if (name_len(extra[i]) == 0) {
            (void)base_fail(err, BASE_INVALID, "'%s' is not an environment line NAME=VALUE",
                            extra[i]);
            return NULL;
        }
    }
    all.lines = base_calloc(room, sizeof *all.lines);
    size_t n = 0;
    for (size_t i = 0; ours != NULL && ours[i] != NULL; i++) {
        if (!named_in(ours[i], extra))
            all.lines[n++] = ours[i];
    }
    for (size_t i = 0; extra[i] != NULL; i++) {
        if (!named_in(extra[i], extra + i + 1))
            all.lines[n++] = extra[i];
    }
    return all.env;
}

char *io_child_command(const char *const *argv)
{
    struct base_buf text;
    base_buf_init(&text, COMMAND_MAX);
    for (size_t i = 0; argv[i] != NULL && !text.failed; i++)
        (void)base_buf_printf(&text, "%s%s", i > 0 ? " " : "", argv[i]);
    bool cut = text.failed;
    text.failed = false;
    char *command = base_str_printf("%s%s", text.data, cut ? " ..." : "");
    base_buf_fini(&text);
    return command;
}
