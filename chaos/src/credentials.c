/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/json.h"

enum { file_max = 16 << 10, usual_management_port = 15672 };

static void wipe(char **text)
{
    if (*text != NULL)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void fault_credentials_fini(struct fault_credentials *credentials)
{
    wipe(&credentials->user);
    wipe(&credentials->password);
    wipe(&credentials->database);
}

static bool check_owner(int fd, const char *path, struct base_error *err)
{
    struct stat file;
    if (fstat(fd, &file) < 0)
        return base_fail_errno(err, "credentials %s", path);
    if (!S_ISREG(file.st_mode))
        return base_fail(err, BASE_INVALID, "credentials %s: not a regular file", path);
    if (file.st_uid != 0 && file.st_uid != geteuid())
        return base_fail(err, BASE_DENIED,
                         "credentials %s: belongs to user %u, neither root nor the agent's own: "
                         "chown it",
                         path, (unsigned)file.st_uid);
    if ((file.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return base_fail(err, BASE_DENIED,
                         "credentials %s: mode %03o lets others than its owner at it: chmod 600",
                         path, (unsigned)(file.st_mode & 0777));
    return true;
}

static ssize_t read_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < size) {
        got = read(fd, text + len, size - len);
        len += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? -1 : (ssize_t)len;
}

static bool take_port(const json_t *json, struct fault_credentials *out)
{
    int64_t port = usual_management_port;
    if (json_object_get(json, "managementPort") != NULL &&
        !model_get_i64(json, "", "managementPort", 1, UINT16_MAX, &port, NULL))
        return false;
    out->management_port = (uint16_t)port;
    return true;
}

static bool take_words(const json_t *json, struct fault_credentials *out)
{
    return model_get_text_or(json, "", "user", NULL, &out->user, NULL) &&
           model_get_text_or(json, "", "password", NULL, &out->password, NULL) &&
           model_get_text_or(json, "", "database", NULL, &out->database, NULL) &&
           take_port(json, out);
}

bool fault_credentials_read(const char *path, struct fault_credentials *out, struct base_error *err)
{
    BASE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return base_fail_errno(err, "credentials %s", path);
    if (!check_owner(fd, path, err))
        return false;
    BASE_AUTO_FREE char *text = base_calloc(1, file_max);
    ssize_t len = read_all(fd, text, file_max);
    if (len < 0)
        return base_fail_errno(err, "credentials %s", path);
    struct fault_credentials read = {0};
    json_t *json = model_json_parse(text, (size_t)len, "", NULL);
    bool ok = json != NULL && take_words(json, &read);
    json_decref(json);
    explicit_bzero(text, file_max);
    if (!ok) {
        fault_credentials_fini(&read);
        return base_fail(err, BASE_INVALID,
                         "credentials %s: expected {\"user\":\"...\",\"password\":\"...\","
                         "\"database\":\"...\"}",
                         path);
    }
    *out = read;
    return true;
}
