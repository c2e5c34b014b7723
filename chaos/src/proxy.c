/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "proxy_fd.h"

enum {
    family_count = 2,
    most_connections = 4096, /* more wait in the listener's queue */
    backlog = 4096,
    accepts_a_turn = 64,
    pause_ms = 20,
    patrol_ms = 500,
    patience_s = 3 /* with a client that said its end before there was a server */
};

struct proxy_conn {
    struct fault_proxy *proxy;
    struct proxy_conn *next;
    struct proxy_conn *previous;
    int fd[2];
    struct io_watch watch[2];
    struct mono_ns since;
    bool begun;
    bool closed;
    _Alignas(max_align_t) unsigned char state[];
};

struct listener {
    struct fault_proxy *proxy;
    int family;
    int fd; /* -1: the namespace has no such family */
    uint16_t port;
    struct io_watch watch;
};

struct fault_proxy {
    struct fault_proxy_config config;
    void *shared; /* of the driver */
    struct io_loop *loop;
    struct io_wake stop;
    struct io_timer reap;
    struct io_timer resume;
    struct io_timer patrol;
    struct listener listeners[family_count];
    struct proxy_conn *open;
    struct proxy_conn *dead; /* closed in this turn */
    size_t count;
    pthread_t thread;
    sem_t entered;
    struct base_error entry_error; /* of the thread, read after `entered` */
};

const void *proxy_conn_rules(const struct proxy_conn *conn)
{
    return conn->proxy->config.rules;
}
void *proxy_conn_state(const struct proxy_conn *conn)
{
    return (void *)(uintptr_t)conn->state;
}
void *proxy_conn_shared(const struct proxy_conn *conn)
{
    return conn->proxy->shared;
}
struct io_loop *proxy_conn_loop(const struct proxy_conn *conn)
{
    return conn->proxy->loop;
}
int proxy_conn_fd(const struct proxy_conn *conn, enum proxy_end end)
{
    return conn->fd[end];
}
bool proxy_conn_closed(const struct proxy_conn *conn)
{
    return conn->closed;
}
void proxy_conn_watch(struct proxy_conn *conn, enum proxy_end end, unsigned events)
{
    if (!conn->closed && conn->fd[end] >= 0)
        io_watch_set(&conn->watch[end], events);
}

/* --- the end of a connection --- */

static void set_linger(int fd, bool reset)
{
    const struct linger linger = {.l_onoff = reset ? 1 : 0, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void unlink_conn(struct proxy_conn **list, struct proxy_conn *conn)
{
    if (conn->previous != NULL)
        conn->previous->next = conn->next;
    else
        *list = conn->next;
    if (conn->next != NULL)
        conn->next->previous = conn->previous;
}

void proxy_conn_close(struct proxy_conn *conn, enum proxy_close how)
{
    struct fault_proxy *proxy = conn->proxy;
    if (conn->closed)
        return;
    conn->closed = true;
    if (conn->begun)
        proxy->config.driver->finish(conn);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        if (conn->fd[end] < 0)
            continue;
        io_watch_fini(&conn->watch[end]);
        if (how == PROXY_GRACEFUL)
            set_linger(conn->fd[end], false);
        base_fd_close(&conn->fd[end]);
    }
    unlink_conn(&proxy->open, conn);
    conn->next = proxy->dead;
    proxy->dead = conn;
    proxy->count--;
    io_timer_start(&proxy->reap, (struct dur_ns){0});
}

static void accept_more(struct fault_proxy *proxy, bool more)
{
    for (size_t i = 0; i < family_count; i++)
        if (proxy->listeners[i].fd >= 0)
            io_watch_set(&proxy->listeners[i].watch, more ? IO_READ : 0);
}

static void free_dead(struct fault_proxy *proxy)
{
    while (proxy->dead != NULL) {
        struct proxy_conn *conn = proxy->dead;
        proxy->dead = conn->next;
        free(conn);
    }
}

static void on_reap(void *ctx)
{
    struct fault_proxy *proxy = ctx;
    free_dead(proxy);
    accept_more(proxy, proxy->count < most_connections);
}

static void on_resume(void *ctx)
{
    struct fault_proxy *proxy = ctx;
    accept_more(proxy, proxy->count < most_connections);
}

/* --- whom nobody waits for --- */

/* A client that gave up while its server did not answer: nothing else tells, since what it has sent
 * already would be reported again and again if its socket were watched. The kernel goes on trying
 * to connect for two minutes, and clients try again each second: without this they fill the proxy.
 */
static bool has_given_up(const struct proxy_conn *conn, struct mono_ns now)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(conn->fd[PROXY_CLIENT], IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return true;
    if (info.tcpi_state == TCP_CLOSE_WAIT)
        return base_mono_sub(now, conn->since).ns >= base_dur_s(patience_s).ns;
    return info.tcpi_state == TCP_CLOSE;
}

static void on_patrol(void *ctx)
{
    struct fault_proxy *proxy = ctx;
    struct mono_ns now = base_mono_now();
    bool waiting = false;
    for (struct proxy_conn *next, *conn = proxy->open; conn != NULL; conn = next) {
        next = conn->next;
        if (!conn->begun && has_given_up(conn, now))
            proxy_conn_close(conn, PROXY_RESET);
        else
            waiting = waiting || !conn->begun;
    }
    if (waiting)
        io_timer_start(&proxy->patrol, base_dur_ms(patrol_ms));
}

/* --- the beginning of one --- */

/* As the agent's death and its silence need it; what it cannot have, it does without. */
static void prepare_socket(int fd)
{
    static const int on = 1;
    set_linger(fd, true);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof on);  /* seconds */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof on); /* seconds */
}

static bool original_destination(const struct listener *listener, int fd,
                                 struct sockaddr_storage *out, socklen_t *len)
{
    bool v4 = listener->family == AF_INET;
    *out = (struct sockaddr_storage){0};
    *len = v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (getsockopt(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? SO_ORIGINAL_DST : IP6T_SO_ORIGINAL_DST, out,
                   len) < 0)
        return false;
    struct sockaddr_in in;
    memcpy(&in, out, sizeof in); /* the port lies at the same place in both */
    /* Who came here by itself would be sent here again. */
    return ntohs(in.sin_port) != listener->port;
}

static void on_client(void *ctx, unsigned events)
{
    (void)events;
    struct proxy_conn *conn = ctx;
    conn->proxy->config.driver->on_ready(conn, PROXY_CLIENT);
}

static void begin(struct proxy_conn *conn)
{
    conn->begun = true;
    conn->proxy->config.driver->begin(conn);
}

static void on_server(void *ctx, unsigned events)
{
    (void)events;
    struct proxy_conn *conn = ctx;
    if (conn->begun) {
        conn->proxy->config.driver->on_ready(conn, PROXY_SERVER);
        return;
    }
    int sys = 0;
    socklen_t len = sizeof sys;
    if (getsockopt(conn->fd[PROXY_SERVER], SOL_SOCKET, SO_ERROR, &sys, &len) < 0 || sys != 0) {
        proxy_conn_close(conn, PROXY_RESET);
        return;
    }
    io_watch_set(&conn->watch[PROXY_SERVER], 0);
    begin(conn);
}

static bool connect_server(struct proxy_conn *conn, const struct sockaddr_storage *to,
                           socklen_t len)
{
    const struct fault_proxy_config *config = &conn->proxy->config;
    int fd = proxy_fd_keep(socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return false;
    conn->fd[PROXY_SERVER] = fd;
    io_watch_init(&conn->watch[PROXY_SERVER], conn->proxy->loop, fd, on_server, conn);
    prepare_socket(fd);
    /* Without the mark it would be redirected itself. */
    if (setsockopt(fd, SOL_SOCKET, SO_MARK, &config->mark, sizeof config->mark) < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)to, len) < 0 && errno != EINPROGRESS)
        return false;
    io_watch_set(&conn->watch[PROXY_SERVER], IO_WRITE);
    if (!io_timer_active(&conn->proxy->patrol))
        io_timer_start(&conn->proxy->patrol, base_dur_ms(patrol_ms));
    return true;
}

static void take(struct listener *listener, int fd)
{
    struct fault_proxy *proxy = listener->proxy;
    const struct proxy_driver *driver = proxy->config.driver;
    struct sockaddr_storage to;
    socklen_t len;
    if (!original_destination(listener, fd, &to, &len)) {
        base_fd_close(&fd);
        return;
    }
    struct proxy_conn *conn = base_calloc(1, sizeof *conn + driver->state_size);
    conn->proxy = proxy;
    conn->since = base_mono_now();
    conn->fd[PROXY_CLIENT] = fd;
    conn->fd[PROXY_SERVER] = -1;
    prepare_socket(conn->fd[PROXY_CLIENT]);
    io_watch_init(&conn->watch[PROXY_CLIENT], proxy->loop, conn->fd[PROXY_CLIENT], on_client, conn);
    conn->next = proxy->open;
    if (conn->next != NULL)
        conn->next->previous = conn;
    proxy->open = conn;
    proxy->count++;
    if (driver->wants_server != NULL && !driver->wants_server(conn))
        begin(conn);
    else if (!connect_server(conn, &to, len))
        proxy_conn_close(conn, PROXY_RESET);
}

static void on_accept(void *ctx, unsigned events)
{
    (void)events;
    struct listener *listener = ctx;
    struct fault_proxy *proxy = listener->proxy;
    for (int i = 0; i < accepts_a_turn && proxy->count < most_connections; i++) {
        int fd = proxy_fd_keep(accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd >= 0) {
            take(listener, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            accept_more(proxy, false);
            io_timer_start(&proxy->resume, base_dur_ms(pause_ms));
            return;
        }
    }
    if (proxy->count >= most_connections)
        accept_more(proxy, false);
}

/* --- the thread --- */

static void on_stop(void *ctx)
{
    struct fault_proxy *proxy = ctx;
    for (size_t i = 0; i < family_count; i++)
        if (proxy->listeners[i].fd >= 0)
            io_watch_set(&proxy->listeners[i].watch, 0);
    while (proxy->open != NULL)
        proxy_conn_close(proxy->open, PROXY_RESET);
    io_loop_stop(proxy->loop);
}

static void *run(void *arg)
{
    struct fault_proxy *proxy = arg;
    bool inside = fault_netns_enter(proxy->config.netns, &proxy->entry_error);
    (void)sem_post(&proxy->entered);
    if (inside)
        io_loop_run(proxy->loop);
    return NULL;
}

static bool bind_any(int fd, int family)
{
    static const int on = 1;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (family == AF_INET)
        return bind(fd, (const struct sockaddr *)&v4, sizeof v4) == 0;
    return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0 &&
           bind(fd, (const struct sockaddr *)&v6, sizeof v6) == 0;
}

static bool listen_on(struct listener *listener, const struct fault_netns *netns,
                      struct base_error *err)
{
    struct sockaddr_storage own = {0};
    struct sockaddr_in in;
    socklen_t len = sizeof own;
    struct base_error why = {0};
    listener->fd =
        fault_netns_socket(netns, listener->family, SOCK_STREAM | SOCK_NONBLOCK, 0, &why);
    if (listener->fd < 0 && listener->family == AF_INET6 && why.sys == EAFNOSUPPORT)
        return true;
    if (listener->fd < 0) {
        if (err != NULL)
            *err = why;
        return false;
    }
    prepare_socket(listener->fd); /* what waits to be accepted inherits it */
    if (!bind_any(listener->fd, listener->family) || listen(listener->fd, backlog) < 0 ||
        getsockname(listener->fd, (struct sockaddr *)&own, &len) < 0)
        return base_fail_errno(err, "cannot listen in the target's network namespace");
    memcpy(&in, &own, sizeof in);
    listener->port = ntohs(in.sin_port);
    return true;
}

static bool set_up(struct fault_proxy *proxy, struct base_error *err)
{
    static const int families[family_count] = {AF_INET, AF_INET6};
    proxy->loop = io_loop_new(err);
    if (proxy->loop == NULL || !io_wake_init(&proxy->stop, proxy->loop, on_stop, proxy, err))
        return false;
    io_timer_init(&proxy->reap, proxy->loop, on_reap, proxy);
    io_timer_init(&proxy->resume, proxy->loop, on_resume, proxy);
    io_timer_init(&proxy->patrol, proxy->loop, on_patrol, proxy);
    for (size_t i = 0; i < family_count; i++) {
        struct listener *listener = &proxy->listeners[i];
        listener->proxy = proxy;
        listener->family = families[i];
        if (!listen_on(listener, proxy->config.netns, err))
            return false;
        if (listener->fd < 0)
            continue;
        io_watch_init(&listener->watch, proxy->loop, listener->fd, on_accept, listener);
        io_watch_set(&listener->watch, IO_READ);
    }
    return proxy->config.driver->start == NULL ||
           proxy->config.driver->start(proxy->shared, proxy->loop, &proxy->config, err);
}

static void tear_down(struct fault_proxy *proxy)
{
    if (proxy->config.driver->stop != NULL)
        proxy->config.driver->stop(proxy->shared);
    for (size_t i = 0; i < family_count; i++) {
        io_watch_fini(&proxy->listeners[i].watch);
        base_fd_close(&proxy->listeners[i].fd);
    }
    free_dead(proxy);
    io_timer_fini(&proxy->reap);
    io_timer_fini(&proxy->resume);
    io_timer_fini(&proxy->patrol);
    io_wake_fini(&proxy->stop);
    io_loop_free(proxy->loop);
    free(proxy->shared);
    free(proxy);
}

static bool start_thread(struct fault_proxy *proxy, struct base_error *err)
{
    if (sem_init(&proxy->entered, 0, 0) < 0)
        return base_fail_errno(err, "cannot make a semaphore");
    errno = pthread_create(&proxy->thread, NULL, run, proxy);
    bool started = errno == 0 || base_fail_errno(err, "cannot start the proxy's thread");
    while (started && sem_wait(&proxy->entered) < 0)
        ; /* EINTR */
    (void)sem_destroy(&proxy->entered);
    if (!started || proxy->entry_error.code == BASE_OK)
        return started;
    (void)pthread_join(proxy->thread, NULL);
    if (err != NULL)
        *err = proxy->entry_error;
    return false;
}

struct fault_proxy *fault_proxy_start(const struct fault_proxy_config *config,
                                      struct base_error *err)
{
    struct fault_proxy *proxy = base_calloc(1, sizeof *proxy);
    proxy->config = *config;
    proxy->shared = base_calloc(1, config->driver->shared_size + 1);
    if (config->driver->share != NULL)
        config->driver->share(proxy->shared, config->rules, config->number);
    for (size_t i = 0; i < family_count; i++)
        proxy->listeners[i].fd = -1;
    if (set_up(proxy, err) && start_thread(proxy, err))
        return proxy;
    tear_down(proxy);
    return NULL;
}

uint16_t fault_proxy_port(const struct fault_proxy *proxy, int family)
{
    return proxy->listeners[family == AF_INET ? 0 : 1].port;
}

uint16_t fault_proxy_udp_port(const struct fault_proxy *proxy, int family)
{
    const struct proxy_driver *driver = proxy->config.driver;
    return driver->udp_port != NULL ? driver->udp_port(proxy->shared, family) : 0;
}

void fault_proxy_stop(struct fault_proxy *proxy)
{
    if (proxy == NULL)
        return;
    io_wake_send(&proxy->stop);
    (void)pthread_join(proxy->thread, NULL);
    tear_down(proxy);
}
