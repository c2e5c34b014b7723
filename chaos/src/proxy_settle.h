/* SPDX-License-Identifier: Apache-2.0 */
/* A reset takes with it whatever has not arrived yet: the client is reset once it has got what was
 * let through, or after a second. */
#ifndef CHAOS_PROXY_SETTLE_H
#define CHAOS_PROXY_SETTLE_H

#include "proxy.h"

struct proxy_settle {
    struct proxy_conn *conn;
    struct io_timer timer;
    int turns; /* 0: not begun */
};

void proxy_settle_init(struct proxy_settle *settle, struct proxy_conn *conn);
void proxy_settle_fini(struct proxy_settle *settle); /* accepts a zeroed value */
/* From here on the connection is watched no more. */
void proxy_settle_start(struct proxy_settle *settle);
bool proxy_settle_begun(const struct proxy_settle *settle);

#endif
