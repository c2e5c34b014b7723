/* SPDX-License-Identifier: Apache-2.0 */
/* Redis on a stream: commands in RESP2, replies read by hiredis' reader
 * (redis.io/docs/latest/develop/reference/protocol-spec). Replies are looked through, not kept. */
#include <hiredis/read.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "protocol.h"

enum { REDIS_WHY = 160 };
static const size_t command_max = (size_t)64 * 1024 * 1024;

struct parser {
    redisReader *reader; /* NULL: none yet */
    size_t held;         /* bytes behind the last reply, pipelined */
    bool error;          /* the reply is one */
    char why[REDIS_WHY];
};
_Static_assert(sizeof(struct parser) <= LOAD_PARSER_MAX, "it lies in the connection");

/* --- commands --- */

/* Takes a word off *rest as redis-cli does, with "double quotes" and backslashes in them. Returns
 * NULL at the end, and with *bad a quote that does not end. free() it. */
static char *take_word(const char **rest, bool *bad)
{
    const char *at = *rest + strspn(*rest, " \t\r\n");
    BASE_AUTO_BUF struct base_buf word;
    bool quoted = *at == '"';
    base_buf_init(&word, command_max);
    *bad = false;
    if (*at == '\0')
        return NULL;
    for (at += quoted; *at != '\0' && (quoted ? *at != '"' : strchr(" \t\r\n", *at) == NULL);
         at++) {
        if (quoted && *at == '\\' && at[1] != '\0')
            base_buf_char(&word, *++at == 'n' ? '\n' : *at == 'r' ? '\r' : *at == 't' ? '\t' : *at);
        else
            base_buf_char(&word, *at);
    }
    *bad = quoted && *at != '"';
    *rest = at + (quoted && !*bad);
    return *bad ? NULL : word.len == 0 ? base_str_dup("") : base_buf_steal(&word);
}

static void add_word(struct load_request *request, struct base_buf *buf, const char *word)
{
    base_buf_printf(buf, "$%zu\r\n", load_request_filled(word));
    load_request_fill(request, buf, word);
    base_buf_str(buf, "\r\n");
}

/* How many words the command has; 0 with err when it cannot be sent. */
static size_t count_words(const struct load_route *route, struct base_error *err)
{
    const char *rest = route->body;
    size_t count = 0;
    bool bad = false;
    for (char *word; rest != NULL && (word = take_word(&rest, &bad)) != NULL; count++)
        free(word);
    if (bad || count == 0) {
        (void)base_fail(err, BASE_INVALID, "route \"%s\": the body must be a Redis command%s",
                        route->name, bad ? ", and a quote in it does not end" : "");
        return 0;
    }
    return count;
}

static bool build(struct load_request *out, const struct load_spec *spec,
                  const struct load_route *route, struct base_error *err)
{
    (void)spec;
    size_t count = count_words(route, err);
    if (count == 0 || !load_request_check_fields(route, route->body, err))
        return false;
    if (route->body_file != NULL || route->header_count > 0)
        return base_fail(err, BASE_INVALID, "route \"%s\": headers and a body's file are for HTTP",
                         route->name);
    struct load_request made = {.file = -1};
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, command_max);
    base_buf_printf(&buf, "*%zu\r\n", count);
    const char *rest = route->body;
    bool bad;
    for (char *word; (word = take_word(&rest, &bad)) != NULL; free(word))
        add_word(&made, &buf, word);
    made.len = made.total = buf.len;
    made.bytes = base_buf_steal(&buf);
    if (made.bytes == NULL) {
        free(made.patches);
        return base_fail(err, BASE_LIMIT, "route \"%s\": the command exceeds %zu bytes",
                         route->name, command_max);
    }
    *out = made;
    return true;
}

/* --- replies --- */

static void *of_string(const redisReadTask *task, char *text, size_t len)
{
    struct parser *parser = task->privdata;
    if (task->type == REDIS_REPLY_ERROR && task->parent == NULL) {
        parser->error = true;
        (void)snprintf(parser->why, sizeof parser->why, "%.*s",
                       (int)(len < REDIS_WHY ? len : REDIS_WHY), text);
    }
    return parser;
}

static void *of_array(const redisReadTask *task, int elements)
{
    (void)elements;
    return task->privdata;
}

static void *of_integer(const redisReadTask *task, long long value)
{
    (void)value;
    return task->privdata;
}

static void *of_nil(const redisReadTask *task)
{
    return task->privdata;
}

static void of_nothing(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions builders = {of_string, of_array, of_integer, of_nil, of_nothing};

static void fini(void *memory)
{
    struct parser *parser = memory;
    if (parser->reader != NULL)
        redisReaderFree(parser->reader);
    parser->reader = NULL;
}

static void start(void *memory, const struct load_request *request)
{
    struct parser *parser = memory;
    (void)request;
    parser->error = false;
    parser->held = 0;
    /* The last reply was cut short, or more than one: the rest is another connection's. */
    if (parser->reader != NULL && (parser->reader->err != 0 || parser->reader->ridx >= 0 ||
                                   parser->reader->len > parser->reader->pos))
        fini(parser);
    if (parser->reader == NULL)
        parser->reader = redisReaderCreateWithFunctions(&builders);
    if (parser->reader == NULL)
        abort(); /* as base_calloc does */
    parser->reader->privdata = parser;
}

static enum load_parse feed(void *memory, void *unused, const char *data, size_t len, size_t *used)
{
    struct parser *parser = memory;
    redisReader *reader = parser->reader;
    void *reply = NULL;
    (void)unused;
    size_t all = parser->held + len;
    parser->held = 0;
    *used = all;
    if (redisReaderFeed(reader, data, len) != 0 || redisReaderGetReply(reader, &reply) != 0)
        return LOAD_PARSE_BAD;
    if (reply == NULL)
        return LOAD_PARSE_MORE;
    size_t left = reader->len - reader->pos;
    *used = left < all ? all - left : 0;
    return LOAD_PARSE_DONE;
}

static const char *fault(const void *memory)
{
    return ((const struct parser *)memory)->reader->errstr;
}

static bool next(void *memory)
{
    struct parser *parser = memory;
    parser->error = false;
    parser->held = parser->reader->len - parser->reader->pos;
    return parser->held > 0;
}

static enum load_parse eof(void *memory)
{
    (void)memory;
    return LOAD_PARSE_BAD;
}

static bool judge(const void *memory, struct load_outcome *outcome)
{
    const struct parser *parser = memory;
    outcome->ok = !parser->error;
    if (parser->error) {
        outcome->failure = LOAD_FAIL_REPLY;
        outcome->cause = LOAD_CAUSE_REPLY;
        outcome->why = parser->why;
    }
    return true;
}

const struct load_protocol load_redis_protocol = {
    .build = build,
    .start = start,
    .feed = feed,
    .fault = fault,
    .eof = eof,
    .judge = judge,
    .fini = fini,
    .next = next,
};
