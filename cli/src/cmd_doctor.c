/* SPDX-License-Identifier: Apache-2.0 */
/* squall doctor: what this machine lacks, and what that switches off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "chaos/capability.h"
#include "cli.h"

static const struct {
    const char *program;
    const char *folder; /* looked into besides PATH; NULL: none */
    const char *package;
    const char *without; /* what is switched off */
} programs[] = {
    {"initdb", "/usr/lib/postgresql/15/bin", "postgresql-15", "the sandbox platform"},
    {"postgres", "/usr/lib/postgresql/15/bin", "postgresql-15", "the sandbox platform"},
    {"prometheus", NULL, "prometheus", "the sandbox platform"},
    {"ip", "/usr/sbin", "iproute2", "the sandbox with network namespaces"},
    {"gnuplot", NULL, "gnuplot-nox", "charts in report.html (the verdict does not need them)"},
};

static bool is_in(const char *folder, size_t len, const char *program)
{
    BASE_AUTO_FREE char *path = base_str_printf("%.*s/%s", (int)len, folder, program);
    return access(path, X_OK) == 0;
}

static bool is_here(const char *program, const char *folder)
{
    if (folder != NULL && is_in(folder, strlen(folder), program))
        return true;
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        if (len > 0 && is_in(path, len, program))
            return true;
        path += len + (path[len] == ':' ? 1 : 0);
    }
    return false;
}

static void say(bool ok, const char *what, const char *detail)
{
    (void)printf("%-8s %-22s %s\n", ok ? "ok" : "MISSING", what, detail);
}

static bool check_programs(void)
{
    bool all = true;
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        bool here = is_here(programs[i].program, programs[i].folder);
        BASE_AUTO_FREE char *detail =
            here ? base_str_dup("")
                 : base_str_printf("install %s; without it: no %s", programs[i].package,
                                   programs[i].without);
        say(here, programs[i].program, detail);
        all = all && here;
    }
    return all;
}

static bool check_siblings(void)
{
    static const char *const names[] = {"squall-load", "squall-agent", "squall-users",
                                        "squall-gateway"};
    bool all = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct base_error err;
        BASE_AUTO_FREE char *path = cli_sibling(names[i], &err);
        say(path != NULL, names[i], path != NULL ? "" : err.message);
        all = all && path != NULL;
    }
    return all;
}

/* What no host can do, for it is refused. */
static void say_never(void)
{
    static const struct {
        const char *of;
        const char *what;
        const char *why;
    } never[] = {
        {"", FAULT_CLOCK, FAULT_CLOCK_REFUSED},
        {"node.", "reboot", FAULT_NODE_REBOOT_REFUSED},
    };
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        BASE_AUTO_FREE char *what = base_str_printf("fault %s%s", never[i].of, never[i].what);
        (void)printf("%-8s %-22s %s\n", "never", what, never[i].why);
    }
}

static bool say_can(const char *name, enum fault_kind kind)
{
    struct base_error why = {0};
    bool can = fault_host_can(kind, &why);
    BASE_AUTO_FREE char *what = base_str_printf("fault %s", name);
    say(can, what, can ? fault_host_means(kind) : why.message);
    return can;
}

/* What kernel and privileges allow; what a platform offers is another question, which its agent
 * answers. */
static bool check_faults(void)
{
    bool all = true;
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        all = say_can(fault_kind_name((enum fault_kind)kind), (enum fault_kind)kind) && all;
    /* What it needs beside that of postgres: ioThrottle's mechanism is its own. */
    all = say_can("postgres.slowDisk", FAULT_IO_THROTTLE) && all;
    struct base_error why = {0};
    bool able = fault_host_can_cut_off(&why);
    static const char *const cuts_off[] = {"postgres.failover", "redis.failover",
                                           "rabbitmq.stopNode"};
    for (size_t i = 0; i < sizeof cuts_off / sizeof cuts_off[0]; i++) {
        BASE_AUTO_FREE char *what = base_str_printf("fault %s", cuts_off[i]);
        say(able, what, able ? "" : why.message);
    }
    say_never();
    return all && able;
}

int cmd_doctor(int argc, char **argv)
{
    if (cli_wants_help(argc, argv)) {
        (void)puts(
            "usage: squall doctor\n"
            "Says what this machine lacks and what that switches off. Exit code 0 when nothing\n"
            "is missing, 5 otherwise.");
        return EXIT_CODE_PASS;
    }
    if (argc > 1)
        return cli_usage("doctor: unknown argument \"%s\"; squall doctor --help", argv[1]);
    bool root = geteuid() == 0;
    bool all = check_programs();
    all = check_siblings() && all;
    say(root, "root",
        root ? "" : "the sandbox runs on loopback addresses, without kernel-level faults");
    all = check_faults() && all && root;
    return all ? EXIT_CODE_PASS : EXIT_CODE_ERROR;
}
