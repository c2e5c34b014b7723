/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of several equal peers gets the next request: the one with the fewest requests under way,
 * round robin among equals. Peers leave by active probes and by passive ejection, and come back by
 * a good probe only. Pure: no clock, no socket.
 */
#ifndef KIT_BALANCER_H
#define KIT_BALANCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kit/flags.h"

enum { KIT_PEERS_MAX = 32, KIT_PEER_TEXT = 272 };

enum kit_peer_state {
    KIT_PEER_UNKNOWN, /* not probed yet: not used */
    KIT_PEER_UP,
    KIT_PEER_UNREADY, /* a probe said no */
    KIT_PEER_EJECTED  /* requests could not reach it */
};

enum kit_probe { KIT_PROBE_OK, KIT_PROBE_REFUSED, KIT_PROBE_SILENT };
enum kit_outcome {
    KIT_OUTCOME_OK,          /* an answer, whatever its status */
    KIT_OUTCOME_UNREACHABLE, /* no connection: ejected at once */
    KIT_OUTCOME_BROKEN       /* connected, but no whole answer in time */
};

struct kit_peer {
    struct kit_endpoint endpoint;
    char name[KIT_PEER_TEXT]; /* host:port */
    enum kit_peer_state state;
    unsigned in_flight;
    unsigned silent_probes; /* in a row */
    unsigned broken;        /* in a row */
    uint64_t ejections;
};

struct kit_balancer {
    struct kit_peer peers[KIT_PEERS_MAX];
    size_t count;
    size_t turn;
};

/* "HOST:PORT,HOST:PORT" */
bool kit_balancer_init(struct kit_balancer *balancer, const char *peers, struct base_error *err);
size_t kit_balancer_up(const struct kit_balancer *balancer);
/* Index of the peer, with its in_flight counted up; -1 when none is up. Peers whose bit is set in
 * `except` are passed over. */
int kit_balancer_take(struct kit_balancer *balancer, uint32_t except);
/* Ends a take. true when the peer was ejected by this. */
bool kit_balancer_give(struct kit_balancer *balancer, size_t index, enum kit_outcome outcome);
/* Ends a take without a verdict: the client went away. */
void kit_balancer_drop(struct kit_balancer *balancer, size_t index);
/* A silent probe (no answer in time) needs KIT_SILENT_PROBES in a row, a refusal is believed at
 * once. true when the state changed. */
enum { KIT_SILENT_PROBES = 2, KIT_BROKEN_LIMIT = 5 };
bool kit_balancer_probed(struct kit_balancer *balancer, size_t index, enum kit_probe result);
const char *kit_peer_state_name(enum kit_peer_state state);

/* Retries must not become the overload: each first try earns a share of a retry, each retry costs
 * one, and savings are capped (the retry budget of Finagle and Linkerd). */
struct kit_retry_budget {
    double share; /* retries / first tries, in the long run */
    double cap;
    double saved;
};
void kit_retry_budget_init(struct kit_retry_budget *budget, double share, double cap);
void kit_retry_budget_earn(struct kit_retry_budget *budget);
bool kit_retry_budget_spend(struct kit_retry_budget *budget);

#endif
