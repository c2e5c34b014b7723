/* SPDX-License-Identifier: Apache-2.0 */
#include "status_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "store.h"

#define BIT(state) (1U << (state))

static const struct {
    const char *name;
    unsigned to; /* the allowed next states */
} states[SANDBOX_STATES] = {
    [SANDBOX_STOPPED] = {"stopped", BIT(SANDBOX_STARTING) | BIT(SANDBOX_BACKOFF)},
    [SANDBOX_STARTING] = {"starting", BIT(SANDBOX_READY) | BIT(SANDBOX_BACKOFF) |
                                          BIT(SANDBOX_GAVE_UP) | BIT(SANDBOX_STOPPED)},
    [SANDBOX_READY] = {"ready", BIT(SANDBOX_UNREADY) | BIT(SANDBOX_BACKOFF) | BIT(SANDBOX_STOPPED)},
    [SANDBOX_UNREADY] = {"unready",
                         BIT(SANDBOX_READY) | BIT(SANDBOX_BACKOFF) | BIT(SANDBOX_STOPPED)},
    [SANDBOX_BACKOFF] = {"backoff",
                         BIT(SANDBOX_STARTING) | BIT(SANDBOX_BACKOFF) | BIT(SANDBOX_STOPPED)},
    [SANDBOX_GAVE_UP] = {"failed", BIT(SANDBOX_STOPPED)},
};

const char *sandbox_state_name(enum sandbox_state state)
{
    return states[state].name;
}

bool sandbox_state_move_allowed(enum sandbox_state from, enum sandbox_state to)
{
    return (states[from].to & BIT(to)) != 0;
}

bool sandbox_status_write(const char *path, const struct sandbox_status_file *status,
                          struct base_error *err)
{
    json_t *exit_text =
        status->last_exit == NULL ? json_null() : json_string_nocheck(status->last_exit);
    json_t *value = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "name", status->name, "state",
                              sandbox_state_name(status->state), "pid", (json_int_t)status->pid,
                              "startTicks", (json_int_t)status->start_ticks, "restarts",
                              (json_int_t)status->restarts, "lastExit", exit_text);
    return sandbox_store_json(path, value, err);
}

bool sandbox_process_signal(pid_t pid, uint64_t start_ticks, int number)
{
    if (pid <= 1)
        return false;
    BASE_AUTO_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    /* Checked after the pidfd is held: from here on it cannot come to mean another process. */
    if (fd < 0 || !base_process_alive(pid, start_ticks))
        return false;
    return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) == 0;
}

bool sandbox_process_of(const json_t *status, pid_t *pid, uint64_t *start_ticks)
{
    const json_t *id = json_object_get(status, "pid");
    const json_t *ticks = json_object_get(status, "startTicks");
    if (!json_is_integer(id) || !json_is_integer(ticks))
        return false;
    json_int_t value = json_integer_value(id);
    if (value <= 1 || value > INT32_MAX || json_integer_value(ticks) < 0)
        return false;
    *pid = (pid_t)value;
    *start_ticks = (uint64_t)json_integer_value(ticks);
    return true;
}
