/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenSSL adapter; the only file that sees its headers. */
#include "io/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

enum { SHA256_BYTES = 32, CHUNK = 65536 };

static void to_hex(const unsigned char digest[static SHA256_BYTES], char out[static IO_SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        *at++ = digits[digest[i] >> 4];
        *at++ = digits[digest[i] & 15];
    }
    *at = '\0';
}

static bool refused(struct base_error *err)
{
    return base_fail(err, BASE_INTERNAL, "OpenSSL refused to compute SHA-256");
}

bool io_sha256(const void *data, size_t len, char out[static IO_SHA256_TEXT],
               struct base_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(data, len, digest, &size, EVP_sha256(), NULL) != 1 || size != SHA256_BYTES)
        return refused(err);
    to_hex(digest, out);
    return true;
}

static bool hash_fd(EVP_MD_CTX *hash, int fd, const char *path, struct base_error *err)
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
        if (EVP_DigestUpdate(hash, chunk, (size_t)got) != 1)
            return refused(err);
    }
}

static bool hash_file(EVP_MD_CTX *hash, const char *path, char out[static IO_SHA256_TEXT],
                      struct base_error *err)
{
    BASE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot open %s", path);
    if (hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        return refused(err);
    if (!hash_fd(hash, fd, path, err))
        return false;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(hash, digest, &size) != 1 || size != SHA256_BYTES)
        return refused(err);
    to_hex(digest, out);
    return true;
}

bool io_sha256_file(const char *path, char out[static IO_SHA256_TEXT], struct base_error *err)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool ok = hash_file(hash, path, out, err);
    EVP_MD_CTX_free(hash);
    return ok;
}

bool io_secret_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return false;
    size_t len = strlen(a);
    return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}
