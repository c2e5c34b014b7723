/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/adhoc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adhoc_source.h"
#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"
#include "stage_text.h"
#include "url.h"

static void replace(char **slot, const char *value)
{
    free(*slot);
    *slot = base_str_dup(value);
}

/* Each setter reads one option's value; the message it leaves out is added by the caller. */
static bool set_rate(struct load_adhoc *a, const char *value)
{
    return load_number_parse(value, &a->spec.rate) ? a->spec.rate > 0
                                                   : base_parse_rate(value, &a->spec.rate);
}

static bool set_u32(const char *value, uint32_t *out)
{
    double number;
    if (!load_number_parse(value, &number) || number < 1 || number > UINT32_MAX ||
        number > floor(number))
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool set_connections(struct load_adhoc *a, const char *value)
{
    a->connections_given = true;
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
    a->duration_given = true;
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

static bool add_stage(struct load_adhoc *a, const char *value)
{
    return load_stage_parse(value, &a->spec, &a->wrong);
}

static bool add_user_stage(struct load_adhoc *a, const char *value)
{
    return load_user_stage_parse(value, &a->spec.closed, &a->wrong);
}

static bool set_users(struct load_adhoc *a, const char *value)
{
    return set_u32(value, &a->users) && a->users <= LOAD_USERS_MAX;
}

static bool set_think(struct load_adhoc *a, const char *value)
{
    return load_think_parse(value, &a->spec.closed, &a->wrong);
}

static bool set_iterations(struct load_adhoc *a, const char *value)
{
    return base_parse_u64(value, &a->spec.closed.iterations) && a->spec.closed.iterations > 0;
}

static bool set_iterations_each(struct load_adhoc *a, const char *value)
{
    return base_parse_u64(value, &a->spec.closed.each) && a->spec.closed.each > 0;
}

static bool set_max_late(struct load_adhoc *a, const char *value)
{
    return read_duration(value, &a->spec.max_late);
}

static bool add_threshold(struct load_adhoc *a, const char *value)
{
    return load_thresholds_add(&a->thresholds, value, &a->wrong);
}

static bool set_replay(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.replay, value);
    return *value != '\0';
}

static bool set_replay_unit(struct load_adhoc *a, const char *value)
{
    return load_unit_parse(value, &a->spec.replay_unit);
}

static bool set_seed(struct load_adhoc *a, const char *value)
{
    return base_parse_u64(value, &a->spec.seed);
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

#define INDENT "                           "

/* The one table of options: parsing and help come from it. takes NULL: a flag. */
static const struct option {
    char letter; /* 0: none */
    const char *name;
    const char *takes;
    const char *help;
    bool (*set)(struct load_adhoc *adhoc, const char *value);
} options[] = {
    {'r', "rate", "RATE", "requests a second over all connections: 500, 2k, 90/m", set_rate},
    {'c', "connections", "N", "connections kept open (50)", set_connections},
    {'d', "duration", "SECS", "how long, in seconds or as 500ms, 2m (10)", set_duration},
    {'t', "threads", "N", "threads (one for each core)", set_threads},
    {0, "arrivals", "KIND", "constant or poisson (poisson)", set_arrivals},
    {0, "timeout", "SECS", "of one request (2)", set_timeout},
    {'H', "header", "LINE", "a header \"Name: value\"; may be repeated", add_header},
    {'m', "method", "NAME", "the method (GET, or POST with a body)", set_method},
    {0, "body", "TEXT", "the body", set_body},
    {0, "seed", "N", "of the schedule: the same seed, the same arrivals (random)", set_seed},
    {0, "hlog", "FILE", "write an HdrHistogram log", set_hlog},
    {0, "latency", NULL, "show percentiles (they always are)", set_latency},
    {0, "json", NULL, "print the result as JSON", set_json},
    {'q', "quiet", NULL, "no lines while running", set_quiet},
    {0, "stage", "STAGE",
     "instead of a rate, repeated: \"30s 500/s\", \"1m 0..500/s\",\n" INDENT
     "\"1m 100..500/s in 5 steps\" or \"10s 50 every 1s\"",
     add_stage},
    {0, "replay", "FILE", "instead of a rate: when to send, one timestamp a line", set_replay},
    {0, "users", "N",
     "instead of a rate, closed model: N users who wait for the\n" INDENT
     "end of a request before the next",
     set_users},
    {0, "user-stage", "STAGE", "the same, their number over time, repeated: \"10s 0..50\"",
     add_user_stage},
    {0, "think", "TIME",
     "of users between requests: 1s, \"uniform 1s..3s\",\n" INDENT
     "\"exponential 1s\" or \"lognormal 1s..4s\" (none)",
     set_think},
    {0, "iterations", "N", "all users together send N requests, then the load is over",
     set_iterations},
    {0, "iterations-each", "N", "each user sends N requests", set_iterations_each},
    {0, "threshold", "TEXT",
     "what must hold, repeated: \"p99 < 250ms\", \"errors < 1%\",\n" INDENT
     "\"p95 < 200ms over 10s\" (every window), \"... over 10s abort\"",
     add_threshold},
    {0, "max-late", "TIME",
     "how late the generator itself may be (p99) before its\n" INDENT
     "numbers are no evidence (10ms)",
     set_max_late},
    {0, "replay-unit", "s|ns", "of those timestamps (s)", set_replay_unit},
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
    return base_buf_str(
        out,
        "exit status: 0 done, 1 a threshold failed, 2 usage, 3 no evidence (the generator was the "
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
    a->wrong = (struct base_error){.code = BASE_OK};
    if (o->set(a, value))
        return true;
    if (a->wrong.code != BASE_OK)
        return base_fail(err, a->wrong.code, "option --%s: %s", o->name, a->wrong.message);
    return base_fail(err, BASE_INVALID, "option --%s: \"%s\" is not valid: %s", o->name,
                     value == NULL ? "" : value, o->help);
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
    return load_adhoc_settle(a, err);
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

static bool apply_url(struct load_adhoc *a, struct base_error *err)
{
    struct load_url url;
    struct load_route *route = &a->spec.routes[0];
    if (!load_url_parse(a->url, &url, err))
        return false;
    if (route->method == NULL)
        route->method = base_str_dup(route->body == NULL ? "GET" : "POST");
    replace(&route->path, url.path);
    replace(&a->spec.host, url.authority);
    bool good = load_url_resolve(&url, &a->spec.targets, &a->spec.target_count, err);
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
    load_thresholds_fini(&adhoc->thresholds);
    load_spec_fini(&adhoc->spec);
    *adhoc = (struct load_adhoc){0};
}
