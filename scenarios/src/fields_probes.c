/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what is asked while an experiment goes on. */
#include "fields_parts.h"

static const struct scn_word mode_list[] = {{"before", PLAN_PROBE_BEFORE},
                                            {"during", PLAN_PROBE_DURING},
                                            {"continuous", PLAN_PROBE_CONTINUOUS},
                                            {"after", PLAN_PROBE_AFTER},
                                            {"gate", PLAN_PROBE_GATE}};
static const struct scn_words modes = WORDS(mode_list);

#define AT(member) .offset = offsetof(struct scn_probe, member)
#define PROBE_SERVICE                                                                              \
    {                                                                                              \
        .key = "service", .type = SCN_NAME, AT(service), .example = "gateway",                     \
        .help = "Service whose every instance is asked; that of the load when left out."           \
    }
static const struct scn_field http_fields[] = {
    PROBE_SERVICE,
    {.key = "path",
     .type = SCN_PATH,
     AT(http.path),
     .fallback = "/ready",
     .help = "Path that is asked for, with the query."},
    {.key = "status",
     .type = SCN_INTEGER,
     AT(http.status),
     .fallback = "200",
     .min = "100",
     .max = "599",
     .help = "Status that must come back."},
    {.key = "contains",
     .type = SCN_TEXT,
     AT(http.contains),
     .example = "'\"data\"'",
     .help = "Text that must be in the body."},
};
static const struct scn_shape http_shape = {FIELDS(http_fields)};

static const struct scn_field tcp_fields[] = {
    PROBE_SERVICE,
    {.key = "port",
     .type = SCN_INTEGER,
     AT(tcp.port),
     .fallback = "0",
     .min = "0",
     .max = "65535",
     .help = "Port that must take a connection; 0 is that of the service."},
};
static const struct scn_shape tcp_shape = {FIELDS(tcp_fields)};

static const struct scn_field promql_fields[] = {
    {.key = "query",
     .type = SCN_TEXT,
     AT(promql.query),
     .required = true,
     .example = "'sum(up{job=\"users\"}) >= 1'",
     .help = "Holds when the answer has at least one sample, as in an alerting rule; no data is "
             "never a pass."},
};
static const struct scn_shape promql_shape = {FIELDS(promql_fields)};

static const struct scn_field exec_fields[] = {
    {.key = "command",
     .type = SCN_TEXT,
     AT(exec.command),
     .required = true,
     .example = "'test -e /tmp/flag'",
     .help = "Run with `sh -c` on this machine, as whoever runs squall; holds when it exits with "
             "0."},
};
static const struct scn_shape exec_shape = {FIELDS(exec_fields)};

static const struct scn_word compare_list[] = {{"==", PLAN_EQUAL}, {"!=", PLAN_NOT_EQUAL},
                                               {"<", PLAN_LESS},   {"<=", PLAN_AT_MOST},
                                               {">", PLAN_MORE},   {">=", PLAN_AT_LEAST}};
static const struct scn_words compares = WORDS(compare_list);

#define PROBE_STORE                                                                                \
    {.key = "service",                                                                             \
     .type = SCN_NAME,                                                                             \
     AT(service),                                                                                  \
     .example = "postgres",                                                                        \
     .help = "Service whose every instance is asked; or else address."},                           \
        {.key = "address",                                                                         \
         .type = SCN_PEER,                                                                         \
         AT(store.address),                                                                        \
         .example = "127.0.0.1:6379",                                                              \
         .help = "ADDRESS:PORT of a store that is no service of the platform."},                   \
        {.key = "user",                                                                            \
         .type = SCN_TEXT,                                                                         \
         AT(store.user),                                                                           \
         .example = "squall",                                                                      \
         .help = "As whom to log in."},                                                            \
    {                                                                                              \
        .key = "passwordFile", .type = SCN_TEXT, AT(store.password_file),                          \
        .example = "/etc/squall/store.password",                                                   \
        .help = "File with the password, read whenever the probe asks; in the platform's state "   \
                "folder "                                                                          \
                "unless it begins with '/' (of an external target, beside the scenario). A "       \
                "password itself has no place in a scenario: reports "                             \
                "hold it."                                                                         \
    }
static const struct scn_field sql_fields[] = {
    PROBE_STORE,
    {.key = "database",
     .type = SCN_TEXT,
     AT(sql.database),
     .fallback = "postgres",
     .help = "Name of the database."},
    {.key = "query",
     .type = SCN_TEXT,
     AT(sql.query),
     .required = true,
     .example = "\"SELECT count(*) FROM users\"",
     .help = "One SQL statement, in a transaction that can only read. Holds when value or rows "
             "compare; without both, when there is a row."},
    {.key = "compare",
     .type = SCN_WORD,
     .words = &compares,
     AT(sql.compare),
     .fallback = "==",
     .help = "How the answer compares with value or rows."},
    {.key = "value",
     .type = SCN_TEXT,
     AT(sql.value),
     .example = "\"1000\"",
     .help = "What the first column of the first row is compared with."},
    {.key = "rows",
     .type = SCN_INTEGER,
     AT(sql.rows),
     .fallback = "-1",
     .min = "-1",
     .max = "1000000000",
     .example = "1",
     .help = "What the number of rows is compared with; -1: nothing."},
};
static const struct scn_shape sql_shape = {FIELDS(sql_fields)};

static const struct scn_field redis_fields[] = {
    PROBE_STORE,
    {.key = "database",
     .type = SCN_INTEGER,
     AT(redis.database),
     .fallback = "0",
     .min = "0",
     .max = "1000000",
     .help = "Number of the database."},
    {.key = "command",
     .type = SCN_TEXTS,
     .item = SCN_TEXT,
     AT(redis.command),
     .count_offset = offsetof(struct scn_probe, redis.command_count),
     .required = true,
     .least = 1,
     .most = 64,
     .repeats = true,
     .help = "The command and its arguments: [GET, key]. Holds when the reply compares; without "
             "reply, when it is no error."},
    {.key = "compare",
     .type = SCN_WORD,
     .words = &compares,
     AT(redis.compare),
     .fallback = "==",
     .help = "How the answer compares with reply."},
    {.key = "reply",
     .type = SCN_TEXT,
     AT(redis.reply),
     .example = "PONG",
     .help = "What the reply is compared with, as text; elements of a list with a space between "
             "them, (nil) for nothing."},
};
static const struct scn_shape redis_shape = {FIELDS(redis_fields)};

static const struct scn_field probe_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "users-answer",
     .help = "Names the probe in reports."},
    {.key = "mode",
     .type = SCN_WORD,
     .words = &modes,
     AT(mode),
     .fallback = "continuous",
     .help =
         "before: with the steady-state checks; during: while a fault is active; continuous: "
         "while there is load; after: when load and faults are over, until it holds; gate: for the "
         "faults that wait for it or depend on it, and no objective."},
    {.key = "fault",
     .type = SCN_NAME,
     AT(fault),
     .example = "lose-one-users-instance",
     .help = "With mode during: only while this fault is active."},
    {.key = "every",
     .type = SCN_DURATION,
     AT(every),
     .fallback = "1s",
     .min = "100ms",
     .max = "10m",
     .help = "From one question to the next."},
    {.key = "timeout",
     .type = SCN_DURATION,
     AT(timeout),
     .fallback = "1s",
     .min = "1ms",
     .max = "60s",
     .help = "Time for the answer."},
    {.key = "within",
     .type = SCN_DURATION,
     AT(within),
     .fallback = "30s",
     .min = "1s",
     .max = "1h",
     .help = "With mode after: it must hold by then."},
    {.key = "atLeast",
     .type = SCN_PERCENT,
     AT(at_least),
     .fallback = "100%",
     .min = "0%",
     .max = "100%",
     .help = "With modes during and continuous: share of the answers that must hold."},
    {.key = "http",
     .type = SCN_OBJECT,
     .shape = &http_shape,
     .choice = PLAN_PROBE_HTTP + 1,
     .help = "Asks for a page."},
    {.key = "tcp",
     .type = SCN_OBJECT,
     .shape = &tcp_shape,
     .choice = PLAN_PROBE_TCP + 1,
     .help = "Makes a connection."},
    {.key = "promql",
     .type = SCN_OBJECT,
     .shape = &promql_shape,
     .choice = PLAN_PROBE_PROMQL + 1,
     .help = "Asks the target's Prometheus."},
    {.key = "exec",
     .type = SCN_OBJECT,
     .shape = &exec_shape,
     .choice = PLAN_PROBE_EXEC + 1,
     .help = "Runs a command."},
    {.key = "sql",
     .type = SCN_OBJECT,
     .shape = &sql_shape,
     .choice = PLAN_PROBE_SQL + 1,
     .help = "Asks PostgreSQL."},
    {.key = "redis",
     .type = SCN_OBJECT,
     .shape = &redis_shape,
     .choice = PLAN_PROBE_REDIS + 1,
     .help = "Asks Redis."},
};
const struct scn_shape scn_probe_shape = {.size = sizeof(struct scn_probe),
                                          FIELDS(probe_fields),
                                          .choice_of = "a kind of probe",
                                          .choice_offset = offsetof(struct scn_probe, kind),
                                          .named = true};
#undef AT
