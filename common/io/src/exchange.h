/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its reply, as http_server.c moves it from phase to phase. */
#ifndef IO_EXCHANGE_H
#define IO_EXCHANGE_H

#include <stdint.h>

#include "base/buf.h"
#include "io/http_server.h"

struct MHD_Connection;
struct MHD_Response;
struct io_peer;

enum phase { RECEIVING, HANDLING, WAITING, REPLIED, ABANDONED, PHASES };

struct io_exchange {
    struct io_server *server;
    struct MHD_Connection *connection;
    struct io_peer *peer;
    struct io_exchange *next, **link; /* in server->waiting */
    enum phase phase;
    bool begun;   /* the headers have been seen */
    bool counted; /* in server->in_flight */
    bool too_large;
    const char *method;
    const char *path;
    struct base_buf body;
    uint64_t body_seen;
    struct base_buf headers; /* of the reply: name NUL value NUL ... */
    struct MHD_Response *response;
    unsigned status;
    struct mono_ns received;
    void *ctx;
    char target[];
};

/* The only way to change phase; false when the move is not allowed (a second reply, say). */
bool io_exchange_move(struct io_exchange *exchange, enum phase to);

#endif
