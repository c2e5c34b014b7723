/* SPDX-License-Identifier: Apache-2.0 */
#include "reporter.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"

void scn_at(struct scn_reporter *reporter, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reporter->path, sizeof reporter->path, format, args);
    va_end(args);
}

void scn_say(struct scn_reporter *reporter, const char *format, ...)
{
    char message[768];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    scn_problems_add(reporter->problems, reporter->scenario->file, reporter->path,
                     scn_scenario_mark(reporter->scenario, reporter->path), "%s: %s",
                     reporter->path, message);
}

void scn_say_unknown(struct scn_reporter *reporter, const char *what, const char *word,
                     const char *const *names, size_t count)
{
    const char *near = base_str_nearest(word, names, count);
    BASE_AUTO_BUF struct base_buf list;
    base_buf_init(&list, 512);
    for (size_t i = 0; i < count; i++)
        base_buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    if (near != NULL)
        scn_say(reporter, "no %s \"%s\", did you mean \"%s\"?", what, word, near);
    else
        scn_say(reporter, "no %s \"%s\", expected one of %s%s", what, word, list.data,
                list.failed ? "..." : "");
}

bool scn_spoiled(const struct scn_reporter *reporter)
{
    return scn_problems_under(reporter->problems, reporter->path);
}
