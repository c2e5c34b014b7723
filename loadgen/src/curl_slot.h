/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the libcurl engine: curl.c (requests and the loop), curl_easy.c (what an
 * easy handle is told) and curl_outcome.c (what came of a request). */
#ifndef LOAD_CURL_SLOT_H
#define LOAD_CURL_SLOT_H

#include <sys/types.h>

#include "curl_request.h"
#include "curl_turns.h"
#include "driver.h"

enum { LOAD_CURL_WHY = 256 };

struct curl_slist;

enum load_curl_state {
    LOAD_CURL_COLD,
    LOAD_CURL_READY,
    LOAD_CURL_BUSY,
    LOAD_CURL_RESTING, /* ended without an answer: ready at the loop's next turn */
    LOAD_CURL_CLOSED,
    LOAD_CURL_STATES
};

TAILQ_HEAD(load_curl_slots, load_curl_slot);

/* What the slots of one multi handle share. */
struct load_curl {
    struct load_pool *pool;
    const struct load_curl_request *requests;
    struct curl_slist **headers;  /* the thread's, one a route; NULL where they have fields */
    struct load_watches *watches; /* the thread's */
    struct load_curl_turns turns;
    struct io_timer turn; /* something has ended, or rests */
    struct load_curl_slots resting;
    int active;
    bool collecting;
    struct load_tls_result tls;
};

struct load_curl_slot {
    struct load_conn head;
    struct load_curl *own;
    void *easy; /* CURL; NULL: not yet */
    void *url;  /* CURLU, that easy points to; NULL: not yet */
    TAILQ_ENTRY(load_curl_slot) rest;
    const struct load_curl_request *request; /* that the easy handle is set up for; NULL: none */
    char *copy;                              /* its bytes with the fields filled in, or NULL */
    struct curl_slist *headers;              /* with fields filled in, or NULL */
    struct curl_slist *connect_to;           /* the target's address, or NULL: as the URL has it */
    int64_t first_at;
    off_t file_at;    /* so much of the body's file is read */
    int socket_error; /* errno of a socket that could not be made; 0: none */
    bool sending;     /* its connection was there and the request was sent */
    bool again;       /* libcurl was about to send it again */
    bool established;
    enum load_curl_state state;
    char why[LOAD_CURL_WHY];
};

/* A new easy handle for a slot, told all but the request. */
void load_curl_easy_make(struct load_curl_slot *slot);
/* Makes the request of slot->head.due the one that is sent next. */
void load_curl_easy_fill(struct load_curl_slot *slot);
/* The request's lines and nothing of libcurl's own. NULL: out of memory. */
struct curl_slist *load_curl_headers(const struct load_curl_request *request, const char *bytes);

/* result: a CURLcode. Fills in all but the times, and notes whether the target was reached. */
void load_curl_judge(struct load_curl_slot *slot, int result, struct load_outcome *outcome);
/* The worker waited long enough. */
void load_curl_judge_late(struct load_curl_slot *slot, struct load_outcome *outcome);

static inline struct load_curl_slot *load_curl_slot_of(struct load_conn *conn)
{
    return (struct load_curl_slot *)(void *)conn;
}

#endif
