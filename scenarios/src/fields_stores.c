/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what can befall a store, through its own protocol. */
#include "fields_parts.h"

static const struct scn_word lock_list[] = {{"all", FAULT_POSTGRES_LOCK_ALL},
                                            {"writes", FAULT_POSTGRES_LOCK_WRITES}};
static const struct scn_words locks = WORDS(lock_list);

#define AT(member) .offset = offsetof(struct scn_fault, member)
/* The first argument names a member. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define FAILOVER_FIELDS(kind, store)                                                               \
    {.key = "members",                                                                             \
     .type = SCN_TEXTS,                                                                            \
     .item = SCN_NAME,                                                                             \
     AT(kind.failover.members),                                                                    \
     .count_offset = offsetof(struct scn_fault, kind.failover.member_count),                       \
     .required = true,                                                                             \
     .least = 1,                                                                                   \
     .most = FAULT_MAX_MEMBERS,                                                                    \
     .help = "The others of its cluster, which the agent asks: instances, or services, all whose " \
             "instances but the target are meant. Each has a credentialsFile."},                   \
    {                                                                                              \
        .key = "restoredWithin", .type = SCN_DURATION, AT(kind.failover.restored_within),          \
        .fallback = "30s", .min = "1s", .max = "10m",                                              \
        .help = "So soon after the fault's end " store                                             \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
static const struct scn_field postgres_failover_fields[] = {
    FAILOVER_FIELDS(postgres, "one of them is the primary, and all others follow it."),
};
static const struct scn_field redis_failover_fields[] = {
    FAILOVER_FIELDS(redis, "one of them is the primary, and all others follow it."),
};
static const struct scn_field stop_fields[] = {
    FAILOVER_FIELDS(rabbitmq, "the node runs in all their eyes, and nobody reports a partition."),
};
static const struct scn_shape postgres_failover_shape = {FIELDS(postgres_failover_fields)};
static const struct scn_shape redis_failover_shape = {FIELDS(redis_failover_fields)};
static const struct scn_shape stop_shape = {FIELDS(stop_fields)};

static const struct scn_field terminate_fields[] = {
    {.key = "every",
     .type = SCN_DURATION,
     AT(postgres.every),
     .fallback = "0s",
     .min = "0s",
     .max = "10m",
     .example = "2s",
     .help = "Again so often, until the fault ends; 100ms at least. 0s: once."},
};
static const struct scn_shape terminate_shape = {FIELDS(terminate_fields)};

static const struct scn_field lock_fields[] = {
    {.key = "table",
     .type = SCN_TEXT,
     AT(postgres.table),
     .required = true,
     .example = "users",
     .help = "Table, also with its schema in front: public.users."},
    {.key = "mode",
     .type = SCN_WORD,
     .words = &locks,
     AT(postgres.lock),
     .fallback = "all",
     .help = "all: nobody reads or writes it (ACCESS EXCLUSIVE); writes: reading goes on "
             "(EXCLUSIVE)."},
};
static const struct scn_shape lock_shape = {FIELDS(lock_fields)};

static const struct scn_field connections_fields[] = {
    {.key = "left",
     .type = SCN_INTEGER,
     AT(postgres.left),
     .fallback = "0",
     .min = "0",
     .max = "10000",
     .example = "2",
     .help = "So many stay free, besides those that the server reserves for superusers."},
};
static const struct scn_shape connections_shape = {FIELDS(connections_fields)};

static const struct scn_field postgres_fields[] = {
    {.key = "terminate",
     .type = SCN_OBJECT,
     .shape = &terminate_shape,
     .choice = FAULT_POSTGRES_TERMINATE + 1,
     .help = "Ends the sessions of others in the database; they may connect again."},
    {.key = "lock",
     .type = SCN_OBJECT,
     .shape = &lock_shape,
     .choice = FAULT_POSTGRES_LOCK + 1,
     .help = "A transaction holds a lock on a table: statements on it wait."},
    {.key = "connections",
     .type = SCN_OBJECT,
     .shape = &connections_shape,
     .choice = FAULT_POSTGRES_CONNECTIONS + 1,
     .help = "Takes the connections that are free when the fault begins: new ones are refused."},
    {.key = "slowDisk",
     .type = SCN_OBJECT,
     .shape = &scn_throttle_shape,
     .choice = FAULT_POSTGRES_SLOW_DISK + 1,
     .help = "The disk of the primary gives its control group no more than so much, as with "
             "ioThrottle; shown by the time that commits take. Needs writeRate or writeOps."},
    {.key = "failover",
     .type = SCN_OBJECT,
     .shape = &postgres_failover_shape,
     .choice = FAULT_POSTGRES_FAILOVER + 1,
     .help = "The primary is cut off from everybody, and a standby has to take over within one "
             "lease. The new roles stay."},
};
const struct scn_shape scn_postgres_shape = {
    FIELDS(postgres_fields), .choice_of = "a way to break it",
    .choice_offset = offsetof(struct scn_fault, postgres.action)};

static const struct scn_word pause_list[] = {{"all", FAULT_REDIS_PAUSE_ALL},
                                             {"writes", FAULT_REDIS_PAUSE_WRITES}};
static const struct scn_words pauses = WORDS(pause_list);
static const struct scn_field pause_fields[] = {
    {.key = "clients",
     .type = SCN_WORD,
     .words = &pauses,
     AT(redis.pause),
     .fallback = "all",
     .help = "all: no command is answered; writes: reading goes on."},
};
static const struct scn_shape pause_shape = {FIELDS(pause_fields)};

static const struct scn_field fill_fields[] = {
    {.key = "size",
     .type = SCN_BYTES,
     AT(redis.bytes),
     .required = true,
     .min = "1MiB",
     .max = "8GiB",
     .example = "256MiB",
     .help = "So much memory is taken. Refused when keys of others would be evicted for it."},
};
static const struct scn_shape fill_shape = {FIELDS(fill_fields)};

static const struct scn_field kill_clients_fields[] = {
    {.key = "every",
     .type = SCN_DURATION,
     AT(redis.every),
     .fallback = "0s",
     .min = "0s",
     .max = "10m",
     .example = "2s",
     .help = "Again so often, until the fault ends; 100ms at least. 0s: once."},
};
static const struct scn_shape kill_clients_shape = {FIELDS(kill_clients_fields)};

static const struct scn_field sleep_fields[] = {
    {.key = "time",
     .type = SCN_DURATION,
     AT(redis.time),
     .fallback = "300ms",
     .min = "100ms",
     .max = "500ms",
     .help = "So long each time; between two of them whoever waits is served once."},
};
static const struct scn_shape sleep_shape = {FIELDS(sleep_fields)};

static const struct scn_field evict_fields[] = {
    {.key = "destroys",
     .type = SCN_BYTES,
     AT(redis.bytes),
     .required = true,
     .min = "4MiB",
     .max = "1GiB",
     .example = "64MiB",
     .help = "So much of what others keep there is driven out at most, and lost: an eighth at "
             "once, the rest evenly until the fault ends."},
};
static const struct scn_shape evict_shape = {FIELDS(evict_fields)};

static const struct scn_field redis_fields[] = {
    {.key = "pause",
     .type = SCN_OBJECT,
     .shape = &pause_shape,
     .choice = FAULT_REDIS_PAUSE + 1,
     .help = "Clients are not answered (CLIENT PAUSE)."},
    {.key = "fill",
     .type = SCN_OBJECT,
     .shape = &fill_shape,
     .choice = FAULT_REDIS_FILL + 1,
     .help = "Keys of the fault's own, which expire by themselves, take up memory."},
    {.key = "killClients",
     .type = SCN_OBJECT,
     .shape = &kill_clients_shape,
     .choice = FAULT_REDIS_KILL + 1,
     .help = "Disconnects all clients; they may connect again."},
    {.key = "sleep",
     .type = SCN_OBJECT,
     .shape = &sleep_shape,
     .choice = FAULT_REDIS_SLEEP + 1,
     .help =
         "The server stands still, again and again, as in a slow command (DEBUG SLEEP); Redis 7 "
         "needs enable-debug-command for it."},
    {.key = "evict",
     .type = SCN_OBJECT,
     .shape = &evict_shape,
     .choice = FAULT_REDIS_EVICT + 1,
     .help = "Keys of the fault's own, which expire by themselves, fill the server up to its "
             "maxmemory and beyond, so that it evicts keys of others by its own policy. They do "
             "not come back when the fault ends."},
    {.key = "failover",
     .type = SCN_OBJECT,
     .shape = &redis_failover_shape,
     .choice = FAULT_REDIS_FAILOVER + 1,
     .help = "The primary is cut off from everybody, and a replica has to take over within one "
             "lease. The new roles stay."},
};
const struct scn_shape scn_redis_shape = {FIELDS(redis_fields), .choice_of = "a way to break it",
                                          .choice_offset =
                                              offsetof(struct scn_fault, redis.action)};

static const struct scn_field close_fields[] = {
    {.key = "every",
     .type = SCN_DURATION,
     AT(rabbitmq.every),
     .fallback = "0s",
     .min = "0s",
     .max = "10m",
     .example = "2s",
     .help = "Again so often, until the fault ends; 100ms at least. 0s: once."},
};
static const struct scn_shape close_shape = {FIELDS(close_fields)};

static const struct scn_field queue_fields[] = {
    {.key = "size",
     .type = SCN_BYTES,
     AT(rabbitmq.bytes),
     .required = true,
     .min = "1MiB",
     .max = "256MiB",
     .example = "64MiB",
     .help = "So much lies in it, in messages of 1 MiB. Refused when the node's memory watermark "
             "would come near."},
};
static const struct scn_shape queue_shape = {FIELDS(queue_fields)};

static const struct scn_field rabbitmq_fields[] = {
    {.key = "closeConnections",
     .type = SCN_OBJECT,
     .shape = &close_shape,
     .choice = FAULT_RABBITMQ_CLOSE + 1,
     .help = "Closes all connections to the virtual host; clients may connect again."},
    {.key = "fillQueue",
     .type = SCN_OBJECT,
     .shape = &queue_shape,
     .choice = FAULT_RABBITMQ_FILL + 1,
     .help = "A queue of the fault's own, which expires by itself, takes up memory."},
    {.key = "stopNode",
     .type = SCN_OBJECT,
     .shape = &stop_shape,
     .choice = FAULT_RABBITMQ_STOP + 1,
     .help = "The node is cut off from everybody, until its cluster says within one lease that it "
             "does not run."},
};
const struct scn_shape scn_rabbitmq_shape = {
    FIELDS(rabbitmq_fields), .choice_of = "a way to break it",
    .choice_offset = offsetof(struct scn_fault, rabbitmq.action)};
#undef AT
