/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what can be broken; a new kind of fault is a row here. */
#include <signal.h>

#include "fields_parts.h"

static const struct scn_word select_list[] = {{"one", SCN_SELECT_ONE}, {"all", SCN_SELECT_ALL}};
static const struct scn_words selects = WORDS(select_list);
static const struct scn_word signal_list[] = {
    {"SIGKILL", SIGKILL}, {"SIGTERM", SIGTERM}, {"SIGINT", SIGINT}, {"SIGQUIT", SIGQUIT},
    {"SIGABRT", SIGABRT}, {"SIGSEGV", SIGSEGV}, {"SIGHUP", SIGHUP}};
static const struct scn_words signals = WORDS(signal_list);
static const struct scn_word action_list[] = {{"drop", FAULT_DROP}, {"reject", FAULT_REJECT}};
static const struct scn_words actions = WORDS(action_list);
static const struct scn_word direction_list[] = {
    {"both", FAULT_BOTH}, {"ingress", FAULT_INGRESS}, {"egress", FAULT_EGRESS}};
static const struct scn_words directions = WORDS(direction_list);
static const struct scn_word side_list[] = {{"inbound", FAULT_INBOUND},
                                            {"outbound", FAULT_OUTBOUND}};
static const struct scn_words sides = WORDS(side_list);

#define AT(member) .offset = offsetof(struct scn_select, member)
static const struct scn_field select_fields[] = {
    {.key = "count",
     .type = SCN_INTEGER,
     AT(count),
     .choice = SCN_SELECT_COUNT + 1,
     .min = "1",
     .max = "10000",
     .example = "2",
     .help = "So many instances."},
    {.key = "percent",
     .type = SCN_PERCENT,
     AT(percent),
     .choice = SCN_SELECT_PERCENT + 1,
     .min = "0%",
     .max = "100%",
     .help = "That share of the instances, rounded down; none is an error."},
};
static const struct scn_shape select_shape = {FIELDS(select_fields), .choice_of = "a way to select",
                                              .choice_offset = offsetof(struct scn_select, mode)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_fault, member)
static const struct scn_field kill_fields[] = {
    {.key = "signal",
     .type = SCN_WORD,
     .words = &signals,
     AT(kill.signal),
     .fallback = "SIGKILL",
     .help = "Signal that the processes get."},
    {.key = "restartWithin",
     .type = SCN_DURATION,
     AT(kill.restart_within),
     .fallback = "10s",
     .min = "100ms",
     .max = "10m",
     .help = "A new process must be ready by then."},
};
static const struct scn_shape kill_shape = {FIELDS(kill_fields)};

static const struct scn_field partition_fields[] = {
    {.key = "from",
     .type = SCN_TEXTS,
     .item = SCN_NAME,
     AT(partition.from),
     .count_offset = offsetof(struct scn_fault, partition.from_count),
     .required = true,
     .least = 1,
     .most = 64,
     .help = "Services that the targets are cut off from."},
    {.key = "action",
     .type = SCN_WORD,
     .words = &actions,
     AT(partition.action),
     .fallback = "drop",
     .help = "drop: packets vanish, as on a dead link; reject: connections are refused."},
    {.key = "direction",
     .type = SCN_WORD,
     .words = &directions,
     AT(partition.direction),
     .fallback = "both",
     .help = "Seen from the target: ingress is what it receives, egress what it sends."},
};
static const struct scn_shape partition_shape = {FIELDS(partition_fields)};

static const struct scn_field app_fields[] = {
    {.key = "errorRate",
     .type = SCN_PERCENT,
     AT(app.error_rate),
     .fallback = "0%",
     .min = "0%",
     .max = "100%",
     .example = "20%",
     .help = "Share of the requests that the service answers with an error."},
    {.key = "errorStatus",
     .type = SCN_INTEGER,
     AT(app.error_status),
     .fallback = "500",
     .min = "500",
     .max = "599",
     .example = "503",
     .help = "Status of those errors."},
    {.key = "latency",
     .type = SCN_DURATION,
     AT(app.latency),
     .fallback = "0s",
     .min = "0s",
     .max = "60s",
     .help = "Added to every answer."},
};
static const struct scn_shape app_shape = {FIELDS(app_fields)};

/* The argument names a member, which takes no parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
/* Which connections: the first keys of every fault of a proxy. */
#define ROUTE_FIELDS(kind)                                                                         \
    {.key = "direction",                                                                           \
     .type = SCN_WORD,                                                                             \
     .words = &sides,                                                                              \
     AT(kind.route.side),                                                                          \
     .fallback = "inbound",                                                                        \
     .help = "inbound: connections that the targets accept; outbound: that they open."},           \
        {.key = "peers",                                                                           \
         .type = SCN_TEXTS,                                                                        \
         .item = SCN_NAME,                                                                         \
         AT(kind.route.peers),                                                                     \
         .count_offset = offsetof(struct scn_fault, kind.route.peer_count),                        \
         .most = 64,                                                                               \
         .help = "Only connections from (outbound: to) these services. Must be given for "         \
                 "outbound."},                                                                     \
    {                                                                                              \
        .key = "port", .type = SCN_INTEGER, AT(kind.route.port), .fallback = "0", .min = "0",      \
        .max = "65535", .example = "5432",                                                         \
        .help = "Only connections to this port; 0: to that of the service connected to."           \
    }

/* NOLINTEND(bugprone-macro-parentheses) */

static const struct scn_field slicer_fields[] = {
    {.key = "size",
     .type = SCN_INTEGER,
     AT(tcp.bytes),
     .required = true,
     .min = "1",
     .max = "65536",
     .example = "64",
     .help = "Bytes in a piece."},
    {.key = "delay",
     .type = SCN_DURATION,
     AT(tcp.time),
     .required = true,
     .min = "1ms",
     .max = "60s",
     .help = "Time between two pieces."},
};
static const struct scn_shape slicer_shape = {FIELDS(slicer_fields)};

static const struct scn_field tcp_fields[] = {
    ROUTE_FIELDS(tcp),
    {.key = "latency",
     .type = SCN_DURATION,
     AT(tcp.time),
     .choice = FAULT_TOXIC_LATENCY + 1,
     .min = "1ms",
     .max = "60s",
     .help = "What the server sends arrives so much later."},
    {.key = "slicer",
     .type = SCN_OBJECT,
     .shape = &slicer_shape,
     .choice = FAULT_TOXIC_SLICER + 1,
     .help = "What the server sends arrives in small pieces."},
    {.key = "limitData",
     .type = SCN_INTEGER,
     AT(tcp.bytes),
     .choice = FAULT_TOXIC_LIMIT_DATA + 1,
     .min = "1",
     .max = "1048576",
     .example = "100",
     .help = "Closes each connection after so many bytes from the server."},
    {.key = "resetAfterBytes",
     .type = SCN_INTEGER,
     AT(tcp.bytes),
     .choice = FAULT_TOXIC_RESET_BYTES + 1,
     .min = "1",
     .max = "1048576",
     .example = "100",
     .help = "Resets each connection after so many bytes from the server."},
    {.key = "resetAfter",
     .type = SCN_DURATION,
     AT(tcp.time),
     .choice = FAULT_TOXIC_RESET_TIME + 1,
     .min = "1ms",
     .max = "60s",
     .help = "Resets each connection this long after it was opened."},
    {.key = "timeout",
     .type = SCN_DURATION,
     AT(tcp.time),
     .choice = FAULT_TOXIC_TIMEOUT + 1,
     .min = "0s",
     .max = "60s",
     .help = "Connections are accepted but nothing gets through; closed after this time, 0s: "
             "never."},
    {.key = "slowClose",
     .type = SCN_DURATION,
     AT(tcp.time),
     .choice = FAULT_TOXIC_SLOW_CLOSE + 1,
     .min = "1ms",
     .max = "60s",
     .help = "When the server closes, the client learns of it so much later."},
};
static const struct scn_shape tcp_shape = {FIELDS(tcp_fields), .choice_of = "a toxic",
                                           .choice_offset = offsetof(struct scn_fault, tcp.toxic)};

static const struct scn_field abort_fields[] = {
    {.key = "status",
     .type = SCN_INTEGER,
     AT(http.status),
     .required = true,
     .min = "200",
     .max = "599",
     .example = "503",
     .help = "Status of the answer."},
    {.key = "body",
     .type = SCN_TEXT,
     AT(http.body),
     .example = "\"out of order\"",
     .help = "Body of the answer."},
};
static const struct scn_shape abort_shape = {FIELDS(abort_fields)};

static const struct scn_field patch_fields[] = {
    {.key = "set",
     .type = SCN_HEADERS,
     AT(http.set),
     .count_offset = offsetof(struct scn_fault, http.set_count),
     .most = 32,
     .help = "Headers of the answer by name; each replaces those of its name."},
    {.key = "remove",
     .type = SCN_TEXTS,
     .item = SCN_HEADER,
     AT(http.remove),
     .count_offset = offsetof(struct scn_fault, http.remove_count),
     .most = 32,
     .help = "Names of headers that the answer loses."},
};
static const struct scn_shape patch_shape = {FIELDS(patch_fields)};

static const struct scn_field http_fields[] = {
    ROUTE_FIELDS(http),
    {.key = "method",
     .type = SCN_METHOD,
     AT(http.method),
     .help = "Only requests with this method."},
    {.key = "path",
     .type = SCN_PATH,
     AT(http.path),
     .help = "Only requests for exactly this path, whatever their query."},
    {.key = "pathPrefix",
     .type = SCN_PATH,
     AT(http.path_prefix),
     .example = "/api/",
     .help = "Only requests for paths that start so. /health, /ready, /metrics and /api/chaos are "
             "left alone unless path or pathPrefix start with them."},
    {.key = "headers",
     .type = SCN_HEADERS,
     AT(http.headers),
     .count_offset = offsetof(struct scn_fault, http.header_count),
     .most = 16,
     .help = "Only requests that have all of these headers, by name."},
    {.key = "percent",
     .type = SCN_PERCENT,
     AT(http.share),
     .fallback = "100%",
     .min = "0%",
     .max = "100%",
     .example = "20%",
     .help = "Only this share of them; the seed decides which."},
    {.key = "abort",
     .type = SCN_OBJECT,
     .shape = &abort_shape,
     .choice = FAULT_HTTP_ABORT + 1,
     .help = "Answered in the service's place; the request does not reach it."},
    {.key = "delay",
     .type = SCN_DURATION,
     AT(http.time),
     .choice = FAULT_HTTP_DELAY + 1,
     .min = "1ms",
     .max = "60s",
     .help = "Requests reach the service so much later."},
    {.key = "slowBody",
     .type = SCN_INTEGER,
     AT(http.bytes),
     .choice = FAULT_HTTP_SLOW_BODY + 1,
     .min = "1",
     .max = "1073741824",
     .example = "1000",
     .help = "Bytes a second with which the answer's body comes."},
    {.key = "truncate",
     .type = SCN_INTEGER,
     AT(http.bytes),
     .choice = FAULT_HTTP_TRUNCATE + 1,
     .min = "0",
     .max = "1073741824",
     .example = "20",
     .help = "The connection is closed after so many bytes of the answer's body."},
    {.key = "patch",
     .type = SCN_OBJECT,
     .shape = &patch_shape,
     .choice = FAULT_HTTP_PATCH + 1,
     .help = "Changes the answer's headers."},
};
static const struct scn_shape http_shape = {FIELDS(http_fields), .choice_of = "a disturbance",
                                            .choice_offset =
                                                offsetof(struct scn_fault, http.action)};

static const struct scn_word answer_list[] = {{"nxdomain", FAULT_DNS_NXDOMAIN},
                                              {"servfail", FAULT_DNS_SERVFAIL},
                                              {"timeout", FAULT_DNS_TIMEOUT},
                                              {"address", FAULT_DNS_ADDRESS}};
static const struct scn_words answers = WORDS(answer_list);
static const struct scn_field dns_fields[] = {
    {.key = "names",
     .type = SCN_TEXTS,
     .item = SCN_TEXT,
     AT(dns.names),
     .count_offset = offsetof(struct scn_fault, dns.name_count),
     .required = true,
     .least = 1,
     .most = 64,
     .help = "Names such as db.example.com, or *.example.com for all under it. The first is asked "
             "for to prove the effect."},
    {.key = "percent",
     .type = SCN_PERCENT,
     AT(dns.share),
     .fallback = "100%",
     .min = "0%",
     .max = "100%",
     .example = "20%",
     .help = "Only this share of the questions for them; the seed decides which."},
    {.key = "answer",
     .type = SCN_WORD,
     .words = &answers,
     AT(dns.answer),
     .fallback = "nxdomain",
     .help = "nxdomain: there is no such name; servfail: the server cannot tell; timeout: none at "
             "all; address: a wrong one."},
    {.key = "address",
     .type = SCN_TEXT,
     AT(dns.address),
     .example = "192.0.2.1",
     .help = "IPv4 or IPv6 address that is answered, with answer: address."},
    {.key = "server",
     .type = SCN_TEXT,
     AT(dns.server),
     .example = "10.0.0.2",
     .help = "Name server to prove the effect with; without it the first in the target's "
             "/etc/resolv.conf, or the host's. Questions to any other are hit as well."},
};
static const struct scn_shape dns_shape = {FIELDS(dns_fields)};

static const struct scn_field fault_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "lose-one-users-instance",
     .help = "Names the fault, the phase in which it is in force, and with after- in front the "
             "phase that follows."},
    {.key = "at",
     .type = SCN_DURATION,
     AT(at),
     .required = true,
     .min = "0s",
     .max = "24h",
     .help = "When it is applied, counted from the start of the load."},
    {.key = "for",
     .type = SCN_DURATION,
     AT(duration),
     .required = true,
     .min = "100ms",
     .max = "1h",
     .help = "How long it stays. A fault without an end cannot be expressed."},
    {.key = "lease",
     .type = SCN_DURATION,
     AT(lease),
     .fallback = "3s",
     .min = "1s",
     .max = "60s",
     .help = "It goes away by itself when squall has been silent for this long."},
    {.key = "service",
     .type = SCN_NAME,
     AT(service),
     .required = true,
     .example = "users",
     .help = "Service that is hit."},
    {.key = "select",
     .type = SCN_WORD_OR_OBJECT,
     .words = &selects,
     .shape = &select_shape,
     AT(select),
     .fallback = "one",
     .help = "Which of its instances; the seed decides where there is a choice."},
    {.key = "maxAffected",
     .type = SCN_PERCENT,
     AT(max_affected),
     .fallback = "50%",
     .min = "0%",
     .max = "100%",
     .help = "Largest share of the service's instances that may be hit at a time. Must be given "
             "for services that observe the platform."},
    {.key = "kill",
     .type = SCN_OBJECT,
     .shape = &kill_shape,
     .choice = FAULT_KILL + 1,
     .help = "Ends the processes; whoever runs them must start new ones."},
    {.key = "partition",
     .type = SCN_OBJECT,
     .shape = &partition_shape,
     .choice = FAULT_PARTITION + 1,
     .help = "Cuts the network between the targets and other services."},
    {.key = "app",
     .type = SCN_OBJECT,
     .shape = &app_shape,
     .choice = FAULT_APP + 1,
     .help = "Errors and latency that the service itself injects."},
    {.key = "tcp",
     .type = SCN_OBJECT,
     .shape = &tcp_shape,
     .choice = FAULT_TCP + 1,
     .help = "What a bad proxy does to TCP connections; those that are open are reset when the "
             "fault begins and when it ends."},
    {.key = "http",
     .type = SCN_OBJECT,
     .shape = &http_shape,
     .choice = FAULT_HTTP + 1,
     .help = "What a bad proxy does to HTTP/1.1 requests that match; open connections are reset "
             "as with tcp."},
    {.key = "dns",
     .type = SCN_OBJECT,
     .shape = &dns_shape,
     .choice = FAULT_DNS + 1,
     .help = "What the targets are answered when they ask for names, over UDP and TCP."},
};
const struct scn_shape scn_fault_shape = {.size = sizeof(struct scn_fault),
                                          FIELDS(fault_fields),
                                          .choice_of = "a kind of fault",
                                          .choice_offset = offsetof(struct scn_fault, kind),
                                          .named = true};
#undef AT
