/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEMINFO_H
#define BASE_MEMINFO_H

#include <stdint.h>

/* A number of /proc/meminfo (proc_meminfo(5)) in bytes, "MemAvailable" say; 0: cannot be read.
 * Async-signal-safe. */
uint64_t base_meminfo(const char *key);

#endif
