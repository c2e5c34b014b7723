/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "sandbox/sandbox.h"

static const char system_root[] = "/var/lib/squall";
enum { NAME_MAX_LETTERS = 32 };

bool sandbox_name_valid(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_LETTERS || name[0] == '-')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == len;
}

/* FNV-1a, 64 bit (RFC 9923). */
static uint64_t fold(uint64_t hash, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        hash = (hash ^ *p) * UINT64_C(0x100000001b3);
    return hash;
}

static char *absolute(const char *path, struct base_error *err)
{
    if (path[0] == '/')
        return base_str_dup(path);
    char cwd[PATH_MAX];
    if (getcwd(cwd, sizeof cwd) == NULL) {
        base_fail_errno(err, "cannot tell the current folder, which %s is relative to", path);
        return NULL;
    }
    return base_str_printf("%s/%s", cwd, path);
}

/* --state, $SQUALL_STATE, /var/lib/squall (root), ${XDG_STATE_HOME:-$HOME/.local/state}/squall. */
static char *state_root(const char *given, struct base_error *err)
{
    const char *from_env = getenv("SQUALL_STATE");
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (given == NULL && from_env != NULL && *from_env != '\0')
        given = from_env;
    if (given != NULL && *given == '\0') {
        base_fail(err, BASE_INVALID, "the state folder is empty text: give a path");
        return NULL;
    }
    if (given != NULL)
        return absolute(given, err);
    if (geteuid() == 0)
        return base_str_dup(system_root);
    if (xdg != NULL && xdg[0] == '/')
        return base_str_printf("%s/squall", xdg);
    if (home != NULL && home[0] == '/')
        return base_str_printf("%s/.local/state/squall", home);
    base_fail(err, BASE_INVALID, "no place for state: HOME is not set; give --state DIR");
    return NULL;
}

bool sandbox_place_init(struct sandbox_place *place, const char *name, const char *state,
                        struct base_error *err)
{
    if (name == NULL)
        name = SANDBOX_DEFAULT_NAME;
    if (!sandbox_name_valid(name))
        return base_fail(err, BASE_INVALID,
                         "sandbox name '%s': use 1 to %d letters, digits and '-', not starting "
                         "with '-'",
                         name, NAME_MAX_LETTERS);
    char *root = state_root(state, err);
    if (root == NULL)
        return false;
    size_t len = strlen(root);
    while (len > 1 && root[len - 1] == '/')
        root[--len] = '\0';
    *place = (struct sandbox_place){.name = base_str_dup(name), .root = root};
    place->dir = base_str_printf("%s/sandboxes/%s", root, name);
    place->seed = fold(fold(UINT64_C(0xcbf29ce484222325), place->dir), "squall");
    (void)snprintf(place->hash, sizeof place->hash, "%08" PRIx32,
                   (uint32_t)(place->seed ^ (place->seed >> 32)));
    place->tag = base_str_eq(root, system_root) ? base_str_dup(name)
                                                : base_str_printf("%s.%.6s", name, place->hash);
    return true;
}

void sandbox_place_fini(struct sandbox_place *place)
{
    free(place->name);
    free(place->root);
    free(place->dir);
    free(place->tag);
    *place = (struct sandbox_place){0};
}

void sandbox_bridge_name(const struct sandbox_place *place, char out[static SANDBOX_LINK_TEXT])
{
    (void)snprintf(out, SANDBOX_LINK_TEXT, "sq-%s", place->hash);
}

void sandbox_veth_name(const struct sandbox_place *place, unsigned n,
                       char out[static SANDBOX_LINK_TEXT])
{
    (void)snprintf(out, SANDBOX_LINK_TEXT, "sq%s-%u", place->hash, n % 1000);
}

char *sandbox_netns_name(const struct sandbox_place *place, const char *instance)
{
    return base_str_printf("sq-%s-%s", place->tag, instance);
}

char *sandbox_path(const struct sandbox_place *place, const char *format, ...)
{
    struct base_buf buf;
    base_buf_init(&buf, (size_t)2 * PATH_MAX);
    (void)base_buf_printf(&buf, "%s/", place->dir);
    va_list args;
    va_start(args, format);
    (void)base_buf_vprintf(&buf, format, args);
    va_end(args);
    char *path = base_str_dup(buf.data);
    base_buf_fini(&buf);
    return path;
}

char *sandbox_status_path(const struct sandbox_place *place, const char *instance)
{
    return sandbox_path(place, "instances/%s.json", instance);
}

char *sandbox_log_path(const struct sandbox_place *place, const char *what)
{
    return sandbox_path(place, "logs/%s.log", what);
}
