/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/file.h"

enum {
    lowest_fd = 1024,
    reserve_most = 128,
    reserve_part = 4 /* of few */
};

int proxy_fd_keep(int fd)
{
    struct rlimit limit;
    if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return fd;
    rlim_t reserve = limit.rlim_cur / reserve_part;
    rlim_t end = limit.rlim_cur - (reserve < reserve_most ? reserve : (rlim_t)reserve_most);
    int kept = fd;
    if (fd < lowest_fd && end > lowest_fd)
        kept = fcntl(fd, F_DUPFD_CLOEXEC, lowest_fd);
    if (kept >= 0 && (rlim_t)kept < end) {
        if (kept != fd)
            base_fd_close(&fd);
        return kept;
    }
    if (kept != fd)
        base_fd_close(&kept);
    base_fd_close(&fd);
    errno = EMFILE;
    return -1;
}
