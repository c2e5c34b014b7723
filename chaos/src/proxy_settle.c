/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_settle.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { turn_ms = 5, most_turns = 200 };

static void on_turn(void *ctx)
{
    struct proxy_settle *settle = ctx;
    int unsent = 0;
    int fd = proxy_conn_fd(settle->conn, PROXY_CLIENT);
    if (ioctl(fd, SIOCOUTQ, &unsent) < 0 || unsent == 0 || settle->turns++ >= most_turns)
        proxy_conn_close(settle->conn, PROXY_RESET);
    else
        io_timer_start(&settle->timer, base_dur_ms(turn_ms));
}

void proxy_settle_init(struct proxy_settle *settle, struct proxy_conn *conn)
{
    *settle = (struct proxy_settle){.conn = conn};
    io_timer_init(&settle->timer, proxy_conn_loop(conn), on_turn, settle);
}

void proxy_settle_fini(struct proxy_settle *settle)
{
    io_timer_fini(&settle->timer);
}

void proxy_settle_start(struct proxy_settle *settle)
{
    if (proxy_settle_begun(settle))
        return;
    settle->turns = 1;
    proxy_conn_watch(settle->conn, PROXY_CLIENT, 0);
    proxy_conn_watch(settle->conn, PROXY_SERVER, 0);
    on_turn(settle);
}

bool proxy_settle_begun(const struct proxy_settle *settle)
{
    return settle->turns > 0;
}
