/* SPDX-License-Identifier: Apache-2.0 */
/* squall load --join: one of the workers of a distributed run. */
#include "load_join.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "endings.h"
#include "loadgen/cluster_worker.h"

static const size_t line_max = 4096;

struct join {
    const struct load_adhoc *adhoc;
    struct io_loop *loop;
    struct load_member *member;
    struct endings endings;
    bool interrupted;
    enum exit_code code;
};

static void on_joined(void *ctx, uint32_t index, uint32_t workers)
{
    const struct join *join = ctx;
    if (!join->adhoc->quiet)
        (void)fprintf(stderr, "worker %u of %u\n", (unsigned)index, (unsigned)workers);
}

static void on_interval(void *ctx, const struct load_interval *interval, struct mono_ns start)
{
    const struct join *join = ctx;
    BASE_AUTO_BUF struct base_buf line;
    base_buf_init(&line, line_max);
    if (!join->adhoc->quiet && load_interval_line(&line, interval, start))
        (void)fputs(line.data, stderr);
}

static void on_finished(void *ctx, const struct load_result *result)
{
    struct join *join = ctx;
    if (join->interrupted)
        join->code = EXIT_CODE_ABORTED;
    else if (result->client_limited || result->total.ok == 0)
        join->code = EXIT_CODE_INSUFFICIENT;
    if (!join->adhoc->quiet)
        (void)fprintf(stderr, "handed over: %" PRIu64 " sent, %" PRIu64 " ok%s%s\n",
                      result->total.sent, result->total.ok,
                      result->client_limited ? "; client limited: " : "",
                      result->client_limited ? result->client_limited_why : "");
    io_loop_stop(join->loop);
}

static void on_error(void *ctx, const struct base_error *err)
{
    struct join *join = ctx;
    join->code = (enum exit_code)cli_fail(EXIT_CODE_ERROR, err);
    io_loop_stop(join->loop);
}

static void on_end(void *ctx)
{
    struct join *join = ctx;
    join->interrupted = true;
    load_member_stop(join->member);
}

static bool start(struct join *join, struct base_error *err)
{
    const struct load_member_events events = {.ctx = join,
                                              .on_joined = on_joined,
                                              .on_interval = on_interval,
                                              .on_finished = on_finished,
                                              .on_error = on_error};
    join->loop = io_loop_new(err);
    if (join->loop == NULL)
        return false;
    endings_init(&join->endings, join->loop, on_end, join);
    join->member = load_member_join(join->loop, join->adhoc->redis_host, join->adhoc->redis_port,
                                    join->adhoc->run, join->adhoc->patience, &events, err);
    return join->member != NULL;
}

int load_join_command(const struct load_adhoc *adhoc)
{
    struct join join = {.adhoc = adhoc};
    struct base_error err;
    if (start(&join, &err))
        io_loop_run(join.loop);
    else
        join.code = (enum exit_code)cli_fail(
            err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, &err);
    load_member_free(join.member);
    endings_fini(&join.endings);
    io_loop_free(join.loop);
    return (int)join.code;
}
