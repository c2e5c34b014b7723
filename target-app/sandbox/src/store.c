/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/text.h"

enum { TAIL_BYTES = 16 << 10 };

bool sandbox_store_text(const char *path, const char *text, mode_t mode, struct base_error *err)
{
    char id[BASE_ID_TEXT];
    base_random_id(id);
    BASE_AUTO_FREE char *temporary = base_str_printf("%s.%s.tmp", path, id);
    BASE_AUTO_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return base_fail_errno(err, "cannot create %s", temporary);
    if (!base_fd_write_all(fd, text, strlen(text), err)) {
        (void)unlink(temporary);
        return base_fail_context(err, "cannot write %s", path);
    }
    if (rename(temporary, path) < 0) {
        (void)base_fail_errno(err, "cannot put %s in place", path);
        (void)unlink(temporary);
        return false;
    }
    return true;
}

bool sandbox_store_json(const char *path, json_t *value, struct base_error *err)
{
    BASE_AUTO_FREE char *dump =
        value == NULL ? NULL : json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(value);
    if (dump == NULL)
        return base_fail(err, BASE_INTERNAL, "cannot write %s: its value has no JSON form", path);
    BASE_AUTO_FREE char *text = base_str_printf("%s\n", dump);
    return sandbox_store_text(path, text, 0644, err);
}

json_t *sandbox_load_json(const char *path, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, SANDBOX_SMALL_FILE);
    if (!base_file_read(path, &buf, err))
        return NULL;
    json_error_t why;
    json_t *value = json_loadb(buf.data, buf.len, JSON_REJECT_DUPLICATES, &why);
    if (value == NULL)
        base_fail(err, BASE_CORRUPT, "%s:%d:%d: %s", path, why.line, why.column, why.text);
    return value;
}

bool sandbox_secret(const char *path, struct base_buf *out, struct base_error *err)
{
    struct base_error why;
    if (base_secret_read(path, out, &why))
        return true;
    if (why.code != BASE_NOT_FOUND)
        return base_fail(err, why.code, "%s", why.message);
    char high[BASE_ID_TEXT];
    char low[BASE_ID_TEXT];
    base_random_id(high);
    base_random_id(low);
    BASE_AUTO_FREE char *secret = base_str_printf("%s%s", high, low);
    return base_file_write(path, secret, strlen(secret), 0600, err) && base_buf_str(out, secret);
}

/* Reads at most len bytes at offset; the number read, 0 on any trouble. */
static size_t read_at(int fd, off_t offset, char *to, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = pread(fd, to + have, len - have, offset + (off_t)have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    return have;
}

/* The last SANDBOX_LOG_MOST bytes from the start of a line, as PATH.1. Without room for it that one
 * is given up: the bound matters more. */
static void keep_last(int fd, off_t size, const char *path)
{
    BASE_AUTO_FREE char *kept = base_calloc(1, SANDBOX_LOG_MOST);
    BASE_AUTO_FREE char *older = base_str_printf("%s.1", path);
    size_t want = size < SANDBOX_LOG_MOST ? (size_t)size : SANDBOX_LOG_MOST;
    size_t len = read_at(fd, size - (off_t)want, kept, want);
    const char *line = (off_t)want < size ? memchr(kept, '\n', len) : NULL;
    size_t skip = line == NULL ? 0 : (size_t)(line + 1 - kept);
    BASE_AUTO_FD int out = open(older, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (out < 0 || !base_fd_write_all(out, kept + skip, len - skip, NULL))
        (void)unlink(older);
}

static bool bound(int fd, const char *path, bool *moved, struct base_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return base_fail_errno(err, "cannot look at the log %s", path);
    *moved = st.st_size > SANDBOX_LOG_MOST;
    if (!*moved)
        return true;
    keep_last(fd, st.st_size, path);
    return ftruncate(fd, 0) == 0 || base_fail_errno(err, "cannot shorten the log %s", path);
}

bool sandbox_log_bound(const char *path, bool *moved, struct base_error *err)
{
    BASE_AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    *moved = false;
    if (fd < 0)
        return errno == ENOENT || base_fail_errno(err, "cannot open the log %s", path);
    return bound(fd, path, moved, err);
}

int sandbox_log_open(const char *path, off_t *start, struct base_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    bool moved;
    if (fd < 0) {
        base_fail_errno(err, "cannot open the log %s", path);
        return -1;
    }
    if (!bound(fd, path, &moved, err)) {
        base_fd_close(&fd);
        return -1;
    }
    *start = lseek(fd, 0, SEEK_END);
    return fd;
}

void sandbox_log_tail(const char *path, off_t start, unsigned lines, const char *indent,
                      struct base_buf *out)
{
    BASE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= start)
        return;
    off_t from = st.st_size - start > TAIL_BYTES ? st.st_size - TAIL_BYTES : start;
    BASE_AUTO_FREE char *text = base_calloc(1, TAIL_BYTES + 1);
    size_t len = read_at(fd, from, text, (size_t)(st.st_size - from));
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    const char *at = text + len;
    for (unsigned seen = 0; at > text; at--)
        if (at[-1] == '\n' && ++seen == lines)
            break;
    char *rest = text + (at - text);
    while (rest != NULL && *rest != '\0')
        (void)base_buf_printf(out, "%s%s\n", indent, strsep(&rest, "\n"));
}
