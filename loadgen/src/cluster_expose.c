/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/text.h"
#include "cluster_lead.h"

bool load_leader_expose(struct load_leader *leader, struct base_error *err)
{
    struct load_tally *tally = base_calloc(1, sizeof *tally);
    if (!load_tally_init(tally, leader->spec, err)) {
        free(tally);
        return false;
    }
    leader->tally = tally;
    return true;
}

bool load_leader_metrics(const struct load_leader *leader, struct base_buf *out)
{
    const struct load_tally *tally = leader->tally;
    uint32_t count = leader->config.workers;
    struct load_exposed_worker *workers = base_calloc(count, sizeof *workers);
    for (uint32_t i = 0; i < count; i++) {
        const struct load_peer *peer = &leader->peers.all[i];
        workers[i].up = peer->name != NULL && !load_peer_is_done(peer);
        workers[i].silent = base_mono_sub(base_mono_now(), peer->heard);
    }
    const struct load_exposed exposed = {.phases = tally->phases,
                                         .routes = tally->routes,
                                         .cells = &tally->cells,
                                         .total = &tally->total,
                                         .workers = workers,
                                         .worker_count = count};
    bool good = load_exposition_write(&exposed, out);
    free(workers);
    return good;
}

bool load_lead_tally(struct load_leader *leader, const struct load_interval *interval,
                     const char *log, size_t len, struct base_error *err)
{
    return leader->tally == NULL || load_tally_add(leader->tally, interval, log, len, err);
}

void load_lead_unexpose(struct load_leader *leader)
{
    if (leader->tally != NULL)
        load_tally_fini(leader->tally);
    free(leader->tally);
    leader->tally = NULL;
}
