/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptors.h"

#include <sys/resource.h>

enum { APART = 64, A_THREAD = 8 };

bool load_descriptors_raise(uint32_t connections, uint32_t threads, struct base_error *err)
{
    rlim_t need = (rlim_t)connections + (rlim_t)threads * A_THREAD + APART;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return true;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (limit.rlim_max < need) /* setrlimit(2): CAP_SYS_RESOURCE, and fs.nr_open at most */
        raised.rlim_cur = raised.rlim_max = need;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return true;
    return base_fail(err, BASE_LIMIT,
                     "%u connections need %llu open files, but the limit is %llu: raise it (as "
                     "root: ulimit -Hn, LimitNOFILE= of a systemd unit, --ulimit nofile= of a "
                     "container; fs.nr_open bounds them all), use fewer connections, or several "
                     "hosts (--workers)",
                     connections, (unsigned long long)need, (unsigned long long)limit.rlim_max);
}
