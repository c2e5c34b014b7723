/* SPDX-License-Identifier: Apache-2.0 */
/* What Kubernetes' API server answers about the pods of a node that is to be drained, read. Pure.
 */
#ifndef CHAOS_DRAIN_ANSWER_H
#define CHAOS_DRAIN_ANSWER_H

#include "rest.h"

/* What becomes of a pod: as with kubectl drain, but that what is over is not removed. */
enum fault_drain_fate {
    FAULT_DRAIN_EVICT,
    FAULT_DRAIN_DAEMON,   /* of a DaemonSet, which would put it there again */
    FAULT_DRAIN_MIRROR,   /* of the kubelet's own files, which no eviction ends */
    FAULT_DRAIN_FINISHED, /* its containers have ended for good */
    FAULT_DRAIN_LEAVING   /* is being deleted already */
};
enum { FAULT_DRAIN_FATES = FAULT_DRAIN_LEAVING + 1 };

struct fault_drain_pod {
    char *uid;
    char *name; /* "shop/web-1" */
    enum fault_drain_fate fate;
    bool owned;     /* has a controller, which makes another one */
    bool empty_dir; /* what is in such a volume is lost with it */
    int64_t grace_s;
};

struct fault_drain_pods {
    struct fault_drain_pod *list;
    size_t count;
};

void fault_drain_pods_fini(struct fault_drain_pods *pods); /* accepts a zeroed value */
/* Adds those of a page of a list. *next becomes the token of the page behind it; NULL: this was the
 * last. A page with one pod in it that cannot be read adds none. */
bool fault_drain_page(const struct fault_rest_answer *answer, struct fault_drain_pods *pods,
                      char **next, struct base_error *err);
const struct fault_drain_pod *fault_drain_find(const struct fault_drain_pods *pods,
                                               const char *uid); /* NULL: it is not among them */
/* Whether all that would be evicted may be; empty_dir: also with such a volume. within: so long
 * they have to end. */
bool fault_drain_allowed(const struct fault_drain_pods *pods, bool empty_dir, struct dur_ns within,
                         struct base_error *err);
/* "2 to evict; left alone: 1 of DaemonSets, ..."; free() it. */
char *fault_drain_words(const struct fault_drain_pods *pods);

#endif
