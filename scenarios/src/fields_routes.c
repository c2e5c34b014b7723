/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The branch of the table that says what is asked of the load's targets, and as whom. One more kind
 * of request is a row among the routes' fields, with its protocol.
 */
#include "base/buf.h"
#include "base/text.h"
#include "fields_parts.h"

static const enum load_speech protocols[] = {
    [SCN_REQUEST_PATH] = LOAD_SPEECH_HTTP,    [SCN_REQUEST_COMMAND] = LOAD_SPEECH_REDIS,
    [SCN_REQUEST_SEND] = LOAD_SPEECH_TCP,     [SCN_REQUEST_SQL] = LOAD_SPEECH_POSTGRES,
    [SCN_REQUEST_PUBLISH] = LOAD_SPEECH_AMQP, [SCN_REQUEST_GET] = LOAD_SPEECH_AMQP,
    [SCN_REQUEST_CONSUME] = LOAD_SPEECH_AMQP,
};
_Static_assert(COUNT_OF(protocols) == SCN_REQUESTS, "each request is of a protocol");

#define AT(member) .offset = offsetof(struct scn_route, member)
static const struct scn_field consume_fields[] = {
    {.key = "key",
     .type = SCN_TEXT,
     AT(key),
     .example = "orders",
     .help = "Routing key by which an exchange leads to the queue; the queue's name when left "
             "out."},
};
static const struct scn_shape consume_shape = {FIELDS(consume_fields)};

static const struct scn_field route_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "list-users",
     .help = "Names the route in thresholds and reports."},
    {.key = "method", .type = SCN_METHOD, AT(method), .fallback = "GET", .help = "HTTP method."},
    {.key = "path",
     .type = SCN_PATH,
     AT(path),
     .choice = SCN_REQUEST_PATH + 1,
     .help =
         "HTTP: path with the query; {{seq}} and {{rand}} in it, as in headers and body, differ "
         "from request to request."},
    {.key = "weight",
     .type = SCN_INTEGER,
     AT(weight),
     .fallback = "1",
     .min = "1",
     .max = "1000000",
     .help = "Share of the requests, relative to the other routes."},
    {.key = "headers",
     .type = SCN_HEADERS,
     AT(headers),
     .count_offset = offsetof(struct scn_route, header_count),
     .most = 100,
     .help = "Request headers by name."},
    {.key = "body",
     .type = SCN_TEXT,
     AT(body),
     .example = "'{\"name\":\"x\"}'",
     .help = "Request body, or what is published."},
    {.key = "bodyFile",
     .type = SCN_TEXT,
     AT(body_file),
     .example = "/var/tmp/upload.bin",
     .help = "File that is sent as the body, streamed from disk."},
    {.key = "command",
     .type = SCN_TEXT,
     AT(body),
     .choice = SCN_REQUEST_COMMAND + 1,
     .example = "'SET \"user:{{seq}}\" {{rand}}'",
     .help = "Redis: a command, as for redis-cli; an error reply is a failure."},
    {.key = "send",
     .type = SCN_TEXT,
     AT(body),
     .choice = SCN_REQUEST_SEND + 1,
     .example = "\"get user:{{seq}}\\r\\n\"",
     .help = "Plain TCP: sent as it is; until or answerBytes says when the response is whole."},
    {.key = "until",
     .type = SCN_TEXT,
     AT(until),
     .example = "\"END\\r\\n\"",
     .help = "Beside send: what a response ends with, at most 256 bytes; a newline when left out."},
    {.key = "answerBytes",
     .type = SCN_INTEGER,
     AT(answer_bytes),
     .min = "1",
     .max = "1000000000000",
     .help = "Beside send, instead: so long is a response."},
    {.key = "sql",
     .type = SCN_TEXT,
     AT(body),
     .choice = SCN_REQUEST_SQL + 1,
     .example = "\"SELECT name FROM users WHERE id = $1\"",
     .help = "PostgreSQL: a statement that every connection prepares once; an error is a failure."},
    {.key = "params",
     .type = SCN_TEXTS,
     .item = SCN_TEXT,
     AT(params),
     .count_offset = offsetof(struct scn_route, param_count),
     .most = 1000,
     .repeats = true,
     .help = "Beside sql: the values of $1, $2...; {{seq}} and {{rand}} in them differ from "
             "request to request."},
    {.key = "publish",
     .type = SCN_TEXT,
     AT(key),
     .choice = SCN_REQUEST_PUBLISH + 1,
     .example = "orders",
     .help = "RabbitMQ: publishes the body with this routing key, which without an exchange is a "
             "queue's name, until the broker confirms it; what no queue takes is a failure."},
    {.key = "exchange",
     .type = SCN_TEXT,
     AT(exchange),
     .example = "shop",
     .help = "Beside publish or consume: to this exchange, which must be there; the default one "
             "when left out."},
    {.key = "persistent",
     .type = SCN_BOOLEAN,
     AT(persistent),
     .fallback = "false",
     .help = "Beside publish or consume: the broker keeps messages on disk, as far as their queue "
             "does."},
    {.key = "get",
     .type = SCN_TEXT,
     AT(queue),
     .choice = SCN_REQUEST_GET + 1,
     .example = "orders",
     .help = "RabbitMQ: takes one message of this queue, which must be there, and acknowledges it; "
             "that there is none is a failure."},
    {.key = "consume",
     .type = SCN_OBJECT,
     .shape = &consume_shape,
     .choice = SCN_REQUEST_CONSUME + 1,
     .help = "RabbitMQ: publishes the body to a queue that its connection alone has, and consumes "
             "it there: from the publish to the consumer, end to end."},
};
const struct scn_shape scn_request_shape = {.size = sizeof(struct scn_route),
                                            FIELDS(route_fields),
                                            .named = true,
                                            .choice_of = "a request",
                                            .choice_offset = offsetof(struct scn_route, request)};
#undef AT

const char *scn_request_key(enum scn_request request)
{
    for (size_t i = 0; i < COUNT_OF(route_fields); i++)
        if (route_fields[i].choice == (int)request + 1)
            return route_fields[i].key;
    return "";
}

enum load_speech scn_request_protocol(enum scn_request request)
{
    return protocols[request];
}

unsigned scn_requests_of(enum load_speech protocol)
{
    unsigned requests = 0;
    for (unsigned i = 0; i < SCN_REQUESTS; i++)
        if (protocols[i] == protocol)
            requests |= 1U << i;
    return requests;
}

char *scn_request_list(unsigned requests)
{
    struct base_buf list;
    base_buf_init(&list, 512);
    for (unsigned i = 0; i < SCN_REQUESTS; i++) {
        if ((requests & 1U << i) == 0)
            continue;
        bool last = requests >> i == 1;
        base_buf_printf(&list, "%s\"%s\"",
                        list.len == 0 ? ""
                        : last        ? " or "
                                      : ", ",
                        scn_request_key((enum scn_request)i));
    }
    return base_buf_steal(&list);
}

#define AT(member) .offset = offsetof(struct scn_load, login.member)
static const struct scn_field login_fields[] = {
    {.key = "user",
     .type = SCN_TEXT,
     AT(user),
     .example = "app",
     .help = "Whoever runs squall when left out (PostgreSQL), or guest (RabbitMQ)."},
    {.key = "password",
     AT(user),
     .refused = "a scenario is kept with its run, expected passwordFile or passwordEnv: they say "
                "where the password lies",
     .help = "Never in a scenario."},
    {.key = "passwordFile",
     .type = SCN_TEXT,
     AT(password_file),
     .example = "/etc/squall/app.password",
     .help = "File with the password, in the platform's state folder unless it begins with '/'; of "
             "an external target, beside the scenario. Workers on other hosts read it there."},
    {.key = "passwordEnv",
     .type = SCN_VARIABLE,
     AT(password_env),
     .help = "Instead: variable of the environment that holds it. Without both PostgreSQL's is "
             "where libpq looks for one (PGPASSFILE, PGPASSWORD, ~/.pgpass)."},
    {.key = "database",
     .type = SCN_TEXT,
     AT(database),
     .example = "shop",
     .help = "PostgreSQL: the database; named as the user when left out."},
    {.key = "virtualHost",
     .type = SCN_TEXT,
     AT(virtual_host),
     .example = "/shop",
     .help = "RabbitMQ: the virtual host; / when left out."},
};
const struct scn_shape scn_login_shape = {FIELDS(login_fields)};
#undef AT
