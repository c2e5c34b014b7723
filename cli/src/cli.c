/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

int cli_fail(enum exit_code code, const struct base_error *err)
{
    (void)fprintf(stderr, "squall: %s\n", err->message);
    return (int)code;
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("squall: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return EXIT_CODE_USAGE;
}

bool cli_wants_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

char *cli_sibling(const char *name, struct base_error *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) {
        (void)base_fail_errno(err, "cannot read /proc/self/exe");
        return NULL;
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    int folder = slash != NULL ? (int)(slash - self) : 0;
    char *path = base_str_printf("%.*s/%s", folder, self, name);
    if (access(path, X_OK) < 0) {
        (void)base_fail_errno(err, "%s, which belongs beside squall, cannot be run", path);
        free(path);
        return NULL;
    }
    return path;
}
