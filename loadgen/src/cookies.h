/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cookies of one user towards one host: RFC 6265 as far as it matters there. Domain must match
 * the host (else the cookie is ignored, as section 5.3 has it) and means nothing more, since there
 * is no other host to send it to. Expiry, Max-Age, Path and Secure count; HttpOnly and SameSite are
 * for browsers. Pure: the time is given.
 */
#ifndef LOAD_COOKIES_H
#define LOAD_COOKIES_H

#include "base/buf.h"
#include "base/clock.h"

enum { LOAD_COOKIES_MAX = 64, LOAD_COOKIE_BYTES_MAX = 4096 };

struct load_cookie {
    char *name; /* the one allocation: value and path lie behind it */
    const char *value;
    const char *path;
    int64_t expires; /* wall-clock ns; INT64_MAX: when the session ends */
    uint64_t born;   /* older cookies have smaller numbers */
    bool secure;
};

/* Zeroed: empty. */
struct load_jar {
    struct load_cookie *cookies; /* in the order in which they are sent: long paths first */
    size_t count;
    uint64_t births;
};

/* Where the jar's cookies come from and go to. */
struct load_site {
    const char *host; /* without port; lower case */
    bool secure;      /* spoken to over TLS */
};

/* What a Set-Cookie header's value does; target is that of the request that it answers. A cookie
 * beyond the maxima replaces the oldest, or is left out when it alone is too large. */
void load_jar_store(struct load_jar *jar, const struct load_site *site, const char *target,
                    const char *text, size_t len, struct wall_ns now);
/* Appends the value of the Cookie header for a request; false: none is to be sent. */
bool load_jar_write(const struct load_jar *jar, const struct load_site *site, const char *target,
                    struct wall_ns now, struct base_buf *out);
/* A cookie as another jar has it; it is copied. */
void load_jar_put(struct load_jar *jar, const struct load_cookie *cookie);
void load_jar_copy(struct load_jar *out, const struct load_jar *from);
void load_jar_fini(struct load_jar *jar); /* leaves it empty */
/* Section 5.1.1; false: it is no date. */
bool load_cookie_date(const char *text, size_t len, struct wall_ns *out);

#endif
