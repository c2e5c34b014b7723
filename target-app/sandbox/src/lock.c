/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "status_file.h"
#include "store.h"

static const char *const phases[] = {
    [SANDBOX_PHASE_STARTING] = "starting",
    [SANDBOX_PHASE_RUNNING] = "running",
    [SANDBOX_PHASE_STOPPING] = "stopping",
};
enum { PHASES = sizeof phases / sizeof phases[0], POLL_MS = 20, ADDRESS_WAIT_S = 30 };

const char *sandbox_phase_name(enum sandbox_phase phase)
{
    return phases[phase];
}

/* Open file description locks (fcntl(2)): held by the descriptor, not by the process, so that one
 * of our own reads cannot drop them, and they can be asked about without being taken. */
static int take(const char *path, struct dur_ns wait, const char *busy, struct base_error *err)
{
    struct mono_ns end = base_mono_add(base_mono_now(), wait);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        base_fail_errno(err, "cannot open the lock %s", path);
        return -1;
    }
    while (fcntl(fd, F_OFD_SETLK, &all) < 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            base_fail_errno(err, "cannot lock %s", path);
        else if (base_mono_before(base_mono_now(), end)) {
            (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * BASE_NS_PER_MS}, NULL);
            continue;
        } else
            base_fail(err, BASE_UNAVAILABLE, "%s (lock %s)", busy, path);
        base_fd_close(&fd);
        return -1;
    }
    return fd;
}

int sandbox_lock(const struct sandbox_place *place, struct dur_ns wait, struct base_error *err)
{
    BASE_AUTO_FREE char *path = sandbox_path(place, "supervisor.lock");
    BASE_AUTO_FREE char *busy =
        base_str_printf("another squall is at work on sandbox '%s'", place->name);
    return take(path, wait, busy, err);
}

bool sandbox_locked(const struct sandbox_place *place)
{
    BASE_AUTO_FREE char *path = sandbox_path(place, "supervisor.lock");
    BASE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0)
        return false;
    return fcntl(fd, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
}

int sandbox_lock_addresses(const struct sandbox_place *place, bool loopback, struct base_error *err)
{
    BASE_AUTO_FREE char *path = loopback ? base_str_printf("%s/addresses.lock", place->root)
                                         : base_str_dup("/run/squall-addresses.lock");
    return take(path, base_dur_s(ADDRESS_WAIT_S), "another sandbox is choosing its addresses", err);
}

bool sandbox_supervisor_write(const struct sandbox_place *place, enum sandbox_phase phase,
                              struct base_error *err)
{
    BASE_AUTO_FREE char *path = sandbox_path(place, "supervisor.json");
    uint64_t ticks;
    if (!base_process_ticks(getpid(), &ticks))
        return base_fail(err, BASE_INTERNAL, "cannot read our own start time in /proc");
    return sandbox_store_json(path,
                              json_pack("{s:I, s:I, s:s}", "pid", (json_int_t)getpid(),
                                        "startTicks", (json_int_t)ticks, "phase", phases[phase]),
                              err);
}

bool sandbox_supervisor_read(const struct sandbox_place *place, struct sandbox_supervisor *out)
{
    BASE_AUTO_FREE char *path = sandbox_path(place, "supervisor.json");
    json_t *value = sandbox_load_json(path, NULL);
    const char *phase = json_string_value(json_object_get(value, "phase"));
    struct sandbox_supervisor found = {0};
    bool ok = sandbox_process_of(value, &found.pid, &found.start_ticks);
    for (unsigned i = 0; i < PHASES; i++)
        if (base_str_eq(phase, phases[i]))
            found.phase = (enum sandbox_phase)i;
    json_decref(value);
    if (ok)
        *out = found;
    return ok;
}
