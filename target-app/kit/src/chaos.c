/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/chaos.h"

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
    static const char *const names[KIT_CHAOS_KINDS] = {"errors", "latency", "readiness"};
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
    const struct kit_field errors_fields[] = {
        {"rate", KIT_FIELD_NUMBER, true, 0, 1},
        {"status", KIT_FIELD_INTEGER, true, 400, 599},
        ttl_field,
    };
    const struct kit_field latency_fields[] = {
        {"ms", KIT_FIELD_INTEGER, true, 1, 60000},
        ttl_field,
    };
    switch (kind) {
    case KIT_CHAOS_ERRORS:
        return kit_validate(body, errors_fields, COUNT(errors_fields), errors);
    case KIT_CHAOS_LATENCY:
        return kit_validate(body, latency_fields, COUNT(latency_fields), errors);
    case KIT_CHAOS_READINESS:
        return kit_validate(body, &ttl_field, 1, errors);
    case KIT_CHAOS_KINDS:
        break;
    }
    return false;
}

bool kit_chaos_apply(struct kit_chaos *chaos, enum kit_chaos_kind kind, const json_t *body,
                     struct mono_ns now, struct kit_errors *errors)
{
    if (!check(kind, body, errors))
        return false;
    if (kind == KIT_CHAOS_ERRORS) {
        chaos->rate = json_number_value(json_object_get(body, "rate"));
        chaos->status = (unsigned)json_integer_value(json_object_get(body, "status"));
    } else if (kind == KIT_CHAOS_LATENCY) {
        chaos->delay = base_dur_ms(json_integer_value(json_object_get(body, "ms")));
    }
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

json_t *kit_chaos_describe(const struct kit_chaos *chaos, struct mono_ns now)
{
    json_t *all = json_object();
    for (unsigned i = 0; i < KIT_CHAOS_KINDS; i++) {
        enum kit_chaos_kind kind = (enum kit_chaos_kind)i;
        json_t *one = json_null();
        if (kit_chaos_active(chaos, kind, now)) {
            /* Rounded up: what is in force never reads as 0. */
            int64_t left = base_mono_sub(chaos->until[kind], now).ns + BASE_NS_PER_MS - 1;
            one = json_pack("{s:I}", "ttlMs", (json_int_t)(left / BASE_NS_PER_MS));
            if (kind == KIT_CHAOS_ERRORS)
                json_object_update_new(
                    one, json_pack("{s:f,s:i}", "rate", chaos->rate, "status", (int)chaos->status));
            else if (kind == KIT_CHAOS_LATENCY)
                json_object_set_new(one, "ms", json_integer(base_dur_to_ms(chaos->delay)));
        }
        json_object_set_new(all, kit_chaos_kind_name(kind), one);
    }
    return all;
}
