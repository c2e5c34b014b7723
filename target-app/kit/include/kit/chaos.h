/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that a service carries in itself. A fault is values and an expiry; it is looked at when a
 * request passes, so an expired one is inert without any timer having to fire. Pure: time comes in
 * as an argument, randomness from a seed.
 */
#ifndef KIT_CHAOS_H
#define KIT_CHAOS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/random.h"
#include "kit/envelope.h"

enum kit_chaos_kind {
    KIT_CHAOS_ERRORS,
    KIT_CHAOS_LATENCY,
    KIT_CHAOS_READINESS,  /* /ready says no */
    KIT_CHAOS_DEPENDENCY, /* the service behaves as if a named one of its dependencies had failed */
    KIT_CHAOS_CPU,        /* a thread of the service takes processor time (strain.h) */
    KIT_CHAOS_MEMORY,     /* another one holds memory */
    KIT_CHAOS_KINDS
};
enum { KIT_CHAOS_NAME_MAX = 63, KIT_CHAOS_MEMORY_MAX = 1 << 30 };

struct kit_chaos {
    struct base_rng rng;
    struct mono_ns until[KIT_CHAOS_KINDS];
    double rate;     /* errors: share of requests, 0..1 */
    unsigned status; /* errors: 400..599 */
    struct dur_ns delay;
    char dependency[4 * KIT_CHAOS_NAME_MAX + 1]; /* which one has failed */
    double load;                                 /* cpu: share of one processor, 0..1 */
    int64_t bytes;                               /* memory */
};

/* What one request must suffer. */
struct kit_chaos_effect {
    struct dur_ns delay;   /* 0: none */
    unsigned error_status; /* 0: none */
};

void kit_chaos_init(struct kit_chaos *chaos, uint64_t seed);
const char *kit_chaos_kind_name(enum kit_chaos_kind kind);
bool kit_chaos_kind_parse(const char *name, enum kit_chaos_kind *kind);
/* Checks the body of POST /api/chaos/<kind> and puts the fault in force, replacing one of the same
 * kind; false with errors, and what was in force stays. */
bool kit_chaos_apply(struct kit_chaos *chaos, enum kit_chaos_kind kind, const json_t *body,
                     struct mono_ns now, struct kit_errors *errors);
void kit_chaos_clear(struct kit_chaos *chaos, enum kit_chaos_kind kind);
bool kit_chaos_active(const struct kit_chaos *chaos, enum kit_chaos_kind kind, struct mono_ns now);
/* Draws one number when errors are in force, none otherwise. */
struct kit_chaos_effect kit_chaos_draw(struct kit_chaos *chaos, struct mono_ns now);
bool kit_chaos_lacks(const struct kit_chaos *chaos, const char *dependency, struct mono_ns now);
/* {"errors": {"rate","status","ttlMs"} or null, "latency": {"ms",...}, "readiness": ...,
 * "dependency": {"name",...}, "cpu": {"load",...}, "memory": {"bytes",...}} */
json_t *kit_chaos_describe(const struct kit_chaos *chaos, struct mono_ns now);

#endif
