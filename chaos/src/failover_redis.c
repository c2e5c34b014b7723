/* SPDX-License-Identifier: Apache-2.0 */
/* Redis: INFO tells the role; of a primary a key of ours, which expires, shows that it takes
 * writes. Servers of one replication have one master_replid; who takes over begins another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "failover.h"
#include "redis_session.h"

static const char key_ms[] = "1000"; /* after which the key that was written expires */

/* Behind "name:", up to the line's end; free() it. NULL: there is none. */
static char *field(const char *info, const char *name)
{
    BASE_AUTO_FREE char *label = base_str_printf("\n%s:", name);
    const char *at = strstr(info, label);
    if (at == NULL)
        return NULL;
    at += strlen(label);
    return base_str_ndup(at, strcspn(at, "\r\n"));
}

static void on_written(void *ctx, const struct fault_redis_answer *answer)
{
    struct failover_node *node = ctx;
    node->view.writes = answer->ok;
    (void)snprintf(node->view.refused, sizeof node->view.refused, "%s", answer->text);
    failover_said(node, NULL);
}

static void try_writing(struct failover_node *node)
{
    BASE_AUTO_FREE char *key =
        base_str_printf("squall:%s:probe", fault_spec_of(failover_fault(node))->id);
    fault_redis_ask(node->session, (const char *const[]){"SET", key, "", "PX", key_ms, NULL},
                    on_written, node);
}

static void on_info(void *ctx, const struct fault_redis_answer *answer)
{
    struct failover_node *node = ctx;
    struct failover_view *view = &node->view;
    BASE_AUTO_FREE char *role = answer->ok ? field(answer->text, "role") : NULL;
    if (role == NULL) {
        failover_said(node, answer->ok ? "INFO says no role" : answer->text);
        return;
    }
    BASE_AUTO_FREE char *history = field(answer->text, "master_replid");
    (void)snprintf(view->history, sizeof view->history, "%s", history != NULL ? history : "");
    view->role = base_str_eq(role, "master") ? FAILOVER_PRIMARY : FAILOVER_FOLLOWER;
    if (view->role == FAILOVER_PRIMARY) {
        try_writing(node);
        return;
    }
    BASE_AUTO_FREE char *link = field(answer->text, "master_link_status");
    view->follows = base_str_eq(link, "up");
    (void)snprintf(view->lags, sizeof view->lags, "master_link_status:%s",
                   link != NULL ? link : "?");
    failover_said(node, NULL);
}

static void redis_drop(struct failover_node *node)
{
    fault_redis_free(node->session);
    node->session = NULL;
}

static void redis_ask(struct failover_node *node)
{
    redis_drop(node);
    node->session = fault_redis_open(fault_env_of(failover_fault(node))->loop, node->target.address,
                                     node->target.port, &node->credentials);
    fault_redis_ask(node->session, (const char *const[]){"INFO", "replication", NULL}, on_info,
                    node);
}

const struct failover_store failover_redis = {
    .kind = "redis",
    .ask = redis_ask,
    .drop = redis_drop,
    .again_ms = 100,
    .judge = {[FAULT_STEP_PREPARE] = failover_judge_before,
              [FAULT_STEP_VERIFY] = failover_judge_during,
              [FAULT_STEP_VERIFY_GONE] = failover_judge_after},
};
