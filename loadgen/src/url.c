/* SPDX-License-Identifier: Apache-2.0 */
#include "url.h"

#include <ctype.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

static bool bad(const char *text, const char *why, struct base_error *err)
{
    return base_fail(err, BASE_INVALID, "URL \"%s\": %s", text, why);
}

static bool take_port(const char *text, const char *digits, size_t len, uint16_t *port,
                      struct base_error *err)
{
    BASE_AUTO_FREE char *copy = base_str_ndup(digits, len);
    uint64_t value;
    if (!base_parse_u64(copy, &value) || value == 0 || value > UINT16_MAX)
        return bad(text, "the port must be a number from 1 to 65535", err);
    *port = (uint16_t)value;
    return true;
}

static bool has_users(enum load_speech protocol)
{
    return protocol == LOAD_SPEECH_POSTGRES || protocol == LOAD_SPEECH_AMQP;
}

/* What stands before an '@', where the protocol has users; *at and *len are what is behind it. */
static bool take_user(const char *text, const char **at, size_t *len, struct load_url *url,
                      struct base_error *err)
{
    const char *sign = memchr(*at, '@', *len);
    if (sign == NULL)
        return true;
    size_t name = (size_t)(sign - *at);
    if (url->protocol == LOAD_SPEECH_HTTP)
        return bad(text, "user names are not supported: give the header with -H", err);
    if (!has_users(url->protocol))
        return bad(text, "user names and passwords are not supported", err);
    /* Not even quoted: it would stand where the URL does. */
    if (memchr(*at, ':', name) != NULL)
        return base_fail(err, BASE_INVALID,
                         "the URL has a password: leave it out, and put it into a file that "
                         "%s",
                         url->protocol == LOAD_SPEECH_AMQP
                             ? "--password-file names"
                             : "PGPASSFILE names, or into PGPASSWORD");
    if (name == 0)
        return bad(text, "there is no user before '@'", err);
    url->user = base_str_ndup(*at, name);
    *at = sign + 1;
    *len -= name + 1;
    return true;
}

/* host, host:port, [v6] or [v6]:port */
static bool take_authority(const char *text, const char *at, size_t len, struct load_url *url,
                           struct base_error *err)
{
    const char *end = at + len;
    const char *host;
    const char *host_end;
    const char *after;
    if (!take_user(text, &at, &len, url, err))
        return false;
    host = at;
    if (len > 0 && *at == '[') {
        host = at + 1;
        host_end = memchr(at, ']', len);
        if (host_end == NULL)
            return bad(text, "'[' without ']'", err);
        after = host_end + 1;
    } else {
        const char *colon = memchr(at, ':', len);
        host_end = colon == NULL ? end : colon;
        after = host_end;
    }
    if (host_end == host)
        return bad(text, "there is no host", err);
    if (after < end && *after != ':')
        return bad(text, "a port must follow the host after ':'", err);
    if (after < end && !take_port(text, after + 1, (size_t)(end - after) - 1, &url->port, err))
        return false;
    url->host = base_str_ndup(host, (size_t)(host_end - host));
    url->authority = base_str_ndup(at, len);
    return true;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, tolower((unsigned char)c));
    return at == NULL ? -1 : (int)(at - digits);
}

/* Without %2f and the like, by which RabbitMQ's default virtual host has its place in a URL (RFC
 * 3986 section 2.1); %00 stays as it is. */
static char *unquoted(const char *text)
{
    char *out = base_str_dup(text);
    char *to = out;
    for (const char *at = text; *at != '\0'; at++) {
        int high = *at == '%' ? digit(at[1]) : -1;
        int low = high < 0 ? -1 : digit(at[2]);
        if (low < 0 || high + low == 0) {
            *to++ = *at;
            continue;
        }
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    *to = '\0';
    return out;
}

bool load_url_parse(const char *text, struct load_url *out, struct base_error *err)
{
    const struct load_scheme *scheme = load_scheme_of(text);
    if (scheme == NULL) {
        BASE_AUTO_FREE char *list = load_scheme_list();
        return base_fail(err, BASE_INVALID, "URL \"%s\": it must begin with %s", text, list);
    }
    struct load_url url = {.tls = scheme->tls, .port = scheme->port, .protocol = scheme->protocol};
    const char *authority = text + strlen(scheme->prefix);
    size_t len = strcspn(authority, "/?#");
    const char *path = authority + len;
    if (url.protocol == LOAD_SPEECH_REDIS && *path != '\0' && !base_str_eq(path, "/"))
        return bad(text, "nothing may follow the host: commands go to database 0", err);
    if (url.protocol == LOAD_SPEECH_TCP && *path != '\0' && !base_str_eq(path, "/"))
        return bad(text, "nothing may follow the port", err);
    if (has_users(url.protocol) && strpbrk(path, "?#") != NULL)
        return bad(text, "nothing may follow the path: options say the rest", err);
    if (!take_authority(text, authority, len, &url, err)) {
        load_url_fini(&url);
        return false;
    }
    if (url.port == 0) {
        load_url_fini(&url);
        return bad(text, "a port must follow the host after ':'", err);
    }
    if (has_users(url.protocol) && path[0] == '/' && path[1] != '\0')
        url.database = unquoted(path + 1);
    size_t path_len = strcspn(path, "#");
    BASE_AUTO_FREE char *given = base_str_ndup(path, path_len);
    url.path = base_str_printf("%s%s", *given == '/' ? "" : "/", given);
    *out = url;
    return true;
}

void load_url_fini(struct load_url *url)
{
    free(url->host);
    free(url->authority);
    free(url->path);
    free(url->user);
    free(url->database);
    *url = (struct load_url){0};
}

static bool takes_connection(const struct addrinfo *address)
{
    BASE_AUTO_FD int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return true;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;
    return poll(&wait, 1, 1000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
           error == 0;
}

/* A name such as localhost has addresses of both families where a server often has but one. */
static int usable_family(const struct addrinfo *addresses)
{
    for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next)
        if (takes_connection(a))
            return a->ai_family;
    return addresses->ai_family;
}

bool load_url_resolve(const struct load_url *url, struct load_target **targets, size_t *count,
                      struct base_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", url->port);
    int error = getaddrinfo(url->host, port, &hints, &addresses);
    if (error != 0 || addresses == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "host \"%s\" does not resolve: %s: is it written right, and does its name "
                         "server answer (getent hosts %s)?",
                         url->host, gai_strerror(error), url->host);
    int family = usable_family(addresses);
    struct load_target *list = NULL;
    size_t n = 0;
    for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next) {
        char text[NI_MAXHOST];
        if (a->ai_family != family ||
            getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        list = base_reallocarray(list, n + 1, sizeof *list);
        list[n++] = (struct load_target){.address = base_str_dup(text), .port = url->port};
    }
    freeaddrinfo(addresses);
    *targets = list;
    *count = n;
    return n > 0 ||
           base_fail(err, BASE_UNAVAILABLE, "host \"%s\" has no usable address", url->host);
}
