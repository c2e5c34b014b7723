/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL: one statement tells the role, whether writes are taken, and whether a standby
 * streams. Servers of one cluster have one system identifier, which initdb(1) made. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "failover.h"
#include "pg_session.h"

/* A role without pg_monitor sees that there is a receiver, and not how it is. */
static const char question[] =
    "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), "
    "(SELECT coalesce(status, 'hidden') FROM pg_stat_wal_receiver), "
    "(SELECT system_identifier::text FROM pg_control_system())";

struct pg_asking {
    struct fault_pg *session;
    bool opened;
};

static void take(struct failover_view *view, const struct fault_pg_answer *answer)
{
    const char *recovery = fault_pg_cell(answer, 0);
    const char *read_only = fault_pg_cell(answer, 1);
    const char *receiver = fault_pg_cell(answer, 2);
    const char *history = fault_pg_cell(answer, 3);
    view->role = base_str_eq(recovery, "f") ? FAILOVER_PRIMARY : FAILOVER_FOLLOWER;
    view->writes = view->role == FAILOVER_PRIMARY && base_str_eq(read_only, "off");
    view->follows = view->role == FAILOVER_FOLLOWER && base_str_eq(receiver, "streaming");
    (void)snprintf(view->refused, sizeof view->refused, "transaction_read_only is %s",
                   read_only != NULL ? read_only : "?");
    (void)snprintf(view->lags, sizeof view->lags, "%s",
                   receiver == NULL ? "no WAL receiver"
                   : base_str_eq(receiver, "hidden")
                       ? "its role may not see whether it streams (GRANT pg_monitor)"
                       : receiver);
    (void)snprintf(view->history, sizeof view->history, "%s", history != NULL ? history : "");
}

static void on_answer(void *ctx, const struct fault_pg_answer *answer)
{
    struct failover_node *node = ctx;
    struct pg_asking *asking = node->session;
    if (!answer->ok) {
        failover_said(node, answer->message);
    } else if (!asking->opened) {
        asking->opened = true;
        fault_pg_say(asking->session, question);
    } else {
        take(&node->view, answer);
        failover_said(node, NULL);
    }
}

static void pg_drop(struct failover_node *node)
{
    struct pg_asking *asking = node->session;
    if (asking == NULL)
        return;
    fault_pg_free(asking->session);
    free(asking);
    node->session = NULL;
}

static void pg_ask(struct failover_node *node)
{
    const struct fault_pg_place place = {.address = node->target.address,
                                         .port = node->target.port,
                                         .credentials = &node->credentials,
                                         .name = "squall"};
    struct pg_asking *asking = base_calloc(1, sizeof *asking);
    pg_drop(node);
    node->session = asking;
    asking->session =
        fault_pg_open(fault_env_of(failover_fault(node))->loop, &place, on_answer, node);
}

const struct failover_store failover_postgres = {
    .kind = "postgres",
    .load = fault_pg_load,
    .ask = pg_ask,
    .drop = pg_drop,
    .again_ms = 100,
    .judge = {[FAULT_STEP_PREPARE] = failover_judge_before,
              [FAULT_STEP_VERIFY] = failover_judge_during,
              [FAULT_STEP_VERIFY_GONE] = failover_judge_after},
};
