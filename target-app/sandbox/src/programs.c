/* SPDX-License-Identifier: Apache-2.0 */
#include "programs.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum where { OURS, POSTGRES_BIN, SYSTEM };

static const struct {
    size_t offset;
    const char *name;
    enum where where;
    const char *package; /* of Debian 12 */
} table[] = {
    {offsetof(struct sandbox_programs, users), "squall-users", OURS, NULL},
    {offsetof(struct sandbox_programs, gateway), "squall-gateway", OURS, NULL},
    {offsetof(struct sandbox_programs, agent), "squall-agent", OURS, NULL},
    {offsetof(struct sandbox_programs, initdb), "initdb", POSTGRES_BIN, "postgresql-15"},
    {offsetof(struct sandbox_programs, postgres), "postgres", POSTGRES_BIN, "postgresql-15"},
    {offsetof(struct sandbox_programs, psql), "psql", POSTGRES_BIN, "postgresql-client-15"},
    {offsetof(struct sandbox_programs, prometheus), "prometheus", SYSTEM, "prometheus"},
    {offsetof(struct sandbox_programs, ip), "ip", SYSTEM, "iproute2"},
};
enum { PROGRAMS = sizeof table / sizeof table[0] };

static char **slot(struct sandbox_programs *programs, size_t i)
{
    return (char **)(void *)((char *)programs + table[i].offset);
}

static char *in_folder(const char *folder, size_t len, const char *name)
{
    char *path = base_str_printf("%.*s/%s", (int)len, folder, name);
    if (len > 0 && access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* As execvp(3) would, and then where Debian puts them: root's PATH after `su` lacks /usr/sbin. */
static char *in_path(const char *name)
{
    static const char usual[] = "/usr/sbin:/usr/bin:/sbin:/bin";
    const char *lists[] = {getenv("PATH"), usual};
    for (size_t i = 0; i < 2; i++) {
        for (const char *at = lists[i]; at != NULL && *at != '\0';) {
            size_t len = strcspn(at, ":");
            char *found = in_folder(at, len, name);
            if (found != NULL)
                return found;
            at += len + (at[len] == ':');
        }
    }
    return NULL;
}

static const char *env_or(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : fallback;
}

static char *our_folder(void)
{
    const char *given = getenv("SQUALL_PROGRAMS");
    if (given != NULL && *given != '\0')
        return base_str_dup(given);
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0)
        return base_str_dup(".");
    self[len] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    return base_str_dup(self);
}

static void tell_missing(struct base_buf *out, size_t i, const char *folder)
{
    const char *comma = out->len == 0 ? "" : "; ";
    if (table[i].where == OURS)
        (void)base_buf_printf(out, "%s%s is not in %s (build it, or set SQUALL_PROGRAMS)", comma,
                              table[i].name, folder);
    else
        (void)base_buf_printf(out, "%s%s is not installed%s%s (apt-get install %s)", comma,
                              table[i].name, table[i].where == POSTGRES_BIN ? " in " : "",
                              table[i].where == POSTGRES_BIN ? folder : "", table[i].package);
}

bool sandbox_programs_find(struct sandbox_programs *programs, bool loopback, struct base_error *err)
{
    BASE_AUTO_FREE char *ours = our_folder();
    const char *pg = env_or("SQUALL_POSTGRES_BIN", "/usr/lib/postgresql/15/bin");
    struct sandbox_programs found = {0};
    BASE_AUTO_BUF struct base_buf missing;
    base_buf_init(&missing, sizeof err->message / 2);
    for (size_t i = 0; i < PROGRAMS; i++) {
        char **to = slot(&found, i);
        const char *folder = table[i].where == OURS ? ours : pg;
        if (loopback && base_str_eq(table[i].name, "ip"))
            continue;
        *to = table[i].where == SYSTEM ? in_path(table[i].name)
                                       : in_folder(folder, strlen(folder), table[i].name);
        if (*to == NULL)
            tell_missing(&missing, i, folder);
    }
    if (missing.len > 0 || missing.failed) {
        sandbox_programs_fini(&found);
        return base_fail(err, BASE_NOT_FOUND, "missing programs: %s", missing.data);
    }
    *programs = found;
    return true;
}

void sandbox_programs_fini(struct sandbox_programs *programs)
{
    for (size_t i = 0; i < PROGRAMS; i++)
        free(*slot(programs, i));
    *programs = (struct sandbox_programs){0};
}

char *sandbox_program_ip(void)
{
    return in_path("ip");
}
