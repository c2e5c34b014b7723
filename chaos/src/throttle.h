/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a control group may have of one block device: io.max of cgroup v2, or blkio.throttle.* of v1
 * (Documentation/admin-guide/cgroup-v2.rst "IO", cgroup-v1/blkio-controller.rst). A rule that is
 * there already is never overwritten, and one that has been changed since is somebody else's.
 * Lifting is async-signal-safe, for a watchdog does it too.
 */
#ifndef CHAOS_THROTTLE_H
#define CHAOS_THROTTLE_H

#include "model/fault.h"

enum fault_throttle_means { FAULT_THROTTLE_V2, FAULT_THROTTLE_V1 };
enum { FAULT_DEVICE_TEXT = 24, FAULT_RULE_TEXT = 64, FAULT_THROTTLE_RULES = 2 };

struct fault_throttle_rule {
    enum fault_io_limit limit;
    uint64_t value;
    int fd; /* the file of the group that holds it */
    char set[FAULT_RULE_TEXT];
    char lift[FAULT_RULE_TEXT];
};

struct fault_throttle {
    enum fault_throttle_means means;
    char device[FAULT_DEVICE_TEXT]; /* "254:0" */
    struct fault_throttle_rule rules[FAULT_THROTTLE_RULES];
    size_t count;
};

/* Whether groups have such files at all on this host, and which. */
bool fault_throttle_host(enum fault_throttle_means *out, struct base_error *err);
/* The group's files, by which its device could be throttled; false: it has none. */
bool fault_throttle_means_of(const char *group, enum fault_throttle_means *out);
const char *fault_throttle_means_name(enum fault_throttle_means means);

/* The whole disk under the file system of a folder. Refused, with its kind, when it has none. */
bool fault_throttle_device(const char *folder, char out[static FAULT_DEVICE_TEXT],
                           struct base_error *err);

/* Opens the group's files for these limits (0: left alone); fault_throttle_close even after a
 * failure. device: "254:0". */
bool fault_throttle_open(struct fault_throttle *throttle, const char *group, const char *device,
                         const int64_t limits[static FAULT_IO_LIMITS], struct base_error *err);
void fault_throttle_close(struct fault_throttle *throttle);

enum fault_throttle_found {
    FAULT_THROTTLE_NONE, /* or the group is gone */
    FAULT_THROTTLE_OURS, /* as it was set */
    FAULT_THROTTLE_OTHER,
    FAULT_THROTTLE_UNKNOWN /* cannot be read */
};
/* What the kernel has. value (may be NULL): the number, where there is one. Async-signal-safe. */
enum fault_throttle_found fault_throttle_look(const struct fault_throttle *throttle, size_t rule,
                                              uint64_t *value);
bool fault_throttle_set(const struct fault_throttle *throttle, struct base_error *err);
/* Whatever is as it was set is lifted. Harmless when repeated; false with errno: to be tried again.
 * Async-signal-safe. */
bool fault_throttle_lift(const struct fault_throttle *throttle);
/* Bytes or operations that the device has had of the whole group so far, in the direction and the
 * unit of the limit; 0 when that cannot be read. */
uint64_t fault_throttle_counted(const struct fault_throttle *throttle, const char *group,
                                enum fault_io_limit limit);

#endif
