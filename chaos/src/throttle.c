/* SPDX-License-Identifier: Apache-2.0 */
#include "throttle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "group.h"

enum { text_max = 16 * 1024, mounts_max = 1 << 20 };

/* How the two say it. In a line that starts with the device, a number follows the key. */
static const struct {
    const char *name;
    const char *none; /* in place of the number: no limit */
    struct {
        const char *file;
        const char *key; /* behind "254:0 " */
        const char *counter;
        const char *counted; /* key there */
    } limits[FAULT_IO_LIMITS];
} means_of[] = {
    [FAULT_THROTTLE_V2] = {"io.max (cgroup v2)",
                           "max",
                           {[FAULT_IO_READ_RATE] = {"io.max", "rbps=", "io.stat", "rbytes="},
                            [FAULT_IO_WRITE_RATE] = {"io.max", "wbps=", "io.stat", "wbytes="},
                            [FAULT_IO_READ_OPS] = {"io.max", "riops=", "io.stat", "rios="},
                            [FAULT_IO_WRITE_OPS] = {"io.max", "wiops=", "io.stat", "wios="}}},
    [FAULT_THROTTLE_V1] = {"blkio.throttle (cgroup v1)",
                           "0",
                           {[FAULT_IO_READ_RATE] = {"blkio.throttle.read_bps_device", "",
                                                    "blkio.throttle.io_service_bytes", "Read "},
                            [FAULT_IO_WRITE_RATE] = {"blkio.throttle.write_bps_device", "",
                                                     "blkio.throttle.io_service_bytes", "Write "},
                            [FAULT_IO_READ_OPS] = {"blkio.throttle.read_iops_device", "",
                                                   "blkio.throttle.io_serviced", "Read "},
                            [FAULT_IO_WRITE_OPS] = {"blkio.throttle.write_iops_device", "",
                                                    "blkio.throttle.io_serviced", "Write "}}},
};

const char *fault_throttle_means_name(enum fault_throttle_means means)
{
    return means_of[means].name;
}

/* --- which there is --- */

bool fault_throttle_means_of(const char *group, enum fault_throttle_means *out)
{
    for (int means = FAULT_THROTTLE_V2; means <= FAULT_THROTTLE_V1; means++) {
        if (!fault_group_has(group, means_of[means].limits[FAULT_IO_READ_RATE].file))
            continue;
        *out = (enum fault_throttle_means)means;
        return true;
    }
    return false;
}

bool fault_throttle_host(enum fault_throttle_means *out, struct base_error *err)
{
    BASE_AUTO_FREE char *v2 = fault_group_mount(NULL);
    BASE_AUTO_FREE char *v1 = fault_group_mount("blkio");
    BASE_AUTO_BUF struct base_buf controllers;
    base_buf_init(&controllers, text_max);
    /* A root group has no io.max: what could be handed down tells. */
    if (v2 != NULL && fault_group_read(v2, "cgroup.controllers", &controllers, NULL) &&
        fault_group_lists(controllers.data, "io")) {
        *out = FAULT_THROTTLE_V2;
        return true;
    }
    if (v1 != NULL && fault_throttle_means_of(v1, out))
        return true;
    return base_fail(err, BASE_UNAVAILABLE,
                     "no control groups that can throttle disks: cgroup v2 has no io controller "
                     "here, and no v1 hierarchy of blkio with throttling is mounted");
}

/* --- the device --- */

/* proc_pid_mountinfo(5): "36 35 254:0 /root /point options [fields] - ext4 source super" */
static char *kind_of_file_system(const char *device)
{
    enum { DEVICE = 2 };
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, mounts_max);
    if (!base_file_read("/proc/self/mountinfo", &buf, NULL))
        return NULL;
    char *rest = buf.data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *kind = strstr(line, " - ");
        const char *field = NULL;
        for (int i = 0; i <= DEVICE && line != NULL; i++)
            field = strsep(&line, " ");
        if (kind == NULL || !base_str_eq(field, device))
            continue;
        kind += strlen(" - ");
        return base_str_ndup(kind, strcspn(kind, " "));
    }
    return NULL;
}

/* Rules are for whole disks (block/blk-cgroup.c, blkg_conf_prep): that of a partition is the folder
 * above it. */
static bool whole_disk(char device[static FAULT_DEVICE_TEXT], struct base_error *err)
{
    BASE_AUTO_FREE char *folder = base_str_printf("/sys/dev/block/%s", device);
    BASE_AUTO_FREE char *partition = base_str_printf("%s/partition", folder);
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, FAULT_DEVICE_TEXT);
    if (access(folder, F_OK) < 0)
        return base_fail_errno(err, "block device %s", device);
    if (access(partition, F_OK) < 0)
        return true;
    BASE_AUTO_FREE char *above = base_str_printf("%s/..", folder);
    if (!fault_group_read(above, "dev", &buf, err))
        return base_fail_context(err, "the disk of the partition %s", device);
    (void)snprintf(device, FAULT_DEVICE_TEXT, "%s", buf.data);
    return true;
}

bool fault_throttle_device(const char *folder, char out[static FAULT_DEVICE_TEXT],
                           struct base_error *err)
{
    struct stat place;
    char device[FAULT_DEVICE_TEXT];
    if (stat(folder, &place) < 0)
        return base_fail_errno(err, "folder %s", folder);
    (void)snprintf(device, sizeof device, "%u:%u", major(place.st_dev), minor(place.st_dev));
    if (major(place.st_dev) == 0) { /* UNNAMED_MAJOR (linux/major.h) */
        BASE_AUTO_FREE char *kind = kind_of_file_system(device);
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s lies on a file system (%s) without a block device of its own, which "
                         "could be throttled",
                         folder, kind != NULL ? kind : device);
    }
    if (!whole_disk(device, err))
        return false;
    (void)snprintf(out, FAULT_DEVICE_TEXT, "%s", device);
    return true;
}

/* --- opening --- */

static bool open_rule(struct fault_throttle *throttle, const char *group, enum fault_io_limit limit,
                      uint64_t value, struct base_error *err)
{
    const char *file = means_of[throttle->means].limits[limit].file;
    const char *key = means_of[throttle->means].limits[limit].key;
    struct fault_throttle_rule *rule = &throttle->rules[throttle->count];
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", group, file);
    *rule = (struct fault_throttle_rule){.limit = limit, .value = value};
    (void)snprintf(rule->set, sizeof rule->set, "%s %s%llu\n", throttle->device, key,
                   (unsigned long long)value);
    (void)snprintf(rule->lift, sizeof rule->lift, "%s %s%s\n", throttle->device, key,
                   means_of[throttle->means].none);
    rule->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (rule->fd < 0)
        return base_fail_errno(err, "cannot open %s", path);
    throttle->count++;
    return true;
}

bool fault_throttle_open(struct fault_throttle *throttle, const char *group, const char *device,
                         const int64_t limits[static FAULT_IO_LIMITS], struct base_error *err)
{
    if (!fault_throttle_means_of(group, &throttle->means))
        return base_fail(err, BASE_NOT_FOUND, "%s has neither io.max nor blkio.throttle", group);
    (void)snprintf(throttle->device, sizeof throttle->device, "%s", device);
    for (int limit = 0; limit < FAULT_IO_LIMITS; limit++) {
        if (limits[limit] <= 0)
            continue;
        if (throttle->count == FAULT_THROTTLE_RULES)
            return base_fail(err, BASE_INVALID, "of each direction one limit at most");
        if (!open_rule(throttle, group, (enum fault_io_limit)limit, (uint64_t)limits[limit], err))
            return false;
    }
    return true;
}

void fault_throttle_close(struct fault_throttle *throttle)
{
    while (throttle->count > 0)
        base_fd_close(&throttle->rules[--throttle->count].fd);
}

/* --- reading: async-signal-safe --- */

/* The text behind the key, in the lines that start with the device and a blank; NULL: nowhere. */
static const char *behind(const char *text, const char *device, const char *key)
{
    size_t len = strlen(device);
    size_t key_len = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *end = line + strcspn(line, "\n");
        if (strncmp(line, device, len) == 0 && line[len] == ' ') {
            for (const char *word = line + len + 1; word < end;) {
                if (strncmp(word, key, key_len) == 0)
                    return word + key_len;
                word += strcspn(word, " \n");
                word += *word == ' ' ? 1 : 0;
            }
        }
        line = *end == '\n' ? end + 1 : NULL;
    }
    return NULL;
}

static bool digits(const char *at, uint64_t *out)
{
    uint64_t value = 0;
    if (at == NULL || *at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *out = value;
    return true;
}

enum fault_throttle_found fault_throttle_look(const struct fault_throttle *throttle, size_t rule,
                                              uint64_t *value)
{
    const struct fault_throttle_rule *of = &throttle->rules[rule];
    char text[text_max];
    uint64_t now = 0;
    ssize_t got = pread(of->fd, text, sizeof text - 1, 0);
    if (got < 0)
        return errno == ENODEV ? FAULT_THROTTLE_NONE : FAULT_THROTTLE_UNKNOWN;
    if (got == (ssize_t)sizeof text - 1)
        return FAULT_THROTTLE_UNKNOWN; /* there may be more */
    text[got] = '\0';
    const char *at =
        behind(text, throttle->device, means_of[throttle->means].limits[of->limit].key);
    if (!digits(at, &now) || now == 0) /* "max", or v1's word for none in a file of ours */
        return FAULT_THROTTLE_NONE;
    if (value != NULL)
        *value = now;
    return now == of->value ? FAULT_THROTTLE_OURS : FAULT_THROTTLE_OTHER;
}

bool fault_throttle_lift(const struct fault_throttle *throttle)
{
    bool ok = true;
    for (size_t i = 0; i < throttle->count; i++) {
        const struct fault_throttle_rule *rule = &throttle->rules[i];
        enum fault_throttle_found found = fault_throttle_look(throttle, i, NULL);
        size_t len = strlen(rule->lift);
        if (found == FAULT_THROTTLE_UNKNOWN)
            ok = false;
        else if (found == FAULT_THROTTLE_OURS &&
                 pwrite(rule->fd, rule->lift, len, 0) != (ssize_t)len && errno != ENODEV)
            ok = false;
    }
    return ok;
}

/* --- setting and counting --- */

bool fault_throttle_set(const struct fault_throttle *throttle, struct base_error *err)
{
    for (size_t i = 0; i < throttle->count; i++) {
        const struct fault_throttle_rule *rule = &throttle->rules[i];
        size_t len = strlen(rule->set);
        if (pwrite(rule->fd, rule->set, len, 0) != (ssize_t)len)
            return base_fail_errno(err, "cannot set %s to %s for the device %s",
                                   means_of[throttle->means].limits[rule->limit].file,
                                   fault_io_limit_name(rule->limit), throttle->device);
    }
    return true;
}

uint64_t fault_throttle_counted(const struct fault_throttle *throttle, const char *group,
                                enum fault_io_limit limit)
{
    BASE_AUTO_BUF struct base_buf buf;
    uint64_t value = 0;
    base_buf_init(&buf, text_max);
    if (!fault_group_read(group, means_of[throttle->means].limits[limit].counter, &buf, NULL))
        return 0;
    const char *at =
        behind(buf.data, throttle->device, means_of[throttle->means].limits[limit].counted);
    return digits(at, &value) ? value : 0;
}
