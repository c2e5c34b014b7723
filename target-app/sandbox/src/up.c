/* SPDX-License-Identifier: Apache-2.0 */
/* The starter: runs the supervisor as a process of its own session, passes its lines on, and
 * leaves once it says that the platform is ready. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/child.h"
#include "io/lines.h"
#include "lock.h"
#include "sandbox/sandbox.h"

enum { LINE_MAX_BYTES = 64 << 10, WAIT_S = 150, POLL_MS = 50, ABORTED_STATUS = 4 };

struct starter {
    const struct sandbox_sink *sink;
    struct io_loop *loop;
    struct io_child *child;
    struct io_lines lines;
    struct io_signal signals[3];
    bool ready;
    bool busy;
    bool ended;
    bool drained;
    struct io_child_exit end;
    struct base_error error;
};

static void leave_when_over(struct starter *starter)
{
    if (starter->ready || (starter->ended && starter->drained))
        io_loop_stop(starter->loop);
}

/* "<code> <message>" */
static void take_error(struct starter *starter, char *text)
{
    uint64_t code;
    char *message = text;
    const char *number = strsep(&message, " ");
    if (message == NULL || !base_parse_u64(number, &code) || code > BASE_INTERNAL)
        base_fail(&starter->error, BASE_INTERNAL, "the supervisor failed and said: %s", text);
    else
        base_fail(&starter->error, (enum base_code)code, "%s", message);
}

static void on_line(void *ctx, char *line, size_t len)
{
    struct starter *starter = ctx;
    (void)len;
    if (base_str_eq(line, "@ready"))
        starter->ready = true;
    else if (base_str_eq(line, "@busy"))
        starter->busy = true;
    else if (base_str_starts(line, "@error "))
        take_error(starter, line + sizeof "@error " - 1);
    else
        starter->sink->line(starter->sink->ctx, line);
    leave_when_over(starter);
}

static void on_end(void *ctx, const struct base_error *err)
{
    struct starter *starter = ctx;
    (void)err;
    starter->drained = true;
    leave_when_over(starter);
}

static void on_exit_of(void *ctx, const struct io_child_exit *end)
{
    struct starter *starter = ctx;
    starter->ended = true;
    starter->end = *end;
    leave_when_over(starter);
}

static void on_signal(void *ctx, int number)
{
    struct starter *starter = ctx;
    (void)number;
    starter->sink->line(starter->sink->ctx, "interrupted: taking down what was started");
    (void)io_child_signal(starter->child, SIGTERM);
}

/* By its path, so that ps and the logs call it squall; a program replaced since is still ours. */
static char *own_program(void)
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len > 0)
        path[len] = '\0';
    return base_str_dup(len > 0 && access(path, X_OK) == 0 ? path : "/proc/self/exe");
}

static bool launch(struct starter *starter, const struct sandbox_options *options,
                   const struct sandbox_place *place, struct base_error *err)
{
    char timeout[BASE_DUR_TEXT];
    base_dur_format(options->ready_timeout.ns > 0 ? options->ready_timeout : base_dur_s(30),
                    timeout);
    BASE_AUTO_FREE char *self = own_program();
    const char *argv[] = {self,
                          "up",
                          "--foreground",
                          "--detached",
                          "--name",
                          place->name,
                          "--state",
                          place->root,
                          "--mode",
                          options->mode == NULL ? "auto" : options->mode,
                          "--ready-timeout",
                          timeout,
                          options->subnet == NULL ? NULL : "--subnet",
                          options->subnet,
                          NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return base_fail_errno(err, "cannot make a pipe to the supervisor");
    BASE_AUTO_FD int write_end = ends[1];
    struct io_child_spec spec = io_child_spec_default(argv);
    spec.cwd = "/";
    spec.stdout_fd = write_end;
    spec.new_session = true;
    if (!io_lines_init(&starter->lines, starter->loop, ends[0], LINE_MAX_BYTES, on_line, on_end,
                       starter, err))
        return false;
    starter->child = io_child_start(starter->loop, &spec, on_exit_of, starter, err);
    return starter->child != NULL || base_fail_context(err, "supervisor");
}

static enum sandbox_result outcome(const struct starter *starter, const struct sandbox_place *place,
                                   struct base_error *err)
{
    if (starter->ready)
        return SANDBOX_DONE;
    if (starter->busy)
        return SANDBOX_BUSY;
    if (!starter->end.signaled && starter->end.status == ABORTED_STATUS)
        return SANDBOX_ABORTED;
    if (starter->error.code != BASE_OK)
        *err = starter->error;
    else
        base_fail(err, BASE_INTERNAL,
                  "the supervisor of sandbox '%s' ended with %s %d; its log: "
                  "%s/logs/supervisor.log; `squall down` clears what it left",
                  place->name, starter->end.signaled ? "signal" : "status", starter->end.status,
                  place->dir);
    return SANDBOX_FAILED;
}

static enum sandbox_result start_once(const struct sandbox_options *options,
                                      const struct sandbox_place *place,
                                      const struct sandbox_sink *sink, struct base_error *err)
{
    static const int numbers[3] = {SIGINT, SIGTERM, SIGHUP};
    struct starter starter = {.sink = sink, .loop = io_loop_new(err)};
    enum sandbox_result result = SANDBOX_FAILED;
    if (starter.loop == NULL)
        return SANDBOX_FAILED;
    if (launch(&starter, options, place, err)) {
        for (size_t i = 0; i < 3; i++)
            io_signal_init(&starter.signals[i], starter.loop, numbers[i], on_signal, &starter);
        io_loop_run(starter.loop);
        for (size_t i = 0; i < 3; i++)
            io_signal_fini(&starter.signals[i]);
        result = outcome(&starter, place, err);
        io_child_free(starter.child);
    }
    io_lines_fini(&starter.lines);
    io_loop_free(starter.loop);
    return result;
}

static bool running(const struct sandbox_place *place, struct sandbox_supervisor *who)
{
    return sandbox_supervisor_read(place, who) && who->phase == SANDBOX_PHASE_RUNNING;
}

static enum sandbox_result found_running(const struct sandbox_options *options,
                                         const struct sandbox_place *place,
                                         const struct sandbox_supervisor *who,
                                         const struct sandbox_sink *sink, struct base_error *err)
{
    if (options->only_new) {
        base_fail(err, BASE_UNAVAILABLE,
                  "sandbox '%s' is up already (supervisor %d), and was not started by this: "
                  "`squall down --name %s` takes it down",
                  place->name, (int)who->pid, place->name);
        return SANDBOX_FAILED;
    }
    BASE_AUTO_FREE char *line =
        base_str_printf("sandbox '%s' is up already (supervisor %d); topology: %s/topology.json",
                        place->name, (int)who->pid, place->dir);
    sink->line(sink->ctx, line);
    return SANDBOX_DONE;
}

/* Someone else may be starting or stopping the same sandbox: it is waited for, then what was asked
 * for is there, or is started here. */
static enum sandbox_result start(const struct sandbox_options *options,
                                 const struct sandbox_place *place, const struct sandbox_sink *sink,
                                 struct base_error *err)
{
    struct mono_ns end = base_mono_add(base_mono_now(), base_dur_s(WAIT_S));
    bool told = false;
    do {
        struct sandbox_supervisor who;
        if (!sandbox_locked(place)) {
            enum sandbox_result result = start_once(options, place, sink, err);
            if (result != SANDBOX_BUSY)
                return result;
        } else if (running(place, &who)) {
            return found_running(options, place, &who, sink, err);
        } else if (!told) {
            sink->line(sink->ctx, "another squall is at work on this sandbox: waiting for it");
            told = true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * BASE_NS_PER_MS}, NULL);
    } while (base_mono_before(base_mono_now(), end));
    base_fail(err, BASE_TIMEOUT,
              "another squall has been at work on sandbox '%s' for %d s; see `squall status`",
              place->name, WAIT_S);
    return SANDBOX_FAILED;
}

enum sandbox_result sandbox_up(const struct sandbox_options *options,
                               const struct sandbox_sink *sink, struct base_error *err)
{
    struct sandbox_place place;
    if (!sandbox_place_init(&place, options->name, options->state, err))
        return SANDBOX_FAILED;
    enum sandbox_result result = start(options, &place, sink, err);
    sandbox_place_fini(&place);
    return result;
}
