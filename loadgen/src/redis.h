/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few Redis commands that workers and their leader need, one round trip each (adapter:
 * redis.c). Blocking, each at most `patience`: not for threads that send load. After an error of
 * the connection (BASE_UNAVAILABLE) every later call fails too. Source:
 * redis.io/docs/latest/commands.
 */
#ifndef LOAD_REDIS_H
#define LOAD_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct load_redis;

struct load_redis *load_redis_connect(const char *host, uint16_t port, struct dur_ns patience,
                                      struct base_error *err);
void load_redis_free(struct load_redis *redis); /* accepts NULL */

/* Its clock (TIME), in microseconds' resolution. */
bool load_redis_time(struct load_redis *redis, struct wall_ns *out, struct base_error *err);
/* SET, gone after ttl. */
bool load_redis_set(struct load_redis *redis, const char *key, const char *value, struct dur_ns ttl,
                    struct base_error *err);
/* As above if there is no such key yet; *made says whether. */
bool load_redis_set_new(struct load_redis *redis, const char *key, const char *value,
                        struct dur_ns ttl, bool *made, struct base_error *err);
/* A copy, free() it; *out is NULL when there is no such key. */
bool load_redis_get(struct load_redis *redis, const char *key, char **out, struct base_error *err);
/* INCR: 1, 2, 3... */
bool load_redis_count(struct load_redis *redis, const char *key, struct dur_ns ttl, int64_t *out,
                      struct base_error *err);
/* XADD of one message, the stream gone after ttl without another. */
bool load_redis_send(struct load_redis *redis, const char *stream, const char *text,
                     struct dur_ns ttl, struct base_error *err);
/* XREAD of what is behind *last (owned, NULL: from the beginning), which moves along; does not
 * wait. False from on_message ends it with the error that it has set. */
bool load_redis_receive(struct load_redis *redis, const char *stream, char **last,
                        bool (*on_message)(void *ctx, const char *text, size_t len,
                                           struct base_error *err),
                        void *ctx, struct base_error *err);
/* Drops what is in the stream before `last`. */
bool load_redis_trim(struct load_redis *redis, const char *stream, const char *last,
                     struct base_error *err);
bool load_redis_drop(struct load_redis *redis, const char *key, struct base_error *err);

#endif
