/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/digest.h"

const char manifest_name[] = "MANIFEST.sha256";

enum { DEPTH_MAX = 16, DIGEST_CHARS = IO_SHA256_TEXT - 1 };
static const size_t manifest_max = (size_t)16 << 20;

struct sealed {
    char *name; /* relative to the run directory */
    char digest[IO_SHA256_TEXT];
};
struct seals {
    struct sealed *list;
    size_t count;
};

static void seals_fini(struct seals *seals)
{
    for (size_t i = 0; i < seals->count; i++)
        free(seals->list[i].name);
    free(seals->list);
    *seals = (struct seals){0};
}

static struct sealed *seals_add(struct seals *seals, char *name)
{
    seals->list = base_reallocarray(seals->list, seals->count + 1, sizeof *seals->list);
    struct sealed *sealed = &seals->list[seals->count++];
    *sealed = (struct sealed){.name = name};
    return sealed;
}

static const struct sealed *seals_find(const struct seals *seals, const char *name)
{
    for (size_t i = 0; i < seals->count; i++) {
        if (strcmp(seals->list[i].name, name) == 0)
            return &seals->list[i];
    }
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sealed *)a)->name, ((const struct sealed *)b)->name);
}

/* Regular files below dir, without following links. What a killed writer left (*.tmp) is not of
 * the run. */
static bool collect(const char *run_dir, const char *below, int depth, struct seals *out,
                    struct base_error *err)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", run_dir, below);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return base_fail_errno(err, "cannot list %s", path);
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        struct stat st;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || base_str_ends(name, ".tmp") ||
            fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        char *inner = base_str_printf("%s%s%s", below, below[0] == '\0' ? "" : "/", name);
        if (S_ISREG(st.st_mode) && strcmp(inner, manifest_name) != 0) {
            (void)seals_add(out, inner);
            continue;
        }
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            ok = collect(run_dir, inner, depth + 1, out, err);
        free(inner);
    }
    (void)closedir(dir);
    return ok;
}

/* --- the text: "<digest>  <name>", and a leading backslash when the name is escaped --- */

static void put_line(struct base_buf *out, const struct sealed *sealed)
{
    bool escaped = strpbrk(sealed->name, "\\\n\r") != NULL;
    (void)base_buf_printf(out, "%s%s  ", escaped ? "\\" : "", sealed->digest);
    for (const char *at = sealed->name; *at != '\0'; at++) {
        if (*at == '\\' || *at == '\n' || *at == '\r')
            (void)base_buf_printf(out, "\\%c", *at == '\\' ? '\\' : *at == '\n' ? 'n' : 'r');
        else
            (void)base_buf_char(out, *at);
    }
    (void)base_buf_char(out, '\n');
}

static char *unescape(const char *text, size_t len)
{
    char *name = base_calloc(len + 1, 1);
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < len) {
            i++;
            c = text[i];
            if (c == 'n' || c == 'r')
                c = c == 'n' ? '\n' : '\r';
        }
        name[used++] = c;
    }
    return name;
}

/* A name must stay inside the run directory: a manifest comes from outside. */
static bool name_is_inside(const char *name)
{
    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const char *at = name; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (len == 2 && memcmp(at, "..", 2) == 0)
            return false;
        at += len + (at[len] == '/' ? 1 : 0);
    }
    return true;
}

static bool read_line(const char *line, size_t len, struct seals *out)
{
    bool escaped = len > 0 && line[0] == '\\';
    if (escaped) {
        line++;
        len--;
    }
    if (len < DIGEST_CHARS + 3 || strspn(line, "0123456789abcdef") != DIGEST_CHARS ||
        line[DIGEST_CHARS] != ' ' ||
        (line[DIGEST_CHARS + 1] != ' ' && line[DIGEST_CHARS + 1] != '*'))
        return false;
    const char *name = line + DIGEST_CHARS + 2;
    size_t name_len = len - DIGEST_CHARS - 2;
    struct sealed *sealed =
        seals_add(out, escaped ? unescape(name, name_len) : base_str_ndup(name, name_len));
    memcpy(sealed->digest, line, DIGEST_CHARS);
    return name_is_inside(sealed->name);
}

/* A missing manifest is an empty one. */
static bool read_manifest(const char *run_dir, struct seals *out, struct base_error *err)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", run_dir, manifest_name);
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, manifest_max);
    struct base_error inner = {0};
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return base_fail(err, BASE_CORRUPT, "%s is no regular file: remove it", path);
    if (!base_file_read(path, &text, &inner)) {
        if (inner.code == BASE_NOT_FOUND)
            return true;
        return base_fail(err, inner.code, "%s", inner.message);
    }
    size_t number = 1;
    for (const char *at = text.data; *at != '\0'; number++) {
        size_t len = strcspn(at, "\n");
        if (!read_line(at, len, out))
            return base_fail(err, BASE_CORRUPT,
                             "%s:%zu: not a line of sha256sum: remove the file to seal the "
                             "directory anew",
                             path, number);
        at += len + (at[len] == '\n' ? 1 : 0);
    }
    return true;
}

static bool is_among(const char *name, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static bool seal(const char *run_dir, struct sealed *sealed, const struct seals *old,
                 const char *const *fresh, struct base_error *err)
{
    const struct sealed *kept =
        fresh == NULL || is_among(sealed->name, fresh) ? NULL : seals_find(old, sealed->name);
    if (kept != NULL) {
        memcpy(sealed->digest, kept->digest, sizeof sealed->digest);
        return true;
    }
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", run_dir, sealed->name);
    return io_sha256_file(path, sealed->digest, err);
}

/* Evidence that was sealed and has been taken away since stays in the manifest: its absence is to
 * be seen. */
static void keep_vanished(const struct seals *old, const char *const *fresh, struct seals *seals)
{
    size_t present = seals->count;
    for (size_t i = 0; fresh != NULL && i < old->count; i++) {
        struct seals here = {.list = seals->list, .count = present};
        if (seals_find(&here, old->list[i].name) == NULL)
            (void)seals_add(seals, base_str_dup(old->list[i].name));
    }
}

bool manifest_write(const char *run_dir, const char *const *fresh, struct base_error *err)
{
    struct seals seals = {0};
    struct seals old = {0};
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, manifest_max);
    bool ok = (fresh == NULL || read_manifest(run_dir, &old, err)) &&
              collect(run_dir, "", 0, &seals, err);
    if (ok) {
        keep_vanished(&old, fresh, &seals);
        if (seals.count > 0)
            qsort(seals.list, seals.count, sizeof *seals.list, by_name);
    }
    for (size_t i = 0; ok && i < seals.count; i++) {
        ok = seal(run_dir, &seals.list[i], &old, fresh, err);
        put_line(&text, &seals.list[i]);
    }
    seals_fini(&seals);
    seals_fini(&old);
    if (!ok)
        return false;
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", run_dir, manifest_name);
    if (text.failed)
        return base_fail(err, BASE_LIMIT, "%s would be larger than %zu bytes", path, manifest_max);
    return base_file_write(path, text.data, text.len, 0644, err);
}

/* NULL when the file is what it was when it was sealed; else what became of it, static text. */
static const char *what_became(const char *run_dir, const struct sealed *sealed)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", run_dir, sealed->name);
    char digest[IO_SHA256_TEXT] = "";
    struct stat st;
    if (stat(path, &st) != 0)
        return "is missing";
    bool regular = S_ISREG(st.st_mode); /* to open a pipe may wait for ever */
    if (regular && io_sha256_file(path, digest, NULL) && strcmp(digest, sealed->digest) == 0)
        return NULL;
    return "is not what it was when the run ended";
}

bool manifest_check(const char *run_dir, const char *const *except, struct base_buf *out,
                    struct base_error *err)
{
    struct seals seals = {0};
    bool ok = read_manifest(run_dir, &seals, err);
    for (size_t i = 0; ok && i < seals.count; i++) {
        const struct sealed *sealed = &seals.list[i];
        const char *became = is_among(sealed->name, except) ? NULL : what_became(run_dir, sealed);
        if (became != NULL)
            (void)base_buf_printf(out, "%s%s %s", out->len > 0 ? "; " : "", sealed->name, became);
    }
    seals_fini(&seals);
    return ok;
}
