/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS for the connections of one worker (adapter: tls.c, the only file that sees OpenSSL). A worker
 * has its own trust store, identity and sessions, so that threads share nothing.
 *
 * Design notes. OpenSSL reads and writes the socket itself, with reading ahead: a request is one
 * write and a response one read, as without TLS; memory BIOs would copy every byte once more.
 * Nothing here blocks or raises SIGPIPE (the threads have all signals blocked). The session that an
 * address gave last is offered to it again, whichever connection got it.
 */
#ifndef LOAD_TLS_H
#define LOAD_TLS_H

#include <sys/types.h>

#include "model/load.h"

enum { LOAD_TLS_WHY = 512 };

struct load_tls;
struct load_tls_conn;

enum load_tls_step {
    LOAD_TLS_DONE,
    LOAD_TLS_WANTS_READ,
    LOAD_TLS_WANTS_WRITE,
    LOAD_TLS_FAILED, /* load_tls_why says what about TLS was wrong */
    LOAD_TLS_ENDED   /* the connection itself ended */
};

/* What is offered by ALPN (RFC 7301). */
enum load_tls_offer {
    LOAD_TLS_OFFERS_NOTHING, /* what is spoken has no name there: a server that knows only others
                                may refuse the handshake (section 3.2) */
    LOAD_TLS_OFFERS_HTTP1,
    LOAD_TLS_OFFERS_HTTP2 /* beside HTTP/1.1, for a target that has it not to say so */
};
enum load_tls_offer load_tls_offer_of(const struct load_spec *spec);

/* spec must outlive it. NULL with err: BASE_INVALID for files that cannot be used. */
struct load_tls *load_tls_new(const struct load_tls_spec *spec, size_t addresses,
                              enum load_tls_offer offer, struct base_error *err);
void load_tls_free(struct load_tls *tls); /* accepts NULL; after its connections */
/* Adds what happened so far to out, which is for one run. */
void load_tls_count(const struct load_tls *tls, struct load_tls_result *out);

/* The same for a handshake that another library (libcurl) has made with OpenSSL: ssl is its SSL. */
void load_tls_count_foreign(void *ssl, struct load_tls_result *out);

/* On a connected socket, which stays the caller's. NULL: out of memory. address: which of the
 * target's, for sessions. */
struct load_tls_conn *load_tls_open(struct load_tls *tls, int fd, size_t address);
void load_tls_close(struct load_tls_conn *conn); /* accepts NULL; before the socket is closed */
enum load_tls_step load_tls_handshake(struct load_tls_conn *conn);
bool load_tls_chose_http2(const struct load_tls_conn *conn); /* after the handshake */
/* As recv(2) and send(2): 0 is an orderly end, -1 with errno EAGAIN, ECONNRESET (ended without
 * notice) or EPROTO (load_tls_why). */
ssize_t load_tls_recv(struct load_tls_conn *conn, void *buffer, size_t len);
ssize_t load_tls_send(struct load_tls_conn *conn, const void *data, size_t len);
/* Bytes have been read from the socket that load_tls_recv has not looked at: no readiness will be
 * reported for them. */
bool load_tls_pending(const struct load_tls_conn *conn);
/* What was wrong the last time, with what to do; "" when nothing. Until the next failure. */
const char *load_tls_why(const struct load_tls_conn *conn);

#endif
