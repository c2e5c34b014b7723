/* SPDX-License-Identifier: Apache-2.0 */
#include "cookies.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "http_bytes.h"

struct span {
    const char *at;
    size_t len;
};

/* What a Set-Cookie header says. */
struct news {
    struct span name, value, path, domain;
    int64_t expires;
    bool has_max_age;
    bool secure;
};

static struct span trim(struct span s)
{
    while (s.len > 0 && load_is_blank(*s.at)) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && load_is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

/* Cuts s at the separator: what is before it, and s becomes what is behind it. */
static struct span cut(struct span *s, char separator)
{
    const char *at = s->len == 0 ? NULL : memchr(s->at, separator, s->len);
    struct span before = {s->at, at == NULL ? s->len : (size_t)(at - s->at)};
    size_t used = at == NULL ? s->len : before.len + 1;
    s->at += used;
    s->len -= used;
    return trim(before);
}

static bool is(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

/* Section 5.2.2: what is no number says nothing. */
static void take_max_age(struct news *news, struct span value, struct wall_ns now)
{
    bool negative = value.len > 0 && value.at[0] == '-';
    size_t at = negative ? 1 : 0;
    int64_t seconds = 0;
    if (value.len == at)
        return;
    for (; at < value.len; at++) {
        if (value.at[at] < '0' || value.at[at] > '9')
            return;
        if (seconds < INT64_C(10000000000)) /* some 300 years are as good as any longer time */
            seconds = seconds * 10 + (value.at[at] - '0');
    }
    int64_t most = (INT64_MAX - now.ns) / BASE_NS_PER_S - 1;
    seconds = seconds < most ? seconds : most;
    news->has_max_age = true;
    news->expires = negative || seconds == 0 ? INT64_MIN : now.ns + seconds * BASE_NS_PER_S;
}

static void take_attribute(struct news *news, struct span name, struct span value,
                           struct wall_ns now)
{
    struct wall_ns date;
    if (is(name, "secure"))
        news->secure = true;
    else if (is(name, "max-age"))
        take_max_age(news, value, now);
    else if (is(name, "path"))
        news->path = value;
    else if (is(name, "domain") && value.len > 0)
        news->domain = value;
    else if (is(name, "expires") && !news->has_max_age &&
             load_cookie_date(value.at, value.len, &date))
        news->expires = date.ns;
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

static bool read_news(struct news *out, const char *text, size_t len, struct wall_ns now)
{
    struct span rest = {text, len};
    struct span pair = cut(&rest, ';');
    *out = (struct news){.expires = INT64_MAX};
    if (has_control(text, len) || pair.len == 0 || memchr(pair.at, '=', pair.len) == NULL)
        return false;
    out->name = cut(&pair, '=');
    out->value = trim(pair);
    while (rest.len > 0) {
        struct span attribute = cut(&rest, ';');
        struct span name = cut(&attribute, '=');
        take_attribute(out, name, trim(attribute), now);
    }
    return out->name.len > 0 && out->name.len + out->value.len <= LOAD_COOKIE_BYTES_MAX;
}

/* --- where a cookie belongs --- */

static bool is_address(const char *host)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

/* Section 5.1.3, for a cookie of this one host. */
static bool domain_fits(struct span domain, const char *host)
{
    size_t len = strlen(host);
    if (domain.len > 0 && *domain.at == '.') {
        domain.at++;
        domain.len--;
    }
    if (domain.len == 0 || domain.len > len ||
        strncasecmp(host + len - domain.len, domain.at, domain.len) != 0)
        return domain.len == 0;
    return domain.len == len || (host[len - domain.len - 1] == '.' && !is_address(host));
}

static size_t path_length(const char *target)
{
    return strcspn(target, "?#");
}

/* Section 5.1.4: of the request, up to its last slash. */
static struct span default_path(const char *target)
{
    size_t len = path_length(target);
    while (len > 0 && target[len - 1] != '/')
        len--;
    return len <= 1 ? (struct span){"/", 1} : (struct span){target, len - 1};
}

static bool path_fits(const char *path, const char *target)
{
    size_t len = strlen(path);
    size_t asked = path_length(target);
    return asked >= len && strncmp(path, target, len) == 0 &&
           (asked == len || path[len - 1] == '/' || target[len] == '/');
}

/* --- the jar --- */

static void drop(struct load_jar *jar, size_t i)
{
    free(jar->cookies[i].name);
    memmove(&jar->cookies[i], &jar->cookies[i + 1], (jar->count - i - 1) * sizeof *jar->cookies);
    jar->count--;
}

static size_t oldest(const struct load_jar *jar)
{
    size_t found = 0;
    for (size_t i = 1; i < jar->count; i++)
        if (jar->cookies[i].born < jar->cookies[found].born)
            found = i;
    return found;
}

static struct load_cookie make(const struct news *news, struct span path)
{
    size_t name = news->name.len + 1, value = news->value.len + 1;
    char *text = base_calloc(name + value + path.len + 1, 1);
    memcpy(text, news->name.at, news->name.len);
    memcpy(text + name, news->value.at, news->value.len);
    memcpy(text + name + value, path.at, path.len);
    return (struct load_cookie){.name = text,
                                .value = text + name,
                                .path = text + name + value,
                                .expires = news->expires,
                                .secure = news->secure};
}

static void insert(struct load_jar *jar, const struct load_cookie *cookie)
{
    size_t at = 0;
    jar->cookies = base_reallocarray(jar->cookies, jar->count + 1, sizeof *jar->cookies);
    /* Section 5.4: longer paths first, among those as long the older. */
    while (at < jar->count && (strlen(jar->cookies[at].path) > strlen(cookie->path) ||
                               (strlen(jar->cookies[at].path) == strlen(cookie->path) &&
                                jar->cookies[at].born < cookie->born)))
        at++;
    memmove(&jar->cookies[at + 1], &jar->cookies[at], (jar->count - at) * sizeof *jar->cookies);
    jar->cookies[at] = *cookie;
    jar->count++;
}

void load_jar_store(struct load_jar *jar, const struct load_site *site, const char *target,
                    const char *text, size_t len, struct wall_ns now)
{
    struct news news;
    if (!read_news(&news, text, len, now) ||
        (news.domain.len > 0 && !domain_fits(news.domain, site->host)))
        return;
    bool given = news.path.len > 0 && *news.path.at == '/';
    struct span path = given ? news.path : default_path(target);
    if (path.len > LOAD_COOKIE_BYTES_MAX)
        return;
    struct load_cookie cookie = make(&news, path);
    cookie.born = jar->births++;
    for (size_t i = 0; i < jar->count; i++) {
        if (!base_str_eq(jar->cookies[i].name, cookie.name) ||
            !base_str_eq(jar->cookies[i].path, cookie.path))
            continue;
        cookie.born = jar->cookies[i].born; /* section 5.3 step 11.3 */
        drop(jar, i);
        break;
    }
    if (cookie.expires <= now.ns) {
        free(cookie.name);
        return;
    }
    if (jar->count >= LOAD_COOKIES_MAX)
        drop(jar, oldest(jar));
    insert(jar, &cookie);
}

bool load_jar_write(const struct load_jar *jar, const struct load_site *site, const char *target,
                    struct wall_ns now, struct base_buf *out)
{
    bool any = false;
    for (size_t i = 0; i < jar->count; i++) {
        const struct load_cookie *cookie = &jar->cookies[i];
        if (cookie->expires <= now.ns || (cookie->secure && !site->secure) ||
            !path_fits(cookie->path, target))
            continue;
        base_buf_printf(out, "%s%s=%s", any ? "; " : "", cookie->name, cookie->value);
        any = true;
    }
    return any;
}

void load_jar_put(struct load_jar *jar, const struct load_cookie *cookie)
{
    const struct news news = {.name = {cookie->name, strlen(cookie->name)},
                              .value = {cookie->value, strlen(cookie->value)},
                              .expires = cookie->expires,
                              .secure = cookie->secure};
    struct load_cookie copy = make(&news, (struct span){cookie->path, strlen(cookie->path)});
    copy.born = cookie->born;
    insert(jar, &copy);
    jar->births = jar->births > cookie->born ? jar->births : cookie->born + 1;
}

void load_jar_copy(struct load_jar *out, const struct load_jar *from)
{
    *out = (struct load_jar){.births = from->births};
    for (size_t i = 0; i < from->count; i++)
        load_jar_put(out, &from->cookies[i]);
}

void load_jar_fini(struct load_jar *jar)
{
    for (size_t i = 0; i < jar->count; i++)
        free(jar->cookies[i].name);
    free(jar->cookies);
    *jar = (struct load_jar){.cookies = NULL};
}
