/* SPDX-License-Identifier: Apache-2.0 */
#include "freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "group.h"

/* Documentation/admin-guide/cgroup-v2.rst "cgroup.freeze"; cgroup-v1/freezer-subsystem.rst. */
static const struct {
    const char *file; /* NULL: a signal */
    const char *freeze;
    const char *thaw;
    const char *state_file;
    const char *frozen; /* what the state file holds a line of */
    const char *thawed;
    const char *metric;
} means[] = {
    [FAULT_FREEZER_V2] = {"cgroup.freeze", "1", "0", "cgroup.events", "frozen 1", "frozen 0",
                          "cgroup.events of its group"},
    [FAULT_FREEZER_V1] = {"freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN", "THAWED",
                          "freezer.state of its group"},
    [FAULT_FREEZER_SIGNAL] = {.metric = "state of its process"},
};

static enum fault_freezer_means means_of(const struct fault_target *target)
{
    for (int i = FAULT_FREEZER_V2; i < FAULT_FREEZER_SIGNAL; i++)
        if (target->cgroup != NULL && fault_group_has(target->cgroup, means[i].file))
            return (enum fault_freezer_means)i;
    return FAULT_FREEZER_SIGNAL;
}

static bool open_process(const char *name, struct fault_freezer *freezer, struct base_error *err)
{
    if (freezer->process.pid <= 0)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s has neither a control group with a freezer nor a process in its "
                         "statusFile",
                         name);
    freezer->fd = (int)syscall(SYS_pidfd_open, freezer->process.pid, 0U);
    if (freezer->fd < 0 && errno != ESRCH)
        return base_fail_errno(err, "cannot open process %d of %s", (int)freezer->process.pid,
                               name);
    /* Only a process that was the right one after the pidfd was made is the one it refers to. */
    if (freezer->fd >= 0 && fault_process_alive(&freezer->process))
        return true;
    base_fd_close(&freezer->fd);
    return base_fail(err, BASE_NOT_FOUND, "%s: its process %d has exited", name,
                     (int)freezer->process.pid);
}

bool fault_freezer_add_kin(struct fault_freezer *freezer, const struct fault_process *process,
                           struct base_error *err)
{
    struct fault_freezer_kin one = {.fd = -1, .process = *process};
    if (freezer->kin_count == FAULT_FREEZER_KIN)
        return base_fail(err, BASE_LIMIT,
                         "more than %d processes without a control group of their own: too many to "
                         "be stopped one by one",
                         FAULT_FREEZER_KIN);
    one.fd = (int)syscall(SYS_pidfd_open, process->pid, 0U);
    if (one.fd < 0 && errno != ESRCH)
        return base_fail_errno(err, "cannot open process %d", (int)process->pid);
    if (!fault_process_alive(process))
        base_fd_close(&one.fd);
    freezer->kin = base_reallocarray(freezer->kin, freezer->kin_count + 1, sizeof *freezer->kin);
    freezer->kin[freezer->kin_count++] = one;
    return true;
}

static bool add_found(const struct fault_target *target, struct fault_freezer *freezer,
                      struct base_error *err)
{
    BASE_AUTO_FREE struct fault_process *all = NULL;
    size_t count = 0;
    if (target->find_by == NULL)
        return true;
    if (!fault_target_processes(target, &all, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (all[i].pid != freezer->process.pid && !fault_freezer_add_kin(freezer, &all[i], err))
            return base_fail_context(err, "%s", target->name);
    return true;
}

bool fault_freezer_open(const struct fault_target *target, const struct fault_process *process,
                        struct fault_freezer *out, struct base_error *err)
{
    struct fault_freezer made = {
        .means = means_of(target), .fd = -1, .group = target->cgroup, .process = *process};
    if (made.means == FAULT_FREEZER_SIGNAL) {
        made.group = NULL;
        if (!open_process(target->name, &made, err) || !add_found(target, &made, err)) {
            fault_freezer_close(&made);
            return false;
        }
    } else {
        if (!fault_group_check(made.group, target->name, process->pid, err))
            return false;
        made.fd = fault_group_open(made.group, means[made.means].file, err);
        if (made.fd < 0)
            return false;
    }
    *out = made;
    return true;
}

bool fault_freezer_reopen(const struct fault_target *target, const struct fault_process *process,
                          struct fault_freezer *out, struct base_error *err)
{
    struct fault_freezer made = {.means = means_of(target),
                                 .fd = -1,
                                 .group = target->cgroup,
                                 .process = *process,
                                 .kin = out->kin,
                                 .kin_count = out->kin_count};
    struct base_error why = {0};
    if (made.means == FAULT_FREEZER_SIGNAL)
        made.group = NULL;
    bool ok = made.group != NULL
                  ? (made.fd = fault_group_open(made.group, means[made.means].file, &why)) >= 0
                  : process->pid <= 0 || open_process(target->name, &made, &why);
    if (!ok && why.code != BASE_NOT_FOUND)
        return base_fail(err, why.code, "%s", why.message);
    *out = made;
    return true;
}

void fault_freezer_close(struct fault_freezer *freezer)
{
    base_fd_close(&freezer->fd);
    for (size_t i = 0; i < freezer->kin_count; i++)
        base_fd_close(&freezer->kin[i].fd);
    free(freezer->kin);
    freezer->kin = NULL;
    freezer->kin_count = 0;
}

static bool send_signal(int fd, bool frozen)
{
    return fd < 0 ||
           syscall(SYS_pidfd_send_signal, fd, frozen ? SIGSTOP : SIGCONT, NULL, 0U) == 0 ||
           errno == ESRCH;
}

bool fault_freezer_set(const struct fault_freezer *freezer, bool frozen)
{
    if (freezer->means == FAULT_FREEZER_SIGNAL) {
        bool ok = send_signal(freezer->fd, frozen);
        for (size_t i = 0; i < freezer->kin_count; i++)
            ok = send_signal(freezer->kin[i].fd, frozen) && ok;
        return ok;
    }
    if (freezer->fd < 0)
        return true;
    const char *word = frozen ? means[freezer->means].freeze : means[freezer->means].thaw;
    size_t len = strlen(word);
    return pwrite(freezer->fd, word, len, 0) == (ssize_t)len || errno == ENODEV;
}

/* --- looking --- */

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    size_t len = strlen(line);
    return at != NULL && (at == text || at[-1] == '\n') && (at[len] == '\n' || at[len] == '\0');
}

static bool look_at_group(const struct fault_freezer *freezer, enum fault_freezer_state *out,
                          char *text, size_t text_size, struct base_error *err)
{
    struct base_error why = {0};
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, 4096);
    if (!fault_group_read(freezer->group, means[freezer->means].state_file, &buf, &why)) {
        if (why.code != BASE_NOT_FOUND)
            return base_fail(err, why.code, "%s", why.message);
        *out = FAULT_FREEZER_GONE;
        (void)snprintf(text, text_size, "the group is gone");
        return true;
    }
    bool frozen = has_line(buf.data, means[freezer->means].frozen);
    bool thawed = has_line(buf.data, means[freezer->means].thawed);
    for (size_t i = 0; i < buf.len; i++)
        if (buf.data[i] == '\n')
            buf.data[i] = ',';
    *out = frozen ? FAULT_FREEZER_FROZEN : thawed ? FAULT_FREEZER_THAWED : FAULT_FREEZER_BETWEEN;
    (void)snprintf(text, text_size, "%s (processes: %zu)", buf.data,
                   fault_group_count(freezer->group));
    return true;
}

struct tally {
    size_t stopped;
    size_t running;
};

static void count_state(const struct fault_process *process, struct tally *tally)
{
    char letter = fault_process_state(process);
    tally->stopped += letter == 'T' ? 1 : 0;
    tally->running += letter != 'T' && letter != '\0' ? 1 : 0;
}

static bool look_at_process(const struct fault_freezer *freezer, enum fault_freezer_state *out,
                            char *text, size_t text_size)
{
    char letter = fault_process_state(&freezer->process);
    struct tally tally = {0};
    count_state(&freezer->process, &tally);
    for (size_t i = 0; i < freezer->kin_count; i++)
        count_state(&freezer->kin[i].process, &tally);
    *out = tally.stopped > 0 && tally.running > 0 ? FAULT_FREEZER_BETWEEN
           : tally.stopped > 0                    ? FAULT_FREEZER_FROZEN
           : tally.running > 0                    ? FAULT_FREEZER_THAWED
                                                  : FAULT_FREEZER_GONE;
    if (freezer->kin_count > 0)
        (void)snprintf(text, text_size, "%zu stopped, %zu not", tally.stopped, tally.running);
    else if (letter == '\0')
        (void)snprintf(text, text_size, "pid %d is gone", (int)freezer->process.pid);
    else
        (void)snprintf(text, text_size, "pid %d: %c", (int)freezer->process.pid, letter);
    return true;
}

bool fault_freezer_look(const struct fault_freezer *freezer, enum fault_freezer_state *out,
                        char *text, size_t text_size, struct base_error *err)
{
    return freezer->group == NULL ? look_at_process(freezer, out, text, text_size)
                                  : look_at_group(freezer, out, text, text_size, err);
}

const char *fault_freezer_metric(const struct fault_freezer *freezer)
{
    return means[freezer->means].metric;
}

bool fault_freezer_holds_any(const struct fault_freezer *freezer)
{
    bool any = fault_process_alive(&freezer->process);
    for (size_t i = 0; i < freezer->kin_count; i++)
        any = any || fault_process_alive(&freezer->kin[i].process);
    return freezer->group == NULL ? any : fault_group_count(freezer->group) > 0;
}
