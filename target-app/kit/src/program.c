/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/program.h"

#include "base/cleanup.h"

enum { HELP_MAX = 16384 };

static int fail(const struct kit_program *program, int code, const struct base_error *err,
                FILE *complaints)
{
    (void)fprintf(complaints, "%s: %s\n", program->name, err->message);
    return code;
}

static int help(const struct kit_program *program, FILE *out)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, HELP_MAX);
    kit_flags_help(program->flags, program->flag_count, program->name, &text);
    (void)fputs(text.data, out);
    return KIT_EXIT_OK;
}

int kit_program_run(const struct kit_program *program, int argc, char *const *argv, FILE *out,
                    FILE *complaints)
{
    struct base_error err;
    bool asked = false;
    if (!kit_flags_parse(program->flags, program->flag_count, argc, argv, &asked, &err))
        return fail(program, KIT_EXIT_USAGE, &err, complaints);
    if (asked)
        return help(program, out);
    if (program->check != NULL && !program->check(program->ctx, &err))
        return fail(program, KIT_EXIT_USAGE, &err, complaints);
    if (program->run(program->ctx, &err))
        return KIT_EXIT_OK;
    return fail(program, err.code == BASE_INVALID ? KIT_EXIT_USAGE : KIT_EXIT_RUNTIME, &err,
                complaints);
}
