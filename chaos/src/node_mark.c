/* SPDX-License-Identifier: Apache-2.0 */
#include "node_mark.h"

#include <stdlib.h>

#include "base/text.h"

/* Nodes are written to by their kubelets and by controllers, every few seconds. */
enum { tries_max = 20 };

void fault_node_mark_init(struct fault_node_mark *mark, struct io_loop *loop, struct io_http *http,
                          const struct fault_kube_access *access, const char *node, const char *uid,
                          const char *text)
{
    *mark = (struct fault_node_mark){
        .kube = fault_kube_open(loop, http, access),
        .node = base_str_dup(node),
        .uid = base_str_dup(uid),
        .text = base_str_dup(text),
    };
}

void fault_node_mark_fini(struct fault_node_mark *mark)
{
    fault_kube_free(mark->kube);
    free(mark->node);
    free(mark->uid);
    free(mark->text);
    free(mark->words);
    free(mark->boot_id);
    *mark = (struct fault_node_mark){0};
}

void fault_node_mark_cancel(struct fault_node_mark *mark)
{
    if (mark->kube == NULL)
        return;
    /* What was on its way may arrive all the same. */
    mark->unsure = mark->unsure || (mark->done != NULL && mark->wish == FAULT_NODE_MARK);
    mark->done = NULL;
    fault_kube_cancel(mark->kube);
}

static void finish(struct fault_node_mark *mark, const struct base_error *err)
{
    void (*done)(void *, const struct base_error *) = mark->done;
    mark->done = NULL;
    done(mark->ctx, err);
}

static void look(struct fault_node_mark *mark);

static void note(struct fault_node_mark *mark, enum fault_node_sight sight,
                 const struct fault_node *node, const struct base_error *err)
{
    mark->sight = sight;
    free(mark->words);
    if (sight == FAULT_NODE_UNKNOWN || sight == FAULT_NODE_AWAY) {
        mark->words = base_str_dup(err->message);
        return;
    }
    mark->words = fault_node_words(node);
    free(mark->boot_id);
    mark->boot_id = base_str_dup(node->boot_id);
    if (mark->uid == NULL)
        mark->uid = base_str_dup(node->uid);
}

/* 409: somebody has written to it in between. */
static void on_patched(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_node_mark *mark = ctx;
    struct fault_node node = {0};
    struct base_error err = {0};
    if (answer->status == 409 && mark->tries < tries_max) {
        look(mark);
        return;
    }
    enum fault_node_sight sight = fault_node_see(answer, mark->uid, mark->text, &node, &err);
    note(mark, sight, &node, &err);
    fault_node_fini(&node);
    bool put = mark->wish == FAULT_NODE_MARK;
    if (put && (answer->status == 0 || answer->status >= 500))
        mark->unsure = true;
    if (sight == FAULT_NODE_UNKNOWN) {
        (void)base_fail_context(&err, "PATCH of node %s", mark->node);
        finish(mark, &err);
    } else if (put && sight == FAULT_NODE_OURS) {
        finish(mark, NULL);
    } else {
        mark->unsure = mark->unsure && put;
        look(mark);
    }
}

static void on_seen(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_node_mark *mark = ctx;
    struct fault_node node = {0};
    struct base_error err = {0};
    enum fault_node_sight sight = fault_node_see(answer, mark->uid, mark->text, &node, &err);
    note(mark, sight, &node, &err);
    if (sight == FAULT_NODE_UNKNOWN) {
        (void)base_fail_context(&err, "node %s", mark->node);
        finish(mark, &err);
        return;
    }
    enum fault_node_next next = fault_node_decide(mark->wish, sight, mark->unsure);
    if (next == FAULT_NODE_DONE) {
        finish(mark, NULL);
    } else if (next == FAULT_NODE_REFUSED) {
        (void)base_fail(&err, BASE_DENIED, "node %s is not as it was: %s", mark->node, mark->words);
        finish(mark, &err);
    } else {
        mark->opened = mark->opened || sight == FAULT_NODE_OPENED;
        fault_kube_patch_node(mark->kube, mark->node, fault_node_request(next, &node, mark->text),
                              on_patched, mark);
    }
    fault_node_fini(&node);
}

static void look(struct fault_node_mark *mark)
{
    mark->tries++;
    fault_kube_node(mark->kube, mark->node, on_seen, mark);
}

void fault_node_mark_ask(struct fault_node_mark *mark, enum fault_node_wish wish,
                         void (*done)(void *ctx, const struct base_error *err), void *ctx)
{
    mark->wish = wish;
    mark->tries = 0;
    mark->done = done;
    mark->ctx = ctx;
    look(mark);
}
