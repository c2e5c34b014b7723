/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_metrics.h"

static struct kit_family *family(struct kit_metrics *registry, enum kit_metric_type type,
                                 const char *name, const char *help, const char *label)
{
    struct kit_family_spec spec = {
        .type = type, .name = name, .help = help, .labels = {label}, .max_series = 32};
    if (type == KIT_HISTOGRAM) {
        spec.buckets = kit_seconds_buckets;
        spec.bucket_count = kit_seconds_bucket_count;
    }
    return kit_metrics_add(registry, &spec);
}

void pg_metrics_add(struct pg_metrics *m, struct kit_metrics *registry)
{
    struct kit_family *slots = family(registry, KIT_GAUGE, "db_pool_connections",
                                      "Connections of the pool by state.", "state");
    m->connecting = kit_series_of(slots, "connecting");
    m->idle = kit_series_of(slots, "idle");
    m->busy = kit_series_of(slots, "busy");
    m->waiting = kit_series_plain(
        family(registry, KIT_GAUGE, "db_pool_waiting", "Calls that wait for a connection.", NULL));
    m->queries = family(registry, KIT_COUNTER, "db_queries_total",
                        "Statements ended or refused, pings among them.", "outcome");
    m->seconds = kit_series_plain(family(registry, KIT_HISTOGRAM, "db_query_duration_seconds",
                                         "From the call to its end, waiting included.", NULL));
    m->connects =
        family(registry, KIT_COUNTER, "db_connects_total", "Attempts to connect.", "outcome");
    m->discarded = kit_series_plain(family(registry, KIT_COUNTER, "db_connections_discarded_total",
                                           "Connections given up: lost, hung or refused.", NULL));
    /* From zero on, so that the first event is an increase. */
    kit_series_add(kit_series_of(m->queries, "ok"), 0);
    kit_series_add(kit_series_of(m->connects, "ok"), 0);
    kit_series_add(kit_series_of(m->connects, "error"), 0);
}
