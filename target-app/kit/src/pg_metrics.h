/* SPDX-License-Identifier: Apache-2.0 */
/* What the pool exports. */
#ifndef KIT_PG_METRICS_H
#define KIT_PG_METRICS_H

#include "kit/metrics.h"

struct pg_metrics {
    struct kit_series *connecting;
    struct kit_series *idle;
    struct kit_series *busy;
    struct kit_series *waiting;
    struct kit_family *queries;
    struct kit_series *seconds;
    struct kit_family *connects;
    struct kit_series *discarded;
};

void pg_metrics_add(struct pg_metrics *metrics, struct kit_metrics *registry);

#endif
