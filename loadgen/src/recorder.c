/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { STRAYS_KEPT = 4096 }; /* room for so many stays with the shard */

static const char *const kind_names[LOAD_KIND_COUNT] = {
    [LOAD_KIND_RESPONSE] = LOAD_RESPONSE,
    [LOAD_KIND_SERVICE] = "service",
    [LOAD_KIND_FAILED] = "failed",
    [LOAD_KIND_SCHEDULE] = "schedule",
    [LOAD_KIND_FIRST_BYTE] = "first-byte",
    [LOAD_KIND_CONNECT] = "connect",
    [LOAD_KIND_TLS] = "tls",
};

const char *load_kind_name(enum load_kind kind)
{
    return kind_names[kind];
}

bool load_shard_init(struct load_shard *shard, uint32_t routes, struct base_error *err)
{
    struct load_shard made = {.routes = routes};
    if (!hdr_init_latency(&made.late[LOAD_DELAY_TIMER], err)) /* the one that is always used */
        return false;
    *shard = made;
    return true;
}

static void cell_free(struct load_cell *cell)
{
    if (cell == NULL)
        return;
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        hdr_fini(&cell->histograms[kind]);
    free(cell);
}

static size_t cell_count(const struct load_shard *shard)
{
    return (size_t)shard->phases * (shard->routes + 1);
}

void load_shard_fini(struct load_shard *shard)
{
    for (size_t i = 0; i < cell_count(shard); i++)
        cell_free(shard->cells[i]);
    free(shard->cells);
    free(shard->strays);
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++)
        hdr_fini(&shard->late[cause]);
    *shard = (struct load_shard){0};
}

struct load_cell *load_shard_make_cell(struct load_shard *shard, uint32_t phase, uint32_t route)
{
    if (phase >= shard->phases) {
        size_t old = cell_count(shard);
        shard->phases = phase + 1;
        size_t now = cell_count(shard);
        shard->cells = base_reallocarray(shard->cells, now, sizeof(struct load_cell *));
        for (size_t i = old; i < now; i++)
            shard->cells[i] = NULL;
    }
    size_t index = load_shard_index(shard, phase, route);
    if (shard->cells[index] == NULL)
        shard->cells[index] = base_calloc(1, sizeof(struct load_cell));
    return shard->cells[index];
}

/* Memory for a histogram is wanted in the middle of a request, where there is nothing to give up
 * but the run; a run without its record is worth nothing, so end as base_calloc does. */
void load_hdr_prepare(struct hdr *hdr)
{
    struct base_error err;
    if (!hdr_init_latency(hdr, &err))
        abort();
}

void load_cell_prepare(struct load_cell *cell, enum load_kind kind)
{
    load_hdr_prepare(&cell->histograms[kind]);
}

void load_shard_stray(struct load_shard *shard, const struct load_stray *stray)
{
    if (shard->stray_count == shard->stray_cap) {
        shard->stray_cap = shard->stray_cap == 0 ? STRAYS_KEPT : shard->stray_cap * 2;
        shard->strays = base_reallocarray(shard->strays, shard->stray_cap, sizeof *shard->strays);
    }
    shard->strays[shard->stray_count++] = *stray;
}

/* Room for what the end of a stall brings is not kept. */
static void forget_strays(struct load_shard *shard)
{
    shard->stray_count = 0;
    if (shard->stray_cap <= STRAYS_KEPT)
        return;
    free(shard->strays);
    shard->strays = NULL;
    shard->stray_cap = 0;
}

static bool cell_is_empty(const struct load_cell *cell)
{
    static const struct load_counts none;
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        if (cell->histograms[kind].total > 0)
            return false;
    return memcmp(&cell->counts, &none, sizeof none) == 0;
}

bool load_shard_is_empty(const struct load_shard *shard)
{
    for (size_t i = 0; i < cell_count(shard); i++)
        if (shard->cells[i] != NULL && !cell_is_empty(shard->cells[i]))
            return false;
    return true;
}

void load_shard_reset(struct load_shard *shard)
{
    for (size_t i = 0; i < cell_count(shard); i++) {
        struct load_cell *cell = shard->cells[i];
        if (cell == NULL)
            continue;
        if (cell_is_empty(cell)) {
            cell_free(cell);
            shard->cells[i] = NULL;
            continue;
        }
        cell->counts = (struct load_counts){0};
        for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
            if (cell->histograms[kind].total > 0)
                hdr_reset(&cell->histograms[kind]);
    }
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++)
        if (shard->late[cause].total > 0)
            hdr_reset(&shard->late[cause]);
    shard->missed_busy = 0;
    shard->out_of_ports = 0;
    shard->last_end = 0;
    shard->owed = 0;
    forget_strays(shard);
    shard->time = (struct load_thread){.span = {0}};
}

static bool cell_add(struct load_cell *cell, const struct load_cell *from, struct base_error *err)
{
    load_counts_add(&cell->counts, &from->counts);
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++) {
        if (from->histograms[kind].total == 0)
            continue;
        if (cell->histograms[kind].counts == NULL)
            load_cell_prepare(cell, (enum load_kind)kind);
        if (!hdr_add(&cell->histograms[kind], &from->histograms[kind], err))
            return false;
    }
    return true;
}

bool load_shard_add(struct load_shard *shard, const struct load_shard *from, struct base_error *err)
{
    for (uint32_t phase = 0; phase < from->phases; phase++) {
        for (uint32_t route = 0; route <= from->routes; route++) {
            const struct load_cell *cell = load_shard_peek(from, phase, route);
            if (cell != NULL && !cell_is_empty(cell) &&
                !cell_add(load_shard_cell(shard, phase, route), cell, err))
                return false;
        }
    }
    for (size_t i = 0; i < from->stray_count; i++) {
        const struct load_stray *stray = &from->strays[i];
        load_cell_record(load_shard_cell(shard, stray->phase, stray->route), LOAD_KIND_RESPONSE,
                         stray->ns);
    }
    shard->missed_busy += from->missed_busy;
    shard->out_of_ports += from->out_of_ports;
    if (from->last_end > shard->last_end)
        shard->last_end = from->last_end;
    load_thread_add(&shard->time, &from->time);
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++) {
        if (from->late[cause].total == 0)
            continue;
        if (shard->late[cause].counts == NULL)
            load_hdr_prepare(&shard->late[cause]);
        if (!hdr_add(&shard->late[cause], &from->late[cause], err))
            return false;
    }
    return true;
}
