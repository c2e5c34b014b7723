/* SPDX-License-Identifier: Apache-2.0 */
/* What an easy handle is told, and what it tells while it works: these callbacks only note it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "curl_connect.h"
#include "curl_slot.h"
#include "io/curl_late.h"

_Static_assert(LOAD_CURL_WHY >= CURL_ERROR_SIZE, "libcurl writes as much");

/* Idle connections are kept as long as they live: whether the target closes them is its affair. */
static const long idle_for_ever = 1000000;

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct load_curl_slot *slot = ctx;
    (void)purpose;
    int fd = load_curl_socket(&slot->head, address);
    slot->socket_error = fd < 0 ? errno : 0;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close(void *ctx, curl_socket_t fd)
{
    struct load_curl *own = ctx;
    load_watches_forget(own->watches, fd);
    return close(fd);
}

static void note_opened(struct load_curl_slot *slot)
{
    curl_off_t resolved = 0, connected = 0, shaken = 0;
    struct load_pool *pool = slot->head.pool;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_CONNECT_TIME_T, &connected);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_APPCONNECT_TIME_T, &shaken);
    int64_t tls = shaken > connected ? (shaken - connected) * BASE_NS_PER_US : -1;
    pool->on_opened(pool->ctx, (struct dur_ns){(connected - resolved) * BASE_NS_PER_US},
                    (struct dur_ns){tls});
    const struct curl_tlssessioninfo *session = NULL;
    if (pool->spec->tls.server_name != NULL &&
        curl_easy_getinfo(slot->easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
        session->backend == CURLSSLBACKEND_OPENSSL && session->internals != NULL)
        load_tls_count_foreign(session->internals, &slot->own->tls);
}

/* A connection, new or used before, is there, and the request is about to be sent over it. */
static int on_request(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
    struct load_curl_slot *slot = ctx;
    long connects = 0;
    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    slot->again = slot->sending;
    if (slot->again)
        return CURL_PREREQFUNC_ABORT;
    slot->sending = true;
    if (curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects > 0)
        note_opened(slot);
    return CURL_PREREQFUNC_OK;
}

static size_t on_head(char *data, size_t size, size_t count, void *ctx)
{
    struct load_curl_slot *slot = ctx;
    (void)data;
    if (slot->first_at == 0)
        slot->first_at = base_mono_now().ns;
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    (void)data;
    (void)ctx;
    return size * count;
}

static size_t on_upload(char *data, size_t size, size_t count, void *ctx)
{
    struct load_curl_slot *slot = ctx;
    ssize_t n = pread(slot->request->whole.file, data, size * count, slot->file_at);
    if (n <= 0)
        return CURL_READFUNC_ABORT;
    slot->file_at += n;
    return (size_t)n;
}

static void set_handlers(struct load_curl_slot *slot)
{
    CURL *easy = slot->easy;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->why);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);

    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, slot);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot);
    /* Connections outlive the easy handle that opened them. */
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, slot->own);
}

static void set_tls(CURL *easy, const struct load_tls_spec *tls)
{
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
    /* Debian's default has the system's authorities beside those of a file that is named. */
    (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    if (tls->ca_file != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
        (void)curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, tls->ca_file);
    }
    if (tls->cert_file != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
    }
}

static void set_way(struct load_curl_slot *slot)
{
    const struct load_pool *pool = slot->head.pool;
    const struct load_spec *spec = pool->spec;
    CURL *easy = slot->easy;
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                           spec->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, spec->http2 ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, spec->proxy);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* whatever the environment says */
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)(pool->connect_limit.ns / BASE_NS_PER_MS + 1));
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, idle_for_ever);
    set_tls(easy, &spec->tls);
}

static const struct load_target *target_of(const struct load_curl_slot *slot)
{
    return &slot->head.pool->spec->targets[slot->head.address->number];
}

static bool has_colon(const char *host)
{
    return strchr(host, ':') != NULL; /* IPv6: needs brackets */
}

/* The name in the URL is the one that the certificate must have; the connection goes to the
 * target's address all the same. */
static void set_url(struct load_curl_slot *slot, const char *bytes)
{
    const struct load_spec *spec = slot->head.pool->spec;
    const struct load_target *target = target_of(slot);
    const char *name = spec->tls.server_name;
    const char *host = name == NULL ? target->address : name;
    bool v6 = has_colon(host);
    const struct load_span *path = &slot->request->path;
    BASE_AUTO_FREE char *url =
        base_str_printf("%s://%s%s%s:%u%.*s", name == NULL ? "http" : "https", v6 ? "[" : "", host,
                        v6 ? "]" : "", target->port, (int)path->len, bytes + path->at);
    /* Parsed here, once: a text would be parsed for every request. */
    if (slot->url == NULL)
        slot->url = curl_url();
    bool parsed = slot->url != NULL &&
                  curl_url_set(slot->url, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK;
    (void)curl_easy_setopt(slot->easy, CURLOPT_CURLU, parsed ? slot->url : NULL);
    if (!parsed)
        (void)curl_easy_setopt(slot->easy, CURLOPT_URL, url);
}

static bool is_host(const char *line)
{
    static const char host[] = "Host:";
    return strncasecmp(line, host, strlen(host)) == 0;
}

/* Of the request's lines that of the host, or all others as one: libcurl writes them out as they
 * are. For each entry of its list it would look a dozen times whether that is this header or that
 * one; the host's it must find, since it has one of its own otherwise. */
static char *join_lines(const struct load_curl_request *request, const char *bytes, bool host)
{
    struct base_buf lines;
    base_buf_init(&lines, request->whole.len + 1);
    for (size_t i = 0; i < request->line_count; i++) {
        const char *line = bytes + request->lines[i].at;
        if (is_host(line) != host)
            continue;
        base_buf_str(&lines, lines.len > 0 ? "\r\n" : "");
        base_buf_append(&lines, line, request->lines[i].len);
    }
    return base_buf_steal(&lines);
}

/* Frees the list when it cannot be made longer. */
static struct curl_slist *longer_by(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (longer == NULL)
        curl_slist_free_all(list);
    return longer;
}

/* The request's lines and nothing of libcurl's own. NULL: out of memory. */
struct curl_slist *load_curl_headers(const struct load_curl_request *request, const char *bytes)
{
    static const char *const unwanted[] = {"Accept:", "Content-Type:", "Expect:"};
    BASE_AUTO_FREE char *host = join_lines(request, bytes, true);
    BASE_AUTO_FREE char *others = join_lines(request, bytes, false);
    struct curl_slist *list = host == NULL ? NULL : longer_by(NULL, host);
    if (others != NULL && list != NULL)
        list = longer_by(list, others);
    size_t count = request->has_body ? sizeof unwanted / sizeof *unwanted : 1;
    for (size_t k = 0; k < count && list != NULL; k++)
        list = longer_by(list, unwanted[k]);
    return list;
}

static void set_body(struct load_curl_slot *slot, const char *bytes)
{
    const struct load_curl_request *request = slot->request;
    bool file = request->whole.file >= 0;
    curl_off_t size = (curl_off_t)(request->whole.total - request->body.at);
    (void)curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, file ? NULL : bytes + request->body.at);
    (void)curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
}

static void set_method(struct load_curl_slot *slot)
{
    const struct load_curl_request *request = slot->request;
    (void)curl_easy_setopt(slot->easy, CURLOPT_HTTPGET, 1L); /* undoes what another route set */
    if (request->whole.head)
        (void)curl_easy_setopt(slot->easy, CURLOPT_NOBODY, 1L);
    if (request->has_body)
        (void)curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST,
                           request->whole.head && !request->has_body ? NULL : request->method);
}

/* The easy handle sent another route's request before, or none. */
static void take_up(struct load_curl_slot *slot, const struct load_curl_request *request)
{
    struct load_curl *own = slot->own;
    slot->request = request;
    free(slot->copy);
    slot->copy = NULL;
    if (request->whole.patch_count > 0) {
        slot->copy = base_calloc(request->whole.len, 1);
        memcpy(slot->copy, request->whole.bytes, request->whole.len);
    }
    set_method(slot);
    if (!request->moving_head) {
        set_url(slot, request->whole.bytes);
        (void)curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER,
                               own->headers[request - own->requests]);
    }
    if (request->has_body)
        set_body(slot, slot->copy != NULL ? slot->copy : request->whole.bytes);
}

static void fill_in(struct load_curl_slot *slot)
{
    const struct load_curl_request *request = slot->request;
    struct load_pool *pool = slot->head.pool;
    if (slot->copy == NULL)
        return;
    load_request_patch(&request->whole, slot->copy, slot->head.due.number, &pool->rng);
    if (!request->moving_head)
        return;
    set_url(slot, slot->copy);
    struct curl_slist *headers = load_curl_headers(request, slot->copy);
    (void)curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, headers);
    curl_slist_free_all(slot->headers);
    slot->headers = headers;
}

void load_curl_easy_make(struct load_curl_slot *slot)
{
    const struct load_spec *spec = slot->head.pool->spec;
    const struct load_target *target = target_of(slot);
    slot->easy = curl_easy_init();
    if (slot->easy == NULL)
        abort(); /* as base_calloc does */
    set_handlers(slot);
    set_way(slot);
    if (spec->tls.server_name == NULL || base_str_eq(spec->tls.server_name, target->address))
        return;
    bool v6 = has_colon(target->address);
    BASE_AUTO_FREE char *way =
        base_str_printf("::%s%s%s:%u", v6 ? "[" : "", target->address, v6 ? "]" : "", target->port);
    slot->connect_to = curl_slist_append(NULL, way);
    (void)curl_easy_setopt(slot->easy, CURLOPT_CONNECT_TO, slot->connect_to);
}

void load_curl_easy_fill(struct load_curl_slot *slot)
{
    const struct load_curl_request *request = &slot->own->requests[slot->head.due.route];
    if (slot->request != request)
        take_up(slot, request);
    fill_in(slot);
}
