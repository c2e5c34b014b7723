/* SPDX-License-Identifier: Apache-2.0 */
/* squall report DIR: judges a run directory again, from its evidence alone. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli.h"
#include "reports/report.h"

static const char usage[] =
    "usage: squall report [--gnuplot PROGRAM] DIR\n\n"
    "Judges the evidence in the run directory DIR again and writes verdict.json, report.md,\n"
    "report.html, junit.xml and MANIFEST.sha256 anew. Needs no network. Evidence that is not what\n"
    "MANIFEST.sha256 sealed when the run ended is an error; without that file everything is taken\n"
    "as it is. Exits with the verdict's code.\n";

static int report(const char *dir, const char *gnuplot)
{
    struct base_error err = {0};
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, (size_t)4 << 20);
    struct report_options options = {.gnuplot = gnuplot,
                                     .colour = isatty(STDOUT_FILENO) == 1,
                                     .keep_seal = true,
                                     .terminal = &text};
    struct verdict verdict = {0};
    if (!report_write(dir, &options, &verdict, &err)) {
        bool usage_error = err.code == BASE_NOT_FOUND || err.code == BASE_INVALID;
        return cli_fail(usage_error ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, &err);
    }
    int code = (int)verdict.exit_code;
    verdict_fini(&verdict);
    (void)fwrite(text.data, 1, text.len, stdout);
    (void)printf("%s/report.html\n", dir);
    if (fflush(stdout) == 0)
        return code;
    (void)base_fail_errno(&err, "cannot write the summary to standard output");
    return cli_fail(EXIT_CODE_ERROR, &err);
}

int cmd_report(int argc, char **argv)
{
    const char *dir = NULL;
    const char *gnuplot = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(usage, stdout);
            return EXIT_CODE_PASS;
        }
        if (strcmp(argv[i], "--gnuplot") == 0 && i + 1 < argc)
            gnuplot = argv[++i];
        else if (argv[i][0] == '-' || dir != NULL)
            return cli_usage("report: \"%s\" was not expected; squall report --help", argv[i]);
        else
            dir = argv[i];
    }
    if (dir == NULL)
        return cli_usage("report: which run directory? usage: squall report DIR");
    return report(dir, gnuplot);
}
