/* SPDX-License-Identifier: Apache-2.0 */
#include "model/fault.h"

#include <string.h>

#include "base/text.h"
#include "shapes.h"

static const char *const kind_names[] = {
    [FAULT_KILL] = "kill",
    [FAULT_PARTITION] = "partition",
    [FAULT_APP] = "app",
    [FAULT_PAUSE] = "pause",
    [FAULT_CPU] = "cpu",
    [FAULT_MEMORY] = "memory",
    [FAULT_NETWORK] = "network",
    [FAULT_DISK_FILL] = "diskFill",
    [FAULT_LIMITS] = "limits",
    [FAULT_TCP] = "tcp",
    [FAULT_HTTP] = "http",
    [FAULT_DNS] = "dns",
    [FAULT_POSTGRES] = "postgres",
    [FAULT_REDIS] = "redis",
    [FAULT_IO] = "io",
    [FAULT_IO_THROTTLE] = "ioThrottle",
    [FAULT_RABBITMQ] = "rabbitmq",
    [FAULT_NODE] = "node",
};
static const struct codec_words kinds = CODEC_WORDS(kind_names);

static const char *const kill_by_names[] = {
    [FAULT_KILL_SIGNAL] = "signal", [FAULT_KILL_DELETE] = "delete", [FAULT_KILL_EVICT] = "evict"};
static const struct codec_words kill_bys = CODEC_WORDS(kill_by_names);

static const char *const action_names[] = {
    [FAULT_DROP] = "drop", [FAULT_REJECT] = "reject", [FAULT_RESET] = "tcp-reset"};
static const struct codec_words actions = CODEC_WORDS(action_names);

static const char *const direction_names[] = {
    [FAULT_BOTH] = "both", [FAULT_INGRESS] = "ingress", [FAULT_EGRESS] = "egress"};
const struct codec_words model_directions = CODEC_WORDS(direction_names);

static const char *const side_names[] = {
    [FAULT_INBOUND] = "inbound", [FAULT_OUTBOUND] = "outbound"};
static const struct codec_words sides = CODEC_WORDS(side_names);

static const char *const toxic_names[] = {
    [FAULT_TOXIC_LATENCY] = "latency",       [FAULT_TOXIC_SLICER] = "slicer",
    [FAULT_TOXIC_LIMIT_DATA] = "limitData",  [FAULT_TOXIC_RESET_BYTES] = "resetAfterBytes",
    [FAULT_TOXIC_RESET_TIME] = "resetAfter", [FAULT_TOXIC_TIMEOUT] = "timeout",
    [FAULT_TOXIC_SLOW_CLOSE] = "slowClose",
};
static const struct codec_words toxics = CODEC_WORDS(toxic_names);

static const char *const http_action_names[] = {
    [FAULT_HTTP_ABORT] = "abort",        [FAULT_HTTP_DELAY] = "delay",
    [FAULT_HTTP_SLOW_BODY] = "slowBody", [FAULT_HTTP_TRUNCATE] = "truncate",
    [FAULT_HTTP_PATCH] = "patch",        [FAULT_HTTP_PATCH_REQUEST] = "patchRequest",
};
static const struct codec_words http_actions = CODEC_WORDS(http_action_names);

static const char *const dns_answer_names[] = {
    [FAULT_DNS_NXDOMAIN] = "nxdomain",
    [FAULT_DNS_SERVFAIL] = "servfail",
    [FAULT_DNS_TIMEOUT] = "timeout",
    [FAULT_DNS_ADDRESS] = "address",
};
static const struct codec_words dns_answers = CODEC_WORDS(dns_answer_names);

static const char *const node_action_names[] = {
    [FAULT_NODE_CORDON] = "cordon", [FAULT_NODE_DRAIN] = "drain"};
static const struct codec_words node_actions = CODEC_WORDS(node_action_names);

static const char *const state_names[] = {
    [FAULT_REQUESTED] = "requested", [FAULT_APPLYING] = "applying",
    [FAULT_ACTIVE] = "active",       [FAULT_INEFFECTIVE] = "ineffective",
    [FAULT_FAILED] = "failed",       [FAULT_REVERTING] = "reverting",
    [FAULT_GONE] = "gone",           [FAULT_STUCK] = "stuck",
};
static const struct codec_words states = CODEC_WORDS(state_names);

static const char *const end_names[] = {
    [FAULT_END_NONE] = "none",       [FAULT_END_EXPIRED] = "expired",
    [FAULT_END_REQUEST] = "request", [FAULT_END_LEASE] = "lease",
    [FAULT_END_HALT] = "halt",       [FAULT_END_RECOVERY] = "recovery",
    [FAULT_END_FAILED] = "failed",
};
static const struct codec_words ends = CODEC_WORDS(end_names);

#define AT(member) .offset = offsetof(struct fault_spec, member)
static const struct codec_field kill_fields[] = {
    {.key = "signal", .type = CODEC_INT, .max = 64, AT(kill.signal)},
    {.key = "restartWithinNs", .type = CODEC_NS, .min = 1, AT(kill.restart_within)},
    {.key = "graceNs", .type = CODEC_NS, AT(kill.grace)},
    {.key = "everyNs", .type = CODEC_NS, AT(kill.every)},
    {.key = "by", .type = CODEC_WORD, .words = &kill_bys, .optional = true, AT(kill.by)},
    {.key = "force", .type = CODEC_BOOL, .optional = true, AT(kill.force)},
};
static bool check_kill(const void *value, const char *where, struct base_error *err)
{
    return fault_kill_check(value, err) || base_fail_context(err, "%s", where);
}
static const struct codec_field partition_fields[] = {
    {.key = "peers",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .min = 1,
     AT(partition.peers),
     .count_offset = offsetof(struct fault_spec, partition.peer_count)},
    {.key = "action", .type = CODEC_WORD, .words = &actions, AT(partition.action)},
    {.key = "direction", .type = CODEC_WORD, .words = &model_directions, AT(partition.direction)},
    {.key = "ports",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .optional = true,
     AT(partition.ports),
     .count_offset = offsetof(struct fault_spec, partition.port_count)},
    {.key = "protocol",
     .type = CODEC_WORD,
     .words = &model_protocols,
     .optional = true,
     AT(partition.protocol)},
};
/* It is shown by TCP connects or UDP datagrams, which do not see ICMP. */
static bool check_partition(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    bool ok = spec->partition.protocol != FAULT_PROTOCOL_ICMP ||
              base_fail(err, BASE_INVALID, "protocol: expected any, tcp or udp");
    if (ok && spec->partition.action == FAULT_RESET)
        ok = spec->partition.protocol != FAULT_PROTOCOL_UDP ||
             base_fail(err, BASE_INVALID,
                       "protocol: action tcp-reset is about TCP, use drop for udp");
    return (ok && model_ports_good(spec->partition.ports, spec->partition.port_count, err)) ||
           base_fail_context(err, "%s", where);
}

static const struct codec_field cpu_fields[] = {
    {.key = "workers", .type = CODEC_INT, .min = 1, .max = 64, AT(cpu.workers)},
    {.key = "load", .type = CODEC_REAL, .range = RANGE_SHARE, AT(cpu.load)},
};
static const struct codec_field memory_fields[] = {
    {.key = "bytes", .type = CODEC_I64, .max = INT64_C(1) << 50, AT(memory.bytes)},
    {.key = "percent", .type = CODEC_REAL, .range = RANGE_SHARE, AT(memory.percent)},
    {.key = "rate", .type = CODEC_I64, .min = 1, .max = INT64_C(1) << 50, AT(memory.rate)},
};
static const struct codec_field disk_fields[] = {
    {.key = "path", .type = CODEC_TEXT, .form = FORM_LINE, AT(disk.path)},
    {.key = "bytes", .type = CODEC_I64, .max = INT64_C(1) << 50, AT(disk.bytes)},
    {.key = "left", .type = CODEC_REAL, .range = RANGE_SHARE, AT(disk.left)},
};
static const struct codec_field limits_fields[] = {
    {.key = "files", .type = CODEC_I64, .min = -1, .max = INT32_MAX, AT(limits.files)},
    {.key = "pids", .type = CODEC_I64, .min = -1, .max = INT32_MAX, AT(limits.pids)},
    {.key = "filesShare",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     AT(limits.files_share)},
    {.key = "pidsShare",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     AT(limits.pids_share)},
};
static bool check_limits(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    bool twice = spec->limits.files >= 0 && spec->limits.files_share > 0.0;
    if (!twice && (spec->limits.pids < 0 || spec->limits.pids_share <= 0.0))
        return true;
    return base_fail(err, BASE_INVALID,
                     "%s: %s and %sShare: expected a number or a share, not both", where,
                     twice ? "files" : "pids", twice ? "files" : "pids");
}
/* The arguments name members, which take no parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
/* Which connections: the first fields of every fault of a proxy. */
#define ROUTE_FIELDS(kind)                                                                         \
    {.key = "direction", .type = CODEC_WORD, .words = &sides, AT(kind.route.side)},                \
        {.key = "peers",                                                                           \
         .type = CODEC_TEXTS,                                                                      \
         .form = FORM_NAME,                                                                        \
         AT(kind.route.peers),                                                                     \
         .count_offset = offsetof(struct fault_spec, kind.route.peer_count)},                      \
    {                                                                                              \
        .key = "ports", .type = CODEC_TEXTS, .form = FORM_NAME, AT(kind.route.ports),              \
        .count_offset = offsetof(struct fault_spec, kind.route.port_count)                         \
    }
static const struct codec_field tcp_fields[] = {
    ROUTE_FIELDS(tcp),
    {.key = "toxic", .type = CODEC_WORD, .words = &toxics, AT(tcp.toxic)},
    {.key = "bytes", .type = CODEC_U64, AT(tcp.bytes)},
    {.key = "timeNs", .type = CODEC_NS, AT(tcp.time)},
    {.key = "jitterNs", .type = CODEC_NS, AT(tcp.jitter)},
    {.key = "share", .type = CODEC_REAL, .range = RANGE_SHARE, AT(tcp.share)},
    {.key = "seed", .type = CODEC_U64, AT(tcp.seed)},
};
#define TEXTS_FIELD(word, member)                                                                  \
    {                                                                                              \
        .key = (word), .type = CODEC_TEXTS, .form = FORM_LINE, AT(http.member.list),               \
        .count_offset = offsetof(struct fault_spec, http.member.count)                             \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
static const struct codec_field http_fields[] = {
    ROUTE_FIELDS(http),
    {.key = "method", .type = CODEC_TEXT_OR_NULL, .form = FORM_METHOD, AT(http.method)},
    {.key = "path", .type = CODEC_TEXT_OR_NULL, .form = FORM_PATH, AT(http.path)},
    {.key = "pathPrefix", .type = CODEC_TEXT_OR_NULL, .form = FORM_PATH, AT(http.path_prefix)},
    TEXTS_FIELD("headers", headers),
    {.key = "share", .type = CODEC_REAL, .range = RANGE_SHARE, AT(http.share)},
    {.key = "seed", .type = CODEC_U64, AT(http.seed)},
    {.key = "action", .type = CODEC_WORD, .words = &http_actions, AT(http.action)},
    {.key = "status", .type = CODEC_INT, .max = 599, AT(http.status)},
    {.key = "body", .type = CODEC_TEXT_OR_NULL, AT(http.body)},
    {.key = "timeNs", .type = CODEC_NS, AT(http.time)},
    {.key = "jitterNs", .type = CODEC_NS, AT(http.jitter)},
    {.key = "bytes", .type = CODEC_U64, AT(http.bytes)},
    TEXTS_FIELD("set", set),
    TEXTS_FIELD("remove", remove),
};
static const struct codec_field dns_fields[] = {
    {.key = "names",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .min = 1,
     AT(dns.names.list),
     .count_offset = offsetof(struct fault_spec, dns.names.count)},
    {.key = "share", .type = CODEC_REAL, .range = RANGE_SHARE, AT(dns.share)},
    {.key = "seed", .type = CODEC_U64, AT(dns.seed)},
    {.key = "answer", .type = CODEC_WORD, .words = &dns_answers, AT(dns.answer)},
    {.key = "address", .type = CODEC_TEXT_OR_NULL, AT(dns.address)},
    {.key = "server", .type = CODEC_TEXT_OR_NULL, AT(dns.server)},
};
static const struct codec_field node_fields[] = {
    {.key = "action", .type = CODEC_WORD, .words = &node_actions, AT(node.action)},
    {.key = "emptyDir", .type = CODEC_BOOL, AT(node.empty_dir)},
};
#define VARIANT(word, table)                                                                       \
    {                                                                                              \
        .name = (word), .size = sizeof(struct fault_spec), .closed = true, CODEC_FIELDS(table)     \
    }
static const struct codec_shape kill_shape = {.name = "kill",
                                              .size = sizeof(struct fault_spec),
                                              .closed = true,
                                              CODEC_FIELDS(kill_fields),
                                              .check = check_kill};
static const struct codec_shape partition_shape = {.name = "partition",
                                                   .size = sizeof(struct fault_spec),
                                                   .closed = true,
                                                   CODEC_FIELDS(partition_fields),
                                                   .check = check_partition};
static const struct codec_shape pause_shape = {
    .name = "pause", .size = sizeof(struct fault_spec), .closed = true}; /* nothing to say */
static const struct codec_shape cpu_shape = VARIANT("cpu", cpu_fields);
static const struct codec_shape memory_shape = VARIANT("memory", memory_fields);
static const struct codec_shape disk_shape = VARIANT("diskFill", disk_fields);
static const struct codec_shape limits_shape = {.name = "limits",
                                                .size = sizeof(struct fault_spec),
                                                .closed = true,
                                                CODEC_FIELDS(limits_fields),
                                                .check = check_limits};
static const struct codec_shape tcp_shape = VARIANT("tcp", tcp_fields);
static const struct codec_shape http_shape = VARIANT("http", http_fields);
static const struct codec_shape dns_shape = VARIANT("dns", dns_fields);
/* "node" is a key of the spec already: where its targets run. */
static const struct codec_shape node_shape = VARIANT("nodes", node_fields);
static const struct codec_shape *const variants[] = {
    [FAULT_KILL] = &kill_shape,
    [FAULT_PARTITION] = &partition_shape,
    [FAULT_APP] = &model_app_shape,
    [FAULT_PAUSE] = &pause_shape,
    [FAULT_CPU] = &cpu_shape,
    [FAULT_MEMORY] = &memory_shape,
    [FAULT_NETWORK] = &model_network_shape,
    [FAULT_DISK_FILL] = &disk_shape,
    [FAULT_LIMITS] = &limits_shape,
    [FAULT_TCP] = &tcp_shape,
    [FAULT_HTTP] = &http_shape,
    [FAULT_DNS] = &dns_shape,
    [FAULT_POSTGRES] = &model_postgres_shape,
    [FAULT_REDIS] = &model_redis_shape,
    [FAULT_IO] = &model_io_shape,
    [FAULT_IO_THROTTLE] = &model_throttle_shape,
    [FAULT_RABBITMQ] = &model_rabbitmq_shape,
    [FAULT_NODE] = &node_shape,
};

static const struct codec_field spec_fields[] = {
    {.key = "id", .type = CODEC_TEXT, .form = FORM_TAG, AT(id)},
    {.key = "run", .type = CODEC_TEXT, .form = FORM_TAG, AT(run)},
    {.key = "startedNs", .type = CODEC_NS, AT(started)},
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "kind", .type = CODEC_WORD, .words = &kinds, AT(kind)},
    {.key = "durationNs", .type = CODEC_NS, .min = 1, AT(duration)},
    {.key = "leaseNs", .type = CODEC_NS, .min = 1, AT(lease)},
    {.key = "maxAffected", .type = CODEC_REAL, .range = RANGE_SHARE, AT(max_affected)},
    {.key = "service", .type = CODEC_TEXT, .form = FORM_NAME, AT(service)},
    {.key = "targets",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .min = 1,
     AT(targets),
     .count_offset = offsetof(struct fault_spec, target_count)},
    {.key = "zone",
     .type = CODEC_TEXT_OR_NULL,
     .form = FORM_NAME,
     .optional = true,
     AT(where.zone)},
    {.key = "node",
     .type = CODEC_TEXT_OR_NULL,
     .form = FORM_NAME,
     .optional = true,
     AT(where.node)},
    {.key = "namespace",
     .type = CODEC_TEXT_OR_NULL,
     .form = FORM_NAME,
     .optional = true,
     AT(where.namespace)},
    {.key = "labels",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .optional = true,
     AT(where.labels),
     .count_offset = offsetof(struct fault_spec, where.label_count)},
    {.key = "track", .type = CODEC_BOOL, .optional = true, AT(track.on)},
    {.key = "trackCount", .type = CODEC_U64, .optional = true, AT(track.count)},
    {.key = "trackShare",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     AT(track.share)},
    {.key = "parent", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(parent)},
    {.type = CODEC_VARIANT,
     .variants = variants,
     .count_offset = offsetof(struct fault_spec, kind)},
};
#undef AT

const struct codec_shape model_fault_spec_shape = {
    .name = "fault", .size = sizeof(struct fault_spec), .closed = true, CODEC_FIELDS(spec_fields)};

#define AT(member) .offset = offsetof(struct fault_evidence, member)
static const struct codec_field evidence_fields[] = {
    {.key = "target", .type = CODEC_TEXT, AT(target)},
    {.key = "when", .type = CODEC_TEXT, AT(when)},
    {.key = "metric", .type = CODEC_TEXT, AT(metric)},
    {.key = "value", .type = CODEC_TEXT_OR_NULL, AT(value)},
    {.key = "expected", .type = CODEC_TEXT_OR_NULL, AT(expected)},
    {.key = "ok", .type = CODEC_BOOL, AT(ok)},
    {.key = "atNs", .type = CODEC_NS, AT(at)},
};
#undef AT
static const struct codec_shape evidence_shape = {
    .name = "evidence", .size = sizeof(struct fault_evidence), CODEC_FIELDS(evidence_fields)};

#define AT(member) .offset = offsetof(struct fault_arrival, member)
static const struct codec_field arrival_fields[] = {
    {.key = "target", .type = CODEC_TEXT, AT(target)},
    {.key = "what", .type = CODEC_TEXT, AT(what)},
    {.key = "who", .type = CODEC_TEXT_OR_NULL, AT(who)},
    {.key = "joined", .type = CODEC_BOOL, AT(joined)},
    {.key = "how", .type = CODEC_TEXT, AT(how)},
    {.key = "seenAtNs", .type = CODEC_NS, AT(seen_at)},
    {.key = "decidedAtNs", .type = CODEC_NS, AT(decided_at)},
};
#undef AT
static const struct codec_shape arrival_shape = {
    .name = "arrival", .size = sizeof(struct fault_arrival), CODEC_FIELDS(arrival_fields)};

#define AT(member) .offset = offsetof(struct fault_record, member)
static const struct codec_field record_fields[] = {
    {.key = "id", .type = CODEC_TEXT, .form = FORM_TAG, AT(id)},
    {.key = "run", .type = CODEC_TEXT, .form = FORM_TAG, AT(run)},
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "kind", .type = CODEC_WORD, .words = &kinds, AT(kind)},
    {.key = "targets",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     AT(targets),
     .count_offset = offsetof(struct fault_record, target_count)},
    {.key = "state", .type = CODEC_WORD, .words = &states, AT(state)},
    {.key = "end", .type = CODEC_WORD, .words = &ends, AT(end)},
    {.key = "wasActive", .type = CODEC_BOOL, AT(was_active)},
    {.key = "error", .type = CODEC_TEXT_OR_NULL, AT(error)},
    {.key = "requestedAtNs", .type = CODEC_NS, AT(requested_at)},
    {.key = "appliedAtNs", .type = CODEC_NS, AT(applied_at)},
    {.key = "verifiedAtNs", .type = CODEC_NS, AT(verified_at)},
    {.key = "revertedAtNs", .type = CODEC_NS, AT(reverted_at)},
    {.key = "goneAtNs", .type = CODEC_NS, AT(gone_at)},
    {.key = "expiresAtNs", .type = CODEC_NS, AT(expires_at)},
    {.key = "evidence",
     .type = CODEC_OBJECTS,
     .shape = &evidence_shape,
     AT(evidence),
     .count_offset = offsetof(struct fault_record, evidence_count)},
    {.key = "arrivals",
     .type = CODEC_OBJECTS,
     .shape = &arrival_shape,
     .optional = true,
     AT(arrivals),
     .count_offset = offsetof(struct fault_record, arrival_count)},
};
#undef AT
static const struct codec_shape record_shape = {
    .name = "fault record", .size = sizeof(struct fault_record), CODEC_FIELDS(record_fields)};

bool fault_spec_from_json(const json_t *json, struct fault_spec *out, struct base_error *err)
{
    return codec_decode(&model_fault_spec_shape, json, "fault", out, err);
}

json_t *fault_spec_to_json(const struct fault_spec *spec)
{
    return codec_encode(&model_fault_spec_shape, spec);
}

void fault_spec_copy(struct fault_spec *out, const struct fault_spec *spec)
{
    codec_copy(&model_fault_spec_shape, out, spec);
}

void fault_spec_fini(struct fault_spec *spec)
{
    codec_fini(&model_fault_spec_shape, spec);
}

bool fault_record_from_json(const json_t *json, struct fault_record *out, struct base_error *err)
{
    return codec_decode(&record_shape, json, record_shape.name, out, err);
}

json_t *fault_record_to_json(const struct fault_record *record)
{
    return codec_encode(&record_shape, record);
}

void fault_record_fini(struct fault_record *record)
{
    codec_fini(&record_shape, record);
}

void fault_record_add_evidence(struct fault_record *record, const char *target, const char *when,
                               const char *metric, const char *value, const char *expected, bool ok,
                               struct wall_ns at)
{
    record->evidence =
        base_reallocarray(record->evidence, record->evidence_count + 1, sizeof *record->evidence);
    record->evidence[record->evidence_count++] = (struct fault_evidence){
        .target = base_str_dup(target),
        .when = base_str_dup(when),
        .metric = base_str_dup(metric),
        .value = base_str_dup(value),
        .expected = base_str_dup(expected),
        .ok = ok,
        .at = at,
    };
}

void fault_record_add_arrival(struct fault_record *record, const struct fault_arrival *arrival)
{
    record->arrivals =
        base_reallocarray(record->arrivals, record->arrival_count + 1, sizeof *record->arrivals);
    codec_copy(&arrival_shape, &record->arrivals[record->arrival_count++], arrival);
}

void fault_record_add_target(struct fault_record *record, const char *target)
{
    for (size_t i = 0; i < record->target_count; i++)
        if (base_str_eq(record->targets[i], target))
            return;
    record->targets =
        base_reallocarray(record->targets, record->target_count + 1, sizeof *record->targets);
    record->targets[record->target_count++] = base_str_dup(target);
}

const char *fault_track_refused(enum fault_kind kind)
{
    static const char of_a_store[] = "it is in force at the server that it was told to; let it "
                                     "come back with \"repeat\"";
    switch (kind) {
    case FAULT_KILL:
        return "what comes back is what a kill waits for; \"every\" kills that, too";
    case FAULT_DISK_FILL:
        return "it fills a file system, whoever lives there";
    case FAULT_POSTGRES:
    case FAULT_REDIS:
    case FAULT_RABBITMQ:
        return of_a_store;
    case FAULT_NODE:
        return "a node is marked once, whoever comes to it";
    default:
        return NULL;
    }
}

bool fault_is_of_pod(const struct fault_spec *spec)
{
    return spec->kind == FAULT_KILL && spec->kill.by != FAULT_KILL_SIGNAL;
}

bool fault_is_slow_disk(const struct fault_spec *spec)
{
    return spec->kind == FAULT_POSTGRES && spec->postgres.action == FAULT_POSTGRES_SLOW_DISK;
}

bool fault_drains(const struct fault_spec *spec, const struct topo *topo,
                  const struct topo_instance *instance)
{
    if (spec->kind != FAULT_NODE || spec->node.action != FAULT_NODE_DRAIN || instance->node == NULL)
        return false;
    for (size_t i = 0; i < spec->target_count; i++) {
        const struct topo_instance *target = topo_find_instance(topo, spec->targets[i], NULL);
        if (target != NULL && base_str_eq(target->node, instance->node))
            return true;
    }
    return false;
}

const char *fault_kill_by_name(enum fault_kill_by by)
{
    return codec_word(&kill_bys, by);
}

const char *fault_node_action_name(enum fault_node_action action)
{
    return codec_word(&node_actions, action);
}

bool fault_kill_check(const struct fault_spec *spec, struct base_error *err)
{
    bool pod = spec->kill.by != FAULT_KILL_SIGNAL;
    if (!pod && spec->kill.signal == 0)
        return base_fail(err, BASE_INVALID, "signal: 0 with by: signal, expected 1..64");
    if (pod && spec->kill.signal != 0)
        return base_fail(err, BASE_INVALID,
                         "signal: makes no sense with by: %s, whose pod's node sends the signals",
                         fault_kill_by_name(spec->kill.by));
    if (pod && spec->kill.every.ns > 0)
        return base_fail(err, BASE_INVALID,
                         "every: makes no sense with by: %s, for the pod in its place has another "
                         "name",
                         fault_kill_by_name(spec->kill.by));
    if (pod && spec->kill.grace.ns % BASE_NS_PER_S != 0)
        return base_fail(err, BASE_INVALID,
                         "grace: expected whole seconds with by: %s, as in Kubernetes' API",
                         fault_kill_by_name(spec->kill.by));
    if (spec->kill.force && spec->kill.by != FAULT_KILL_DELETE)
        return base_fail(err, BASE_INVALID,
                         "force: makes sense only with by: delete; what no disruption budget holds "
                         "back is by: delete, too");
    if (spec->kill.force && spec->kill.grace.ns > 0)
        return base_fail(err, BASE_INVALID, "force: is without a grace, expected one of the two");
    return true;
}

const char *fault_kind_name(enum fault_kind kind)
{
    return codec_word(&kinds, kind);
}

const char *fault_toxic_name(enum fault_toxic toxic)
{
    return codec_word(&toxics, toxic);
}

const char *fault_http_action_name(enum fault_http_action action)
{
    return codec_word(&http_actions, action);
}

const char *fault_state_name(enum fault_state state)
{
    return codec_word(&states, state);
}

const char *fault_end_name(enum fault_end end)
{
    return codec_word(&ends, end);
}

bool fault_record_ineffective(const struct fault_record *record)
{
    if (record->was_active)
        return false;
    for (size_t i = 0; i < record->evidence_count; i++) {
        const struct fault_evidence *evidence = &record->evidence[i];
        if (base_str_eq(evidence->when, "during") && !evidence->ok)
            return true;
    }
    return record->state == FAULT_INEFFECTIVE;
}

bool fault_state_final(enum fault_state state)
{
    return state == FAULT_GONE || state == FAULT_STUCK;
}
