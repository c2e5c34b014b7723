/* SPDX-License-Identifier: Apache-2.0 */
#include "dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "curl_connect.h"
#include "curl_turns.h"
#include "io/curl_late.h"

enum { AT_ONCE = 64 }; /* attempts under way */

TAILQ_HEAD(dial_list, load_dial);

struct load_dials {
    struct load_pool *pool;
    struct load_watches watches;
    struct load_curl_turns turns;
    struct io_timer turn;      /* another may begin */
    struct dial_list waiting;  /* until fewer are under way */
    struct dial_list attempts; /* under way */
    size_t count;              /* of these */
    int kept;                  /* a socket that libcurl is not to close; -1: none */
};

struct load_dial {
    struct load_dials *own;
    TAILQ_ENTRY(load_dial) next;
    const struct load_conn *conn;
    CURL *easy;       /* NULL: it waits */
    int socket_error; /* errno of a socket that could not be made; 0: none */
    void (*on_end)(void *ctx, const struct load_dialled *end);
    void *ctx;
};

/* --- libcurl's callbacks --- */

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct load_dial *dial = ctx;
    (void)purpose;
    int fd = load_curl_socket(dial->conn, address);
    dial->socket_error = fd < 0 ? errno : 0;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close(void *ctx, curl_socket_t fd)
{
    struct load_dials *own = ctx;
    load_watches_forget(&own->watches, fd);
    return fd == own->kept ? 0 : close(fd);
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    (void)data;
    (void)ctx;
    return size * count; /* of a proxy's answer */
}

/* --- an attempt --- */

static char *url_of(const struct load_dial *dial)
{
    const struct load_spec *spec = dial->own->pool->spec;
    const struct load_target *target = &spec->targets[dial->conn->address->number];
    bool v6 = strchr(target->address, ':') != NULL;
    return base_str_printf("http://%s%s%s:%u", v6 ? "[" : "", target->address, v6 ? "]" : "",
                           target->port);
}

static void set_callbacks(struct load_dial *dial)
{
    CURL *easy = dial->easy;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, dial);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Giving up does not wait for a name server: this thread has requests to send. */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_data);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, dial);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, dial->own);
}

static void set_way(struct load_dial *dial)
{
    const struct load_pool *pool = dial->own->pool;
    const struct load_spec *spec = pool->spec;
    BASE_AUTO_FREE char *url = url_of(dial);
    CURL *easy = dial->easy;
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    /* "": whatever the environment says. */
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, spec->proxy == NULL ? "" : spec->proxy);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, load_spec_asks_proxy(spec) ? 0L : 1L);
    if (spec->unix_socket != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, spec->unix_socket);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)(pool->connect_limit.ns / BASE_NS_PER_MS + 1));
}

static void begin(struct load_dial *dial)
{
    struct load_dials *own = dial->own;
    dial->easy = curl_easy_init();
    if (dial->easy == NULL)
        abort(); /* as base_calloc does */
    TAILQ_INSERT_TAIL(&own->attempts, dial, next);
    own->count++;
    set_callbacks(dial);
    set_way(dial);
    (void)curl_multi_add_handle(own->turns.multi, dial->easy); /* asks for a turn of the timer */
}

static void begin_waiting(void *ctx)
{
    struct load_dials *own = ctx;
    struct load_dial *dial;
    while (own->count < AT_ONCE && (dial = TAILQ_FIRST(&own->waiting)) != NULL) {
        TAILQ_REMOVE(&own->waiting, dial, next);
        begin(dial);
    }
}

struct load_dial *load_dial_start(struct load_dials *dials, const struct load_conn *conn,
                                  void (*on_end)(void *ctx, const struct load_dialled *end),
                                  void *ctx)
{
    struct load_dial *dial = base_calloc(1, sizeof *dial);
    *dial = (struct load_dial){.own = dials, .conn = conn, .on_end = on_end, .ctx = ctx};
    TAILQ_INSERT_TAIL(&dials->waiting, dial, next);
    begin_waiting(dials);
    return dial;
}

enum load_cause load_dial_awaits(const struct load_dial *dial)
{
    return dial->easy == NULL ? LOAD_CAUSE_CONNECT_TIMEOUT : load_curl_awaits(dial->easy);
}

/* keep: the socket that stays open, or -1. */
static void discard(struct load_dial *dial, int keep)
{
    struct load_dials *own = dial->own;
    if (dial->easy == NULL) {
        TAILQ_REMOVE(&own->waiting, dial, next);
    } else {
        own->kept = keep;
        (void)curl_multi_remove_handle(own->turns.multi, dial->easy);
        own->kept = -1;
        curl_easy_cleanup(dial->easy);
        TAILQ_REMOVE(&own->attempts, dial, next);
        own->count--;
    }
    free(dial);
}

void load_dial_drop(struct load_dial *dial)
{
    if (dial == NULL)
        return;
    /* Not here: all may be about to be given up. */
    io_timer_start(&dial->own->turn, (struct dur_ns){0});
    discard(dial, -1);
}

static struct load_dialled judge(const struct load_dial *dial, CURLcode result)
{
    struct load_dialled end = {.fd = -1};
    curl_socket_t fd = -1;
    curl_off_t resolved = 0, connected = 0;
    (void)curl_easy_getinfo(dial->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    (void)curl_easy_getinfo(dial->easy, CURLINFO_CONNECT_TIME_T, &connected);
    end.connect = (struct dur_ns){(connected - resolved) * BASE_NS_PER_US};
    if (result == CURLE_OK && curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK)
        end.fd = fd;
    if (end.fd < 0)
        end.cause = load_curl_cause(dial->easy, (int)result, dial->socket_error);
    return end;
}

/* Whoever is told may start or drop others. */
static void collect(void *ctx)
{
    struct load_dials *own = ctx;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(own->turns.multi, &left)) != NULL) {
        CURLcode result = message->data.result; /* the message dies with its handle's removal */
        char *private = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct load_dial *dial = (struct load_dial *)(void *)private;
        struct load_dialled end = judge(dial, result);
        void (*on_end)(void *, const struct load_dialled *) = dial->on_end;
        void *whose = dial->ctx;
        discard(dial, end.fd);
        on_end(whose, &end);
    }
    begin_waiting(own);
}

/* --- those of a thread --- */

bool load_dials_init(struct load_pool *pool, struct base_error *err)
{
    if (!load_spec_needs_curl(pool->spec))
        return true;
    struct load_dials *own = base_calloc(1, sizeof *own);
    *own = (struct load_dials){.pool = pool,
                               .watches = {.loop = pool->loop, .on_ready = load_curl_turns_go_on},
                               .kept = -1};
    pool->dials = own;
    TAILQ_INIT(&own->waiting);
    TAILQ_INIT(&own->attempts);
    io_timer_init(&own->turn, pool->loop, begin_waiting, own);
    return io_curl_load(err) &&
           load_curl_turns_init(&own->turns, &own->watches, false, collect, own, err);
}

void load_dials_fini(struct load_pool *pool)
{
    struct load_dials *own = pool->dials;
    if (own == NULL)
        return;
    load_curl_turns_fini(&own->turns);
    io_timer_fini(&own->turn);
    load_watches_fini(&own->watches);
    free(own);
    pool->dials = NULL;
}
