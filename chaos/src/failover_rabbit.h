/* SPDX-License-Identifier: Apache-2.0 */
/* A RabbitMQ node's answer to /api/nodes. */
#ifndef CHAOS_FAILOVER_RABBIT_H
#define CHAOS_FAILOVER_RABBIT_H

#include "failover.h"

/* Fills the view's mates; false: it is no list of nodes. Pure. */
bool failover_rabbit_read(const json_t *nodes, struct failover_view *out);

#endif
