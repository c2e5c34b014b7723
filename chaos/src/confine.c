/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { words = _LINUX_CAPABILITY_U32S_3, word_bits = 32 };

static struct __user_cap_header_struct header(void)
{
    return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

/* Needs CAP_SETPCAP, so it comes before the rest goes; without that nothing that is executed can
 * gain anything either, because of PR_SET_NO_NEW_PRIVS. */
static bool drop_bounding(uint64_t keep, struct base_error *err)
{
    for (int cap = 0; cap < words * word_bits; cap++) {
        if ((keep >> cap & 1) != 0 || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
            return base_fail_errno(err, "cannot drop capability %d from the bounding set", cap);
    }
    return true;
}

bool fault_confine(uint64_t keep, struct base_error *err)
{
    struct __user_cap_header_struct head = header();
    struct __user_cap_data_struct data[words] = {{0}};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return base_fail_errno(err, "cannot set PR_SET_NO_NEW_PRIVS");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return base_fail_errno(err, "cannot clear the ambient capabilities");
    if (!drop_bounding(keep, err))
        return false;
    if (syscall(SYS_capget, &head, data) < 0)
        return base_fail_errno(err, "cannot read our capabilities");
    for (int i = 0; i < words; i++) {
        data[i].permitted &= (uint32_t)(keep >> (i * word_bits));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    head = header();
    return syscall(SYS_capset, &head, data) == 0 ||
           base_fail_errno(err, "cannot drop our capabilities");
}

bool fault_has_capability(int capability)
{
    struct __user_cap_header_struct head = header();
    struct __user_cap_data_struct data[words] = {{0}};
    return syscall(SYS_capget, &head, data) == 0 &&
           (data[capability / word_bits].effective >> (capability % word_bits) & 1) != 0;
}
