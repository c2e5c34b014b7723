/* SPDX-License-Identifier: Apache-2.0 */
#include "model/load.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "shapes.h"

static const char *const arrivals_names[] = {
    [LOAD_POISSON] = "poisson", [LOAD_CONSTANT] = "constant"};
static const struct codec_words arrivals = CODEC_WORDS(arrivals_names);

static const char *const unit_names[] = {[LOAD_UNIT_S] = "s", [LOAD_UNIT_NS] = "ns"};
static const struct codec_words units = CODEC_WORDS(unit_names);

static const char *const think_names[] = {[LOAD_THINK_NONE] = "none",
                                          [LOAD_THINK_CONSTANT] = "constant",
                                          [LOAD_THINK_UNIFORM] = "uniform",
                                          [LOAD_THINK_EXPONENTIAL] = "exponential",
                                          [LOAD_THINK_LOGNORMAL] = "lognormal"};
static const struct codec_words thinks = CODEC_WORDS(think_names);

static const char *const engine_names[] = {
    [LOAD_ENGINE_AUTO] = "auto", [LOAD_ENGINE_NATIVE] = "native", [LOAD_ENGINE_CURL] = "curl"};
static const struct codec_words engines = CODEC_WORDS(engine_names);

static const char *const speech_names[] = {[LOAD_SPEECH_HTTP] = "http",
                                           [LOAD_SPEECH_REDIS] = "redis",
                                           [LOAD_SPEECH_TCP] = "tcp",
                                           [LOAD_SPEECH_POSTGRES] = "postgres",
                                           [LOAD_SPEECH_AMQP] = "amqp"};
static const struct codec_words speeches = CODEC_WORDS(speech_names);

static const char *const delay_names[] = {[LOAD_DELAY_TIMER] = "timer_late",
                                          [LOAD_DELAY_BUSY] = "loop_busy",
                                          [LOAD_DELAY_NO_CONNECTION] = "no_free_connection",
                                          [LOAD_DELAY_BLOCKED] = "send_blocked"};
static const struct codec_words delays = CODEC_WORDS(delay_names);
_Static_assert(CODEC_COUNT(delay_names) == LOAD_DELAY_COUNT, "one word for each cause");

static const char *const limit_names[] = {
    [LOAD_LIMIT_NONE] = "none",    [LOAD_LIMIT_LATENESS] = "lateness",
    [LOAD_LIMIT_PORTS] = "ports",  [LOAD_LIMIT_CONNECTIONS] = "connections",
    [LOAD_LIMIT_CPU] = "cpu",      [LOAD_LIMIT_LOOP] = "loop",
    [LOAD_LIMIT_WORKER] = "worker"};
static const struct codec_words limits = CODEC_WORDS(limit_names);

static const char *const failure_names[] = {
    [LOAD_FAIL_CONNECT] = "connect",       [LOAD_FAIL_TIMEOUT] = "timeout",
    [LOAD_FAIL_RESET] = "reset",           [LOAD_FAIL_PROTOCOL] = "protocol",
    [LOAD_FAIL_HTTP_4XX] = "http_4xx",     [LOAD_FAIL_HTTP_5XX] = "http_5xx",
    [LOAD_FAIL_STATUS] = "status",         [LOAD_FAIL_DNS] = "dns",
    [LOAD_FAIL_REPLY] = "error_reply",     [LOAD_FAIL_ASSERTION] = "assertion",
    [LOAD_FAIL_EXTRACTION] = "extraction", [LOAD_FAIL_TOO_LARGE] = "too_large",
    [LOAD_FAIL_INPUT] = "input",
};
_Static_assert(CODEC_COUNT(failure_names) == LOAD_FAIL_COUNT, "one word for each failure");
static const struct codec_words failures = {
    .names = failure_names, .count = LOAD_FAIL_COUNT, .early = LOAD_FAIL_DNS};

static const char *const cause_names[] = {
    [LOAD_CAUSE_REFUSED] = "refused",
    [LOAD_CAUSE_UNREACHABLE] = "unreachable",
    [LOAD_CAUSE_CONNECT_TIMEOUT] = "connect_timeout",
    [LOAD_CAUSE_CONNECT_RESET] = "connect_reset",
    [LOAD_CAUSE_NO_PORT] = "no_port",
    [LOAD_CAUSE_NO_DESCRIPTOR] = "no_descriptor",
    [LOAD_CAUSE_TLS] = "tls",
    [LOAD_CAUSE_OTHER] = "other",
    [LOAD_CAUSE_SILENT] = "silent",
    [LOAD_CAUSE_STALLED] = "stalled",
    [LOAD_CAUSE_RESET] = "reset",
    [LOAD_CAUSE_CLOSED] = "closed",
    [LOAD_CAUSE_DNS] = "dns",
    [LOAD_CAUSE_PROXY] = "proxy",
    [LOAD_CAUSE_NOT_HTTP2] = "not_http2",
    [LOAD_CAUSE_REPLY] = "error_reply",
    [LOAD_CAUSE_SESSION] = "session",
    [LOAD_CAUSE_BEHIND] = "behind",
    [LOAD_CAUSE_GOAWAY] = "goaway",
    [LOAD_CAUSE_REFUSED_STREAM] = "refused_stream",
    [LOAD_CAUSE_STREAM_RESET] = "stream_reset",
    [LOAD_CAUSE_UNUSABLE] = "unusable",
};
_Static_assert(CODEC_COUNT(cause_names) == LOAD_CAUSE_COUNT, "one word for each cause");
static const struct codec_words causes = {
    .names = cause_names, .count = LOAD_CAUSE_COUNT, .early = LOAD_CAUSE_DNS};

#define AT(member) .offset = offsetof(struct load_target, member)
static const struct codec_field target_fields[] = {
    {.key = "address", .type = CODEC_TEXT, .form = FORM_NAME, AT(address)},
    {.key = "port", .type = CODEC_U16, .min = 1, AT(port)},
};
#undef AT
const struct codec_shape model_load_target_shape = {
    .name = "target", .size = sizeof(struct load_target), CODEC_FIELDS(target_fields)};

#define AT(member) .offset = offsetof(struct load_route, member)
static const struct codec_field route_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "method", .type = CODEC_TEXT, .form = FORM_METHOD, AT(method)},
    {.key = "path", .type = CODEC_TEXT, .form = FORM_PATH, AT(path)},
    {.key = "body", .type = CODEC_TEXT_OR_NULL, AT(body)},
    {.key = "bodyFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(body_file)},
    {.key = "headers",
     .type = CODEC_TEXTS,
     .form = FORM_LINE,
     AT(headers),
     .count_offset = offsetof(struct load_route, header_count)},
    {.key = "weight", .type = CODEC_U32, .min = 1, AT(weight)},
    {.key = "params",
     .type = CODEC_TEXTS,
     .optional = true,
     AT(params),
     .count_offset = offsetof(struct load_route, param_count)},
    {.key = "key", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(key)},
    {.key = "exchange", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(exchange)},
    {.key = "persistent", .type = CODEC_BOOL, .optional = true, AT(persistent)},
    {.key = "queue", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(queue)},
    {.key = "consume", .type = CODEC_BOOL, .optional = true, AT(consume)},
    {.key = "until", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(until)},
    {.key = "answerBytes", .type = CODEC_U64, .optional = true, AT(answer_bytes)},
};
#undef AT
static const struct codec_shape route_shape = {
    .name = "route", .size = sizeof(struct load_route), CODEC_FIELDS(route_fields)};

#define AT(member) .offset = offsetof(struct load_stage, member)
static const struct codec_field stage_fields[] = {
    {.key = "lengthNs", .type = CODEC_NS, .min = 1, AT(length)},
    {.key = "from", .type = CODEC_REAL, AT(from)},
    {.key = "to", .type = CODEC_REAL, AT(to)},
    {.key = "burst", .type = CODEC_U64, AT(burst)},
    {.key = "everyNs", .type = CODEC_NS, AT(every)},
};
#undef AT

static bool check_stage(const void *value, const char *where, struct base_error *err)
{
    const struct load_stage *stage = value;
    bool rates = stage->from >= 0 && stage->to >= 0;
    if (!rates || stage->from > LOAD_RATE_MAX || stage->to > LOAD_RATE_MAX)
        return base_fail(err, BASE_INVALID, "%s.from, to: expected rates of 0 to %.0f", where,
                         LOAD_RATE_MAX);
    if (stage->burst > 0 && (stage->every.ns < 1 || stage->from > 0 || stage->to > 0))
        return base_fail(err, BASE_INVALID, "%s.burst: expected with everyNs and without a rate",
                         where);
    if (stage->burst > LOAD_BURST_MAX)
        return base_fail(err, BASE_INVALID, "%s.burst: expected at most %d", where, LOAD_BURST_MAX);
    return true;
}

static const struct codec_shape stage_shape = {.name = "stage",
                                               .size = sizeof(struct load_stage),
                                               CODEC_FIELDS(stage_fields),
                                               .check = check_stage};

#define AT(member) .offset = offsetof(struct load_phase, member)
static const struct codec_field phase_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "startNs", .type = CODEC_NS, .min = 1, AT(start)},
};
#undef AT
static const struct codec_shape phase_shape = {
    .name = "phase", .size = sizeof(struct load_phase), CODEC_FIELDS(phase_fields)};

#define AT(member) .offset = offsetof(struct load_closed, member)
static const struct codec_field closed_fields[] = {
    {.key = "stages",
     .type = CODEC_OBJECTS,
     .shape = &stage_shape,
     .min = 1,
     AT(stages),
     .count_offset = offsetof(struct load_closed, stage_count)},
    {.key = "iterations", .type = CODEC_U64, AT(iterations)},
    {.key = "iterationsEach", .type = CODEC_U64, AT(each)},
    {.key = "think", .type = CODEC_WORD, .words = &thinks, AT(think)},
    {.key = "thinkANs", .type = CODEC_NS, AT(think_a)},
    {.key = "thinkBNs", .type = CODEC_NS, AT(think_b)},
};
#undef AT

static bool check_closed(const void *value, const char *where, struct base_error *err)
{
    const struct load_closed *closed = value;
    double most = 0;
    for (size_t i = 0; i < closed->stage_count; i++) {
        const struct load_stage *stage = &closed->stages[i];
        most = stage->from > most ? stage->from : most;
        most = stage->to > most ? stage->to : most;
        if (stage->burst > 0)
            return base_fail(err, BASE_INVALID, "%s.stages[%zu].burst: users come in no bursts",
                             where, i);
    }
    if (most < 1 || most > LOAD_USERS_MAX)
        return base_fail(err, BASE_INVALID, "%s.stages: expected 1 to %d users at the most", where,
                         LOAD_USERS_MAX);
    bool two = closed->think == LOAD_THINK_UNIFORM || closed->think == LOAD_THINK_LOGNORMAL;
    if (two && closed->think_b.ns < closed->think_a.ns)
        return base_fail(err, BASE_INVALID, "%s.thinkBNs: is less than thinkANs", where);
    if (closed->think == LOAD_THINK_LOGNORMAL && closed->think_a.ns < 1)
        return base_fail(err, BASE_INVALID, "%s.thinkANs: a median is more than 0", where);
    return true;
}

static const struct codec_shape closed_shape = {.name = "users",
                                                .size = sizeof(struct load_closed),
                                                CODEC_FIELDS(closed_fields),
                                                .check = check_closed};

#define AT(member) .offset = offsetof(struct load_spec, member)
static const struct codec_field tls_fields[] = {
    {.key = "serverName", .type = CODEC_TEXT, .form = FORM_LINE, AT(tls.server_name)},
    {.key = "caFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(tls.ca_file)},
    {.key = "certFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(tls.cert_file)},
    {.key = "keyFile", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(tls.key_file)},
    {.key = "insecure", .type = CODEC_BOOL, AT(tls.insecure)},
};
static const struct codec_shape tls_shape = {.name = "tls", CODEC_FIELDS(tls_fields)};

static const struct codec_field spec_fields[] = {
    {.key = "arrivals", .type = CODEC_WORD, .words = &arrivals, AT(arrivals)},
    {.key = "rate", .type = CODEC_REAL, AT(rate)},
    {.key = "stages",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &stage_shape,
     AT(stages),
     .count_offset = offsetof(struct load_spec, stage_count)},
    {.key = "replay", .type = CODEC_TEXT_OR_NULL, .optional = true, .form = FORM_LINE, AT(replay)},
    {.key = "replayUnit", .type = CODEC_WORD, .optional = true, .words = &units, AT(replay_unit)},
    {.key = "users", .type = CODEC_OBJECT, .optional = true, .shape = &closed_shape, AT(closed)},
    {.key = "durationNs", .type = CODEC_NS, .min = 1, AT(duration)},
    {.key = "connections", .type = CODEC_U32, .min = 1, AT(connections)},
    {.key = "threads", .type = CODEC_U32, AT(threads)},
    {.key = "seed", .type = CODEC_U64, AT(seed)},
    {.key = "timeoutNs", .type = CODEC_NS, .min = 1, AT(timeout)},
    {.key = "intervalNs", .type = CODEC_NS, .min = 1, AT(interval)},
    {.key = "maxLateNs", .type = CODEC_NS, .min = 1, AT(max_late)},
    {.key = "host", .type = CODEC_TEXT, .form = FORM_LINE, AT(host)},
    {.key = "targets",
     .type = CODEC_OBJECTS,
     .shape = &model_load_target_shape,
     .min = 1,
     AT(targets),
     .count_offset = offsetof(struct load_spec, target_count)},
    {.key = "routes",
     .type = CODEC_OBJECTS,
     .shape = &route_shape,
     AT(routes),
     .count_offset = offsetof(struct load_spec, route_count)},
    {.key = "firstPhase", .type = CODEC_TEXT, .form = FORM_TAG, AT(first_phase)},
    {.key = "phases",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &phase_shape,
     AT(phases),
     .count_offset = offsetof(struct load_spec, phase_count)},
    {.key = "tls", .type = CODEC_GROUP, .shape = &tls_shape},
    {.key = "sources",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .optional = true,
     AT(sources),
     .count_offset = offsetof(struct load_spec, source_count)},
    {.key = "engine", .type = CODEC_WORD, .optional = true, .words = &engines, AT(engine)},
    {.key = "protocol", .type = CODEC_WORD, .optional = true, .words = &speeches, AT(protocol)},
    {.key = "http2", .type = CODEC_BOOL, .optional = true, AT(http2)},
    {.key = "streams", .type = CODEC_U32, .optional = true, AT(streams)},
    {.key = "proxy", .type = CODEC_TEXT_OR_NULL, .optional = true, .form = FORM_LINE, AT(proxy)},
    {.key = "unixSocket",
     .type = CODEC_TEXT_OR_NULL,
     .optional = true,
     .form = FORM_LINE,
     AT(unix_socket)},
    {.key = "flows",
     .type = CODEC_OBJECTS,
     .shape = &model_flow_shape,
     .optional = true,
     AT(flows),
     .count_offset = offsetof(struct load_spec, flow_count)},
    {.key = "feeders",
     .type = CODEC_OBJECTS,
     .shape = &model_feeder_shape,
     .optional = true,
     AT(feeders),
     .count_offset = offsetof(struct load_spec, feeder_count)},
    {.key = "pipeline", .type = CODEC_U32, .optional = true, AT(pipeline)},
    {.key = "spin", .type = CODEC_BOOL, .optional = true, AT(spin)},
    {.key = "user", .type = CODEC_TEXT_OR_NULL, .optional = true, .form = FORM_LINE, AT(user)},
    {.key = "database",
     .type = CODEC_TEXT_OR_NULL,
     .optional = true,
     .form = FORM_LINE,
     AT(database)},
    {.key = "passwordFile",
     .type = CODEC_TEXT_OR_NULL,
     .optional = true,
     .form = FORM_NAME,
     AT(password_file)},
    {.key = "passwordEnv",
     .type = CODEC_TEXT_OR_NULL,
     .optional = true,
     .form = FORM_NAME,
     AT(password_env)},
};
#undef AT

static bool check_length(const struct load_spec *spec, const struct load_stage *stages,
                         size_t count, const char *where, struct base_error *err)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(sum, stages[i].length.ns, &sum))
            return base_fail(err, BASE_INVALID, "%s: the stages are too long", where);
    if (count > 0 && sum != spec->duration.ns)
        return base_fail(err, BASE_INVALID,
                         "%s: the stages last %lld ns, expected the %lld of durationNs", where,
                         (long long)sum, (long long)spec->duration.ns);
    return true;
}

/* One of four says when requests are due. */
static bool check_source(const struct load_spec *spec, const char *where, struct base_error *err)
{
    bool has_rate = spec->rate > 0 && spec->rate <= LOAD_RATE_MAX;
    int sources = (spec->rate != 0) + (spec->stage_count > 0) + (spec->replay != NULL) +
                  (spec->closed.stage_count > 0);
    if (spec->rate != 0 && !has_rate)
        return base_fail(err, BASE_INVALID, "%s.rate: expected more than 0, at most %.0f", where,
                         LOAD_RATE_MAX);
    if (sources != 1)
        return base_fail(err, BASE_INVALID,
                         "%s: expected exactly one of rate, stages, replay and users", where);
    return check_length(spec, spec->stages, spec->stage_count, where, err) &&
           check_length(spec, spec->closed.stages, spec->closed.stage_count, where, err);
}

/* Tags must be told apart: those of the routes, and those of the flows' steps. */
static bool check_routes(const struct load_spec *spec, const char *where, struct base_error *err)
{
    if (spec->route_count + spec->flow_count == 0)
        return base_fail(err, BASE_INVALID, "%s.routes: expected at least one, or a flow", where);
    for (size_t i = 0; i < spec->route_count; i++) {
        for (uint32_t k = 0; k < load_spec_routes(spec); k++) {
            BASE_AUTO_FREE char *other = load_spec_route_name(spec, k);
            if (k != i && base_str_eq(spec->routes[i].name, other))
                return base_fail(err, BASE_INVALID, "%s.routes[%zu].name: \"%s\" is taken", where,
                                 i, spec->routes[i].name);
        }
    }
    return true;
}

static bool check_phases(const struct load_spec *spec, const char *where, struct base_error *err)
{
    for (size_t i = 1; i < spec->phase_count; i++)
        if (spec->phases[i].start.ns <= spec->phases[i - 1].start.ns)
            return base_fail(err, BASE_INVALID,
                             "%s.phases[%zu].startNs: expected later than the phase before it",
                             where, i);
    return true;
}

static bool check_spec(const void *value, const char *where, struct base_error *err)
{
    const struct load_spec *spec = value;
    if (!check_source(spec, where, err) || !check_phases(spec, where, err))
        return false;
    if (spec->threads > spec->connections)
        return base_fail(err, BASE_INVALID, "%s.threads: %u are more than the %u connections",
                         where, spec->threads, spec->connections);
    if ((spec->tls.cert_file == NULL) != (spec->tls.key_file == NULL))
        return base_fail(err, BASE_INVALID, "%s.tls: a client has certFile and keyFile, or neither",
                         where);
    const char *conflict = load_spec_engine_conflict(spec);
    if (conflict != NULL)
        return base_fail(err, BASE_INVALID, "%s: %s", where, conflict);
    return check_routes(spec, where, err) && model_flows_good(spec, where, err);
}

const struct codec_shape model_load_spec_shape = {.name = "load",
                                                  .size = sizeof(struct load_spec),
                                                  CODEC_FIELDS(spec_fields),
                                                  .check = check_spec};

#define AT(member) .offset = offsetof(struct load_counts, member)
static const struct codec_field counts_fields[] = {
    {.key = "intended", .type = CODEC_U64, AT(intended)},
    {.key = "sent", .type = CODEC_U64, AT(sent)},
    {.key = "ok", .type = CODEC_U64, AT(ok)},
    {.key = "failed", .type = CODEC_COUNTS, .words = &failures, AT(failed)},
    {.key = "causes", .type = CODEC_COUNTS, .words = &causes, .optional = true, AT(causes)},
    {.key = "missed", .type = CODEC_U64, AT(missed)},
    {.key = "bytesIn", .type = CODEC_U64, AT(bytes_in)},
    {.key = "bytesOut", .type = CODEC_U64, AT(bytes_out)},
    {.key = "skipped", .type = CODEC_U64, .optional = true, AT(skipped)},
};
#undef AT
static const struct codec_shape counts_shape = {
    .name = "counts", .size = sizeof(struct load_counts), CODEC_FIELDS(counts_fields)};

#define AT(member) .offset = offsetof(struct load_part, member)
static const struct codec_field part_fields[] = {
    {.key = "phase", .type = CODEC_TEXT, .form = FORM_TAG, AT(phase)},
    {.key = "route", .type = CODEC_TEXT, .form = FORM_TAG, AT(route)},
    {.key = "counts", .type = CODEC_OBJECT, .shape = &counts_shape, AT(counts)},
};
#undef AT
static const struct codec_shape part_shape = {
    .name = "part", .size = sizeof(struct load_part), CODEC_FIELDS(part_fields)};

#define AT(member) .offset = offsetof(struct load_interval, member)
static const struct codec_field interval_fields[] = {
    {.key = "startNs", .type = CODEC_NS, AT(start)},
    {.key = "startMonoNs", .type = CODEC_NS, AT(start_mono)},
    {.key = "lengthNs", .type = CODEC_NS, AT(length)},
    {.key = "phase", .type = CODEC_TEXT, .form = FORM_TAG, AT(phase)},
    {.key = "counts", .type = CODEC_OBJECT, .shape = &counts_shape, AT(counts)},
    {.key = "inFlight", .type = CODEC_U64, AT(in_flight)},
    {.key = "p50Ns", .type = CODEC_NS, AT(p50)},
    {.key = "p99Ns", .type = CODEC_NS, AT(p99)},
    {.key = "maxNs", .type = CODEC_NS, AT(max)},
    {.key = "lateP99Ns", .type = CODEC_NS, AT(late_p99)},
    {.key = "parts",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &part_shape,
     AT(parts),
     .count_offset = offsetof(struct load_interval, part_count)},
};
#undef AT
static const struct codec_shape interval_shape = {
    .name = "interval", .size = sizeof(struct load_interval), CODEC_FIELDS(interval_fields)};

#define AT(member) .offset = offsetof(struct load_lateness, member)
static const struct codec_field lateness_fields[] = {
    {.key = "cause", .type = CODEC_WORD, .words = &delays, AT(cause)},
    {.key = "count", .type = CODEC_U64, AT(count)},
    {.key = "p50Ns", .type = CODEC_NS, AT(p50)},
    {.key = "p99Ns", .type = CODEC_NS, AT(p99)},
    {.key = "maxNs", .type = CODEC_NS, AT(max)},
    {.key = "histogram", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(histogram)},
};
#undef AT
static const struct codec_shape lateness_shape = {
    .name = "lateness", .size = sizeof(struct load_lateness), CODEC_FIELDS(lateness_fields)};

#define AT(member) .offset = offsetof(struct load_thread, member)
static const struct codec_field thread_fields[] = {
    {.key = "spanNs", .type = CODEC_NS, AT(span)},
    {.key = "cpuNs", .type = CODEC_NS, AT(cpu)},
    {.key = "waitedNs", .type = CODEC_NS, AT(waited)},
};
#undef AT
static const struct codec_shape thread_shape = {
    .name = "thread", .size = sizeof(struct load_thread), CODEC_FIELDS(thread_fields)};

#define AT(member) .offset = offsetof(struct load_result, member)
static const struct codec_field tls_result_fields[] = {
    {.key = "verified", .type = CODEC_TEXT, AT(tls.verified)},
    {.key = "protocol", .type = CODEC_TEXT_OR_NULL, AT(tls.protocol)},
    {.key = "handshakes", .type = CODEC_U64, AT(tls.handshakes)},
    {.key = "resumed", .type = CODEC_U64, AT(tls.resumed)},
};
static const struct codec_shape tls_result_shape = {.name = "tls", CODEC_FIELDS(tls_result_fields)};

static const struct codec_field result_fields[] = {
    {.key = "complete", .type = CODEC_BOOL, AT(complete)},
    {.key = "startNs", .type = CODEC_NS, AT(start)},
    {.key = "endNs", .type = CODEC_NS, AT(end)},
    {.key = "startMonoNs", .type = CODEC_NS, AT(start_mono)},
    {.key = "endMonoNs", .type = CODEC_NS, AT(end_mono)},
    {.key = "scheduledNs", .type = CODEC_NS, AT(scheduled)},
    {.key = "total", .type = CODEC_OBJECT, .shape = &counts_shape, AT(total)},
    {.key = "parts",
     .type = CODEC_OBJECTS,
     .shape = &part_shape,
     AT(parts),
     .count_offset = offsetof(struct load_result, part_count)},
    {.key = "intervals",
     .type = CODEC_OBJECTS,
     .shape = &interval_shape,
     AT(intervals),
     .count_offset = offsetof(struct load_result, interval_count)},
    {.key = "clientLimited", .type = CODEC_BOOL, AT(client_limited)},
    {.key = "clientLimitedWhy", .type = CODEC_TEXT_OR_NULL, AT(client_limited_why)},
    {.key = "cpuNs", .type = CODEC_NS, AT(cpu)},
    {.key = "clientLimitedBy",
     .type = CODEC_WORD,
     .optional = true,
     .words = &limits,
     AT(client_limited_by)},
    {.key = "lateness",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &lateness_shape,
     AT(lateness),
     .count_offset = offsetof(struct load_result, lateness_count)},
    {.key = "threads",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &thread_shape,
     AT(threads),
     .count_offset = offsetof(struct load_result, thread_count)},
    {.key = "tls", .type = CODEC_GROUP, .shape = &tls_result_shape},
    {.key = "notes",
     .type = CODEC_TEXTS,
     .optional = true,
     AT(notes),
     .count_offset = offsetof(struct load_result, note_count)},
    {.key = "once",
     .type = CODEC_OBJECTS,
     .optional = true,
     .shape = &model_once_shape,
     AT(once),
     .count_offset = offsetof(struct load_result, once_count)},
};
#undef AT
static const struct codec_shape result_shape = {.name = "load result",
                                                .size = sizeof(struct load_result),
                                                .version = 1,
                                                CODEC_FIELDS(result_fields)};

bool load_spec_from_json(const json_t *json, struct load_spec *out, struct base_error *err)
{
    return codec_decode(&model_load_spec_shape, json, "load", out, err);
}

json_t *load_spec_to_json(const struct load_spec *spec)
{
    return codec_encode(&model_load_spec_shape, spec);
}

void load_spec_fini(struct load_spec *spec)
{
    codec_fini(&model_load_spec_shape, spec);
}

bool load_interval_from_json(const json_t *json, struct load_interval *out, struct base_error *err)
{
    return codec_decode(&interval_shape, json, "interval", out, err);
}

json_t *load_interval_to_json(const struct load_interval *interval)
{
    return codec_encode(&interval_shape, interval);
}

void load_interval_fini(struct load_interval *interval)
{
    codec_fini(&interval_shape, interval);
}

bool load_result_from_json(const json_t *json, struct load_result *out, struct base_error *err)
{
    return codec_decode(&result_shape, json, "load result", out, err);
}

json_t *load_result_to_json(const struct load_result *result)
{
    return codec_encode(&result_shape, result);
}

void load_result_fini(struct load_result *result)
{
    codec_fini(&result_shape, result);
}

json_t *load_counts_to_json(const struct load_counts *counts)
{
    return codec_encode(&counts_shape, counts);
}

void load_counts_add(struct load_counts *sum, const struct load_counts *counts)
{
    sum->intended += counts->intended;
    sum->sent += counts->sent;
    sum->ok += counts->ok;
    for (size_t i = 0; i < LOAD_FAIL_COUNT; i++)
        sum->failed[i] += counts->failed[i];
    for (size_t i = 0; i < LOAD_CAUSE_COUNT; i++)
        sum->causes[i] += counts->causes[i];
    sum->missed += counts->missed;
    sum->bytes_in += counts->bytes_in;
    sum->bytes_out += counts->bytes_out;
    sum->skipped += counts->skipped;
}

void load_thread_add(struct load_thread *sum, const struct load_thread *thread)
{
    sum->span.ns += thread->span.ns;
    sum->cpu.ns += thread->cpu.ns;
    sum->waited.ns += thread->waited.ns;
}

uint64_t load_counts_failed(const struct load_counts *counts)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < LOAD_FAIL_COUNT; i++)
        failed += counts->failed[i];
    return failed;
}

uint64_t load_counts_answered(const struct load_counts *counts)
{
    static const enum load_failure answers[] = {LOAD_FAIL_HTTP_4XX, LOAD_FAIL_STATUS,
                                                LOAD_FAIL_ASSERTION, LOAD_FAIL_EXTRACTION,
                                                LOAD_FAIL_TOO_LARGE};
    uint64_t answered = counts->ok;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        answered += counts->failed[answers[i]];
    return answered;
}

uint64_t load_counts_unserved(const struct load_counts *counts)
{
    return load_counts_failed(counts) + counts->ok - load_counts_answered(counts) -
           counts->failed[LOAD_FAIL_INPUT];
}

uint64_t load_counts_delivered(const struct load_counts *counts)
{
    return counts->sent - counts->failed[LOAD_FAIL_CONNECT] - counts->failed[LOAD_FAIL_DNS] -
           counts->failed[LOAD_FAIL_INPUT];
}

const char *load_failure_name(enum load_failure failure)
{
    return codec_word(&failures, failure);
}

const char *load_cause_name(enum load_cause cause)
{
    return codec_word(&causes, cause);
}

enum load_failure load_cause_failure(enum load_cause cause)
{
    if (cause == LOAD_CAUSE_SILENT || cause == LOAD_CAUSE_STALLED)
        return LOAD_FAIL_TIMEOUT;
    if (cause == LOAD_CAUSE_RESET || cause == LOAD_CAUSE_CLOSED || cause == LOAD_CAUSE_BEHIND ||
        (cause >= LOAD_CAUSE_GOAWAY && cause <= LOAD_CAUSE_STREAM_RESET))
        return LOAD_FAIL_RESET;
    if (cause == LOAD_CAUSE_DNS)
        return LOAD_FAIL_DNS;
    if (cause == LOAD_CAUSE_REPLY)
        return LOAD_FAIL_REPLY;
    return LOAD_FAIL_CONNECT;
}

const char *load_arrivals_name(enum load_arrivals value)
{
    return codec_word(&arrivals, value);
}

const char *load_delay_name(enum load_delay value)
{
    return codec_word(&delays, value);
}

const char *load_think_name(enum load_think value)
{
    return codec_word(&thinks, value);
}

bool load_engine_parse(const char *word, enum load_engine *out)
{
    size_t value;
    if (!codec_word_parse(&engines, word, &value))
        return false;
    *out = (enum load_engine)value;
    return true;
}

const char *load_speech_name(enum load_speech value)
{
    return codec_word(&speeches, value);
}

bool load_unit_parse(const char *word, enum load_unit *out)
{
    size_t value;
    if (!codec_word_parse(&units, word, &value))
        return false;
    *out = (enum load_unit)value;
    return true;
}

bool load_arrivals_parse(const char *word, enum load_arrivals *out)
{
    size_t value;
    if (!codec_word_parse(&arrivals, word, &value))
        return false;
    *out = (enum load_arrivals)value;
    return true;
}
