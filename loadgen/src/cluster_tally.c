/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_tally.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cluster_sum.h"
#include "model/hlog.h"

bool load_tally_init(struct load_tally *tally, const struct load_spec *spec, struct base_error *err)
{
    uint32_t routes = load_spec_routes(spec);
    struct load_tally made = {.phases = NULL};
    if (!load_shard_init(&made.cells, routes, err))
        return false;
    made.routes = base_calloc(routes, sizeof *made.routes);
    for (uint32_t i = 0; i < routes; i++)
        made.routes[i] = load_spec_route_name(spec, i);
    *tally = made;
    return true;
}

void load_tally_fini(struct load_tally *tally)
{
    for (uint32_t i = 0; i < tally->cells.phases; i++)
        free(tally->phases[i]);
    for (uint32_t i = 0; i < tally->cells.routes; i++)
        free(tally->routes[i]);
    free(tally->phases);
    free(tally->routes);
    load_shard_fini(&tally->cells);
    *tally = (struct load_tally){.phases = NULL};
}

/* NULL with err. A phase is whatever workers are in; routes are the plan's, "-" behind them. */
static struct load_cell *find_cell(struct load_tally *tally, const char *phase, const char *route,
                                   struct base_error *err)
{
    uint32_t r = 0, p = 0;
    while (r < tally->cells.routes && !base_str_eq(tally->routes[r], route))
        r++;
    if (r == tally->cells.routes && !base_str_eq(route, "-")) {
        (void)base_fail(err, BASE_CORRUPT, "route \"%s\" is not of the plan", route);
        return NULL;
    }
    while (p < tally->cells.phases && !base_str_eq(tally->phases[p], phase))
        p++;
    if (p == tally->cells.phases) {
        tally->phases = base_reallocarray(tally->phases, p + 1, sizeof *tally->phases);
        tally->phases[p] = base_str_dup(phase);
    }
    return load_shard_cell(&tally->cells, p, r);
}

struct adding {
    struct load_tally *tally;
    struct base_error *err;
    bool failed;
};

static bool add_entry(struct load_tally *tally, const struct hlog_entry *entry,
                      struct base_error *err)
{
    BASE_AUTO_FREE char *phase = NULL;
    BASE_AUTO_FREE char *route = NULL;
    const char *name = NULL;
    if (!load_cluster_tag(entry->tag, &phase, &route, &name))
        return base_fail(err, BASE_CORRUPT, "a histogram of no phase and route");
    if (base_str_eq(name, LOAD_RESPONSE)) /* the times of LOAD_ENDED again, and later */
        return true;
    if (base_str_eq(name, LOAD_ENDED))
        name = LOAD_RESPONSE;
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++) {
        if (!base_str_eq(name, load_kind_name((enum load_kind)kind)))
            continue;
        struct load_cell *cell = find_cell(tally, phase, route, err);
        if (cell == NULL)
            return false;
        if (cell->histograms[kind].counts == NULL)
            load_cell_prepare(cell, (enum load_kind)kind);
        return hdr_add(&cell->histograms[kind], &entry->hdr, err);
    }
    return base_fail(err, BASE_CORRUPT, "a histogram of \"%s\"", name);
}

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    struct adding *adding = ctx;
    adding->failed = !add_entry(adding->tally, entry, adding->err);
    return !adding->failed;
}

bool load_tally_add(struct load_tally *tally, const struct load_interval *interval, const char *log,
                    size_t len, struct base_error *err)
{
    struct adding adding = {.tally = tally, .err = err};
    for (size_t i = 0; i < interval->part_count; i++) {
        const struct load_part *part = &interval->parts[i];
        struct load_cell *cell = find_cell(tally, part->phase, part->route, err);
        if (cell == NULL)
            return false;
        load_counts_add(&cell->counts, &part->counts);
    }
    load_counts_add(&tally->total, &interval->counts);
    return hlog_read(log, len, NULL, on_entry, &adding, err) && !adding.failed;
}
