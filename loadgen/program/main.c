/* SPDX-License-Identifier: Apache-2.0 */
/*
 * squall-load: runs one load plan and reports on its standard output, one JSON object a line (see
 * model/load.h for lines, input and files). Standard input is the controller's hand on it: its end
 * means that the controller is gone, and the load stops.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/lines.h"
#include "loadgen/run.h"
#include "model/verdict.h"

static const size_t plan_max = (size_t)64 * 1024 * 1024;
static const size_t command_max = 4096;

static const char usage[] =
    "usage: squall-load --plan FILE|- --hlog FILE --result FILE\n"
    "  --plan FILE    what to send, as JSON; - reads it as the first line of standard input\n"
    "  --hlog FILE    where latency histograms go, interval by interval\n"
    "  --result FILE  where the result goes at the end\n"
    "Standard input: {\"type\":\"phase\",\"name\":\"...\"} and {\"type\":\"stop\"}, one a line; "
    "its end stops the load.\n";

struct program {
    const char *plan_path;
    const char *hlog_path;
    const char *result_path;
    struct load_spec spec;
    int hlog_fd;
    struct io_loop *loop;
    struct load_run *run;
    struct io_lines input;
    struct io_signal on_int;
    struct io_signal on_term;
    bool mute; /* nobody reads our output any more */
    enum exit_code code;
};

/* --- output --- */

static void fail(struct program *program, const struct base_error *err, enum exit_code code);

static void emit(struct program *program, json_t *line)
{
    struct base_error err;
    BASE_AUTO_FREE char *text = model_json_dump_line(line);
    json_decref(line);
    if (program->mute || text == NULL)
        return;
    BASE_AUTO_FREE char *whole = base_str_printf("%s\n", text);
    if (base_fd_write_all(STDOUT_FILENO, whole, strlen(whole), &err))
        return;
    program->mute = true;
    if (err.sys != EPIPE)
        fail(program, &err, EXIT_CODE_ERROR);
    else if (program->run != NULL) /* as the end of standard input: the controller is gone */
        load_run_stop(program->run);
}

static void fail(struct program *program, const struct base_error *err, enum exit_code code)
{
    program->code = code;
    (void)fprintf(stderr, "squall-load: %s\n", err->message);
    emit(program,
         json_pack("{s:s, s:o}", "type", "error", "message", model_json_text(err->message)));
    if (program->loop != NULL)
        io_loop_stop(program->loop);
}

/* --- what the run tells --- */

static void on_started(void *ctx, struct mono_ns mono, struct wall_ns wall)
{
    emit(ctx, json_pack("{s:s, s:I, s:I}", "type", "started", "mono", (json_int_t)mono.ns, "wall",
                        (json_int_t)wall.ns));
}

static void on_interval(void *ctx, const struct load_interval *interval)
{
    json_t *line = load_interval_to_json(interval);
    (void)json_object_set_new(line, "type", json_string("interval"));
    emit(ctx, line);
}

static bool sync_hlog(const struct program *program, struct base_error *err)
{
    /* EINVAL: not something that can be synchronised, such as a pipe (fsync(2)). */
    if (fsync(program->hlog_fd) != 0 && errno != EINVAL && errno != EROFS)
        return base_fail_errno(err, "cannot write %s to disk", program->hlog_path);
    return true;
}

static void on_finished(void *ctx)
{
    struct program *program = ctx;
    struct base_error err;
    const struct load_result *result = load_run_result(program->run);
    json_t *json = load_result_to_json(result);
    bool written = sync_hlog(program, &err) && model_json_write(program->result_path, json, &err);
    json_decref(json);
    if (!written) {
        fail(program, &err, EXIT_CODE_ERROR);
        return;
    }
    emit(program, json_pack("{s:s, s:s}", "type", "finished", "status",
                            result->complete ? "complete" : "stopped"));
    io_loop_stop(program->loop);
}

static void on_error(void *ctx, const struct base_error *err)
{
    fail(ctx, err, EXIT_CODE_ERROR);
}

/* --- what the controller tells --- */

static bool obey(struct program *program, const json_t *command, struct base_error *err)
{
    BASE_AUTO_FREE char *type = NULL;
    BASE_AUTO_FREE char *name = NULL;
    if (!model_get_text(command, "command", "type", &type, err))
        return false;
    if (base_str_eq(type, "stop")) {
        load_run_stop(program->run);
        return true;
    }
    if (!base_str_eq(type, "phase"))
        return base_fail(err, BASE_INVALID,
                         "command.type: \"%s\" is unknown: use \"phase\" or \"stop\"", type);
    return model_get_text(command, "command", "name", &name, err) &&
           load_run_phase(program->run, name, err);
}

/* A command that cannot be obeyed means that phases in the record would be wrong: end the run. */
static void on_line(void *ctx, char *line, size_t len)
{
    struct program *program = ctx;
    struct base_error err;
    json_t *command = model_json_parse(line, len, "standard input", &err);
    if (command == NULL || !obey(program, command, &err))
        fail(program, &err, EXIT_CODE_ERROR);
    json_decref(command);
}

static void on_input_end(void *ctx, const struct base_error *err)
{
    struct program *program = ctx;
    (void)err; /* unreadable is as good as closed */
    load_run_stop(program->run);
}

static void on_signal(void *ctx, int number)
{
    struct program *program = ctx;
    (void)number;
    load_run_stop(program->run);
}

/* --- beginning --- */

static bool parse_arguments(struct program *program, int argc, char **argv)
{
    static const struct option options[] = {{"plan", required_argument, NULL, 'p'},
                                            {"hlog", required_argument, NULL, 'l'},
                                            {"result", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            program->plan_path = optarg;
        else if (option == 'l')
            program->hlog_path = optarg;
        else if (option == 'r')
            program->result_path = optarg;
        else
            return false;
    }
    return optind == argc && program->plan_path != NULL && program->hlog_path != NULL &&
           program->result_path != NULL;
}

/* Byte by byte, so that nothing of the commands behind the first line is swallowed. */
static bool read_first_line(struct base_buf *line, struct base_error *err)
{
    for (;;) {
        char c;
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail_errno(err, "cannot read the plan from standard input");
        if (n == 0 || c == '\n')
            return true;
        if (!base_buf_char(line, c))
            return base_fail(err, BASE_LIMIT, "the plan on standard input exceeds %zu bytes",
                             plan_max);
    }
}

static bool read_plan(struct program *program, struct base_error *err)
{
    json_t *json;
    if (base_str_eq(program->plan_path, "-")) {
        BASE_AUTO_BUF struct base_buf line;
        base_buf_init(&line, plan_max);
        if (!read_first_line(&line, err))
            return false;
        json =
            model_json_parse(line.data, line.len, "plan (the first line of standard input)", err);
    } else {
        json = model_json_read(program->plan_path, plan_max, err);
    }
    bool good = json != NULL && load_spec_from_json(json, &program->spec, err);
    json_decref(json);
    return good;
}

static bool open_all(struct program *program, struct base_error *err)
{
    static const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    program->hlog_fd = open(program->hlog_path, flags, 0644);
    if (program->hlog_fd < 0)
        return base_fail_errno(err, "cannot write %s", program->hlog_path);
    program->loop = io_loop_new(err);
    return program->loop != NULL;
}

static bool start(struct program *program, struct base_error *err)
{
    const struct load_events events = {.ctx = program,
                                       .on_started = on_started,
                                       .on_interval = on_interval,
                                       .on_finished = on_finished,
                                       .on_error = on_error};
    program->run = load_run_start(program->loop, &program->spec, program->hlog_fd, &events, err);
    if (program->run == NULL)
        return false;
    io_signal_init(&program->on_int, program->loop, SIGINT, on_signal, program);
    io_signal_init(&program->on_term, program->loop, SIGTERM, on_signal, program);
    return io_lines_init(&program->input, program->loop, STDIN_FILENO, command_max, on_line,
                         on_input_end, program, err);
}

static enum exit_code code_of(const struct base_error *err)
{
    return err->code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR;
}

static void drive(struct program *program)
{
    struct base_error err;
    if (!read_plan(program, &err)) {
        fail(program, &err, EXIT_CODE_USAGE);
    } else if (!open_all(program, &err)) {
        fail(program, &err, EXIT_CODE_ERROR);
    } else if (!start(program, &err)) {
        fail(program, &err, code_of(&err));
    } else {
        io_loop_run(program->loop);
    }
}

int main(int argc, char **argv)
{
    struct program program = {.hlog_fd = -1};
    if (!parse_arguments(&program, argc, argv)) {
        (void)fputs(usage, stderr);
        return EXIT_CODE_USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error of write, not our end */
    drive(&program);
    load_run_free(program.run);
    io_lines_fini(&program.input);
    io_signal_fini(&program.on_int);
    io_signal_fini(&program.on_term);
    io_loop_free(program.loop);
    base_fd_close(&program.hlog_fd);
    load_spec_fini(&program.spec);
    return (int)program.code;
}
