/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/file.h"
#include "base/text.h"
#include "operator_socket.h"

enum { PATIENCE_S = 2, NAME_MAX_BYTES = 256 };

bool operator_address(const char *run_dir, int *folder, struct sockaddr_un *out,
                      struct base_error *err)
{
    *folder = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return base_fail_errno(err, "cannot open the run directory %s", run_dir);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", *folder,
                   SCN_CONTINUE_SOCKET);
    return true;
}

static bool fail_connect(const char *run_dir, struct base_error *err)
{
    if (errno == ENOENT || errno == ECONNREFUSED)
        return base_fail(err, BASE_NOT_FOUND,
                         "no run waits for an operator in %s: it is not suspended (yet), or over",
                         run_dir);
    return base_fail_errno(err, "cannot reach the run in %s", run_dir);
}

static bool ask(int fd, const char *run_dir, char **fault, struct base_error *err)
{
    char name[NAME_MAX_BYTES + 1];
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    ssize_t len = send(fd, SCN_CONTINUE, strlen(SCN_CONTINUE), MSG_NOSIGNAL);
    if (len > 0)
        len = recv(fd, name, NAME_MAX_BYTES, 0);
    if (len < 0)
        return base_fail_errno(err, "the run in %s does not answer", run_dir);
    name[len] = '\0';
    if (len == 0)
        return base_fail(err, BASE_NOT_FOUND, "the run in %s goes on already", run_dir);
    *fault = base_str_dup(name);
    return true;
}

bool scn_continue(const char *run_dir, char **fault, struct base_error *err)
{
    struct sockaddr_un address;
    int folder = -1;
    if (!operator_address(run_dir, &folder, &address, err))
        return false;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0;
    if (!ok)
        (void)base_fail_errno(err, "cannot make a socket");
    else if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        ok = fail_connect(run_dir, err);
    else
        ok = ask(fd, run_dir, fault, err);
    base_fd_close(&fd);
    base_fd_close(&folder);
    return ok;
}
