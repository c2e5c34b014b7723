/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of rtnetlink, one after the other, and its news; for tc*.c, which are one adapter. */
#ifndef CHAOS_TC_EXCHANGE_H
#define CHAOS_TC_EXCHANGE_H

#include "tc.h"

struct nlmsghdr;

/* The request, to be filled in; it is the value's, and lasts until the next one begins. */
struct nlmsghdr *fault_tc_begin(struct fault_tc *tc, uint16_t type, uint16_t flags);
typedef int fault_tc_each_fn(const struct nlmsghdr *message, void *ctx); /* as mnl_cb_t */
/* Sends it and waits for the whole answer; `what` went wrong, if it does. */
bool fault_tc_run(struct fault_tc *tc, struct nlmsghdr *message, fault_tc_each_fn *each, void *ctx,
                  struct base_error *err, const char *what);

/* Whether a message about a route is of one that leads to addresses of the block. */
bool fault_tc_leads_into(const struct nlmsghdr *message, const struct addr_block *block);
/* Whether routes into one of the blocks have come since they were listed, or that is not known: the
 * queue was full, say. Asked before they are listed, told after. */
bool fault_tc_news_due(struct fault_tc_news *news, const struct fault_peers *peers);
void fault_tc_news_listed(struct fault_tc_news *news);

#endif
