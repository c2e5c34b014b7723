/* SPDX-License-Identifier: Apache-2.0 */
#include "http_proxy.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/curl_late.h"
#include "io/digest.h"

/* curl_free() it; NULL: it has none. */
static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, CURLU_URLDECODE) == CURLUE_OK ? text : NULL;
}

/* RFC 7617. The URL as libcurl reads it, which connects: of one that is none it will say so. */
static void write_credentials(struct base_buf *lines, const char *proxy)
{
    CURLU *url = curl_url();
    (void)curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
    char *user = part_of(url, CURLUPART_USER), *password = part_of(url, CURLUPART_PASSWORD);
    if (user != NULL || password != NULL) {
        BASE_AUTO_FREE char *both =
            base_str_printf("%s:%s", user == NULL ? "" : user, password == NULL ? "" : password);
        base_buf_str(lines, "Proxy-Authorization: Basic ");
        (void)io_base64(both, strlen(both), lines);
        base_buf_str(lines, "\r\n");
    }
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(url);
}

/* Of the first target; before there is one, of what its requests are for. */
static char *origin_of(const struct load_spec *spec)
{
    if (spec->target_count == 0)
        return base_str_printf("http://%s", spec->host == NULL ? "" : spec->host);
    const struct load_target *target = &spec->targets[0];
    bool v6 = strchr(target->address, ':') != NULL;
    return base_str_printf("http://%s%s%s:%u", v6 ? "[" : "", target->address, v6 ? "]" : "",
                           target->port);
}

bool load_proxy_build(struct load_request *out, const struct load_spec *spec,
                      const struct load_route *route, struct base_error *err)
{
    enum { LINES_MAX = 64 * 1024 };
    if (!io_curl_load(err))
        return false;
    BASE_AUTO_FREE char *origin = origin_of(spec);
    struct base_buf lines;
    base_buf_init(&lines, LINES_MAX);
    base_buf_str(&lines, "Proxy-Connection: Keep-Alive\r\n");
    write_credentials(&lines, spec->proxy);
    BASE_AUTO_FREE char *text = base_buf_steal(&lines);
    if (text == NULL)
        return base_fail(err, BASE_LIMIT, "the proxy's user and password are too long");
    const struct load_request_way way = {origin, text};
    return load_request_build_for(out, spec->host, route, &way, err);
}
