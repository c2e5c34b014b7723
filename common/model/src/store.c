/* SPDX-License-Identifier: Apache-2.0 */
/* The faults "postgres", "redis" and "rabbitmq": their JSON. */
#include "base/text.h"
#include "model/fault.h"
#include "shapes.h"

static const char *const postgres_action_names[] = {
    [FAULT_POSTGRES_TERMINATE] = "terminate",     [FAULT_POSTGRES_LOCK] = "lock",
    [FAULT_POSTGRES_CONNECTIONS] = "connections", [FAULT_POSTGRES_SLOW_DISK] = "slowDisk",
    [FAULT_POSTGRES_FAILOVER] = "failover",
};
static const struct codec_words postgres_actions = CODEC_WORDS(postgres_action_names);

static const char *const postgres_lock_names[] = {
    [FAULT_POSTGRES_LOCK_ALL] = "all", [FAULT_POSTGRES_LOCK_WRITES] = "writes"};
static const struct codec_words postgres_locks = CODEC_WORDS(postgres_lock_names);

static const char *const redis_action_names[] = {
    [FAULT_REDIS_PAUSE] = "pause",      [FAULT_REDIS_FILL] = "fill",
    [FAULT_REDIS_KILL] = "killClients", [FAULT_REDIS_SLEEP] = "sleep",
    [FAULT_REDIS_EVICT] = "evict",      [FAULT_REDIS_FAILOVER] = "failover",
};
static const struct codec_words redis_actions = CODEC_WORDS(redis_action_names);

static const char *const redis_pause_names[] = {
    [FAULT_REDIS_PAUSE_ALL] = "all", [FAULT_REDIS_PAUSE_WRITES] = "writes"};
static const struct codec_words redis_pauses = CODEC_WORDS(redis_pause_names);

static const char *const rabbitmq_action_names[] = {
    [FAULT_RABBITMQ_CLOSE] = "closeConnections",
    [FAULT_RABBITMQ_FILL] = "fillQueue",
    [FAULT_RABBITMQ_STOP] = "stopNode",
};
static const struct codec_words rabbitmq_actions = CODEC_WORDS(rabbitmq_action_names);

#define AT(member) .offset = offsetof(struct fault_spec, member)
/* The argument names a member. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define FAILOVER_FIELDS(kind)                                                                      \
    {.key = "members",                                                                             \
     .type = CODEC_TEXTS,                                                                          \
     .form = FORM_NAME,                                                                            \
     .optional = true,                                                                             \
     AT(kind.failover.members),                                                                    \
     .count_offset = offsetof(struct fault_spec, kind.failover.member_count)},                     \
    {                                                                                              \
        .key = "restoredWithinNs", .type = CODEC_NS, .optional = true,                             \
        AT(kind.failover.restored_within)                                                          \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
const struct fault_failover *fault_failover_of(const struct fault_spec *spec)
{
    if (spec->kind == FAULT_POSTGRES && spec->postgres.action == FAULT_POSTGRES_FAILOVER)
        return &spec->postgres.failover;
    if (spec->kind == FAULT_REDIS && spec->redis.action == FAULT_REDIS_FAILOVER)
        return &spec->redis.failover;
    if (spec->kind == FAULT_RABBITMQ && spec->rabbitmq.action == FAULT_RABBITMQ_STOP)
        return &spec->rabbitmq.failover;
    return NULL;
}

static bool check_failover(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    const struct fault_failover *failover = fault_failover_of(spec);
    if (failover != NULL && failover->member_count == 0)
        return base_fail(err, BASE_INVALID, "%s: members: expected the others of its cluster",
                         where);
    if (failover != NULL && failover->restored_within.ns <= 0)
        return base_fail(err, BASE_INVALID, "%s: restoredWithinNs: expected more than 0", where);
    if (failover != NULL && spec->target_count != 1)
        return base_fail(err, BASE_INVALID,
                         "%s: cuts off one instance, and %zu are named: select {count: 1}", where,
                         spec->target_count);
    return true;
}
static const struct codec_field postgres_fields[] = {
    {.key = "action", .type = CODEC_WORD, .words = &postgres_actions, AT(postgres.action)},
    {.key = "everyNs", .type = CODEC_NS, AT(postgres.every)},
    {.key = "table", .type = CODEC_TEXT_OR_NULL, .form = FORM_LINE, AT(postgres.table)},
    {.key = "lock", .type = CODEC_WORD, .words = &postgres_locks, AT(postgres.lock)},
    {.key = "left", .type = CODEC_I64, .max = FAULT_POSTGRES_MOST_LEFT, AT(postgres.left)},
    {.key = "disk", .type = CODEC_GROUP, .shape = &model_slow_disk_shape, .optional = true},
    FAILOVER_FIELDS(postgres),
};
static bool check_postgres(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    bool slow = fault_is_slow_disk(spec);
    if (!check_failover(value, where, err))
        return false;
    return slow == (spec->postgres.disk.path != NULL) ||
           base_fail(err, BASE_INVALID, "%s: disk: expected %s", where,
                     slow ? "what slowDisk throttles" : "none, which only slowDisk has");
}
static const struct codec_field redis_fields[] = {
    {.key = "action", .type = CODEC_WORD, .words = &redis_actions, AT(redis.action)},
    {.key = "pause", .type = CODEC_WORD, .words = &redis_pauses, AT(redis.pause)},
    {.key = "bytes", .type = CODEC_I64, .max = INT64_C(1) << 50, AT(redis.bytes)},
    {.key = "everyNs", .type = CODEC_NS, AT(redis.every)},
    {.key = "timeNs", .type = CODEC_NS, .max = 500000000, AT(redis.time)},
    FAILOVER_FIELDS(redis),
};
static const struct codec_field rabbitmq_fields[] = {
    {.key = "action", .type = CODEC_WORD, .words = &rabbitmq_actions, AT(rabbitmq.action)},
    {.key = "everyNs", .type = CODEC_NS, AT(rabbitmq.every)},
    {.key = "bytes", .type = CODEC_I64, .max = INT64_C(1) << 30, AT(rabbitmq.bytes)},
    FAILOVER_FIELDS(rabbitmq),
};
#define STORE(word, table, good)                                                                   \
    {                                                                                              \
        .name = (word), .size = sizeof(struct fault_spec), .closed = true, CODEC_FIELDS(table),    \
        .check = (good)                                                                            \
    }
const struct codec_shape model_postgres_shape = STORE("postgres", postgres_fields, check_postgres);
const struct codec_shape model_redis_shape = STORE("redis", redis_fields, check_failover);
const struct codec_shape model_rabbitmq_shape = STORE("rabbitmq", rabbitmq_fields, check_failover);
#undef AT
