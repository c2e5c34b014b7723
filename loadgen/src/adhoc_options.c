/* SPDX-License-Identifier: Apache-2.0 */
#include "adhoc_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adhoc_protocols.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "endpoint.h"
#include "stage_text.h"

static const uint32_t workers_max = 1000;

static void replace(char **slot, const char *value)
{
    free(*slot);
    *slot = base_str_dup(value);
}

/* "50/1s", as vegeta has it, and "3k/m". */
static bool read_rate_per(const char *value, double *out)
{
    const char *slash = strchr(value, '/');
    struct dur_ns per;
    double number;
    if (slash == NULL)
        return false;
    BASE_AUTO_FREE char *one = base_str_printf("1%s", slash + 1);
    if (!(base_parse_duration(slash + 1, &per) || base_parse_duration(one, &per)) || per.ns <= 0)
        return false;
    BASE_AUTO_FREE char *count = base_str_ndup(value, (size_t)(slash - value));
    if (!load_number_parse(count, &number) || !(number > 0))
        return false;
    *out = number / base_dur_to_s(per);
    return true;
}

/* Each setter reads one option's value; the message it leaves out is added by the caller. */
static bool set_rate(struct load_adhoc *a, const char *value)
{
    if (load_number_parse(value, &a->spec.rate))
        return a->spec.rate > 0;
    return read_rate_per(value, &a->spec.rate);
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

static bool set_interval(struct load_adhoc *a, const char *value)
{
    return read_duration(value, &a->spec.interval);
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
    return load_user_stage_parse(value, &a->spec, &a->wrong);
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

static bool set_max_missed(struct load_adhoc *a, const char *value)
{
    return base_parse_percent(value, &a->max_missed);
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

static bool set_body_file(struct load_adhoc *a, const char *value)
{
    replace(&a->body_path, value);
    return true;
}

/* "-" would be standard output, which has the result. */
static bool set_file(char **slot, const char *value)
{
    replace(slot, value);
    return *value != '\0' && !base_str_eq(value, "-");
}

static bool set_hlog(struct load_adhoc *a, const char *value)
{
    return set_file(&a->hlog_path, value);
}

static bool set_hgrm(struct load_adhoc *a, const char *value)
{
    return set_file(&a->hgrm_path, value);
}

static bool set_csv(struct load_adhoc *a, const char *value)
{
    replace(&a->csv_path, value);
    return *value != '\0';
}

static bool set_prometheus(struct load_adhoc *a, const char *value)
{
    free(a->metrics_address);
    a->metrics_address = NULL;
    return load_endpoint_parse(value, &a->metrics_address, &a->metrics_port);
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

static bool set_workers(struct load_adhoc *a, const char *value)
{
    return set_u32(value, &a->workers) && a->workers <= workers_max;
}

static bool set_redis(struct load_adhoc *a, const char *value)
{
    free(a->redis_host);
    a->redis_host = NULL;
    return load_endpoint_parse(value, &a->redis_host, &a->redis_port);
}

static bool set_join(struct load_adhoc *a, const char *value)
{
    a->mode = LOAD_ADHOC_JOIN;
    return set_redis(a, value);
}

static bool set_patience(struct load_adhoc *a, const char *value)
{
    return read_duration(value, &a->patience);
}

static bool set_run(struct load_adhoc *a, const char *value)
{
    replace(&a->run, value);
    return true;
}

static bool set_scenario(struct load_adhoc *a, const char *value)
{
    a->mode = LOAD_ADHOC_SCENARIO;
    replace(&a->scenario_path, value);
    return *value != '\0';
}

static bool set_merge(struct load_adhoc *a, const char *value)
{
    (void)value;
    a->mode = LOAD_ADHOC_MERGE;
    return true;
}

static bool set_out(struct load_adhoc *a, const char *value)
{
    return set_file(&a->out_path, value);
}

static bool set_engine(struct load_adhoc *a, const char *value)
{
    return load_engine_parse(value, &a->spec.engine) && a->spec.engine != LOAD_ENGINE_AUTO;
}

static bool set_http2(struct load_adhoc *a, const char *value)
{
    (void)value;
    a->spec.http2 = true;
    return true;
}

static bool set_spin(struct load_adhoc *a, const char *value)
{
    (void)value;
    a->spec.spin = true;
    return true;
}

static bool set_streams(struct load_adhoc *a, const char *value)
{
    return set_u32(value, &a->spec.streams) && a->spec.streams <= LOAD_STREAMS_MAX;
}

static bool set_until(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.routes[0].until, value);
    return *value != '\0';
}

static bool set_answer_bytes(struct load_adhoc *a, const char *value)
{
    uint64_t *bytes = &a->spec.routes[0].answer_bytes;
    return base_parse_u64(value, bytes) && *bytes > 0;
}

static bool set_proxy(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.proxy, value);
    return *value != '\0';
}

static bool set_unix_socket(struct load_adhoc *a, const char *value)
{
    replace(&a->spec.unix_socket, value);
    return *value != '\0';
}

#define INDENT "                           "

const struct load_option load_options[] = {
    {'r', "rate", "RATE", "requests a second over all connections: 500, 2k, 90/m", set_rate},
    {'c', "connections", "N", "connections kept open (50)", set_connections},
    {'d', "duration", "SECS", "how long, in seconds or as 500ms, 2m (10)", set_duration},
    {'t', "threads", "N", "threads (one for each core)", set_threads},
    {0, "arrivals", "KIND", "constant or poisson (poisson)", set_arrivals},
    {0, "timeout", "SECS", "of one request (2)", set_timeout},
    {'H', "header", "LINE", "a header \"Name: value\"; may be repeated", add_header},
    {'m', "method", "NAME", "the method (GET, or POST with a body)", set_method},
    {'b', "body", "TEXT",
     "the body; redis: the command, as for redis-cli (PING); tcp: what is sent", set_body},
    {0, "body-file", "FILE", "the body, streamed from disk", set_body_file},
    {0, "seed", "N", "of the schedule: the same seed, the same arrivals (random)", set_seed},
    {0, "hlog", "FILE", "write an HdrHistogram log", set_hlog},
    {0, "source", "LIST", "addresses to connect from: 10.0.0.2,10.0.0.3 (any)", set_sources},
    {0, "ca-file", "FILE",
     "https, rediss, amqps, postgres: PEM authorities to trust (the system's)", set_ca},
    {0, "cert", "FILE", "https: PEM certificate of this client", set_cert},
    {0, "key", "FILE", "https: PEM key of that certificate", set_key},
    {'k', "insecure", NULL, "https: do not verify certificates; the result says so", set_insecure},
    {0, "stage", "STAGE",
     "instead of a rate, repeated: \"30s 500/s\", \"1m 0..500/s\",\n" INDENT
     "\"1m 100..500/s in 5 steps\" or \"10s 50 every 1s\"; with a name in\n" INDENT
     "front, \"warm-up: 30s 500/s\", it is a phase of its own",
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
     "\"p95 < 200ms over 10s\" (every window), \"... over 10s abort\",\n" INDENT
     "\"... route life.read\" (of that route, or step of a flow, alone),\n" INDENT
     "\"... phase peak\" (of the stages of that name)",
     add_threshold},
    {0, "max-late", "TIME",
     "how late the generator itself may be (p99) before its\n" INDENT
     "numbers are no evidence (10ms)",
     set_max_late},
    {0, "max-missed", "SHARE",
     "share of the requests, such as 1%, that may go unsent because no\n" INDENT
     "connection got free in time; more is a failure (0%)",
     set_max_missed},
    {0, "replay-unit", "s|ns", "of those timestamps (s)", set_replay_unit},
    {0, "hgrm", "FILE", "write the percentiles of response times as HdrHistogram's table",
     set_hgrm},
    {0, "csv", "FILE|-", "write a row for each interval; - is standard output", set_csv},
    {0, "interval", "SECS", "between rows, lines and entries of the log (1)", set_interval},
    {0, "prometheus", "ADDR:PORT", "while running, serve /metrics there to Prometheus",
     set_prometheus},
    {0, "latency", NULL, "show percentiles (they always are)", set_latency},
    {0, "json", NULL, "print the result as JSON", set_json},
    {'q', "quiet", NULL, "nothing on standard error while running", set_quiet},
    {'h', "help", NULL, "this text", set_help},
    {0, "merge", NULL, "send nothing: add up the histogram logs that are named", set_merge},
    {'o', "out", "FILE", "with --merge: where the merged log goes", set_out},
    {0, "workers", "N", "lead N workers, which send the load together (at most 1000)", set_workers},
    {0, "redis", "HOST:PORT", "with --workers: the Redis where they meet", set_redis},
    {0, "run", "ID", "with --workers or --join: the run's name (made up)", set_run},
    {0, "patience", "SECS", "until leader and workers have found each other (60)", set_patience},
    {0, "join", "HOST:PORT", "be a worker of the run --run ID, by that Redis", set_join},
    {0, "scenario", "FILE",
     "instead of a URL: the load of that scenario, and nothing\n" INDENT "else of it",
     set_scenario},
    {0, "engine", "NAME",
     "what connects: native or curl (native, unless a proxy or a\n" INDENT
     "unix socket needs curl)",
     set_engine},
    {0, "http2", NULL, "speak HTTP/2: over TLS by ALPN, else with prior knowledge", set_http2},
    {0, "streams", "N", "of HTTP/2, at once on each connection (1)", set_streams},
    {0, "until", "TEXT", "tcp: what a response ends with (a newline)", set_until},
    {0, "answer-bytes", "N", "tcp: so long is every response, instead", set_answer_bytes},
    {'x', "proxy", "URL", "connect through it: http://, https://, socks5://HOST:PORT", set_proxy},
    {0, "unix-socket", "PATH", "connect to this socket instead of the URL's host", set_unix_socket},
    {0, "publish", "KEY",
     "amqp: publish the body with this routing key; the request ends with\n" INDENT
     "the broker's confirm",
     load_adhoc_set_publish},
    {0, "exchange", "NAME", "amqp: to this exchange (the default one: KEY names a queue)",
     load_adhoc_set_exchange},
    {0, "persistent", NULL, "amqp: messages that the broker keeps on disk",
     load_adhoc_set_persistent},
    {0, "get", "QUEUE", "amqp: instead, get and acknowledge one message of this queue",
     load_adhoc_set_get},
    {0, "consume", NULL,
     "amqp: publish, and end when the message was confirmed and has\n" INDENT
     "come back to a consumer (end to end)",
     load_adhoc_set_consume},
    {0, "password-file", "FILE", "amqp, postgres: holds the password of the URL's user",
     load_adhoc_set_password_file},
    {0, "query", "SQL", "postgres: the statement, prepared once a connection",
     load_adhoc_set_query},
    {0, "param", "TEXT", "postgres: the value of $1, $2...; repeated", load_adhoc_add_param},
    {0, "pipeline", "N", "requests under way on each connection (1); http: HTTP/1.1",
     load_adhoc_set_pipeline},
    {0, "spin", NULL,
     "wait busily for the last 50 us before a request is due, while none\n" INDENT
     "is open: more punctual, for up to a whole core a thread",
     set_spin},
};
const size_t load_option_count = sizeof load_options / sizeof *load_options;
_Static_assert(sizeof load_options / sizeof *load_options <= LOAD_OPTIONS_MAX,
               "load_adhoc.given has a bit for each");
