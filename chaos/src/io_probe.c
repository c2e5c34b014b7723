/* SPDX-License-Identifier: Apache-2.0 */
#include "io_probe.h"

#include <stdlib.h>

#include "base/text.h"
#include "crew.h"
#include "usage.h"

enum {
    spare_s = 5, /* that it may live on when nobody ends it, or take to fill its file */
    fill_poll_ms = 10
};

struct fault_io_probe {
    struct fault_io_probe_spec spec;
    struct fault_crew *crew;
    struct io_timer timer;
    bool measuring;
    struct mono_ns began;
    uint64_t bytes;
    uint64_t counted;
    struct fault_io_probe_result result;
    int keep[FAULT_STRAIN_GROUPS + 1];
};

static uint64_t bytes_of(const struct fault_io_probe *probe)
{
    uint64_t read = 0;
    uint64_t written = 0;
    fault_usage_io(fault_crew_pid(probe->crew, 0), &read, &written);
    return probe->spec.strain.io.mode == FAULT_IO_READ ? read : written;
}

/* What comes before it reads or writes is not to be measured. */
static bool is_filled(const struct fault_io_probe *probe)
{
    uint64_t read = 0;
    uint64_t written = 0;
    fault_usage_io(fault_crew_pid(probe->crew, 0), &read, &written);
    return !probe->spec.strain.io.fill || written >= probe->spec.strain.io.bytes;
}

static void window_begin(struct fault_io_probe *probe)
{
    probe->measuring = true;
    probe->bytes = bytes_of(probe);
    probe->counted = probe->spec.count(probe->spec.ctx);
    probe->began = base_mono_now();
    io_timer_start(&probe->timer, probe->spec.window);
}

static void window_end(struct fault_io_probe *probe)
{
    uint64_t bytes = bytes_of(probe);
    uint64_t counted = probe->spec.count(probe->spec.ctx);
    double took = base_dur_to_s(base_mono_sub(base_mono_now(), probe->began));
    probe->result = (struct fault_io_probe_result){
        .ok = bytes >= probe->bytes, /* no account of one that has just ended */
        .rate = (double)(bytes - probe->bytes) / took,
        .count_rate = counted > probe->counted ? (double)(counted - probe->counted) / took : 0,
    };
    fault_crew_stop(probe->crew);
}

static void on_timer(void *ctx)
{
    struct fault_io_probe *probe = ctx;
    if (probe->measuring)
        window_end(probe);
    else if (is_filled(probe))
        window_begin(probe);
    else
        io_timer_start(&probe->timer, base_dur_ms(fill_poll_ms));
}

static void on_held(void *ctx)
{
    struct fault_io_probe *probe = ctx;
    io_timer_start(&probe->timer, probe->spec.settle);
}

static void on_lost(void *ctx)
{
    struct fault_io_probe *probe = ctx;
    io_timer_stop(&probe->timer);
    probe->spec.on_done(probe->spec.ctx);
}

static void on_stopped(void *ctx)
{
    struct fault_io_probe *probe = ctx;
    probe->spec.on_done(probe->spec.ctx);
}

struct fault_io_probe *fault_io_probe_start(struct io_loop *loop,
                                            const struct fault_io_probe_spec *spec,
                                            struct base_error *err)
{
    struct fault_io_probe *probe = base_calloc(1, sizeof *probe);
    struct dur_ns left = {spec->settle.ns + spec->window.ns + spare_s * BASE_NS_PER_S};
    probe->spec = *spec;
    io_timer_init(&probe->timer, loop, on_timer, probe);
    struct fault_crew_spec crew = {
        .name = FAULT_IO_PROBE,
        .run = fault_strain_io,
        .run_ctx = &probe->spec.strain,
        .keep = probe->keep,
        .count = 1,
        .on_held = on_held,
        .on_lost = on_lost,
        .on_stopped = on_stopped,
        .ctx = probe,
    };
    for (size_t i = 0; i < spec->strain.group_count; i++)
        probe->keep[crew.keep_count++] = spec->strain.groups[i];
    if (spec->strain.io.folder == NULL)
        probe->keep[crew.keep_count++] = spec->strain.io.fd;
    probe->crew = fault_crew_start(loop, &crew, left, err);
    if (probe->crew == NULL) {
        fault_io_probe_free(probe);
        return NULL;
    }
    return probe;
}

struct fault_io_probe_result fault_io_probe_result(const struct fault_io_probe *probe)
{
    return probe->result;
}

void fault_io_probe_free(struct fault_io_probe *probe)
{
    if (probe == NULL)
        return;
    fault_crew_free(probe->crew);
    io_timer_fini(&probe->timer);
    free(probe);
}
