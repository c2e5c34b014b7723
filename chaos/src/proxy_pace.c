/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_pace.h"

/* What comes within so small a part of the time is one arrival: so its places suffice, and none of
 * it is early by more. */
enum { one_arrival = 128 };

void proxy_pace_init(struct proxy_pace *pace, size_t piece, struct dur_ns time)
{
    *pace = (struct proxy_pace){.piece = piece, .left = piece, .time = time};
    base_buf_init(&pace->bytes, PROXY_PACE_MAX);
}

void proxy_pace_vary(struct proxy_pace *pace, struct dur_ns jitter, struct base_rng *rng)
{
    pace->jitter = jitter;
    pace->rng = rng;
}

struct dur_ns proxy_pace_draw(struct dur_ns time, struct dur_ns jitter, struct base_rng *rng)
{
    if (jitter.ns == 0 || rng == NULL)
        return time;
    double off = (2.0 * base_rng_unit(rng) - 1.0) * (double)jitter.ns;
    return (struct dur_ns){time.ns + (int64_t)off};
}

void proxy_pace_fini(struct proxy_pace *pace)
{
    base_buf_fini(&pace->bytes);
}

size_t proxy_pace_room(const struct proxy_pace *pace)
{
    if (pace->piece == 0 && pace->count == PROXY_PACE_ARRIVALS)
        return 0;
    return PROXY_PACE_MAX - pace->bytes.len;
}

void proxy_pace_put(struct proxy_pace *pace, const void *bytes, size_t len, struct mono_ns now)
{
    if (len == 0 || !base_buf_append(&pace->bytes, bytes, len))
        return;
    if (pace->piece > 0)
        return;
    size_t end = pace->first + pace->count;
    struct arrival *last = &pace->arrivals[(end - 1) % PROXY_PACE_ARRIVALS];
    if (pace->count > 0 && base_mono_sub(now, last->came).ns < pace->time.ns / one_arrival) {
        last->len += len;
        return;
    }
    struct mono_ns due = base_mono_add(now, proxy_pace_draw(pace->time, pace->jitter, pace->rng));
    if (pace->count > 0 && base_mono_before(due, last->due))
        due = last->due;
    pace->arrivals[end % PROXY_PACE_ARRIVALS] =
        (struct arrival){.len = len, .came = now, .due = due};
    pace->count++;
}

size_t proxy_pace_due(const struct proxy_pace *pace, struct mono_ns now)
{
    size_t due = 0;
    if (pace->piece > 0) {
        if (base_mono_before(now, pace->next))
            return 0;
        return pace->bytes.len < pace->left ? pace->bytes.len : pace->left;
    }
    for (size_t i = 0; i < pace->count; i++) {
        const struct arrival *arrival = &pace->arrivals[(pace->first + i) % PROXY_PACE_ARRIVALS];
        if (base_mono_before(now, arrival->due))
            break;
        due += arrival->len;
    }
    return due;
}

void proxy_pace_went(struct proxy_pace *pace, size_t n, struct mono_ns now)
{
    base_buf_consume(&pace->bytes, n);
    if (pace->piece > 0) {
        pace->left -= n;
        if (pace->left == 0) {
            pace->left = pace->piece;
            pace->next = base_mono_add(now, pace->time);
        }
        return;
    }
    while (n > 0 && pace->count > 0) {
        struct arrival *arrival = &pace->arrivals[pace->first];
        size_t part = n < arrival->len ? n : arrival->len;
        arrival->len -= part;
        n -= part;
        if (arrival->len > 0)
            break;
        pace->first = (pace->first + 1) % PROXY_PACE_ARRIVALS;
        pace->count--;
    }
}

bool proxy_pace_next(const struct proxy_pace *pace, struct mono_ns now, struct mono_ns *out)
{
    struct mono_ns next = pace->piece > 0 ? pace->next : pace->arrivals[pace->first].due;
    if (pace->bytes.len == 0 || !base_mono_before(now, next))
        return false;
    *out = next;
    return true;
}
