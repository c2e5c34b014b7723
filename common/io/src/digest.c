/* SPDX-License-Identifier: Apache-2.0 */
/* The nettle adapter; the only file that sees its headers. */
#include "io/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

enum { CHUNK = 65536 };

static void to_hex(struct sha256_ctx *hash, char out[static IO_SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_SIZE];
    char *at = out;
    sha256_digest(hash, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        *at++ = digits[digest[i] >> 4];
        *at++ = digits[digest[i] & 15];
    }
    *at = '\0';
}

void io_sha256(const void *data, size_t len, char out[static IO_SHA256_TEXT])
{
    struct sha256_ctx hash;
    sha256_init(&hash);
    sha256_update(&hash, len, data);
    to_hex(&hash, out);
}

static bool hash_fd(struct sha256_ctx *hash, int fd, const char *path, struct base_error *err)
{
    BASE_AUTO_FREE unsigned char *chunk = malloc(CHUNK);
    if (chunk == NULL)
        return base_fail_errno(err, "cannot compute the SHA-256 of %s", path);
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK);
        if (got == 0)
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return base_fail_errno(err, "cannot read %s", path);
        sha256_update(hash, (size_t)got, chunk);
    }
}

bool io_sha256_file(const char *path, char out[static IO_SHA256_TEXT], struct base_error *err)
{
    struct sha256_ctx hash;
    BASE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot open %s", path);
    sha256_init(&hash);
    if (!hash_fd(&hash, fd, path, err))
        return false;
    to_hex(&hash, out);
    return true;
}

bool io_secret_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return false;
    size_t len = strlen(a);
    return len == strlen(b) && memeql_sec(a, b, len) == 1;
}

bool io_base64(const void *data, size_t len, struct base_buf *out)
{
    size_t room = BASE64_ENCODE_RAW_LENGTH(len);
    BASE_AUTO_FREE char *text = base_calloc(1, room + 1);
    base64_encode_raw(text, len, data);
    bool ok = base_buf_append(out, text, room);
    explicit_bzero(text, room);
    return ok;
}
