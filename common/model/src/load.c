/* SPDX-License-Identifier: Apache-2.0 */
#include "model/load.h"

#include "base/text.h"
#include "shapes.h"

static const char *const arrivals_names[] = {
    [LOAD_POISSON] = "poisson", [LOAD_CONSTANT] = "constant"};
static const struct codec_words arrivals = CODEC_WORDS(arrivals_names);

static const char *const failure_names[] = {
    [LOAD_FAIL_CONNECT] = "connect",   [LOAD_FAIL_TIMEOUT] = "timeout",
    [LOAD_FAIL_RESET] = "reset",       [LOAD_FAIL_PROTOCOL] = "protocol",
    [LOAD_FAIL_HTTP_4XX] = "http_4xx", [LOAD_FAIL_HTTP_5XX] = "http_5xx",
    [LOAD_FAIL_STATUS] = "status",
};
_Static_assert(CODEC_COUNT(failure_names) == LOAD_FAIL_COUNT, "one word for each failure");
static const struct codec_words failures = CODEC_WORDS(failure_names);

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
};
_Static_assert(CODEC_COUNT(cause_names) == LOAD_CAUSE_COUNT, "one word for each cause");
static const struct codec_words causes = CODEC_WORDS(cause_names);

#define AT(member) .offset = offsetof(struct load_target, member)
static const struct codec_field target_fields[] = {
    {.key = "address", .type = CODEC_TEXT, .form = FORM_NAME, AT(address)},
    {.key = "port", .type = CODEC_U16, .min = 1, AT(port)},
};
#undef AT
static const struct codec_shape target_shape = {
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
};
#undef AT
static const struct codec_shape route_shape = {
    .name = "route", .size = sizeof(struct load_route), CODEC_FIELDS(route_fields)};

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
    {.key = "rate", .type = CODEC_REAL, .range = RANGE_POSITIVE, AT(rate)},
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
     .shape = &target_shape,
     .min = 1,
     AT(targets),
     .count_offset = offsetof(struct load_spec, target_count)},
    {.key = "routes",
     .type = CODEC_OBJECTS,
     .shape = &route_shape,
     .min = 1,
     AT(routes),
     .count_offset = offsetof(struct load_spec, route_count)},
    {.key = "firstPhase", .type = CODEC_TEXT, .form = FORM_TAG, AT(first_phase)},
    {.key = "tls", .type = CODEC_GROUP, .shape = &tls_shape},
    {.key = "sources",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .optional = true,
     AT(sources),
     .count_offset = offsetof(struct load_spec, source_count)},
};
#undef AT

static bool check_spec(const void *value, const char *where, struct base_error *err)
{
    const struct load_spec *spec = value;
    if (spec->threads > spec->connections)
        return base_fail(err, BASE_INVALID, "%s.threads: %u are more than the %u connections",
                         where, spec->threads, spec->connections);
    if ((spec->tls.cert_file == NULL) != (spec->tls.key_file == NULL))
        return base_fail(err, BASE_INVALID, "%s.tls: a client has certFile and keyFile, or neither",
                         where);
    for (size_t i = 0; i < spec->route_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (base_str_eq(spec->routes[i].name, spec->routes[k].name))
                return base_fail(err, BASE_INVALID, "%s.routes[%zu].name: \"%s\" is taken", where,
                                 i, spec->routes[i].name);
        }
    }
    return true;
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
};
#undef AT
static const struct codec_shape counts_shape = {
    .name = "counts", .size = sizeof(struct load_counts), CODEC_FIELDS(counts_fields)};

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
};
#undef AT
static const struct codec_shape interval_shape = {
    .name = "interval", .size = sizeof(struct load_interval), CODEC_FIELDS(interval_fields)};

#define AT(member) .offset = offsetof(struct load_part, member)
static const struct codec_field part_fields[] = {
    {.key = "phase", .type = CODEC_TEXT, .form = FORM_TAG, AT(phase)},
    {.key = "route", .type = CODEC_TEXT, .form = FORM_TAG, AT(route)},
    {.key = "counts", .type = CODEC_OBJECT, .shape = &counts_shape, AT(counts)},
};
#undef AT
static const struct codec_shape part_shape = {
    .name = "part", .size = sizeof(struct load_part), CODEC_FIELDS(part_fields)};

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
    {.key = "tls", .type = CODEC_GROUP, .shape = &tls_result_shape},
    {.key = "notes",
     .type = CODEC_TEXTS,
     .optional = true,
     AT(notes),
     .count_offset = offsetof(struct load_result, note_count)},
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
}

uint64_t load_counts_failed(const struct load_counts *counts)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < LOAD_FAIL_COUNT; i++)
        failed += counts->failed[i];
    return failed;
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
    if (cause == LOAD_CAUSE_RESET || cause == LOAD_CAUSE_CLOSED)
        return LOAD_FAIL_RESET;
    return LOAD_FAIL_CONNECT;
}

const char *load_arrivals_name(enum load_arrivals value)
{
    return codec_word(&arrivals, value);
}

bool load_arrivals_parse(const char *word, enum load_arrivals *out)
{
    size_t value;
    if (!codec_word_parse(&arrivals, word, &value))
        return false;
    *out = (enum load_arrivals)value;
    return true;
}
