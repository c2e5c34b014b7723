/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp: a toxic on the connections of a target, by a proxy in its network namespace (redirect.h).
 * Proven by conversations with the server along the path that clients take: what the toxic does
 * must be seen there during the fault, within the tolerance of its row, and neither before nor
 * after.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "connect.h"
#include "measure.h"
#include "nft_host.h"
#include "proxy_tcp.h"
#include "redirect_share.h"

enum {
    patience_ms = 2000, /* one lost SYN is sent again after 1 s */
    silence_ms = 500,
    slack_ms = 100, /* a machine that is busy */
    latency_samples = 5,
    sliced_pieces = 4,
    most_bytes = 1024 * 1024,
    most_piece = 64 * 1024,
    most_time_s = 60,
    step_slack_s = 10
};

/* What each toxic needs, and how it is seen. */
static const struct toxic {
    const char *metric;
    bool bytes;
    bool time;        /* needs it */
    bool may_be_zero; /* but 0 means something */
    size_t samples;
} toxics[FAULT_TOXIC_COUNT] = {
    [FAULT_TOXIC_LATENCY] = {"median time to the first byte", false, true, false, latency_samples},
    [FAULT_TOXIC_SLICER] = {"time between first and last piece", true, true, false, 1},
    [FAULT_TOXIC_LIMIT_DATA] = {"bytes of answer", true, false, false, 1},
    [FAULT_TOXIC_RESET_BYTES] = {"bytes of answer", true, false, false, 1},
    [FAULT_TOXIC_RESET_TIME] = {"life of a connection", false, true, false, 1},
    [FAULT_TOXIC_TIMEOUT] = {"answer", false, true, true, 1},
    [FAULT_TOXIC_SLOW_CLOSE] = {"time to the close", false, true, false, 1},
};

static const struct fault_route *tcp_route(const struct fault_spec *spec)
{
    return &spec->tcp.route;
}

static size_t samples_of(const struct fault_spec *spec)
{
    return redirect_samples("tcp", spec->tcp.share, toxics[spec->tcp.toxic].samples,
                            spec->tcp.jitter, NULL);
}

/* When one conversation, as tcp_ask has it, has shown the toxic. */
static struct dur_ns one_shown_after(const struct fault_spec *spec)
{
    int64_t time = spec->tcp.time.ns;
    switch (spec->tcp.toxic) {
    case FAULT_TOXIC_LATENCY:
    case FAULT_TOXIC_RESET_TIME:
    case FAULT_TOXIC_SLOW_CLOSE:
        return spec->tcp.time;
    case FAULT_TOXIC_SLICER:
        return (struct dur_ns){time * (sliced_pieces - 1)};
    case FAULT_TOXIC_TIMEOUT:
        return base_dur_ms(silence_ms);
    case FAULT_TOXIC_LIMIT_DATA:
    case FAULT_TOXIC_RESET_BYTES:
        break;
    }
    return (struct dur_ns){0};
}

static bool check_share(const struct fault_spec *spec, struct base_error *err)
{
    bool latency = spec->tcp.toxic == FAULT_TOXIC_LATENCY;
    if (!(spec->tcp.share > 0.0))
        return base_fail(err, BASE_INVALID, "tcp: a share of 0 %% hits nothing");
    if (spec->tcp.jitter.ns > (latency ? spec->tcp.time.ns / 2 : 0))
        return base_fail(err, BASE_INVALID, "tcp: %s takes %s jitter",
                         fault_toxic_name(spec->tcp.toxic), latency ? "up to half of it as" : "no");
    return redirect_samples("tcp", spec->tcp.share, toxics[spec->tcp.toxic].samples,
                            spec->tcp.jitter, err) > 0;
}

static bool check(const struct fault_spec *spec, struct base_error *err)
{
    const struct toxic *toxic = &toxics[spec->tcp.toxic];
    const char *name = fault_toxic_name(spec->tcp.toxic);
    uint64_t most = spec->tcp.toxic == FAULT_TOXIC_SLICER ? most_piece : most_bytes;
    if (toxic->bytes ? spec->tcp.bytes < 1 || spec->tcp.bytes > most : spec->tcp.bytes != 0)
        return base_fail(err, BASE_INVALID,
                         toxic->bytes ? "%s takes 1 to %llu bytes" : "%s takes no bytes", name,
                         (unsigned long long)most);
    bool bad = spec->tcp.time.ns > base_dur_s(most_time_s).ns ||
               (toxic->time && !toxic->may_be_zero && spec->tcp.time.ns < base_dur_ms(1).ns);
    if (toxic->time ? bad : spec->tcp.time.ns != 0)
        return base_fail(err, BASE_INVALID,
                         toxic->time ? "%s takes a time of 1 ms to %d s" : "%s takes no time", name,
                         most_time_s);
    struct dur_ns shown = {one_shown_after(spec).ns * redirect_rounds(samples_of(spec))};
    return check_share(spec, err) && redirect_fits_lease(spec, shown, err);
}

static void *tcp_rules(const struct fault_spec *spec, const struct topo *topo,
                       struct base_error *err)
{
    (void)topo;
    if (!check(spec, err))
        return NULL;
    struct proxy_tcp_rules *rules = base_calloc(1, sizeof *rules);
    *rules = (struct proxy_tcp_rules){.toxic = spec->tcp.toxic,
                                      .bytes = spec->tcp.bytes,
                                      .time = spec->tcp.time,
                                      .jitter = spec->tcp.jitter,
                                      .share = spec->tcp.share,
                                      .seed = spec->tcp.seed};
    return rules;
}

/* --- what is asked --- */

static const char http_request[] = "GET " FAULT_MEASURE_PATH " HTTP/1.1\r\n"
                                   "Host: squall-probe\r\n"
                                   "X-Traffic: probe\r\n\r\n";
/* SSLRequest, answered with one byte: PostgreSQL's manual, "Message Formats". */
static const char postgres_request[] = {0, 0, 0, 8, 0x04, (char)0xd2, 0x16, 0x2f};

static void tcp_ask(const struct fault *fault, const struct redirect_path *path,
                    enum fault_step round, struct redirect_ask *out)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct proxy_probe_plan *plan = &out->plan;
    size_t bytes = (size_t)spec->tcp.bytes;
    plan->say = path->postgres ? postgres_request : http_request;
    plan->say_len = path->postgres ? sizeof postgres_request : sizeof http_request - 1;
    plan->patience = base_dur_ms(patience_ms);
    plan->enough = 1;
    if (round == FAULT_STEP_VERIFY_GONE && fault_is_halted(fault))
        return; /* that it answers again has to do: whoever halts does not wait */
    out->count = samples_of(spec);
    out->parallel = REDIRECT_PARALLEL; /* in a lease's time, and a late one delays no other */
    switch (spec->tcp.toxic) {
    case FAULT_TOXIC_LATENCY:
        plan->patience.ns += spec->tcp.time.ns + spec->tcp.jitter.ns;
        break;
    case FAULT_TOXIC_SLICER:
        plan->enough = bytes * sliced_pieces;
        plan->patience.ns += spec->tcp.time.ns * 2 * sliced_pieces;
        break;
    case FAULT_TOXIC_LIMIT_DATA:
    case FAULT_TOXIC_RESET_BYTES:
        plan->enough = bytes + 1;
        break;
    case FAULT_TOXIC_RESET_TIME:
        plan->enough = 0;
        plan->patience = (struct dur_ns){spec->tcp.time.ns * 5 / 4 + base_dur_ms(slack_ms).ns * 2};
        break;
    case FAULT_TOXIC_TIMEOUT:
        if (round == FAULT_STEP_VERIFY)
            plan->patience = base_dur_ms(silence_ms);
        break;
    case FAULT_TOXIC_SLOW_CLOSE:
        plan->enough = 0;
        plan->half_close = true;
        plan->patience.ns += spec->tcp.time.ns;
        break;
    }
}

/* --- what the answers must be --- */

/* Of those that were answered; *count of them, to be freed. */
static int64_t *firsts(const struct proxy_probe_result *results, size_t all, size_t *count)
{
    int64_t *values = base_calloc(all + 1, sizeof *values);
    *count = 0;
    for (size_t i = 0; i < all; i++)
        if (results[i].bytes > 0)
            values[(*count)++] = results[i].first.ns;
    return values;
}

static struct dur_ns median_first(const struct proxy_probe_result *results, size_t all)
{
    size_t count;
    int64_t *values = firsts(results, all, &count);
    struct dur_ns median = {count > 0 ? fault_median(values, count) : -1};
    free(values);
    return median;
}

/* As late as asked for, less 10 %, and later than before by more than half of it, since what was
 * before may have been a busy moment; at most 10 % and some milliseconds more than both. give: as a
 * jitter allows. */
static bool is_late(struct dur_ns value, struct dur_ns before, struct dur_ns asked,
                    struct dur_ns give, bool during, struct redirect_finding *out)
{
    int64_t half = before.ns + (asked.ns - give.ns) / 2;
    int64_t least = (asked.ns - give.ns) * 9 / 10;
    struct dur_ns low = {least > half ? least : half};
    struct dur_ns high = {before.ns + (asked.ns + give.ns) * 11 / 10 + slack_ms * BASE_NS_PER_MS};
    char text[3][BASE_DUR_TEXT];
    base_dur_format_brief(value, text[0]);
    base_dur_format_brief(low, text[1]);
    base_dur_format_brief(high, text[2]);
    if (value.ns >= 0)
        (void)snprintf(out->value, sizeof out->value, "%s", text[0]);
    if (during)
        (void)snprintf(out->expected, sizeof out->expected, "%s to %s", text[1], text[2]);
    else
        (void)snprintf(out->expected, sizeof out->expected, "under %s", text[1]);
    return value.ns >= 0 &&
           (during ? value.ns >= low.ns && value.ns <= high.ns : value.ns < low.ns);
}

static struct dur_ns late_value(enum fault_toxic toxic, const struct proxy_probe_result *results,
                                size_t count)
{
    static const struct dur_ns none = {-1};
    if (count == 0)
        return none;
    if (toxic == FAULT_TOXIC_LATENCY)
        return median_first(results, count);
    if (toxic == FAULT_TOXIC_SLICER)
        return results[0].end == PROXY_PROBE_ENOUGH ? results[0].spread : none;
    if (toxic == FAULT_TOXIC_SLOW_CLOSE)
        return results[0].end == PROXY_PROBE_CLOSED ? results[0].ended : none;
    return results[0].end == PROXY_PROBE_RESET ? results[0].ended : none;
}

static bool judge_time(const struct fault_spec *spec, const struct redirect_path *path,
                       enum fault_step round, struct redirect_finding *out)
{
    enum fault_toxic toxic = spec->tcp.toxic;
    bool compared = toxic != FAULT_TOXIC_RESET_TIME && round != FAULT_STEP_PREPARE;
    struct dur_ns before = late_value(toxic, path->before, compared ? path->before_count : 0);
    struct dur_ns asked = spec->tcp.time;
    if (toxic == FAULT_TOXIC_SLICER)
        asked.ns *= sliced_pieces - 1;
    if (before.ns < 0)
        before.ns = 0;
    /* One alone may be off by all of the jitter, the median of so many by half of it at the most.
     */
    struct dur_ns give = {path->count > 1 ? spec->tcp.jitter.ns / 2 : spec->tcp.jitter.ns};
    return is_late(late_value(toxic, path->now, path->count), before, asked, give,
                   round == FAULT_STEP_VERIFY, out);
}

static bool judge_bytes(const struct fault_spec *spec, const struct proxy_probe_result *result,
                        bool during, struct redirect_finding *out)
{
    unsigned long long limit = spec->tcp.bytes;
    bool reset = spec->tcp.toxic == FAULT_TOXIC_RESET_BYTES;
    if (!during) {
        (void)snprintf(out->expected, sizeof out->expected, "more than %llu", limit);
        return result->end == PROXY_PROBE_ENOUGH;
    }
    (void)snprintf(out->expected, sizeof out->expected, "%llu bytes, then %s", limit,
                   reset ? "reset" : "closed");
    return result->bytes == spec->tcp.bytes &&
           result->end == (reset ? PROXY_PROBE_RESET : PROXY_PROBE_CLOSED);
}

static bool judge_silence(const struct proxy_probe_result *result, bool during,
                          struct redirect_finding *out)
{
    (void)snprintf(out->expected, sizeof out->expected, "%s",
                   during ? "connected, no byte" : "an answer");
    return during ? result->bytes == 0 &&
                        (result->end == PROXY_PROBE_SILENT || result->end == PROXY_PROBE_CLOSED)
                  : result->bytes > 0;
}

/* --- of a share of the connections, and how late they are spread --- */

/* One conversation: as the fault would have it (during), or as without it. */
static bool judge_one(const struct fault_spec *spec, const struct redirect_path *path,
                      const struct proxy_probe_result *result, bool during)
{
    const struct toxic *toxic = &toxics[spec->tcp.toxic];
    struct redirect_finding ignored;
    struct proxy_probe_result own = *result;
    struct redirect_path one = *path;
    one.now = &own;
    one.count = 1;
    if (spec->tcp.toxic == FAULT_TOXIC_TIMEOUT)
        return judge_silence(result, during, &ignored);
    if (toxic->bytes && !toxic->time)
        return judge_bytes(spec, result, during, &ignored);
    if (spec->tcp.toxic == FAULT_TOXIC_RESET_TIME && !during)
        return result->bytes > 0 && result->end != PROXY_PROBE_RESET;
    return judge_time(spec, &one, during ? FAULT_STEP_VERIFY : FAULT_STEP_VERIFY_GONE, &ignored);
}

static bool judge_share(const struct fault_spec *spec, const struct redirect_path *path,
                        bool during, struct redirect_finding *out)
{
    struct fault_interval want = redirect_hits(spec->tcp.share, path->count, during);
    size_t hits = 0;
    size_t usual = 0;
    for (size_t i = 0; i < path->count; i++) {
        bool hit = judge_one(spec, path, &path->now[i], true);
        hits += hit ? 1 : 0;
        usual += !hit && judge_one(spec, path, &path->now[i], false) ? 1 : 0;
    }
    (void)snprintf(out->value, sizeof out->value, "%zu of %zu, %zu as usual", hits, path->count,
                   usual);
    (void)snprintf(out->expected, sizeof out->expected, "%zu to %zu, the rest as usual", want.low,
                   want.high);
    return hits >= want.low && hits <= want.high && hits + usual == path->count;
}

static bool judge_jitter(const struct fault_spec *spec, const struct redirect_path *path,
                         struct redirect_finding *out)
{
    size_t usual;
    size_t count;
    size_t late = 0;
    int64_t *before = firsts(path->before, path->before_count, &usual);
    int64_t *now = firsts(path->now, path->count, &count);
    for (size_t i = 0; i < count; i++)
        if (now[i] >= (spec->tcp.time.ns - spec->tcp.jitter.ns) * 9 / 10)
            now[late++] = now[i];
    bool shown = redirect_jitter_shown(spec->tcp.jitter, before, usual, now, late, out);
    free(before);
    free(now);
    return shown;
}

static bool judge_answered(const struct redirect_path *path, struct redirect_finding *out)
{
    (void)snprintf(out->expected, sizeof out->expected, "an answer");
    return path->now[0].bytes > 0;
}

static bool tcp_judge(const struct fault *fault, const struct redirect_path *path,
                      enum fault_step round, struct redirect_finding *out)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    const struct toxic *toxic = &toxics[spec->tcp.toxic];
    bool during = round == FAULT_STEP_VERIFY;
    out->metric = toxic->metric;
    proxy_probe_describe(&path->now[0], out->value, sizeof out->value);
    if (round == FAULT_STEP_VERIFY_GONE && fault_is_halted(fault))
        return judge_answered(path, out);
    if (spec->tcp.share < 1.0 && !judge_share(spec, path, during, out))
        return false;
    if (spec->tcp.jitter.ns > 0 && during && !judge_jitter(spec, path, out))
        return false;
    if (spec->tcp.share < 1.0)
        return true;
    if (spec->tcp.toxic == FAULT_TOXIC_TIMEOUT)
        return judge_silence(&path->now[0], during, out);
    if (toxic->bytes && !toxic->time)
        return judge_bytes(spec, &path->now[0], during, out);
    /* That a connection is not reset shows in its living on. */
    if (spec->tcp.toxic == FAULT_TOXIC_RESET_TIME && !during) {
        (void)snprintf(out->expected, sizeof out->expected, "an answer, no reset");
        return path->now[0].bytes > 0 && path->now[0].end != PROXY_PROBE_RESET;
    }
    return judge_time(spec, path, round, out);
}

static const struct redirect_kind tcp_kind = {
    .word = "tcp",
    .driver = &proxy_tcp_driver,
    .route = tcp_route,
    .rules = tcp_rules,
    .rules_free = free,
    .ask = tcp_ask,
    .judge = tcp_judge,
};

/* --- the table --- */

static bool tcp_platform(const struct topo *topo, struct base_error *err)
{
    return fault_zone_platform("tcp", topo, err);
}

static bool tcp_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    return redirect_open(fault, &tcp_kind, topo, err);
}

static bool tcp_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    return redirect_reopen(fault, &tcp_kind, undo, err);
}

/* A conversation takes the toxic's time, some of them several times over. */
static struct dur_ns tcp_deadline(const struct fault *fault, enum fault_step step)
{
    bool talks = step == FAULT_STEP_PREPARE || step == FAULT_STEP_VERIFY;
    int64_t time =
        fault_spec_of(fault)->tcp.time.ns * redirect_rounds(samples_of(fault_spec_of(fault)));
    if (step == FAULT_STEP_VERIFY_GONE)
        return (struct dur_ns){base_dur_s(step_slack_s / 2).ns + 2 * time};
    return (struct dur_ns){talks ? base_dur_s(step_slack_s).ns + time * 2 * sliced_pieces : 0};
}

const struct fault_ops fault_tcp_ops = {
    REDIRECT_OPS(0),      .platform = tcp_platform, .open = tcp_open,
    .reopen = tcp_reopen, .deadline = tcp_deadline,
};
