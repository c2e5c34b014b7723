/* SPDX-License-Identifier: Apache-2.0 */
/* A multi handle of libcurl's on a loop: its timer, and the sockets that it waits for. */
#ifndef LOAD_CURL_TURNS_H
#define LOAD_CURL_TURNS_H

#include "watches.h"

struct load_curl_turns {
    void *multi; /* CURLM; NULL: there is none */
    struct load_watches *watches;
    struct io_timer timer;
    bool lasting; /* sockets are used again: see watches.h */
    void (*on_turn)(void *ctx);
    void *ctx;
};

/* on_turn: it has acted, messages may be there. watches: with load_curl_turns_go_on as what they
 * call. False with err: out of memory; fini all the same. */
bool load_curl_turns_init(struct load_curl_turns *turns, struct load_watches *watches, bool lasting,
                          void (*on_turn)(void *ctx), void *ctx, struct base_error *err);
/* owner: the turns that asked for the descriptor. */
void load_curl_turns_go_on(void *owner, int fd, unsigned events);
/* Closes the connections that it has kept; after its easy handles. Accepts a zeroed value. */
void load_curl_turns_fini(struct load_curl_turns *turns);

#endif
