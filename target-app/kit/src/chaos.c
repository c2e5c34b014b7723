/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/chaos.h"

#include <stdio.h>
#include <string.h>

#include "kit/validate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct kit_field ttl_field = {"ttlMs", KIT_FIELD_INTEGER, true, 1, 3600000};

void kit_chaos_init(struct kit_chaos *chaos, uint64_t seed)
{
    memset(chaos, 0, sizeof *chaos);
    base_rng_seed(&chaos->rng, seed);
}

const char *kit_chaos_kind_name(enum kit_chaos_kind kind)
{
    static const char *const names[KIT_CHAOS_KINDS] = {"errors",     "latency", "readiness",
                                                       "dependency", "cpu",     "memory"};
    return names[kind];
}

bool kit_chaos_kind_parse(const char *name, enum kit_chaos_kind *kind)
{
    for (unsigned i = 0; i < KIT_CHAOS_KINDS; i++) {
        if (strcmp(kit_chaos_kind_name((enum kit_chaos_kind)i), name) == 0) {
            *kind = (enum kit_chaos_kind)i;
            return true;
        }
    }
    return false;
}

static bool check(enum kit_chaos_kind kind, const json_t *body, struct kit_errors *errors)
{
    enum { most = 3 };
    static const struct {
        struct kit_field fields[most - 1]; /* beside the TTL, which each must have */
        size_t count;
    } shapes[KIT_CHAOS_KINDS] = {
        [KIT_CHAOS_ERRORS] = {{{"rate", KIT_FIELD_NUMBER, true, 0, 1},
                               {"status", KIT_FIELD_INTEGER, true, 400, 599}},
                              2},
        [KIT_CHAOS_LATENCY] = {{{"ms", KIT_FIELD_INTEGER, true, 1, 60000}}, 1},
        [KIT_CHAOS_DEPENDENCY] = {{{"name", KIT_FIELD_LINE, true, 1, KIT_CHAOS_NAME_MAX}}, 1},
        [KIT_CHAOS_CPU] = {{{"load", KIT_FIELD_NUMBER, true, 0.01, 1}}, 1},
        [KIT_CHAOS_MEMORY] = {{{"bytes", KIT_FIELD_INTEGER, true, 1, KIT_CHAOS_MEMORY_MAX}}, 1},
    };
    struct kit_field fields[most];
    size_t count = shapes[kind].count;
    memcpy(fields, shapes[kind].fields, sizeof shapes[kind].fields);
    fields[count++] = ttl_field;
    return kit_validate(body, fields, count, errors);
}

static void take(struct kit_chaos *chaos, enum kit_chaos_kind kind, const json_t *body)
{
    switch (kind) {
    case KIT_CHAOS_ERRORS:
        chaos->rate = json_number_value(json_object_get(body, "rate"));
        chaos->status = (unsigned)json_integer_value(json_object_get(body, "status"));
        return;
    case KIT_CHAOS_LATENCY:
        chaos->delay = base_dur_ms(json_integer_value(json_object_get(body, "ms")));
        return;
    case KIT_CHAOS_DEPENDENCY:
        (void)snprintf(chaos->dependency, sizeof chaos->dependency, "%s",
                       json_string_value(json_object_get(body, "name")));
        return;
    case KIT_CHAOS_CPU:
        chaos->load = json_number_value(json_object_get(body, "load"));
        return;
    case KIT_CHAOS_MEMORY:
        chaos->bytes = json_integer_value(json_object_get(body, "bytes"));
        return;
    case KIT_CHAOS_READINESS:
    case KIT_CHAOS_KINDS:
        return;
    }
}

bool kit_chaos_apply(struct kit_chaos *chaos, enum kit_chaos_kind kind, const json_t *body,
                     struct mono_ns now, struct kit_errors *errors)
{
    if (!check(kind, body, errors))
        return false;
    take(chaos, kind, body);
    chaos->until[kind] =
        base_mono_add(now, base_dur_ms(json_integer_value(json_object_get(body, "ttlMs"))));
    return true;
}

void kit_chaos_clear(struct kit_chaos *chaos, enum kit_chaos_kind kind)
{
    chaos->until[kind] = (struct mono_ns){0};
}

bool kit_chaos_active(const struct kit_chaos *chaos, enum kit_chaos_kind kind, struct mono_ns now)
{
    return base_mono_before(now, chaos->until[kind]);
}

struct kit_chaos_effect kit_chaos_draw(struct kit_chaos *chaos, struct mono_ns now)
{
    struct kit_chaos_effect effect = {0};
    if (kit_chaos_active(chaos, KIT_CHAOS_LATENCY, now))
        effect.delay = chaos->delay;
    if (kit_chaos_active(chaos, KIT_CHAOS_ERRORS, now) && base_rng_unit(&chaos->rng) < chaos->rate)
        effect.error_status = chaos->status;
    return effect;
}

bool kit_chaos_lacks(const struct kit_chaos *chaos, const char *dependency, struct mono_ns now)
{
    return kit_chaos_active(chaos, KIT_CHAOS_DEPENDENCY, now) &&
           strcmp(chaos->dependency, dependency) == 0;
}

static json_t *values_of(const struct kit_chaos *chaos, enum kit_chaos_kind kind)
{
    switch (kind) {
    case KIT_CHAOS_ERRORS:
        return json_pack("{s:f,s:i}", "rate", chaos->rate, "status", (int)chaos->status);
    case KIT_CHAOS_LATENCY:
        return json_pack("{s:I}", "ms", (json_int_t)base_dur_to_ms(chaos->delay));
    case KIT_CHAOS_DEPENDENCY:
        return json_pack("{s:s}", "name", chaos->dependency);
    case KIT_CHAOS_CPU:
        return json_pack("{s:f}", "load", chaos->load);
    case KIT_CHAOS_MEMORY:
        return json_pack("{s:I}", "bytes", (json_int_t)chaos->bytes);
    case KIT_CHAOS_READINESS:
    case KIT_CHAOS_KINDS:
        break;
    }
    return json_object();
}

json_t *kit_chaos_describe(const struct kit_chaos *chaos, struct mono_ns now)
{
    json_t *all = json_object();
    for (unsigned i = 0; i < KIT_CHAOS_KINDS; i++) {
        enum kit_chaos_kind kind = (enum kit_chaos_kind)i;
        json_t *one = json_null();
        if (kit_chaos_active(chaos, kind, now)) {
            /* Rounded up: what is in force never reads as 0. */
            int64_t left = base_mono_sub(chaos->until[kind], now).ns + BASE_NS_PER_MS - 1;
            one = values_of(chaos, kind);
            json_object_set_new(one, "ttlMs", json_integer(left / BASE_NS_PER_MS));
        }
        json_object_set_new(all, kit_chaos_kind_name(kind), one);
    }
    return all;
}
