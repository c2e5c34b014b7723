/* SPDX-License-Identifier: Apache-2.0 */
#include "base/meminfo.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

uint64_t base_meminfo(const char *key)
{
    char text[4096];
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    const char *at = strstr(text, key);
    if (at == NULL)
        return 0;
    uint64_t kib = 0;
    for (at += strlen(key); *at == ':' || *at == ' '; at++)
        continue;
    for (; *at >= '0' && *at <= '9'; at++)
        kib = kib * 10 + (uint64_t)(*at - '0');
    return kib * 1024;
}
