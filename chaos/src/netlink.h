/* SPDX-License-Identifier: Apache-2.0 */
/* What a netlink socket answers, for questions that no library asks (netlink(7)). */
#ifndef CHAOS_NETLINK_H
#define CHAOS_NETLINK_H

#include <linux/netlink.h>

/* Each message of one answer, which may come in several datagrams, until the one that ends it. The
 * errno that it carries or that the socket has, 0 for none. */
int fault_netlink_hear(int fd, void (*on_message)(void *ctx, const struct nlmsghdr *message),
                       void *ctx);

#endif
