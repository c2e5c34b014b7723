/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What load to send (struct load_spec, given to squall-load), what it says while it runs (struct
 * load_interval, one JSON line each on its standard output) and what came of it (struct
 * load_result, load.json). Latencies lie in latency.hlog beside it, tagged as said below.
 *
 * squall-load's lines:  {"type":"started","mono":ns,"wall":ns}
 *                       {"type":"interval", ...struct load_interval...}
 *                       {"type":"finished","status":"complete"|"stopped"}
 *                       {"type":"error","message":"..."} and exit status 5
 * squall-load's input:  {"type":"phase","name":"lose-one"}  samples intended from now on belong
 * there, whatever the plan's phases are
 *                       {"type":"stop"}                     no new requests; finish within timeout
 *                       end of file                         the controller died: stop
 *
 * Tags in latency.hlog: <phase>/<route>/<kind>, where the route of a flow's step is <flow>.<step>
 * and its phase the one in force when it was due; kind one of
 *   response    from the intended send to the end of a successful response
 *               (coordinated omission kept), by when the request was due
 *   ended       the same times, by when the request ended
 *   service     from the actual send to the same
 *   first-byte  from the actual send to the first bytes of a successful response
 *   failed      from the intended send to the failure, for requests that failed
 *   schedule    actual send - intended send, route "-"
 *   connect     of a connection: from connect(2) until it was established, route "-"
 *   tls         of a connection: from there to the end of the TLS handshake, route "-"
 * Those that were opened before the load began lie in its first interval and phase.
 *
 * Intervals of the load (struct load_interval) end when the reader comes round. Lines start and
 * last as they did, and all but `response` are in their order, before the interval is told. The
 * lines of `response` are of a grid instead: number g holds what was due from start + g * interval
 * on for one interval, and starts and lasts exactly so. It is written once nothing of it is to come
 * any more, so its lines lie behind those of later intervals; of one tag they are in their order.
 * Both kinds have the same values in all. (ADR 0024; logs without `ended`, of earlier releases,
 * have `response` by when requests ended.)
 */
#ifndef MODEL_LOAD_H
#define MODEL_LOAD_H

#include "model/flow.h"
#include "model/json.h"

/* Kinds of which there is one histogram and two ways to lay it out in time. */
#define LOAD_RESPONSE "response"
#define LOAD_ENDED    "ended"

enum load_arrivals { LOAD_POISSON, LOAD_CONSTANT };

#define LOAD_RATE_MAX 1e8 /* a second: what no machine sends is a mistake */
enum { LOAD_BURST_MAX = 1000000, LOAD_USERS_MAX = 1000000 };

/* A stretch of the schedule. Either a rate that goes linearly from `from` to `to` (both 0:
 * silence), or `burst` requests at once at its start and then `every` so often. */
struct load_stage {
    struct dur_ns length;
    double from; /* requests a second, >= 0 */
    double to;
    uint64_t burst; /* 0: none; from and to are 0 then */
    struct dur_ns every;
};

/* From this time after the start on, what becomes due belongs to the phase of that name. */
struct load_phase {
    char *name; /* becomes part of a tag, as a route's */
    struct dur_ns start;
};

/* Recorded timestamps, one a line, of which the first is the start. */
enum load_unit { LOAD_UNIT_S, LOAD_UNIT_NS };

struct load_target {
    char *address; /* IPv4 or IPv6 literal */
    uint16_t port;
};

struct load_route {
    char *name; /* no '/', ',', space or newline: it becomes part of a tag */
    char *method;
    char *path;      /* with the query */
    char *body;      /* NULL: none */
    char *body_file; /* sent as the body, from disk; NULL: none */
    char **headers;  /* "Name: value" */
    size_t header_count;
    uint32_t weight; /* > 0 */
    char **params;   /* postgres: the values of $1, $2...; with {{fields}} */
    size_t param_count;
    char *key;             /* amqp: the body is published with this routing key */
    char *exchange;        /* amqp: to this exchange; NULL: the default one */
    bool persistent;       /* amqp: to be kept on disk */
    char *queue;           /* amqp: instead, one message is taken from this queue */
    bool consume;          /* amqp: what is published comes back through a queue of the connection's
                              own, bound to the exchange by the key; without an exchange, and with
                              one but no key, the key is that queue's name */
    char *until;           /* tcp: bytes that a response ends with; NULL: a newline */
    uint64_t answer_bytes; /* tcp: so long is a response; 0: until tells */
};

enum load_think {
    LOAD_THINK_NONE,
    LOAD_THINK_CONSTANT,    /* a */
    LOAD_THINK_UNIFORM,     /* a..b */
    LOAD_THINK_EXPONENTIAL, /* mean a */
    LOAD_THINK_LOGNORMAL    /* median a, 95 % of it below b */
};

/* The closed model: users who wait for the end of one request and think before the next. */
struct load_closed {
    struct load_stage *stages; /* of the number of users (from, to; no bursts); none: open model */
    size_t stage_count;
    uint64_t iterations; /* of all users together, then the load is over; 0: until the end */
    uint64_t each;       /* of every user */
    enum load_think think;
    struct dur_ns think_a;
    struct dur_ns think_b;
};

/* Who the target must be, and who we are to it. */
struct load_tls_spec {
    char *server_name; /* for SNI and the certificate: a name or an address; NULL: no TLS */
    char *ca_file;     /* PEM; NULL: the system's authorities */
    char *cert_file;   /* PEM chain of the client, NULL: none */
    char *key_file;    /* PEM; NULL when cert_file is */
    bool insecure;     /* certificates are not verified */
};

/* What sends the requests. */
enum load_engine {
    LOAD_ENGINE_AUTO,   /* native, unless what is asked for needs another */
    LOAD_ENGINE_NATIVE, /* over connections of our own */
    LOAD_ENGINE_CURL    /* libcurl */
};
enum { LOAD_STREAMS_MAX = 1000 };

/* What is spoken with the targets. */
enum load_speech {
    LOAD_SPEECH_HTTP,
    LOAD_SPEECH_REDIS, /* a route's body is a command, as redis-cli takes it; method and path mean
                          nothing */
    LOAD_SPEECH_TCP,   /* a route's body is what is sent; method and path mean nothing */
    LOAD_SPEECH_POSTGRES, /* a route's body is a statement; method and path mean nothing */
    LOAD_SPEECH_AMQP      /* RabbitMQ: a route has a key or a queue; method and path mean nothing */
};
enum { LOAD_UNTIL_MAX = 256 };

/* How the URL of a target begins, and what that says. */
struct load_scheme {
    const char *prefix; /* "redis://" */
    enum load_speech protocol;
    bool tls;
    uint16_t port; /* when the URL names none; 0: it must */
};
extern const struct load_scheme load_schemes[];
extern const size_t load_scheme_count;
const struct load_scheme *load_scheme_of(const char *url); /* NULL: none of them, or NULL */
char *load_scheme_list(void);                              /* "http://, https://..."; free() it */

struct load_spec {
    enum load_arrivals arrivals;
    double rate; /* requests a second over all connections; 0 with stages or a replay */
    struct load_stage *stages; /* one after the other, over `duration`; none: `rate` all the time */
    size_t stage_count;
    char *replay; /* file of timestamps; NULL: none */
    enum load_unit replay_unit;
    struct load_closed closed; /* instead of a rate, stages or a replay */
    struct dur_ns duration;    /* of the schedule; responses may come up to `timeout` + 1 s later */
    uint32_t connections;
    uint32_t threads; /* 0: one for each core, never more than connections */
    uint64_t seed;
    struct dur_ns timeout; /* of one request, from its actual send */
    struct dur_ns interval;
    /* p99 of the generator's own schedule error beyond this makes the result client_limited. */
    struct dur_ns max_late;
    char *host; /* the Host header */
    struct load_target *targets;
    size_t target_count;
    struct load_route *routes;
    size_t route_count;
    char *first_phase;
    struct load_phase *phases; /* those after it, in order, until a command names another */
    size_t phase_count;
    struct load_tls_spec tls;
    char **sources; /* addresses of this machine to connect from, in turn; none: the kernel's */
    size_t source_count;
    enum load_engine engine;
    enum load_speech protocol;
    bool http2;
    uint32_t streams;        /* of HTTP/2, at once on each connection; 0: one */
    char *proxy;             /* URL; NULL: none */
    char *unix_socket;       /* path of the socket that is connected to instead; NULL: none */
    struct load_flow *flows; /* beside the routes; at least one of either */
    size_t flow_count;
    struct load_feeder *feeders;
    size_t feeder_count;
    bool spin; /* threads wait busily for the last 50 us before a request is due, if none is open */
    uint32_t pipeline;   /* requests under way on each connection without waiting; 0: one */
    char *user;          /* postgres: the role; NULL: as for psql. amqp: NULL: guest */
    char *database;      /* postgres: NULL: named as the role. amqp: virtual host; NULL: / */
    char *password_file; /* postgres, amqp: holds the user's password, which is in no spec */
    char *password_env;  /* or this variable of the environment does */
};

/* Why a request failed. One table gives the words ("connect", "http_5xx"...). */
enum load_failure {
    LOAD_FAIL_CONNECT, /* no connection could be made: the causes say why */
    LOAD_FAIL_TIMEOUT,
    LOAD_FAIL_RESET,    /* the connection ended before the whole response */
    LOAD_FAIL_PROTOCOL, /* what came was not the HTTP that was asked for */
    LOAD_FAIL_HTTP_4XX,
    LOAD_FAIL_HTTP_5XX,
    LOAD_FAIL_STATUS, /* any other unexpected status */
    LOAD_FAIL_DNS,    /* a name did not resolve while the load ran */
    LOAD_FAIL_REPLY,  /* the target said that it failed, in a protocol other than HTTP */
    /* Of the steps of flows. */
    LOAD_FAIL_ASSERTION,  /* the response was not as expected */
    LOAD_FAIL_EXTRACTION, /* it had not what later steps need */
    LOAD_FAIL_TOO_LARGE,  /* it had more than LOAD_CAPTURE_MAX bytes to look at */
    LOAD_FAIL_INPUT,      /* not sent: no row was left, or a value cannot stand where it should */
    LOAD_FAIL_COUNT
};

/* What lies behind the failures that have more than one cause. Each belongs to one failure, whose
 * count is the sum of its causes (load_cause_failure). */
enum load_cause {
    LOAD_CAUSE_REFUSED,         /* connect: nobody listens */
    LOAD_CAUSE_UNREACHABLE,     /* connect: no route to the host or network */
    LOAD_CAUSE_CONNECT_TIMEOUT, /* connect: no answer, or no end of the TLS handshake, in time */
    LOAD_CAUSE_CONNECT_RESET,   /* connect: ended by the other side before it could be used */
    LOAD_CAUSE_NO_PORT,         /* connect: no local port is free towards the target */
    LOAD_CAUSE_NO_DESCRIPTOR,   /* connect: no file descriptor is free */
    LOAD_CAUSE_TLS,             /* connect: the handshake failed */
    LOAD_CAUSE_OTHER,           /* connect: anything else */
    LOAD_CAUSE_SILENT,          /* timeout: not a byte came */
    LOAD_CAUSE_STALLED,         /* timeout: the response had begun */
    LOAD_CAUSE_RESET,           /* reset: by a RST, or a broken TLS stream */
    LOAD_CAUSE_CLOSED,          /* reset: closed in order, but before the response was whole */
    LOAD_CAUSE_DNS,             /* dns: that is all there is to it */
    LOAD_CAUSE_PROXY,           /* connect: the proxy would not or could not */
    LOAD_CAUSE_NOT_HTTP2,       /* connect: the target speaks another HTTP */
    LOAD_CAUSE_REPLY,           /* error_reply: that is all there is to it */
    LOAD_CAUSE_SESSION,         /* connect: the target would not open a session on it */
    LOAD_CAUSE_BEHIND,          /* reset: behind a request that ended the connection of both */
    /* Of one stream of HTTP/2, whose connection may be well. */
    LOAD_CAUSE_GOAWAY,         /* reset: the connection was to end, and this one was not served */
    LOAD_CAUSE_REFUSED_STREAM, /* reset: RST_STREAM with REFUSED_STREAM: it was not served */
    LOAD_CAUSE_STREAM_RESET,   /* reset: RST_STREAM with any other code */
    LOAD_CAUSE_UNUSABLE,       /* connect: made, but given up after the first request failed */
    LOAD_CAUSE_COUNT
};

/* Counts of one phase and route, or of a whole interval or run. sent = ok + failed + in flight. */
struct load_counts {
    uint64_t intended; /* due by the schedule */
    uint64_t sent;
    uint64_t ok;
    uint64_t failed[LOAD_FAIL_COUNT];
    uint64_t causes[LOAD_CAUSE_COUNT]; /* of `failed`, where it has causes */
    uint64_t missed;                   /* due, but never sent */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t skipped; /* steps that were not reached, since one before them failed or the load
                         ended; they never were due */
};

struct load_part {
    char *phase;
    char *route;
    struct load_counts counts;
};

struct load_interval {
    struct wall_ns start; /* wall and monotonic start of the same moment */
    struct mono_ns start_mono;
    struct dur_ns length;
    char *phase;               /* in force at its end */
    struct load_counts counts; /* by fired time */
    uint64_t in_flight;
    struct dur_ns p50; /* response time of those that completed in it; 0 when none did */
    struct dur_ns p99;
    struct dur_ns max;
    struct dur_ns late_p99;  /* schedule error */
    struct load_part *parts; /* the counts by phase and route, those with any */
    size_t part_count;
};

/* What kept a request from being sent when it was due. */
enum load_delay {
    LOAD_DELAY_TIMER, /* nothing was being done: the clock rang late, or the CPU was taken */
    LOAD_DELAY_BUSY,  /* the thread was at other requests */
    LOAD_DELAY_NO_CONNECTION, /* all connections were in use */
    LOAD_DELAY_BLOCKED,       /* sent in time, but the kernel took it only piece by piece */
    LOAD_DELAY_COUNT
};

/* All requests of one cause; those sent in time are among them, with next to no delay. */
struct load_lateness {
    enum load_delay cause;
    uint64_t count;
    struct dur_ns p50;
    struct dur_ns p99;
    struct dur_ns max;
    char *histogram; /* of the delays in ns, as hdr_encode has it; NULL: not kept */
};

/* Which of its own limits the generator met. */
enum load_limit {
    LOAD_LIMIT_NONE,
    LOAD_LIMIT_LATENESS,    /* timer or busy loop: sent later than allowed */
    LOAD_LIMIT_CONNECTIONS, /* too few for the rate, while the target answered */
    LOAD_LIMIT_PORTS,       /* no local port or descriptor */
    LOAD_LIMIT_CPU,         /* a thread used its whole CPU */
    LOAD_LIMIT_LOOP,        /* a thread was always at work or waiting for a CPU that others used */
    LOAD_LIMIT_WORKER       /* of several generators one was lost, or what they sent is no whole */
};

/* One thread's time. */
struct load_thread {
    struct dur_ns span;   /* between start and end */
    struct dur_ns cpu;    /* of it on a CPU */
    struct dur_ns waited; /* of it ready to run, but another had the CPU */
};

/* What became of TLS. */
struct load_tls_result {
    char *verified; /* against what: "system authorities", a file, or "nothing"; NULL: no TLS */
    char *protocol; /* version and cipher of the last handshake; NULL: none succeeded */
    uint64_t handshakes;
    uint64_t resumed; /* of these */
};

/* A step of a flow's setup or teardown. These are no part of the load: neither in its counts nor in
 * its histograms. */
struct load_once_result {
    char *flow;
    char *part; /* "setup" or "teardown" */
    char *step;
    bool ok;
    struct dur_ns took; /* from when it was sent; 0: it never was */
    char *why;          /* NULL when ok */
};

struct load_result {
    bool complete; /* the schedule ran to its end */
    struct wall_ns start;
    struct wall_ns end; /* of the schedule, or of the last response when that is later */
    struct mono_ns start_mono;
    struct mono_ns end_mono;
    struct dur_ns scheduled; /* how long requests were due: duration, or less when stopped */
    struct load_counts total;
    struct load_part *parts;
    size_t part_count;
    struct load_interval *intervals;
    size_t interval_count;
    bool client_limited;      /* the generator itself was the limit: evidence is insufficient */
    char *client_limited_why; /* NULL when not */
    enum load_limit client_limited_by;
    struct dur_ns cpu;              /* user + system time of the process */
    struct load_lateness *lateness; /* by cause, those that occurred */
    size_t lateness_count;
    struct load_thread *threads;
    size_t thread_count;
    struct load_tls_result tls;
    char **notes; /* for people: what weakens the evidence, what failed and what to do about it */
    size_t note_count;
    struct load_once_result *once;
    size_t once_count;
};

bool load_spec_from_json(const json_t *json, struct load_spec *out, struct base_error *err);
json_t *load_spec_to_json(const struct load_spec *spec);
void load_spec_fini(struct load_spec *spec);
/* Why this engine cannot do what the spec asks of it, with what to do; NULL: it can. */
const char *load_spec_engine_conflict(const struct load_spec *spec);
/* What only libcurl has is asked for (a proxy, a unix socket), or libcurl itself. */
bool load_spec_needs_curl(const struct load_spec *spec);

/* How a proxy is spoken to, by its URL's scheme. */
enum load_proxy {
    LOAD_PROXY_NONE,
    LOAD_PROXY_HTTP,
    LOAD_PROXY_HTTPS, /* HTTP over TLS */
    LOAD_PROXY_SOCKS
};
enum load_proxy load_spec_proxy(const struct load_spec *spec);
/* Each request is asked of the proxy, which makes the connections: HTTP/1.1 in the clear. */
bool load_spec_asks_proxy(const struct load_spec *spec);
/* How long setup, or teardown, may take: each step has the timeout twice, for a connection and for
 * its response, and its pause. */
struct dur_ns load_spec_once_limit(const struct load_spec *spec, bool setup);
void load_once_result_fini(struct load_once_result *result);
/* What is recorded apart: the routes, then the steps of one flow after another. */
uint32_t load_spec_routes(const struct load_spec *spec);
char *load_spec_route_name(const struct load_spec *spec, uint32_t route); /* free() it */
void load_spec_add_stage(struct load_spec *spec, const struct load_stage *stage);
/* A staircase from ramp->from to ramp->to, both of them steps; steps > 0, and no more than the
 * ramp's nanoseconds. */
void load_spec_add_steps(struct load_spec *spec, const struct load_stage *ramp, uint32_t steps);
/* What is due from `start` on is of this phase; no later one has been added. */
void load_spec_add_phase(struct load_spec *spec, struct dur_ns start, const char *name);
const char *load_spec_phase_at(const struct load_spec *spec, struct dur_ns at);
/* How long, of the first `over`, it is this phase. */
struct dur_ns load_spec_phase_length(const struct load_spec *spec, const char *name,
                                     struct dur_ns over);
bool load_interval_from_json(const json_t *json, struct load_interval *out, struct base_error *err);
json_t *load_interval_to_json(const struct load_interval *interval); /* without "type" */
void load_interval_fini(struct load_interval *interval);
bool load_result_from_json(const json_t *json, struct load_result *out, struct base_error *err);
json_t *load_result_to_json(const struct load_result *result);
void load_result_fini(struct load_result *result);
json_t *load_counts_to_json(const struct load_counts *counts);
void load_counts_add(struct load_counts *sum, const struct load_counts *counts);
void load_thread_add(struct load_thread *sum, const struct load_thread *thread);
uint64_t load_counts_failed(const struct load_counts *counts); /* all classes, without missed */
/* Whole responses that were no server error. */
uint64_t load_counts_answered(const struct load_counts *counts);
/* Of the failures, what was not served: neither answered nor never asked for. */
uint64_t load_counts_unserved(const struct load_counts *counts);
uint64_t load_counts_delivered(const struct load_counts *counts); /* sent over a connection */
const char *load_failure_name(enum load_failure failure);
const char *load_cause_name(enum load_cause cause);
enum load_failure load_cause_failure(enum load_cause cause); /* the one it belongs to */
/* Counts a failed request by its cause. */
static inline void load_counts_fail(struct load_counts *counts, enum load_cause cause)
{
    counts->failed[load_cause_failure(cause)]++;
    counts->causes[cause]++;
}
const char *load_arrivals_name(enum load_arrivals arrivals);
bool load_arrivals_parse(const char *word, enum load_arrivals *out);
const char *load_delay_name(enum load_delay cause);
const char *load_think_name(enum load_think think);
bool load_engine_parse(const char *word, enum load_engine *out);
const char *load_speech_name(enum load_speech protocol);
bool load_unit_parse(const char *word, enum load_unit *out);

#endif
