/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libmicrohttpd adapter; the only file that sees microhttpd.h.
 *
 * Design notes
 * - MHD's epoll descriptor is watched by the loop; when it is readable, or MHD's own timeout has
 *   passed, MHD_run works off what is there. MHD's descriptors are edge-triggered, so a timeout of
 *   zero ("call me again") must be obeyed: systemd issue 7130 shows what happens otherwise.
 * - An exchange is allocated when MHD has read the request line (the only place where the target
 *   is seen undecoded) and freed when MHD reports the request completed, however it ended.
 * - A handler that does not reply at once leaves its connection suspended; MHD then no longer looks
 *   at the socket, so that a peer's hang-up is watched for by hang_up.c.
 * - io_server_free called from one of our callbacks abandons at once, and releases when MHD_run has
 *   returned.
 */
#include "io/http_server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/text.h"
#include "exchange.h"
#include "hang_up.h"
#include "listen.h"
#include "patience.h"
#include "tls_peer.h"

enum {
    DEFAULT_MAX_BODY = 64 * 1024,
    DEFAULT_IDLE_S = 60,
    DEFAULT_CONNECTIONS = 4096,
    HEADERS_MAX = 16 * 1024,
    RUNS_PER_TURN = 8,
    STATUS_OK_MIN = 200,
    STATUS_MAX = 999,
    STATUS_INTERNAL = 500,
};
/* An oversized body is read to its end up to this size, so that the peer reads our 413 and not a
 * reset connection; a larger one is refused at its headers, or cut off. */
static const uint64_t drain_max = (uint64_t)64 << 20;

struct io_server {
    struct io_server_config config;
    struct io_loop *loop;
    struct MHD_Daemon *daemon;
    struct io_watch run_watch;
    struct io_hang_ups hang_ups;
    struct io_patience patience;
    struct io_timer timer;
    struct mono_ns timer_due;
    struct io_exchange *waiting; /* suspended exchanges */
    size_t in_flight;
    size_t connections;
    uint16_t port;
    bool full;       /* as many connections as allowed, when MHD had last run */
    bool resumed;    /* a connection, since MHD last ran */
    bool stopping;   /* no new connections; kept ones are closed after their reply */
    unsigned inside; /* depth of our callbacks that run MHD or the handler */
    bool freed;      /* by its owner: no callback any more */
};

/* --- when MHD runs --- */

/* The timer is only ever moved forward: one that is early just runs MHD once for nothing, which is
 * far rarer than each request pushing its connection's idle timeout back. */
static void server_arm(struct io_server *server, struct dur_ns after)
{
    struct mono_ns due = base_mono_add(base_mono_now(), after);
    if (io_timer_active(&server->timer) && !base_mono_before(due, server->timer_due))
        return;
    server->timer_due = due;
    io_timer_start(&server->timer, after);
}

/* --- suspended exchanges and peers that hang up --- */

static void exchange_wait(struct io_exchange *exchange)
{
    struct io_server *server = exchange->server;
    exchange->next = server->waiting;
    exchange->link = &server->waiting;
    if (exchange->next != NULL)
        exchange->next->link = &exchange->next;
    server->waiting = exchange;
    exchange->peer->waiting = exchange;
    MHD_suspend_connection(exchange->connection);
    io_hang_ups_add(&server->hang_ups, exchange->peer);
}

/* When MHD runs next, it calls on_access again, which queues the reply or closes the connection.
 * With an external loop resuming does not make MHD's epoll descriptor readable. */
static void exchange_resume(struct io_exchange *exchange)
{
    *exchange->link = exchange->next;
    if (exchange->next != NULL)
        exchange->next->link = exchange->link;
    exchange->peer->waiting = NULL;
    MHD_resume_connection(exchange->connection);
    exchange->server->resumed = true;
    server_arm(exchange->server, base_dur_ms(0));
}

static void exchange_abandon(struct io_exchange *exchange)
{
    const struct io_server_config *config = &exchange->server->config;
    if (!io_exchange_move(exchange, ABANDONED))
        return;
    exchange_resume(exchange);
    if (config->on_abandon != NULL)
        config->on_abandon(config->ctx, exchange);
}

/* --- MHD's callbacks --- */

static enum MHD_Result queue_reply(struct io_exchange *exchange)
{
    if (exchange->response == NULL)
        return MHD_NO;
    io_patience_rests(&exchange->server->patience, exchange->peer); /* not to read it is no way */
    enum MHD_Result queued =
        MHD_queue_response(exchange->connection, exchange->status, exchange->response);
    MHD_destroy_response(exchange->response); /* our reference */
    exchange->response = NULL;
    return queued;
}

static void reply_text(struct io_exchange *exchange, unsigned status, const char *text)
{
    io_exchange_reply(exchange, status, "text/plain; charset=utf-8", text, strlen(text));
}

static uint64_t declared_length(const struct io_exchange *exchange)
{
    const char *text = io_exchange_header(exchange, "Content-Length");
    uint64_t length = 0;
    return text != NULL && base_parse_u64(text, &length) ? length : 0;
}

/* Only for these does MHD close the connection after a reply that came before the body. */
static bool may_refuse_early(const struct io_exchange *exchange)
{
    return base_str_eq(exchange->method, "POST") || base_str_eq(exchange->method, "PUT");
}

static void tell_refused(struct io_exchange *exchange, unsigned status)
{
    struct io_server *server = exchange->server;
    if (server->config.on_refused != NULL && !server->freed)
        server->config.on_refused(server->config.ctx, exchange, status);
}

static enum MHD_Result refuse(struct io_exchange *exchange, unsigned status, const char *text)
{
    tell_refused(exchange, status);
    reply_text(exchange, status, text);
    return queue_reply(exchange);
}

static enum MHD_Result refuse_too_large(struct io_exchange *exchange)
{
    char text[96];
    (void)snprintf(text, sizeof text,
                   "the request body is longer than the %zu bytes that are read here: send less\n",
                   exchange->body.max);
    return refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, text);
}

static enum MHD_Result begin(struct io_exchange *exchange)
{
    uint64_t length = declared_length(exchange);
    exchange->begun = true;
    exchange->too_large = length > exchange->body.max;
    bool asks = io_exchange_header(exchange, "Expect") != NULL;
    if (exchange->too_large && (asks || length > drain_max) && may_refuse_early(exchange))
        return refuse_too_large(exchange);
    return MHD_YES;
}

static enum MHD_Result take_body(struct io_exchange *exchange, const char *data, size_t *len)
{
    exchange->body_seen += *len;
    if (exchange->body_seen > exchange->body.max)
        exchange->too_large = true;
    if (!exchange->too_large && !base_buf_append(&exchange->body, data, *len))
        return MHD_NO;
    *len = 0;
    return exchange->body_seen <= drain_max ? MHD_YES : MHD_NO;
}

static enum MHD_Result handle(struct io_exchange *exchange)
{
    struct io_server *server = exchange->server;
    if (exchange->too_large)
        return refuse_too_large(exchange);
    if (strstr(exchange->target, "%00") != NULL) /* would cut the decoded path short */
        return refuse(exchange, MHD_HTTP_BAD_REQUEST, "the request target holds a NUL\n");
    if (server->freed)
        return MHD_NO;
    (void)io_exchange_move(exchange, HANDLING);
    io_patience_whole(exchange->peer);
    exchange->counted = true;
    server->in_flight++;
    server->config.on_request(server->config.ctx, exchange);
    if (exchange->phase == REPLIED)
        return queue_reply(exchange);
    if (server->freed)
        return MHD_NO;
    (void)io_exchange_move(exchange, WAITING);
    exchange_wait(exchange);
    return MHD_YES;
}

static struct io_peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *len, void **request)
{
    (void)ctx;
    (void)version;
    struct io_exchange *exchange = *request;
    if (exchange == NULL)
        return MHD_NO;
    if (exchange->phase == REPLIED)
        return queue_reply(exchange);
    if (exchange->phase != RECEIVING)
        return MHD_NO;
    if (!exchange->begun) {
        exchange->connection = connection;
        exchange->method = method;
        exchange->path = url;
        exchange->peer = peer_of(connection);
        return exchange->peer != NULL ? begin(exchange) : MHD_NO;
    }
    return *len > 0 ? take_body(exchange, data, len) : handle(exchange);
}

static void *on_request_line(void *ctx, const char *target, struct MHD_Connection *connection)
{
    struct io_server *server = ctx;
    size_t size = strlen(target) + 1;
    struct io_peer *peer = peer_of(connection);
    if (peer != NULL)
        io_patience_begins(&server->patience, peer);
    struct io_exchange *exchange = calloc(1, sizeof *exchange + size);
    if (exchange == NULL)
        return NULL;
    exchange->server = server;
    exchange->received = base_mono_now();
    base_buf_init(&exchange->body, server->config.max_body);
    base_buf_init(&exchange->headers, HEADERS_MAX);
    memcpy(exchange->target, target, size);
    return exchange;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode how)
{
    (void)ctx;
    (void)connection;
    (void)how;
    struct io_exchange *exchange = *request;
    if (exchange == NULL)
        return;
    if (exchange->begun && exchange->phase == RECEIVING)
        tell_refused(exchange, 0);
    if (exchange->counted)
        exchange->server->in_flight--;
    if (exchange->response != NULL)
        MHD_destroy_response(exchange->response);
    base_buf_fini(&exchange->body);
    base_buf_fini(&exchange->headers);
    free(exchange);
    *request = NULL;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct io_server *server = ctx;
    struct io_peer *peer = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        server->connections++;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        peer = calloc(1, sizeof *peer);
        if (peer != NULL) {
            peer->fd = info->connect_fd;
            io_hang_ups_add(&server->hang_ups, peer);
            if (server->connections == server->config.max_connections)
                io_patience_make_room(&server->patience);
            io_patience_add(&server->patience, peer);
        }
        *context = peer;
        return;
    }
    server->connections--;
    if (peer != NULL) {
        io_hang_ups_remove(&server->hang_ups, peer);
        io_patience_remove(&server->patience, peer);
    }
    free(peer);
    *context = NULL;
}

/* --- on the loop --- */

static void server_destroy(struct io_server *server)
{
    io_watch_fini(&server->run_watch);
    io_timer_stop(&server->timer);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon); /* closes the connections, resumed ones included */
    io_hang_ups_fini(&server->hang_ups);
    io_patience_fini(&server->patience);
    io_timer_fini(&server->timer);
    free(server);
}

static void server_leave(struct io_server *server)
{
    if (--server->inside == 0 && server->freed)
        server_destroy(server);
}

/* When MHD wants to run again even if nothing happens: false for never. */
static bool server_timeout(struct io_server *server, struct dur_ns *out)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    /* MHD looks at its listening socket again only in the run after the one that made room. */
    bool room = server->full && server->connections < server->config.max_connections;
    server->full = server->connections >= server->config.max_connections;
    if (!server->resumed && !room && MHD_get_timeout(server->daemon, &ms) != MHD_YES)
        return false;
    *out = base_dur_ms(ms < INT32_MAX ? (int64_t)ms : INT32_MAX);
    return true;
}

static void server_work(struct io_server *server)
{
    struct dur_ns after = {0};
    bool timed = true;
    for (int run = 0; run < RUNS_PER_TURN && timed && after.ns == 0 && !server->freed; run++) {
        server->resumed = false;
        (void)MHD_run(server->daemon);
        timed = server_timeout(server, &after);
    }
    if (timed)
        server_arm(server, after);
    else
        io_timer_stop(&server->timer);
}

static void server_run(struct io_server *server)
{
    server->inside++;
    server_work(server);
    server_leave(server);
}

static void run_ready(void *ctx, unsigned events)
{
    (void)events;
    server_run(ctx);
}

/* MHD takes a read that did not fill its buffer for the last one until epoll reports more. When the
 * end of the stream came together with the data, nothing more is reported, and the connection would
 * stay to its idle timeout. shutdown(2) on our side makes epoll report once more, with nothing
 * lost: what has arrived can still be read. */
static void peer_hung_up(void *ctx, struct io_peer *peer)
{
    (void)ctx;
    if (peer->waiting != NULL)
        exchange_abandon(peer->waiting);
    else
        (void)shutdown(peer->fd, SHUT_RD);
}

static void hang_ups_ready(void *ctx, unsigned events)
{
    (void)events;
    struct io_server *server = ctx;
    server->inside++;
    server_work(server); /* MHD first reads what came before the hang-up */
    if (!server->freed)
        io_hang_ups_take(&server->hang_ups, peer_hung_up, server);
    server_leave(server);
}

/* --- the server --- */

/* What MHD wants to know of TLS; it has read the texts when the daemon has started. */
enum { TLS_OPTIONS = 5 };
static void tls_options(const struct io_tls_texts *texts, struct MHD_OptionItem out[TLS_OPTIONS])
{
    static char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    size_t n = 0;
    out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, texts->cert.data};
    out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, texts->key.data};
    out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, versions};
    if (texts->ca.len > 0)
        out[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, texts->ca.data};
    out[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static bool start_daemon(struct io_server *server, int listen_fd, const struct io_tls_texts *texts,
                         struct base_error *err)
{
    const struct io_server_config *config = &server->config;
    struct MHD_OptionItem tls[TLS_OPTIONS] = {{MHD_OPTION_END, 0, NULL}};
    if (config->tls != NULL)
        tls_options(texts, tls);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (config->tls != NULL ? MHD_USE_TLS : 0U), 0,
        NULL, NULL, on_access, server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, config->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((config->idle_timeout.ns + BASE_NS_PER_S - 1) / BASE_NS_PER_S),
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        server->daemon != NULL ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
                               : NULL;
    if (info == NULL)
        return base_fail(
            err, BASE_INTERNAL,
            "libmicrohttpd refused to serve %s port %u: out of descriptors or memory%s",
            config->address, server->port, config->tls != NULL ? ", or built without TLS?" : "?");
    io_watch_init(&server->run_watch, server->loop, info->epoll_fd, run_ready, server);
    io_watch_set(&server->run_watch, IO_READ);
    return true;
}

static bool server_listen(struct io_server *server, const struct io_tls_texts *texts,
                          struct base_error *err)
{
    int listen_fd = io_listen(server->config.address, server->config.port, &server->port, err);
    if (listen_fd < 0)
        return false;
    if (!io_hang_ups_init(&server->hang_ups, server->loop, hang_ups_ready, server, err)) {
        base_fd_close(&listen_fd);
        return false;
    }
    if (!start_daemon(server, listen_fd, texts, err)) {
        if (server->daemon == NULL)
            base_fd_close(&listen_fd);
        return false;
    }
    return true;
}

static bool server_start(struct io_server *server, struct base_error *err)
{
    struct io_tls_texts texts = {0};
    if (server->config.tls != NULL && !io_tls_read(server->config.tls, &texts, err))
        return false;
    bool started = server_listen(server, &texts, err);
    io_tls_texts_fini(&texts);
    return started;
}

static void timer_expired(void *ctx)
{
    server_run(ctx);
}

struct io_server *io_server_new(struct io_loop *loop, const struct io_server_config *config,
                                struct base_error *err)
{
    struct io_server *server = base_calloc(1, sizeof *server);
    *server = (struct io_server){.config = *config, .loop = loop};
    struct io_server_config *mine = &server->config;
    if (mine->max_body == 0)
        mine->max_body = DEFAULT_MAX_BODY;
    if (mine->idle_timeout.ns <= 0)
        mine->idle_timeout = base_dur_s(DEFAULT_IDLE_S);
    if (mine->max_connections == 0)
        mine->max_connections = DEFAULT_CONNECTIONS;
    io_timer_init(&server->timer, loop, timer_expired, server);
    io_patience_init(&server->patience, loop, mine->request_timeout, mine->idle_timeout);
    if (!server_start(server, err)) {
        server_destroy(server);
        return NULL;
    }
    mine->address = NULL; /* the caller's; only start needed them */
    mine->tls = NULL;
    return server;
}

uint16_t io_server_port(const struct io_server *server)
{
    return server->port;
}

void io_server_stop_accepting(struct io_server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    int fd = MHD_quiesce_daemon(server->daemon);
    base_fd_close(&fd);
}

size_t io_server_in_flight(const struct io_server *server)
{
    return server->in_flight;
}

size_t io_server_connections(const struct io_server *server)
{
    return server->connections;
}

void io_server_free(struct io_server *server)
{
    if (server == NULL)
        return;
    if (server->freed)
        return;
    server->freed = true;
    while (server->waiting != NULL)
        exchange_abandon(server->waiting);
    if (server->inside == 0)
        server_destroy(server);
}

/* --- exchanges --- */

static const char *lookup(const struct io_exchange *exchange, enum MHD_ValueKind kind,
                          const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(exchange->connection, kind, name, strlen(name), &value,
                                      &len) != MHD_YES)
        return NULL;
    return value != NULL ? value : ""; /* "?name" without "=" */
}

const char *io_exchange_query(const struct io_exchange *exchange, const char *name)
{
    return lookup(exchange, MHD_GET_ARGUMENT_KIND, name);
}

const char *io_exchange_header(const struct io_exchange *exchange, const char *name)
{
    return lookup(exchange, MHD_HEADER_KIND, name);
}

bool io_exchange_certified(const struct io_exchange *exchange, char out[static IO_SUBJECT_TEXT],
                           struct base_error *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL || info->tls_session == NULL)
        return base_fail(err, BASE_DENIED, "this connection has no TLS");
    return io_tls_peer_verify(info->tls_session, out, IO_SUBJECT_TEXT, err);
}

/* MHD refuses a name or value with CR or LF in it, so that a reply cannot be split. */
static void add_headers(struct MHD_Response *response, const struct io_exchange *exchange)
{
    const char *at = exchange->headers.data;
    const char *end = at + exchange->headers.len;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        (void)MHD_add_response_header(response, at, value);
        at = value + strlen(value) + 1;
    }
    if (exchange->server->stopping)
        (void)MHD_add_response_header(response, "Connection", "close");
}

void io_exchange_reply(struct io_exchange *exchange, unsigned status, const char *content_type,
                       const void *body, size_t len)
{
    bool waited = exchange->phase == WAITING;
    if (!io_exchange_move(exchange, REPLIED))
        return;
    union { /* MHD copies it, yet asks for a pointer to non-const */
        const void *from;
        void *to;
    } bytes = {.from = len > 0 ? body : ""};
    exchange->status = status >= STATUS_OK_MIN && status <= STATUS_MAX ? status : STATUS_INTERNAL;
    /* Out of memory leaves no response: queue_reply then closes the connection. */
    exchange->response = MHD_create_response_from_buffer(len, bytes.to, MHD_RESPMEM_MUST_COPY);
    if (exchange->response != NULL) {
        if (content_type != NULL)
            (void)MHD_add_response_header(exchange->response, "Content-Type", content_type);
        add_headers(exchange->response, exchange);
    }
    if (waited)
        exchange_resume(exchange);
}
