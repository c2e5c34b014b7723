/* SPDX-License-Identifier: Apache-2.0 */
/* The hiredis adapter; the only file that sees hiredis.h. */
#include "redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { ARGS_MAX = 12, MESSAGES_AT_ONCE = 64, NUMBER_TEXT = 24 };
static const char field[] = "m";

struct load_redis {
    redisContext *context;
    char *place; /* "Redis at host:port" */
};

static void free_reply(redisReply **reply)
{
    if (*reply != NULL)
        freeReplyObject(*reply);
}
#define AUTO_REPLY __attribute__((cleanup(free_reply))) redisReply

/* what: to do about it. */
static bool fail_context(const struct load_redis *redis, const char *what, struct base_error *err)
{
    const redisContext *c = redis->context;
    bool slow = c->err == REDIS_ERR_IO && errno == EAGAIN; /* the socket's timeout */
    return base_fail(err, BASE_UNAVAILABLE, "%s: %s: %s", redis->place,
                     slow ? "no answer in time" : c->errstr, slow ? "is it reachable?" : what);
}

struct load_redis *load_redis_connect(const char *host, uint16_t port, struct dur_ns patience,
                                      struct base_error *err)
{
    const struct timeval limit = {.tv_sec = patience.ns / BASE_NS_PER_S,
                                  .tv_usec = patience.ns % BASE_NS_PER_S / BASE_NS_PER_US};
    struct load_redis *redis = base_calloc(1, sizeof *redis);
    redis->place = base_str_printf("Redis at %s:%u", host, (unsigned)port);
    redis->context = redisConnectWithTimeout(host, port, limit);
    if (redis->context == NULL)
        abort(); /* as base_calloc */
    if (redis->context->err != 0 || redisSetTimeout(redis->context, limit) != REDIS_OK) {
        (void)fail_context(redis, "is it up, and is this where it listens (redis-cli ping)?", err);
        load_redis_free(redis);
        return NULL;
    }
    return redis;
}

void load_redis_free(struct load_redis *redis)
{
    if (redis == NULL)
        return;
    redisFree(redis->context);
    free(redis->place);
    free(redis);
}

/* words: NULL-terminated. The reply, or NULL with err. */
static redisReply *call(struct load_redis *redis, const char *const *words, struct base_error *err)
{
    const char *argv[ARGS_MAX];
    int argc = 0;
    for (; argc < ARGS_MAX && words[argc] != NULL; argc++)
        argv[argc] = words[argc];
    redisReply *reply =
        redis->context->err != 0 ? NULL : redisCommandArgv(redis->context, argc, argv, NULL);
    if (reply == NULL) {
        (void)fail_context(redis, "is it still up?", err);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)base_fail(err, BASE_INVALID, "%s: %s: %s", redis->place, words[0], reply->str);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static bool unexpected(const struct load_redis *redis, const char *command, struct base_error *err)
{
    return base_fail(err, BASE_CORRUPT, "%s: %s: an answer of an unexpected kind", redis->place,
                     command);
}

struct number {
    char text[NUMBER_TEXT];
};

static struct number in_ms(struct dur_ns ttl)
{
    struct number number;
    (void)snprintf(number.text, sizeof number.text, "%" PRId64, base_dur_to_ms(ttl));
    return number;
}

bool load_redis_time(struct load_redis *redis, struct wall_ns *out, struct base_error *err)
{
    AUTO_REPLY *reply = call(redis, (const char *[]){"TIME", NULL}, err);
    int64_t s, us;
    if (reply == NULL)
        return false;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING ||
        !base_parse_i64(reply->element[0]->str, &s) ||
        !base_parse_i64(reply->element[1]->str, &us) || s < 0 || s > INT32_MAX * INT64_C(4) ||
        us < 0 || us >= BASE_NS_PER_S / BASE_NS_PER_US)
        return unexpected(redis, "TIME", err);
    out->ns = s * BASE_NS_PER_S + us * BASE_NS_PER_US;
    return true;
}

bool load_redis_set(struct load_redis *redis, const char *key, const char *value, struct dur_ns ttl,
                    struct base_error *err)
{
    struct number px = in_ms(ttl);
    AUTO_REPLY *reply = call(redis, (const char *[]){"SET", key, value, "PX", px.text, NULL}, err);
    return reply != NULL;
}

bool load_redis_set_new(struct load_redis *redis, const char *key, const char *value,
                        struct dur_ns ttl, bool *made, struct base_error *err)
{
    struct number px = in_ms(ttl);
    AUTO_REPLY *reply =
        call(redis, (const char *[]){"SET", key, value, "NX", "PX", px.text, NULL}, err);
    if (reply == NULL)
        return false;
    *made = reply->type != REDIS_REPLY_NIL;
    return true;
}

bool load_redis_get(struct load_redis *redis, const char *key, char **out, struct base_error *err)
{
    AUTO_REPLY *reply = call(redis, (const char *[]){"GET", key, NULL}, err);
    if (reply == NULL)
        return false;
    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL)
        return unexpected(redis, "GET", err);
    *out = reply->type == REDIS_REPLY_STRING ? base_str_ndup(reply->str, reply->len) : NULL;
    return true;
}

static bool expire(struct load_redis *redis, const char *key, struct dur_ns ttl,
                   struct base_error *err)
{
    struct number px = in_ms(ttl);
    AUTO_REPLY *reply = call(redis, (const char *[]){"PEXPIRE", key, px.text, NULL}, err);
    return reply != NULL;
}

bool load_redis_count(struct load_redis *redis, const char *key, struct dur_ns ttl, int64_t *out,
                      struct base_error *err)
{
    AUTO_REPLY *reply = call(redis, (const char *[]){"INCR", key, NULL}, err);
    if (reply == NULL)
        return false;
    if (reply->type != REDIS_REPLY_INTEGER)
        return unexpected(redis, "INCR", err);
    *out = reply->integer;
    return expire(redis, key, ttl, err);
}

bool load_redis_send(struct load_redis *redis, const char *stream, const char *text,
                     struct dur_ns ttl, struct base_error *err)
{
    AUTO_REPLY *reply = call(redis, (const char *[]){"XADD", stream, "*", field, text, NULL}, err);
    return reply != NULL && expire(redis, stream, ttl, err);
}

/* [id, [field, text]] */
static bool is_message(const redisReply *one)
{
    return one->type == REDIS_REPLY_ARRAY && one->elements == 2 &&
           one->element[0]->type == REDIS_REPLY_STRING &&
           one->element[1]->type == REDIS_REPLY_ARRAY && one->element[1]->elements == 2 &&
           one->element[1]->element[1]->type == REDIS_REPLY_STRING;
}

bool load_redis_receive(struct load_redis *redis, const char *stream, char **last,
                        bool (*on_message)(void *ctx, const char *text, size_t len,
                                           struct base_error *err),
                        void *ctx, struct base_error *err)
{
    struct number most;
    (void)snprintf(most.text, sizeof most.text, "%d", MESSAGES_AT_ONCE);
    AUTO_REPLY *reply = call(redis,
                             (const char *[]){"XREAD", "COUNT", most.text, "STREAMS", stream,
                                              *last == NULL ? "0" : *last, NULL},
                             err);
    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_NIL)
        return true;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 ||
        reply->element[0]->type != REDIS_REPLY_ARRAY || reply->element[0]->elements != 2 ||
        reply->element[0]->element[1]->type != REDIS_REPLY_ARRAY)
        return unexpected(redis, "XREAD", err);
    const redisReply *messages = reply->element[0]->element[1];
    for (size_t i = 0; i < messages->elements; i++) {
        const redisReply *one = messages->element[i];
        if (!is_message(one))
            return unexpected(redis, "XREAD", err);
        free(*last);
        *last = base_str_ndup(one->element[0]->str, one->element[0]->len);
        const redisReply *text = one->element[1]->element[1];
        if (!on_message(ctx, text->str, text->len, err))
            return false;
    }
    return true;
}

bool load_redis_trim(struct load_redis *redis, const char *stream, const char *last,
                     struct base_error *err)
{
    AUTO_REPLY *reply = call(redis, (const char *[]){"XTRIM", stream, "MINID", last, NULL}, err);
    return reply != NULL;
}

bool load_redis_drop(struct load_redis *redis, const char *key, struct base_error *err)
{
    AUTO_REPLY *reply = call(redis, (const char *[]){"DEL", key, NULL}, err);
    return reply != NULL;
}
