/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says about a process. A pid alone may come to mean another process; with the start
 * time beside it, it does not. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct base_process {
    char state; /* 'R', 'S', 'D', 'T'... as proc(5) has them */
    pid_t parent;
    uint64_t start_ticks; /* since the boot */
};

/* false when there is no such process, or only what waits to be reaped. */
bool base_process_find(pid_t pid, struct base_process *out);
bool base_process_ticks(pid_t pid, uint64_t *out);
bool base_process_alive(pid_t pid, uint64_t start_ticks);
/* The text of /proc/PID/stat; false as above, or when it is none. */
bool base_process_parse(const char *stat, struct base_process *out);

#endif
