/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include <string.h>

#include "base/text.h"
#include "loadgen/run.h"

enum { RUN_MAX = 64, CLOCK_SAMPLES = 16 };

const struct dur_ns load_cluster_ttl = {3600 * BASE_NS_PER_S};
const struct dur_ns load_cluster_alive = {5 * BASE_NS_PER_S};
const struct dur_ns load_cluster_patience = {2 * BASE_NS_PER_S};

char *load_cluster_key(const char *run, const char *id, enum load_cluster_key key)
{
    static const char *const names[LOAD_CLUSTER_KEYS] = {
        [LOAD_CLUSTER_PLAN] = "plan",     [LOAD_CLUSTER_ALIVE] = "alive",
        [LOAD_CLUSTER_JOINED] = "joined", [LOAD_CLUSTER_ENDED] = "ended",
        [LOAD_CLUSTER_TORN] = "torn",     [LOAD_CLUSTER_UP] = "up",
        [LOAD_CLUSTER_DOWN] = "down",
    };
    if (key == LOAD_CLUSTER_PLAN)
        return base_str_printf("squall:%s:%s", run, names[key]);
    return base_str_printf("squall:%s:%s:%s", run, id, names[key]);
}

bool load_cluster_run_valid(const char *run)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_.";
    size_t len = strlen(run);
    return len > 0 && len <= RUN_MAX && strspn(run, letters) == len;
}

void load_cluster_clock_add(struct load_cluster_clock *clock, struct mono_ns sent,
                            struct mono_ns received, struct wall_ns redis)
{
    struct dur_ns rtt = base_mono_sub(received, sent);
    if (clock->samples++ > 0 && rtt.ns >= clock->rtt.ns)
        return;
    clock->rtt = rtt;
    clock->offset = redis.ns - (sent.ns + rtt.ns / 2);
}

bool load_cluster_clock_learn(struct load_cluster_clock *clock, struct load_redis *redis,
                              struct base_error *err)
{
    for (int i = 0; i < CLOCK_SAMPLES; i++) {
        struct wall_ns there;
        struct mono_ns sent = base_mono_now();
        if (!load_redis_time(redis, &there, err))
            return false;
        load_cluster_clock_add(clock, sent, base_mono_now(), there);
    }
    return true;
}

struct mono_ns load_cluster_clock_mono(const struct load_cluster_clock *clock, struct wall_ns at)
{
    return (struct mono_ns){at.ns - clock->offset};
}

uint32_t load_cluster_connections(uint32_t all, uint32_t index, uint32_t workers)
{
    return (uint32_t)load_share_even((struct load_share){.index = index, .of = workers}, all);
}
