/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { MESSAGE_MAX = 1024, TEXT_MAX = 1 << 20 };

/* What a message quotes comes from the file: escape sequences must not reach the terminal. */
static void disarm(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

/* Each time of a repeated fault is planned, and is as wrong as the one before. */
static bool is_known(const struct scn_problems *problems, const char *file, const char *path,
                     struct scn_mark mark, const char *message)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct scn_problem *one = &problems->items[i];
        if (one->mark.line == mark.line && one->mark.column == mark.column &&
            base_str_eq(one->message, message) && base_str_eq(one->path, path) &&
            base_str_eq(one->file, file))
            return true;
    }
    return false;
}

void scn_problems_add(struct scn_problems *problems, const char *file, const char *path,
                      struct scn_mark mark, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    disarm(message);
    if (is_known(problems, file, path, mark, message))
        return;
    if (problems->count >= SCN_MAX_PROBLEMS) {
        problems->dropped++;
        return;
    }
    problems->items =
        base_reallocarray(problems->items, problems->count + 1, sizeof *problems->items);
    problems->items[problems->count++] = (struct scn_problem){
        .file = base_str_dup(file),
        .path = base_str_dup(path),
        .mark = mark,
        .message = base_str_dup(message),
    };
}

static bool after(const struct scn_problem *a, const struct scn_problem *b)
{
    return a->mark.line > b->mark.line ||
           (a->mark.line == b->mark.line && a->mark.column > b->mark.column);
}

/* Insertion keeps the order of those at one place; there are at most SCN_MAX_PROBLEMS. */
void scn_problems_sort(struct scn_problems *problems)
{
    for (size_t i = 1; i < problems->count; i++) {
        struct scn_problem moved = problems->items[i];
        size_t k = i;
        for (; k > 0 && after(&problems->items[k - 1], &moved); k--)
            problems->items[k] = problems->items[k - 1];
        problems->items[k] = moved;
    }
}

bool scn_problems_under(const struct scn_problems *problems, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < problems->count; i++) {
        const char *candidate = problems->items[i].path;
        if (strncmp(candidate, path, len) == 0 && strchr(".[", candidate[len]) != NULL)
            return true;
    }
    return false;
}

void scn_problem_format(const struct scn_problem *problem, struct base_buf *out)
{
    base_buf_str(out, problem->file);
    if (problem->mark.line > 0)
        base_buf_printf(out, ":%u:%u", problem->mark.line, problem->mark.column);
    base_buf_printf(out, ": %s", problem->message);
}

char *scn_problems_text(const struct scn_problems *problems)
{
    struct base_buf out;
    base_buf_init(&out, TEXT_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        scn_problem_format(&problems->items[i], &out);
        base_buf_char(&out, '\n');
    }
    if (problems->dropped > 0)
        base_buf_printf(&out, "... and %zu more\n", problems->dropped);
    char *text = base_buf_steal(&out);
    return text != NULL ? text : base_str_dup("the list of problems is too long to show\n");
}

void scn_problems_fini(struct scn_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].file);
        free(problems->items[i].path);
        free(problems->items[i].message);
    }
    free(problems->items);
    *problems = (struct scn_problems){.items = NULL};
}
