/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libcurl adapter, through curl_late.h: multi_socket on the loop
 * (https://curl.se/libcurl/c/libcurl-multi.html).
 *
 * Design notes
 * - libcurl asks for descriptors and one timeout through two callbacks; the loop answers through
 *   curl_multi_socket_action. Finished transfers are collected after each such call, outside of
 *   libcurl's callbacks, so that on_done may start, cancel and free at will.
 * - A zero timeout is a zero timer, never a direct call: io_http_start never calls back.
 * - Easy handles are kept for reuse; connections, names and TLS sessions live in the multi handle.
 * - Proxies of the environment and redirects are off: control traffic goes where it is sent.
 */
#include "io/http_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "io/curl_late.h"

enum { IDLE_HANDLES = 64, POOLED_CONNECTIONS = 256, DEFAULT_TIMEOUT_S = 10 };
static const size_t default_max_response = (size_t)16 << 20;

struct io_http {
    struct io_loop *loop;
    CURLM *multi; /* NULL until the first call */
    struct io_timer timer;
    struct io_http_call *calls; /* under way */
    struct sock *socks;
    CURL *idle[IDLE_HANDLES];
    unsigned idle_count;
    bool *freed; /* set by io_http_free while on_done runs */
};

/* One descriptor libcurl wants watched. */
struct sock {
    struct io_http *client;
    struct sock *next, **link;
    curl_socket_t fd;
    struct io_watch watch;
};

struct io_http_call {
    struct io_http *client;
    struct io_http_call *next, **link;
    CURL *easy;
    struct curl_slist *headers;
    char *what; /* "GET http://..." for messages, without a password */
    struct base_buf body;
    struct mono_ns started;
    bool connected;
    bool done; /* on_done is running: too late to cancel */
    void (*on_done)(void *ctx, const struct io_http_response *);
    void *ctx;
    char detail[CURL_ERROR_SIZE];
};

/* --- what became of a call --- */

/* Of an http:// URL only: what a server that expects TLS does with a request in the clear. */
static const char plain_advice[] = "if TLS is spoken there, the URL is https://";

static const struct {
    CURLcode curl;
    enum base_code code;
    const char *advice; /* on top of what libcurl says; NULL: that says it all */
} codes[] = {
    {CURLE_OPERATION_TIMEDOUT, BASE_TIMEOUT, NULL},
    {CURLE_COULDNT_RESOLVE_HOST, BASE_UNAVAILABLE, NULL},
    {CURLE_COULDNT_CONNECT, BASE_UNAVAILABLE, NULL},
    {CURLE_GOT_NOTHING, BASE_UNAVAILABLE, plain_advice},
    {CURLE_SEND_ERROR, BASE_UNAVAILABLE, NULL},
    {CURLE_RECV_ERROR, BASE_UNAVAILABLE, NULL},
    {CURLE_PARTIAL_FILE, BASE_UNAVAILABLE, NULL},
    {CURLE_SSL_CONNECT_ERROR, BASE_UNAVAILABLE,
     "is it https:// that is spoken there, with TLS 1.2 or newer?"},
    {CURLE_WRITE_ERROR, BASE_LIMIT, NULL}, /* ours: the body outgrew its maximum */
    {CURLE_FILESIZE_EXCEEDED, BASE_LIMIT, NULL},
    {CURLE_OUT_OF_MEMORY, BASE_LIMIT, NULL},
    {CURLE_URL_MALFORMAT, BASE_INVALID, NULL},
    {CURLE_PEER_FAILED_VERIFICATION, BASE_DENIED,
     "the CA file must hold who signed the server's certificate, which must be within its dates "
     "and name the URL's host or address as a subjectAltName"},
    {CURLE_SSL_CACERT_BADFILE, BASE_INVALID,
     "the CA file must be readable and hold PEM "
     "certificates"},
    {CURLE_SSL_CERTPROBLEM, BASE_INVALID,
     "the client certificate and its unencrypted key must be readable PEM files that belong "
     "together"},
    {CURLE_WEIRD_SERVER_REPLY, BASE_CORRUPT, NULL},
    {CURLE_UNSUPPORTED_PROTOCOL, BASE_CORRUPT,
     NULL}, /* an HTTP/0.9 answer: our schemes were checked */
    {CURLE_BAD_CONTENT_ENCODING, BASE_CORRUPT, NULL},
};

static enum base_code code_of(CURLcode result, const char **out_advice)
{
    *out_advice = NULL;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].curl != result)
            continue;
        *out_advice = codes[i].advice;
        return codes[i].code;
    }
    return BASE_IO;
}

/* libcurl says how long it tried; the same failure is to read the same every time. */
static void drop_time(char *detail)
{
    static const char before[] = " after ";
    static const char *const units[] = {" ms", " milliseconds"};
    char *at = strstr(detail, before);
    if (at == NULL)
        return;
    const char *number = at + strlen(before);
    const char *unit = number + strspn(number, "0123456789");
    for (size_t i = 0; unit > number && i < sizeof units / sizeof units[0]; i++) {
        if (strncmp(unit, units[i], strlen(units[i])) != 0)
            continue;
        memmove(at, unit + strlen(units[i]), strlen(unit + strlen(units[i])) + 1);
        return;
    }
}

static void describe_failure(struct io_http_call *call, CURLcode result,
                             struct io_http_response *response)
{
    curl_off_t connect_us = 0;
    long sys = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    (void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &sys);
    response->connected = call->connected || connect_us > 0;
    const char *advice = NULL;
    enum base_code code = code_of(result, &advice);
    if (advice == plain_advice && strstr(call->what, " http://") == NULL)
        advice = NULL;
    drop_time(call->detail);
    if (code == BASE_LIMIT && result != CURLE_OUT_OF_MEMORY)
        (void)base_fail(&response->error, code, "%s: the response is larger than %zu bytes",
                        call->what, call->body.max);
    else
        (void)base_fail(&response->error, code, "%s: %s%s%s", call->what,
                        call->detail[0] != '\0' ? call->detail : curl_easy_strerror(result),
                        advice != NULL ? "; " : "", advice != NULL ? advice : "");
    response->error.sys = (int)sys;
}

static void describe(struct io_http_call *call, CURLcode result, struct io_http_response *response)
{
    long status = 0;
    const char *content_type = NULL;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &content_type);
    *response = (struct io_http_response){
        .ok = result == CURLE_OK,
        .connected = true,
        .status = (int)status,
        .body = call->body.data,
        .body_len = call->body.len,
        .content_type = content_type != NULL ? content_type : "",
        .elapsed = base_mono_sub(base_mono_now(), call->started),
        .handle = call->easy,
    };
    if (result != CURLE_OK)
        describe_failure(call, result, response);
}

const char *io_http_response_header(const struct io_http_response *response, const char *name)
{
    struct curl_header *header = NULL;
    /* The handle is ours and not const underneath; -1: of the last of several responses. */
    CURL *easy = (CURL *)(uintptr_t)response->handle;
    if (easy == NULL || curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

static void call_unlink(struct io_http_call *call)
{
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
}

/* client NULL: it is gone, nobody to keep the handle for. */
static void call_free(struct io_http_call *call, struct io_http *client)
{
    if (call->easy != NULL && client != NULL && client->idle_count < IDLE_HANDLES) {
        curl_easy_reset(call->easy);
        client->idle[client->idle_count++] = call->easy;
    } else {
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    base_buf_fini(&call->body);
    free(call->what);
    free(call);
}

/* false when on_done freed the client. */
static bool call_finish(struct io_http *client, struct io_http_call *call, CURLcode result)
{
    struct io_http_response response;
    describe(call, result, &response);
    (void)curl_multi_remove_handle(client->multi, call->easy);
    call_unlink(call);
    call->done = true;
    bool freed = false;
    bool *outer = client->freed; /* on_done may turn the loop itself */
    client->freed = &freed;      // cppcheck-suppress autoVariables ; taken back before it dies
    call->on_done(call->ctx, &response);
    if (!freed)
        client->freed = outer;
    else if (outer != NULL)
        *outer = true;
    call_free(call, freed ? NULL : client);
    return !freed;
}

static void client_collect(struct io_http *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; /* the message dies with its handle's removal */
        char *call = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        if (!call_finish(client, (struct io_http_call *)(void *)call, result))
            return;
    }
}

static void client_act(struct io_http *client, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(client->multi, fd, events, &running);
    client_collect(client);
}

/* --- libcurl's callbacks --- */

static void sock_ready(void *ctx, unsigned events)
{
    const struct sock *sock = ctx;
    int what = ((events & IO_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & IO_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    client_act(sock->client, sock->fd, what);
}

static struct sock *sock_new(struct io_http *client, curl_socket_t fd)
{
    struct sock *sock = base_calloc(1, sizeof *sock);
    sock->client = client;
    sock->fd = fd;
    sock->next = client->socks;
    sock->link = &client->socks;
    if (sock->next != NULL)
        sock->next->link = &sock->next;
    client->socks = sock;
    io_watch_init(&sock->watch, client->loop, fd, sock_ready, sock);
    return sock;
}

static void sock_free(struct sock *sock)
{
    *sock->link = sock->next;
    if (sock->next != NULL)
        sock->next->link = sock->link;
    io_watch_fini(&sock->watch);
    free(sock);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    (void)easy;
    struct io_http *client = ctx;
    struct sock *sock = of_socket;
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL)
            sock_free(sock);
        return 0;
    }
    if (sock == NULL) {
        sock = sock_new(client, fd);
        (void)curl_multi_assign(client->multi, fd, sock);
    }
    io_watch_set(&sock->watch, ((what & CURL_POLL_IN) != 0 ? IO_READ : 0U) |
                                   ((what & CURL_POLL_OUT) != 0 ? IO_WRITE : 0U));
    return 0;
}

static int on_timeout(CURLM *multi, long ms, void *ctx)
{
    (void)multi;
    struct io_http *client = ctx;
    if (ms < 0)
        io_timer_stop(&client->timer);
    else
        io_timer_start(&client->timer, base_dur_ms(ms));
    return 0;
}

static void timer_expired(void *ctx)
{
    client_act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct io_http_call *call = ctx;
    return base_buf_append(&call->body, data, size * count) ? size * count : 0;
}

/* Called when a connection, new or reused, is ready for the request. */
static int on_connected(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    struct io_http_call *call = ctx;
    call->connected = true;
    return CURL_PREREQFUNC_OK;
}

/* --- setting up a call --- */

static bool is_token(const char *text)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"; /* RFC 9110, 5.6.2 */
    return text[0] != '\0' && text[strspn(text, token)] == '\0';
}

static bool check_url(const char *url, struct base_error *err, char **out_shown)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    char *shown = NULL;
    bool ok = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (base_str_eq(scheme, "http") || base_str_eq(scheme, "https"));
    if (ok) {
        (void)curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
        ok = curl_url_get(parts, CURLUPART_URL, &shown, 0) == CURLUE_OK;
    }
    if (ok)
        *out_shown = base_str_dup(shown);
    else
        (void)base_fail(err, BASE_INVALID, "'%s' is not an http:// or https:// URL", url);
    curl_free(scheme);
    curl_free(shown);
    curl_url_cleanup(parts);
    return ok;
}

static bool add_header(struct curl_slist **list, const char *line, struct base_error *err)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL)
        return base_fail(err, BASE_LIMIT, "out of memory for request headers");
    *list = longer;
    return true;
}

static bool add_headers(struct curl_slist **list, const char *const *lines, struct base_error *err)
{
    bool typed = false;
    for (; lines != NULL && *lines != NULL; lines++) {
        if (strpbrk(*lines, "\r\n") != NULL || strchr(*lines, ':') == NULL)
            return base_fail(err, BASE_INVALID,
                             "a request header must be one line 'Name: value', not '%s'", *lines);
        typed = typed || strncasecmp(*lines, "content-type:", strlen("content-type:")) == 0;
        if (!add_header(list, *lines, err))
            return false;
    }
    /* libcurl would call every body a form, and would wait a second for "100 Continue". */
    return (typed || add_header(list, "Content-Type:", err)) && add_header(list, "Expect:", err);
}

static long to_ms(struct dur_ns d)
{
    int64_t ms = (d.ns + BASE_NS_PER_MS - 1) / BASE_NS_PER_MS;
    return ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (long)ms; /* 0 would mean none to libcurl */
}

static void set_method(CURL *easy, const char *method, const struct io_http_request *request)
{
    bool body = request->body != NULL && request->body_len > 0;
    if (base_str_eq(method, "HEAD")) {
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    /* A POST without a body still says "Content-Length: 0" (RFC 9110, 8.6). */
    if (body || base_str_eq(method, "POST") || base_str_eq(method, "PUT") ||
        base_str_eq(method, "PATCH")) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               body ? (curl_off_t)request->body_len : 0);
        (void)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body ? request->body : "");
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_options(struct io_http_call *call, const struct io_http_request *request)
{
    CURL *easy = call->easy;
    struct dur_ns whole =
        request->timeout.ns > 0 ? request->timeout : base_dur_s(DEFAULT_TIMEOUT_S);
    struct dur_ns connect = request->connect_timeout.ns > 0 ? request->connect_timeout : whole;
    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->detail);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, to_ms(whole));
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, to_ms(connect));
    (void)curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->body.max);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "squall");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->tls.ca != NULL) { /* instead of the system's authorities, not beside them */
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, request->tls.ca);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (request->tls.cert != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, request->tls.cert);
    if (request->tls.key != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, request->tls.key);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, request->tls.insecure ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, request->tls.insecure ? 0L : 2L);
    /* A name lookup that hangs must not hold the loop when its call times out or is cancelled. */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static bool call_set_up(struct io_http_call *call, const struct io_http_request *request,
                        struct base_error *err)
{
    const char *method = request->method != NULL ? request->method : "GET";
    if (request->url == NULL || !is_token(method))
        return base_fail(err, BASE_INVALID, "an HTTP call needs a URL and a method, not '%s'",
                         method);
    BASE_AUTO_FREE char *shown = NULL;
    if (!check_url(request->url, err, &shown) ||
        !add_headers(&call->headers, request->headers, err))
        return false;
    struct io_http *client = call->client;
    call->easy = client->idle_count > 0 ? client->idle[--client->idle_count] : curl_easy_init();
    if (call->easy == NULL)
        return base_fail(err, BASE_LIMIT, "out of memory for an HTTP call");
    call->what = base_str_printf("%s %s", method, shown);
    set_options(call, request);
    set_method(call->easy, method, request);
    CURLMcode added = curl_multi_add_handle(client->multi, call->easy);
    if (added != CURLM_OK)
        return base_fail(err, BASE_INTERNAL, "%s: %s", call->what, curl_multi_strerror(added));
    return true;
}

/* With the first call: not before is libcurl needed. */
static bool client_open(struct io_http *client, struct base_error *err)
{
    if (client->multi != NULL)
        return true;
    if (!io_curl_load(err))
        return false;
    client->multi = curl_multi_init();
    if (client->multi == NULL)
        return base_fail(err, BASE_LIMIT, "out of memory for an HTTP client");
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)POOLED_CONNECTIONS);
    return true;
}

struct io_http_call *io_http_start(struct io_http *client, const struct io_http_request *request,
                                   void (*on_done)(void *ctx, const struct io_http_response *),
                                   void *ctx, struct base_error *err)
{
    if (!client_open(client, err))
        return NULL;
    struct io_http_call *call = base_calloc(1, sizeof *call);
    *call = (struct io_http_call){
        .client = client, .on_done = on_done, .ctx = ctx, .started = base_mono_now()};
    base_buf_init(&call->body,
                  request->max_response > 0 ? request->max_response : default_max_response);
    if (!call_set_up(call, request, err)) {
        call_free(call, client);
        return NULL;
    }
    call->next = client->calls;
    call->link = &client->calls;
    if (call->next != NULL)
        call->next->link = &call->next;
    client->calls = call;
    return call;
}

void io_http_cancel(struct io_http_call *call)
{
    if (call == NULL || call->done)
        return;
    (void)curl_multi_remove_handle(call->client->multi, call->easy);
    call_unlink(call);
    call_free(call, call->client);
}

/* --- the client --- */

struct io_http *io_http_new(struct io_loop *loop)
{
    struct io_http *client = base_calloc(1, sizeof *client);
    client->loop = loop;
    io_timer_init(&client->timer, loop, timer_expired, client);
    return client;
}

void io_http_free(struct io_http *client)
{
    if (client == NULL)
        return;
    if (client->freed != NULL)
        *client->freed = true;
    for (struct io_http_call *call = client->calls, *next; call != NULL; call = next) {
        next = call->next;
        io_http_cancel(call);
    }
    while (client->idle_count > 0)
        curl_easy_cleanup(client->idle[--client->idle_count]);
    if (client->multi != NULL)
        (void)curl_multi_cleanup(client->multi);
    for (struct sock *sock = client->socks, *next; sock != NULL; sock = next) {
        next = sock->next;
        sock_free(sock);
    }
    io_timer_fini(&client->timer);
    free(client);
}
