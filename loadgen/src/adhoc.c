/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/adhoc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"
#include "url.h"

/* "1000", or as wrk has it "1k", "2M". */
static bool read_number(const char *value, double *out)
{
    size_t len = strlen(value);
    char last = value[len > 0 ? len - 1 : 0];
    double factor = last == 'k' || last == 'K' ? 1e3 : last == 'M' ? 1e6 : 1;
    BASE_AUTO_FREE char *digits = base_str_ndup(value, factor > 1 ? len - 1 : len);
    double number;
    if (!base_parse_double(digits, &number))
        return false;
    *out = number * factor;
    return true;
}

/* Each setter reads one option's value; the message it leaves out is added by the caller. */
static bool set_rate(struct load_adhoc *a, const char *value)
{
    return read_number(value, &a->spec.rate) ? a->spec.rate > 0
                                             : base_parse_rate(value, &a->spec.rate);
}

static bool set_u32(const char *value, uint32_t *out)
{
    double number;
    if (!read_number(value, &number) || number < 1 || number > UINT32_MAX || number > floor(number))
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool set_connections(struct load_adhoc *a, const char *value)
{
    return set_u32(value, &a->spec.connections);
}

static bool set_threads(struct load_adhoc *a, const char *value)
{
    return set_u32(value, &a->spec.threads);
}

/* "10" is seconds, as wrk's -d; "500ms" works too. */
static bool read_duration(const char *value, struct dur_ns *out)
{
    double seconds;
    if (!base_parse_double(value, &seconds))
        return base_parse_duration(value, out) && out->ns > 0;
    if (!(seconds > 0) || seconds > 1e9)
        return false;
    out->ns = (int64_t)(seconds * (double)BASE_NS_PER_S);
    return out->ns > 0;
}

static bool set_duration(struct load_adhoc *a, const char *value)
{
    return read_duration(value, &a->spec.duration);
}

static bool set_timeout(struct load_adhoc *a, const char *value)
{
    return read_duration(value, &a->spec.timeout);
}

static bool set_arrivals(struct load_adhoc *a, const char *value)
{
    return load_arrivals_parse(value, &a->spec.arrivals);
}

static bool set_seed(struct load_adhoc *a, const char *value)
{
    return base_parse_u64(value, &a->spec.seed);
}

static void replace(char **slot, const char *value)
{
    free(*slot);
    *slot = base_str_dup(value);
}

static bool set_method(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.routes[0].method, value);
    return true;
}

static bool set_body(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.routes[0].body, value);
    return true;
}

static bool set_body_file(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.routes[0].body_file, value);
    return *value != '\0';
}

static bool set_hlog(struct load_adhoc *a, const char *value)
{
    replace(&a->hlog_path, value);
    return true;
}

static bool add_header(struct load_adhoc *a, const char *value)
{
    struct load_route *route = &a->spec.routes[0];
    route->headers =
        base_reallocarray(route->headers, route->header_count + 1, sizeof *route->headers);
    route->headers[route->header_count++] = base_str_dup(value);
    return strchr(value, ':') != NULL;
}

static bool set_ca(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.tls.ca_file, value);
    return *value != '\0';
}

static bool set_cert(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.tls.cert_file, value);
    return *value != '\0';
}

static bool set_key(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.tls.key_file, value);
    return *value != '\0';
}

static bool set_sources(struct load_adhoc *a, const char *value)
{
    struct load_spec *spec = &a->spec;
    for (const char *at = value;; at++) {
        size_t len = strcspn(at, ",");
        if (len == 0)
            return false;
        spec->sources =
            base_reallocarray(spec->sources, spec->source_count + 1, sizeof *spec->sources);
        spec->sources[spec->source_count++] = base_str_ndup(at, len);
        at += len;
        if (*at == '\0')
            return true;
    }
}

static bool set_insecure(struct load_adhoc *a, const char *value)
{
    (void)value;
    a->spec.tls.insecure = true;
    return true;
}

static bool set_json(struct load_adhoc *a, const char *value)
{
    (void)value;
    a->json = true;
    return true;
}

static bool set_quiet(struct load_adhoc *a, const char *value)
{
    (void)value;
    a->quiet = true;
    return true;
}

/* Percentiles are always shown: taken so that wrk's command lines work. */
static bool set_latency(struct load_adhoc *a, const char *value)
{
    (void)a;
    (void)value;
    return true;
}

static bool set_help(struct load_adhoc *a, const char *value)
{
    (void)value;
    a->help = true;
    return true;
}

/* The one table of options: parsing and help come from it. takes NULL: a flag. */
static const struct option {
    char letter; /* 0: none */
    const char *name;
    const char *takes;
    const char *help;
    bool (*set)(struct load_adhoc *adhoc, const char *value);
} options[] = {
    {'r', "rate", "RATE", "requests a second over all connections: 500, 2k, 90/m (needed)",
     set_rate},
    {'c', "connections", "N", "connections kept open (50)", set_connections},
    {'d', "duration", "SECS", "how long, in seconds or as 500ms, 2m (10)", set_duration},
    {'t', "threads", "N", "threads (one for each core)", set_threads},
    {0, "arrivals", "KIND", "constant or poisson (poisson)", set_arrivals},
    {0, "timeout", "SECS", "of one request (2)", set_timeout},
    {'H', "header", "LINE", "a header \"Name: value\"; may be repeated", add_header},
    {'m', "method", "NAME", "the method (GET, or POST with a body)", set_method},
    {0, "body", "TEXT", "the body", set_body},
    {0, "body-file", "FILE", "the body, streamed from disk", set_body_file},
    {0, "seed", "N", "of the schedule: the same seed, the same arrivals (random)", set_seed},
    {0, "hlog", "FILE", "write an HdrHistogram log", set_hlog},
    {0, "source", "LIST", "addresses to connect from: 10.0.0.2,10.0.0.3 (any)", set_sources},
    {0, "ca-file", "FILE", "https: PEM authorities to trust (the system's)", set_ca},
    {0, "cert", "FILE", "https: PEM certificate of this client", set_cert},
    {0, "key", "FILE", "https: PEM key of that certificate", set_key},
    {'k', "insecure", NULL, "https: do not verify certificates; the result says so", set_insecure},
    {0, "latency", NULL, "show percentiles (they always are)", set_latency},
    {0, "json", NULL, "print the result as JSON", set_json},
    {'q', "quiet", NULL, "no lines while running", set_quiet},
    {'h', "help", NULL, "this text", set_help},
};
enum { OPTIONS = sizeof options / sizeof *options };

bool load_adhoc_usage(struct base_buf *out)
{
    base_buf_str(out, "usage: squall load URL -r RATE [-c N] [-d SECS] [option...]\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *o = &options[i];
        char left[40];
        (void)snprintf(left, sizeof left, "%c%c --%s %s", o->letter ? '-' : ' ',
                       o->letter ? o->letter : ' ', o->name, o->takes ? o->takes : "");
        base_buf_printf(out, "  %-24s %s\n", left, o->help);
    }
    return base_buf_str(out, "exit status: 0 done, 2 usage, 3 no evidence (the generator was the "
                             "limit, or nothing succeeded),\n  4 interrupted, 5 error\n");
}

/* word is behind its dashes and ends at len. */
static const struct option *find_option(const char *word, size_t len, bool is_long)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *o = &options[i];
        if (is_long ? strlen(o->name) == len && memcmp(o->name, word, len) == 0
                    : len > 0 && o->letter == *word)
            return o;
    }
    return NULL;
}

/* Takes argv[*at] and, where it needs one, the value behind it. Forms: -r 5, -r5, --rate 5,
 * --rate=5. */
static bool take_option(struct load_adhoc *a, int argc, const char *const *argv, int *at,
                        struct base_error *err)
{
    const char *arg = argv[*at];
    bool is_long = base_str_starts(arg, "--");
    const char *word = arg + (is_long ? 2 : 1);
    size_t len = is_long ? strcspn(word, "=") : 1;
    const struct option *o = find_option(word, len, is_long);
    if (o == NULL)
        return base_fail(err, BASE_INVALID, "option \"%s\" is unknown: see squall load --help",
                         arg);
    const char *value = word[len] == '\0' ? NULL : word + len + (is_long ? 1 : 0);
    if (o->takes == NULL && value != NULL)
        return base_fail(err, BASE_INVALID, "option \"%s\" takes no value", arg);
    if (o->takes != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return base_fail(err, BASE_INVALID, "option \"%s\" needs a value: %s %s", arg, arg,
                             o->takes);
        value = argv[++*at];
    }
    if (!o->set(a, value))
        return base_fail(err, BASE_INVALID, "option --%s: \"%s\" is not valid: %s", o->name,
                         value == NULL ? "" : value, o->help);
    return true;
}

static bool take_arguments(struct load_adhoc *a, int argc, const char *const *argv,
                           struct base_error *err)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_option(a, argc, argv, &i, err))
                return false;
        } else if (a->url != NULL) {
            return base_fail(err, BASE_INVALID, "one URL is expected, \"%s\" is a second", argv[i]);
        } else {
            a->url = base_str_dup(argv[i]);
        }
    }
    if (a->help)
        return true;
    if (a->url == NULL)
        return base_fail(err, BASE_INVALID, "a URL is needed: squall load http://HOST/ -r RATE");
    if (!(a->spec.rate > 0))
        return base_fail(err, BASE_INVALID, "a rate is needed: -r 100 sends 100 requests a second");
    return true;
}

static void set_defaults(struct load_adhoc *a)
{
    *a = (struct load_adhoc){.spec = {.arrivals = LOAD_POISSON,
                                      .duration = {10 * BASE_NS_PER_S},
                                      .connections = 50,
                                      .seed = base_random_u64(),
                                      .timeout = {2 * BASE_NS_PER_S},
                                      .interval = {BASE_NS_PER_S},
                                      .max_late = {10 * BASE_NS_PER_MS},
                                      .first_phase = base_str_dup("load")}};
    a->spec.routes = base_calloc(1, sizeof *a->spec.routes);
    a->spec.route_count = 1;
    a->spec.routes[0] = (struct load_route){.name = base_str_dup("url"), .weight = 1};
}

static bool check_tls(const struct load_tls_spec *tls, struct base_error *err)
{
    bool given = tls->ca_file != NULL || tls->cert_file != NULL || tls->key_file != NULL;
    if (tls->server_name == NULL && (given || tls->insecure))
        return base_fail(err, BASE_INVALID,
                         "--ca-file, --cert, --key and --insecure need an https:// URL");
    if ((tls->cert_file == NULL) != (tls->key_file == NULL))
        return base_fail(err, BASE_INVALID, "--cert and --key belong together: give both");
    if (tls->insecure && tls->ca_file != NULL)
        return base_fail(err, BASE_INVALID,
                         "--ca-file says whom to trust, --insecure says not to "
                         "ask: give one of them");
    return true;
}

static bool apply_url(struct load_adhoc *a, struct base_error *err)
{
    struct load_url url;
    struct load_route *route = &a->spec.routes[0];
    if (!load_url_parse(a->url, &url, err))
        return false;
    if (route->method == NULL)
        route->method =
            base_str_dup(route->body == NULL && route->body_file == NULL ? "GET" : "POST");
    replace(&route->path, url.path);
    replace(&a->spec.host, url.authority);
    if (url.tls)
        replace(&a->spec.tls.server_name, url.host);
    bool good = check_tls(&a->spec.tls, err) &&
                load_url_resolve(&url, &a->spec.targets, &a->spec.target_count, err);
    load_url_fini(&url);
    return good;
}

bool load_adhoc_parse(struct load_adhoc *out, int argc, const char *const *argv,
                      struct base_error *err)
{
    struct load_adhoc made;
    set_defaults(&made);
    if (!take_arguments(&made, argc, argv, err) || (!made.help && !apply_url(&made, err))) {
        load_adhoc_fini(&made);
        return false;
    }
    *out = made;
    return true;
}

void load_adhoc_fini(struct load_adhoc *adhoc)
{
    free(adhoc->url);
    free(adhoc->hlog_path);
    load_spec_fini(&adhoc->spec);
    *adhoc = (struct load_adhoc){0};
}
