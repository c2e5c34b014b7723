/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server: libmicrohttpd's external epoll nested in the loop (adapter: src/http_server.c).
 * on_request is called once for each whole request (body included); the handler replies at once or
 * later: until io_exchange_reply the connection is suspended. Bodies over max_body are answered
 * 413, without the handler seeing them.
 */
#ifndef IO_HTTP_SERVER_H
#define IO_HTTP_SERVER_H

#include <stdint.h>

#include "io/loop.h"
#include "io/tls.h"

struct io_server;
struct io_exchange; /* one request and its reply; freed by the server after the reply is sent */

struct io_server_config {
    const char *address;        /* IPv4 or IPv6 literal */
    uint16_t port;              /* 0 picks a free one */
    size_t max_body;            /* bytes; 0 means 64 KiB */
    struct dur_ns idle_timeout; /* of a keep-alive connection; 0 means 60 s */
    unsigned max_connections;   /* 0 means 4096 */
    /* For a whole request, from the connection or its first line to its last byte; one that takes
     * longer is cut off. When set, too, a new connection that takes the last place has the one shut
     * down that has been waited for longest. 0: no limit. */
    struct dur_ns request_timeout;
    /* HTTPS with this certificate; NULL: plain HTTP. With an authority (ca) clients are asked for
     * certificates, but let in without: io_exchange_certified judges them. Read by io_server_new.
     */
    const struct io_tls_files *tls;
    void (*on_request)(void *ctx, struct io_exchange *exchange);
    /* The peer went away before the reply: stop the work; do not touch exchange afterwards (a reply
     * is then neither needed nor allowed). NULL when there is nothing to stop. */
    void (*on_abandon)(void *ctx, struct io_exchange *exchange);
    /* A request that on_request will never see, for audit lines: answered with status by the server
     * itself (413), or status 0: its body never came in whole. exchange is valid during the call,
     * and not to be replied to. May be NULL. */
    void (*on_refused)(void *ctx, struct io_exchange *exchange, unsigned status);
    void *ctx;
};

/* BASE_UNAVAILABLE with address and port in the message when the address is in use. */
struct io_server *io_server_new(struct io_loop *loop, const struct io_server_config *config,
                                struct base_error *err);
uint16_t io_server_port(const struct io_server *server);
void io_server_stop_accepting(struct io_server *server);    /* for graceful shutdown */
size_t io_server_in_flight(const struct io_server *server); /* exchanges without a sent reply */
size_t io_server_connections(const struct io_server *server);
/* Abandons what is under way; accepts NULL. From the callbacks too: none fires afterwards. */
void io_server_free(struct io_server *server);

const char *io_exchange_method(const struct io_exchange *exchange);
const char *io_exchange_path(const struct io_exchange *exchange); /* without the query, %-decoded */
const char *io_exchange_target(const struct io_exchange *exchange); /* path and query as received */
const char *io_exchange_query(const struct io_exchange *exchange, const char *name);  /* or NULL */
const char *io_exchange_header(const struct io_exchange *exchange, const char *name); /* or NULL */
const char *io_exchange_body(const struct io_exchange *exchange, size_t *len); /* "" when none */
enum { IO_PEER_TEXT = 64 };
/* "10.0.0.1:40312" or "[::1]:40312"; "" when it is gone. For audit lines. */
void io_exchange_peer(const struct io_exchange *exchange, char out[static IO_PEER_TEXT]);
/* Whether the peer has a certificate that the server's tls->ca vouches for; its subject
 * ("CN=controller"). BASE_DENIED says what is wrong with it. */
enum { IO_SUBJECT_TEXT = 256 };
bool io_exchange_certified(const struct io_exchange *exchange, char out[static IO_SUBJECT_TEXT],
                           struct base_error *err);
struct mono_ns io_exchange_received(const struct io_exchange *exchange);
void io_exchange_set_ctx(struct io_exchange *exchange, void *ctx); /* the handler's own pointer */
void *io_exchange_ctx(const struct io_exchange *exchange);

/* Before the reply; name and value are copied. One with CR or LF in it is left out. */
void io_exchange_add_header(struct io_exchange *exchange, const char *name, const char *value);
/* Exactly once; body is copied. */
void io_exchange_reply(struct io_exchange *exchange, unsigned status, const char *content_type,
                       const void *body, size_t len);

#endif
