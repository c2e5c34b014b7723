/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kinds have in common that put a proxy into the target's network namespace: a redirect
 * (nft.h) and a proxy (proxy.h) for each target, established connections reset so that they meet
 * it, and conversations along each path that clients take, before, during and after. A kind says
 * what the proxy does, what is asked, and what the answers must be.
 */
#ifndef CHAOS_REDIRECT_H
#define CHAOS_REDIRECT_H

#include "engine.h"
#include "http_head.h"
#include "proxy.h"
#include "proxy_probe.h"
#include "zone.h"

enum { REDIRECT_PARALLEL = 16, REDIRECT_TEXT = 160 };
/* Of a route's ports, which redirect_open has checked. */
uint16_t redirect_port(const struct fault_route *route, size_t index);

/* Inbound: from the agent's host, or from each peer's namespace, to the target. Outbound: from the
 * target's namespace to each peer. */
struct redirect_path {
    size_t zone;
    char *from;               /* path of the namespace it starts in; NULL: the agent's own */
    struct fault_netns netns; /* fd -1: gone */
    struct fault_peer to;
    bool postgres; /* what listens there speaks PostgreSQL's protocol, else HTTP is tried */
    struct proxy_probe_result *before; /* NULL: not measured, as after a recovery */
    size_t before_count;
    struct proxy_probe_result *now;
    size_t count;
};

struct redirect_ask {
    struct proxy_probe_plan plan;
    size_t count;
    size_t parallel; /* at most REDIRECT_PARALLEL; 0: one after the other */
};

struct redirect_finding {
    const char *metric;
    char value[REDIRECT_TEXT];
    char expected[REDIRECT_TEXT];
};

/* What the servers of one target have been sent of a round's requests (http_sight.h). */
enum redirect_sight { REDIRECT_NOT_OURS, REDIRECT_USUAL, REDIRECT_CHANGED };
struct redirect_seen {
    size_t heads; /* of ours */
    size_t changed;
};

struct redirect_kind {
    const char *word;
    const struct proxy_driver *driver;
    const struct fault_route *(*route)(const struct fault_spec *spec);
    /* Where to talk to from the target's namespace; NULL: as the route says. */
    bool (*aim)(const struct fault *fault, const struct fault_zone *zone, struct fault_peer *out,
                struct base_error *err);
    /* The driver's rules, NULL with err when refused; freed by rules_free. topo NULL: for measuring
     * only, after a recovery. */
    void *(*rules)(const struct fault_spec *spec, const struct topo *topo, struct base_error *err);
    void (*rules_free)(void *rules);
    /* round: FAULT_STEP_PREPARE, _VERIFY or _VERIFY_GONE, as for judge. */
    void (*ask)(const struct fault *fault, const struct redirect_path *path, enum fault_step round,
                struct redirect_ask *out);
    /* What a head is that a server was sent; NULL: nobody looks. */
    enum redirect_sight (*sight)(const struct fault *fault, const struct http_head *head);
    /* Whether path->now is as it should be. */
    bool (*judge)(const struct fault *fault, const struct redirect_path *path,
                  enum fault_step round, struct redirect_finding *out);
};

bool redirect_open(struct fault *fault, const struct redirect_kind *kind, const struct topo *topo,
                   struct base_error *err);
/* Whether the effect, which shows that long after it was asked for, can be measured within the
 * lease: nobody renews before it is. */
bool redirect_fits_lease(const struct fault_spec *spec, struct dur_ns shown,
                         struct base_error *err);
struct redirect_seen redirect_seen(const struct fault *fault, size_t zone); /* in this round */
const void *redirect_rules(const struct fault *fault); /* what the kind's `rules` made */
bool redirect_reopen(struct fault *fault, const struct redirect_kind *kind, const json_t *undo,
                     struct base_error *err);
json_t *redirect_undo(const struct fault *fault);
void redirect_prepare(struct fault *fault);
void redirect_apply(struct fault *fault);
void redirect_verify(struct fault *fault);
void redirect_renew(struct fault *fault);
void redirect_revert(struct fault *fault);
void redirect_gone(struct fault *fault);
void redirect_late(struct fault *fault, enum fault_step step);
void redirect_cancel(struct fault *fault);
void redirect_close(struct fault *fault);

/* capabilities(7) of all of them, and more, and the steps, for a kind's table of operations. */
#define REDIRECT_OPS(more)                                                                         \
    .host = fault_redirect_host,                                                                   \
    .capabilities = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_NET_ADMIN | (more),          \
    .place = FAULT_PLACE_NETNS, .undo = redirect_undo,                                             \
    .step = {[FAULT_STEP_PREPARE] = redirect_prepare, [FAULT_STEP_APPLY] = redirect_apply,         \
             [FAULT_STEP_VERIFY] = redirect_verify,   [FAULT_STEP_RENEW] = redirect_renew,         \
             [FAULT_STEP_REVERT] = redirect_revert,   [FAULT_STEP_VERIFY_GONE] = redirect_gone},   \
    .late = redirect_late, .cancel = redirect_cancel, .close = redirect_close

#endif
