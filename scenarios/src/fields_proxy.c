/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what a proxy can do to a target: tcp, http, dns. */
#include "fields_parts.h"

static const struct scn_word side_list[] = {{"inbound", FAULT_INBOUND},
                                            {"outbound", FAULT_OUTBOUND}};
static const struct scn_words sides = WORDS(side_list);

#define AT(member) .offset = offsetof(struct scn_fault, member)
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
         .item = SCN_PEERS,                                                                        \
         AT(kind.route.peers),                                                                     \
         .count_offset = offsetof(struct scn_fault, kind.route.peer_count),                        \
         .most = 64,                                                                               \
         .help = "Only connections from (outbound: to) these: services, instances, ADDRESS:PORT "  \
                 "(outbound), or blocks such as 10.1.0.0/16, in which an instance must lie to "    \
                 "measure by. Must be given for outbound."},                                       \
        {.key = "port",                                                                            \
         .type = SCN_INTEGER,                                                                      \
         AT(kind.route.port),                                                                      \
         .fallback = "0",                                                                          \
         .min = "0",                                                                               \
         .max = "65535",                                                                           \
         .example = "5432",                                                                        \
         .help = "Only connections to this port; 0: to that of the service connected to."},        \
    {                                                                                              \
        .key = "ports", .type = SCN_TEXTS, .item = SCN_PORT, AT(kind.route.ports),                 \
        .count_offset = offsetof(struct scn_fault, kind.route.port_count), .most = 16,             \
        .help = "Only connections to these ports, instead of port. Each of them must answer, of "  \
                "each peer for outbound: the effect is measured on all."                           \
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
    {.key = "percent",
     .type = SCN_PERCENT,
     AT(tcp.share),
     .fallback = "100%",
     .min = "0%",
     .max = "100%",
     .example = "20%",
     .help = "Only this share of the connections; the seed decides which."},
    {.key = "jitter",
     .type = SCN_DURATION,
     AT(tcp.jitter),
     .fallback = "0s",
     .min = "0s",
     .max = "60s",
     .example = "20ms",
     .help =
         "With latency: each time it is up to so much more or less, evenly distributed; nothing "
         "overtakes."},
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
const struct scn_shape scn_tcp_shape = {FIELDS(tcp_fields), .choice_of = "a toxic",
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
static const struct scn_field patch_request_fields[] = {
    {.key = "set",
     .type = SCN_HEADERS,
     AT(http.set),
     .count_offset = offsetof(struct scn_fault, http.set_count),
     .most = 32,
     .help = "Headers that the service gets, by name; each replaces those of its name."},
    {.key = "remove",
     .type = SCN_TEXTS,
     .item = SCN_HEADER,
     AT(http.remove),
     .count_offset = offsetof(struct scn_fault, http.remove_count),
     .most = 32,
     .help = "Names of headers that the service does not get."},
};
static const struct scn_shape patch_request_shape = {FIELDS(patch_request_fields)};

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
    {.key = "jitter",
     .type = SCN_DURATION,
     AT(http.jitter),
     .fallback = "0s",
     .min = "0s",
     .max = "60s",
     .example = "20ms",
     .help = "With delay: each is delayed up to so much more or less, evenly distributed."},
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
    {.key = "patchRequest",
     .type = SCN_OBJECT,
     .shape = &patch_request_shape,
     .choice = FAULT_HTTP_PATCH_REQUEST + 1,
     .help = "Changes the request's headers on their way to the service; shown by what the kernel "
             "hands over to it."},
};
const struct scn_shape scn_http_shape = {FIELDS(http_fields), .choice_of = "a disturbance",
                                         .choice_offset = offsetof(struct scn_fault, http.action)};

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
const struct scn_shape scn_dns_shape = {FIELDS(dns_fields)};
