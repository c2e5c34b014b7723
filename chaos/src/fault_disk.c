/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diskFill: a file without a name (O_TMPFILE, open(2)) takes up space where the target keeps its
 * state. Nobody but a satellite holds it, so that it vanishes with that process, which ends when
 * the lease lapses or the agent is no more. Proven by the blocks that the kernel has given to the
 * file; over when no such process holds one. What is free for others is on record, but proves
 * nothing: others write too.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "crew.h"
#include "engine.h"
#include "folder.h"
#include "step.h"
#include "undo.h"

#define FILLER "squall-fill" /* how they are told from all other processes */

enum { poll_ms = 20, idle_ms = 200, chunk_mib = 64, least_chunk = 4096 };
static const double least = 0.99; /* of what was asked for: file systems round to blocks */

struct disk_state {
    char **targets; /* names, for the evidence */
    size_t count;
    char *folder; /* without symbolic links */
    int64_t bytes;
    int fd; /* of the file, only between its making and its handing over; then its number there */
    struct fault_crew *crew;
    enum fault_step round;
    bool waits; /* a step, for the satellite's word */
    struct mono_ns began;
    struct io_timer poll;
};

/* --- the satellite --- */

/* Only async-signal-safe functions: it is a fork of a process with threads. */
static void fill(void *ctx, int line, struct mono_ns deadline)
{
    const struct disk_state *state = ctx;
    int64_t chunk = INT64_C(1048576) * chunk_mib;
    int64_t done = 0;
    while (fault_satellite_holds(line, &deadline)) {
        int64_t left = state->bytes - done;
        int64_t next = left < chunk ? left : chunk;
        if (next > 0 && fallocate(state->fd, 0, done, next) == 0)
            done += next;
        else if (next > least_chunk)
            chunk = next / 2; /* as much as there is */
        else                  /* all, or no more to be had: what is missing is measured, and said */
            fault_satellite_wait(line, base_dur_ms(idle_ms));
    }
}

/* --- resolving --- */

static void on_poll(void *ctx);

static struct disk_state *state_new(struct fault *fault)
{
    struct disk_state *state = base_calloc(1, sizeof *state);
    const struct fault_spec *spec = fault_spec_of(fault);
    state->targets = spec->targets;
    state->count = spec->target_count;
    state->fd = -1;
    io_timer_init(&state->poll, fault_env_of(fault)->loop, on_poll, fault);
    fault_set_state(fault, state);
    return state;
}

static bool disk_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct disk_state *state = state_new(fault);
    return fault_folder_open(fault, topo, spec->disk.path, &state->folder, err);
}

/* --- space --- */

static bool plan_bytes(struct fault *fault, struct base_error *err)
{
    struct disk_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    struct fault_space space = {0};
    if (!fault_folder_space(state->folder, &space, err))
        return false;
    int64_t left = (int64_t)((double)space.total * spec->disk.left);
    state->bytes = spec->disk.bytes > 0 ? spec->disk.bytes : space.available - left;
    if (state->bytes <= 0)
        return base_fail(err, BASE_LIMIT, "%s has less free than is to be left: nothing to fill",
                         state->folder);
    return fault_folder_has_room(fault, state->folder, state->bytes, err);
}

/* --- what the kernel says --- */

static void evidence(struct fault *fault, const char *metric, const char *value,
                     const char *expected, bool ok)
{
    const struct disk_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        fault_evidence(fault, state->targets[i], fault_step_when(state->round), metric, value,
                       expected, ok);
}

static void space_evidence(struct fault *fault)
{
    const struct disk_state *state = fault_state_of(fault);
    struct fault_space space = {0};
    if (!fault_folder_space(state->folder, &space, NULL))
        return;
    BASE_AUTO_FREE char *metric = base_str_printf("space at %s", state->folder);
    BASE_AUTO_FREE char *value = base_str_printf(
        "%lld of %lld MiB", (long long)(space.available >> 20), (long long)(space.total >> 20));
    evidence(fault, metric, value, NULL, true);
}

/* The file is the satellite's alone: it is seen through its descriptor there (proc_pid_fd(5)). */
static int64_t filled(const struct disk_state *state)
{
    struct stat file;
    BASE_AUTO_FREE char *path =
        base_str_printf("/proc/%d/fd/%d", (int)fault_crew_pid(state->crew, 0), state->fd);
    return stat(path, &file) < 0 ? 0 : (int64_t)file.st_blocks * 512;
}

/* A process that has closed its files already may still be giving back what they took: it counts
 * until it is no more. */
static bool holds_file_in(const char *process, const char *folder)
{
    BASE_AUTO_FREE char *place = base_str_printf("/proc/%s/fd", process);
    DIR *dir = opendir(place);
    bool found = false;
    bool any = dir == NULL; /* gone between two looks */
    for (const struct dirent *entry; dir != NULL && !found && (entry = readdir(dir)) != NULL;) {
        char link[PATH_MAX];
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
        if (len <= 0)
            continue;
        any = true;
        link[len] = '\0';
        found = fault_folder_lies_in(link, folder);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found || !any;
}

/* Satellites with a file in that folder, whichever agent has made them. */
static size_t fillers(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir("/proc");
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        BASE_AUTO_BUF struct base_buf comm;
        base_buf_init(&comm, 64);
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        BASE_AUTO_FREE char *file = base_str_printf("/proc/%s/comm", entry->d_name);
        uint64_t pid = 0;
        uint64_t ticks = 0;
        if (base_file_read(file, &comm, NULL) && base_str_eq(comm.data, FILLER "\n") &&
            base_parse_u64(entry->d_name, &pid) && fault_process_ticks((pid_t)pid, &ticks) &&
            holds_file_in(entry->d_name, folder))
            count++;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

/* --- the satellite, seen from here --- */

static void on_held(void *ctx)
{
    struct disk_state *state = fault_state_of(ctx);
    fault_step_held(ctx, &state->waits);
}

static void on_lost(void *ctx)
{
    struct disk_state *state = fault_state_of(ctx);
    struct base_error err = {0};
    bool lapsed = fault_effect_left(ctx).ns <= 0;
    err = fault_crew_why(state->crew);
    if (err.code == BASE_OK)
        (void)base_fail(&err, BASE_UNAVAILABLE, "the process that held the file was killed");
    fault_step_lost(ctx, &state->waits, lapsed, &err);
}

static void on_stopped(void *ctx)
{
    fault_step_done(ctx, FAULT_OUTCOME_OK, NULL);
}

/* --- the steps --- */

static void disk_prepare(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->round = FAULT_STEP_PREPARE;
    BASE_AUTO_FD int fd = fault_folder_file(state->folder, NULL, &err);
    bool ok = fd >= 0 && plan_bytes(fault, &err);
    space_evidence(fault);
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void disk_apply(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    struct base_error err = {0};
    /* Closed here: the satellite's alone. */
    BASE_AUTO_FD int fd = fault_folder_file(state->folder, NULL, &err);
    state->fd = fd;
    struct fault_crew_spec spec = {
        .name = FILLER,
        .run = fill,
        .run_ctx = state,
        .keep = &state->fd,
        .keep_count = 1,
        .count = 1,
        .on_held = on_held,
        .on_lost = on_lost,
        .on_stopped = on_stopped,
        .ctx = fault,
    };
    if (fd >= 0)
        state->crew =
            fault_crew_start(fault_env_of(fault)->loop, &spec, fault_effect_left(fault), &err);
    state->waits = state->crew != NULL;
    if (state->crew == NULL)
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void disk_verify(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY;
    state->began = base_mono_now();
    on_poll(fault);
}

static void verify_poll(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    struct base_error err = {0};
    int64_t got = filled(state);
    bool ok = (double)got >= (double)state->bytes * least;
    int64_t patience = fault_spec_of(fault)->lease.ns / 5 * 4;
    if (!ok && base_mono_sub(base_mono_now(), state->began).ns < patience) {
        io_timer_start(&state->poll, base_dur_ms(poll_ms));
        return;
    }
    BASE_AUTO_FREE char *value = base_str_printf("%.1f MiB", (double)got / 1048576);
    BASE_AUTO_FREE char *wanted = base_str_printf("%.1f MiB", (double)state->bytes / 1048576);
    evidence(fault, "size of the file", value, wanted, ok);
    space_evidence(fault);
    if (!ok)
        (void)base_fail(&err, BASE_LIMIT,
                        "%s of %s were filled in time: is %s full, or slow? Try a longer lease",
                        value, wanted, state->folder);
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_NO_EFFECT, &err);
}

static void gone_poll(struct fault *fault, bool last)
{
    struct disk_state *state = fault_state_of(fault);
    struct base_error err = {0};
    size_t left = fillers(state->folder);
    if (left > 0 && !last) {
        io_timer_start(&state->poll, base_dur_ms(poll_ms)); /* until the deadline */
        return;
    }
    BASE_AUTO_FREE char *value = base_str_printf("%zu", left);
    evidence(fault, "processes that hold such a file", value, "0", left == 0);
    space_evidence(fault);
    if (left > 0)
        (void)base_fail(&err, BASE_IO, "%zu processes named " FILLER " still hold a file in %s",
                        left, state->folder);
    fault_step_done(fault, left == 0 ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void on_poll(void *ctx)
{
    const struct disk_state *state = fault_state_of(ctx);
    if (state->round == FAULT_STEP_VERIFY)
        verify_poll(ctx);
    else
        gone_poll(ctx, false);
}

static void disk_renew(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->waits = fault_crew_renew(state->crew, fault_effect_left(fault), &err);
    if (!state->waits)
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void disk_revert(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    if (state->crew != NULL && !fault_crew_stopped(state->crew))
        fault_crew_stop(state->crew);
    else /* an agent that died has taken its satellite along */
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void disk_gone(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY_GONE;
    on_poll(fault);
}

/* --- housekeeping --- */

static void disk_late(struct fault *fault, enum fault_step step)
{
    struct disk_state *state = fault_state_of(fault);
    state->waits = false;
    if (step == FAULT_STEP_VERIFY_GONE)
        gone_poll(fault, true);
}

static void disk_cancel(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    io_timer_stop(&state->poll);
    state->waits = false;
}

static void disk_close(struct fault *fault)
{
    struct disk_state *state = fault_state_of(fault);
    fault_crew_free(state->crew);
    io_timer_fini(&state->poll);
    free(state->folder);
    free(state);
    fault_set_state(fault, NULL);
}

static json_t *disk_undo(const struct fault *fault)
{
    const struct disk_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++)
        json_array_append_new(list, json_pack("{s:s}", "folder", state->folder));
    return list;
}

static bool disk_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct disk_state *state = state_new(fault);
    return model_get_text(json_array_get(undo, 0), "undo", "folder", &state->folder, err);
}

const struct fault_ops fault_disk_ops = {
    .open = disk_open,
    .undo = disk_undo,
    .reopen = disk_reopen,
    .step = {[FAULT_STEP_PREPARE] = disk_prepare,
             [FAULT_STEP_APPLY] = disk_apply,
             [FAULT_STEP_VERIFY] = disk_verify,
             [FAULT_STEP_RENEW] = disk_renew,
             [FAULT_STEP_REVERT] = disk_revert,
             [FAULT_STEP_VERIFY_GONE] = disk_gone},
    .deadline = fault_step_deadline,
    .late = disk_late,
    .cancel = disk_cancel,
    .close = disk_close,
};
