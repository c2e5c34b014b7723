/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: what befalls those requests of a target's connections that match, by a proxy in its network
 * namespace (redirect.h). Proven by requests that match, sent along the path that clients take: as
 * many as the share makes likely must be hit during the fault, none before and after. Requests
 * under a prefix ask for a path that no service has; nothing is acted upon.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "connect.h"
#include "nft_host.h"
#include "proxy_http.h"
#include "redirect_share.h"

enum {
    patience_ms = 2000,
    slack_ms = 100,        /* a machine that is busy */
    sample_whole = 4,      /* when every request is hit */
    shortest_slow_ms = 20, /* less does not tell from the machine's own hesitation */
    pieces_a_second = 100, /* as proxy_http.c sends them */
    most_time_s = 60,
    step_slack_s = 10
};

static const struct action {
    const char *metric;
    bool status;
    bool time;
    bool bytes;
} actions[FAULT_HTTP_ACTIONS] = {
    [FAULT_HTTP_ABORT] = {"requests answered by the fault", true, false, false},
    [FAULT_HTTP_DELAY] = {"requests answered late", false, true, false},
    [FAULT_HTTP_SLOW_BODY] = {"answers with a slow body", false, false, true},
    [FAULT_HTTP_TRUNCATE] = {"answers cut short", false, false, true},
    [FAULT_HTTP_PATCH] = {"answers with patched headers", false, false, false},
    [FAULT_HTTP_PATCH_REQUEST] = {"requests that the server got with patched headers", false, false,
                                  false},
};

static const struct fault_route *http_route(const struct fault_spec *spec)
{
    return &spec->http.route;
}

/* Name and value; without a value only the name. Framing is the server's to say. */
static bool check_fields(const struct fault_texts *fields, bool with_value, struct base_error *err)
{
    static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Connection"};
    for (size_t i = 0; i < fields->count; i++) {
        const char *line = fields->list[i];
        size_t name = strcspn(line, ":");
        bool ok = name > 0 && strcspn(line, " \t\"(),/:;<=>?@[\\]{}") == name &&
                  (line[name] == ':') == with_value;
        for (size_t k = 0; k < sizeof framing / sizeof *framing; k++)
            ok = ok && !http_text_names((struct http_text){line, name}, framing[k]);
        if (!ok)
            return base_fail(err, BASE_INVALID, "http: \"%s\" is no header to %s", line,
                             with_value ? "set or to match (\"Name: value\")" : "remove");
    }
    return true;
}

static size_t samples_of(const struct fault_spec *spec)
{
    return redirect_samples("http", spec->http.share, sample_whole, spec->http.jitter, NULL);
}

/* When all of them are answered: those that are hit, one after the other in each of the series. */
static struct dur_ns shown_after(const struct fault_spec *spec)
{
    double hits = (double)samples_of(spec) * spec->http.share;
    double rounds = hits > REDIRECT_PARALLEL ? hits / REDIRECT_PARALLEL : 1.0;
    return (struct dur_ns){(int64_t)((double)spec->http.time.ns * rounds)};
}

/* By this header the requests are known that measure. */
static bool leaves_mark(const struct fault_spec *spec, const struct fault_texts *fields,
                        struct base_error *err)
{
    if (spec->http.action != FAULT_HTTP_PATCH_REQUEST)
        return true;
    for (size_t i = 0; i < fields->count; i++) {
        const char *line = fields->list[i];
        if (http_text_names((struct http_text){line, strcspn(line, ":")}, "X-Traffic"))
            return base_fail(err, BASE_INVALID,
                             "http: X-Traffic stays as it is: the effect is measured by it");
    }
    return true;
}

static bool patches_heads(const struct fault_spec *spec)
{
    return spec->http.action == FAULT_HTTP_PATCH || spec->http.action == FAULT_HTTP_PATCH_REQUEST;
}

static bool check(const struct fault_spec *spec, struct base_error *err)
{
    const struct action *action = &actions[spec->http.action];
    const char *name = fault_http_action_name(spec->http.action);
    bool patches = spec->http.set.count + spec->http.remove.count > 0;
    if (!(spec->http.share > 0.0))
        return base_fail(err, BASE_INVALID, "http: a share of 0 %% hits nothing");
    if (spec->http.path != NULL && spec->http.path_prefix != NULL)
        return base_fail(err, BASE_INVALID, "http: path and pathPrefix contradict each other");
    if (action->status != (spec->http.status >= 200))
        return base_fail(err, BASE_INVALID, "http: %s takes %s status", name,
                         action->status ? "a final" : "no");
    if (action->time != (spec->http.time.ns > 0) || spec->http.time.ns > base_dur_s(most_time_s).ns)
        return base_fail(err, BASE_INVALID, "http: %s takes %s", name,
                         action->time ? "a time of up to 60 s" : "no time");
    if (spec->http.action == FAULT_HTTP_SLOW_BODY ? spec->http.bytes == 0
                                                  : !action->bytes && spec->http.bytes != 0)
        return base_fail(err, BASE_INVALID, "http: %s takes %s bytes", name,
                         action->bytes ? "some" : "no");
    if (spec->http.jitter.ns > (action->time ? spec->http.time.ns / 2 : 0))
        return base_fail(err, BASE_INVALID, "http: %s takes %s jitter", name,
                         action->time ? "up to half of it as" : "no");
    if (patches != patches_heads(spec))
        return base_fail(err, BASE_INVALID, "http: %s takes %s headers to set or remove", name,
                         patches ? "no" : "some");
    return check_fields(&spec->http.headers, true, err) &&
           check_fields(&spec->http.set, true, err) &&
           check_fields(&spec->http.remove, false, err) &&
           leaves_mark(spec, &spec->http.set, err) && leaves_mark(spec, &spec->http.remove, err) &&
           redirect_samples("http", spec->http.share, sample_whole, spec->http.jitter, err) > 0 &&
           redirect_fits_lease(spec, shown_after(spec), err);
}

static void *http_rules(const struct fault_spec *spec, const struct topo *topo,
                        struct base_error *err)
{
    const struct topo_service *service =
        topo != NULL ? topo_find_service(topo, spec->service) : NULL;
    return check(spec, err) ? http_rules_new(spec, service, err) : NULL;
}

/* --- what is asked --- */

/* How long a whole body of that size takes when it is slow: the first piece does not wait. */
static struct dur_ns slow_time(const struct fault_spec *spec, size_t body)
{
    size_t piece = (size_t)spec->http.bytes / pieces_a_second;
    if (piece == 0)
        piece = 1;
    double rest = body > piece ? (double)(body - piece) : 0.0;
    return (struct dur_ns){(int64_t)(rest / (double)spec->http.bytes * (double)BASE_NS_PER_S)};
}

static size_t body_of(const struct proxy_probe_result *result)
{
    const char *end = strstr(result->kept, "\r\n\r\n");
    return end != NULL ? result->bytes - (size_t)(end + 4 - result->kept) : 0;
}

static void http_ask(const struct fault *fault, const struct redirect_path *path,
                     enum fault_step round, struct redirect_ask *out)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    out->plan.say = http_rules_probe(redirect_rules(fault));
    out->plan.say_len = strlen(out->plan.say);
    out->plan.patience =
        (struct dur_ns){base_dur_ms(patience_ms).ns + spec->http.time.ns + spec->http.jitter.ns};
    out->count = samples_of(spec);
    out->parallel = REDIRECT_PARALLEL;
    if (round == FAULT_STEP_VERIFY && spec->http.action == FAULT_HTTP_SLOW_BODY &&
        path->before_count > 0)
        out->plan.patience.ns += 2 * slow_time(spec, body_of(&path->before[0])).ns;
    if (round == FAULT_STEP_VERIFY_GONE && fault_is_halted(fault))
        out->count = 1; /* whoever halts does not wait for what only confirms */
}

/* --- what the answers must be --- */

static bool parse(const struct proxy_probe_result *result, struct http_head *head)
{
    static const struct http_text method = {"GET", 3};
    size_t kept = result->bytes < PROXY_PROBE_KEPT - 1 ? result->bytes : PROXY_PROBE_KEPT - 1;
    return http_response_parse(result->kept, kept, method, head) == HTTP_DONE;
}

static bool is_marked(const struct http_head *head)
{
    struct http_text fields = head->fields;
    struct http_field field;
    while (http_field_next(&fields, &field))
        if (http_text_names(field.name, HTTP_RULES_MARK))
            return true;
    return false;
}

static bool is_hit(const struct fault *fault, const struct proxy_probe_result *result,
                   const struct http_head *head)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    size_t body = body_of(result);
    switch (spec->http.action) {
    case FAULT_HTTP_ABORT:
        return head->status == spec->http.status && is_marked(head);
    case FAULT_HTTP_DELAY:
        return result->first.ns >= (spec->http.time.ns - spec->http.jitter.ns) * 9 / 10;
    case FAULT_HTTP_SLOW_BODY:
        return result->spread.ns >= slow_time(spec, body).ns * 9 / 10;
    case FAULT_HTTP_TRUNCATE:
        return body == spec->http.bytes && head->framing == HTTP_SIZED && head->size > body;
    case FAULT_HTTP_PATCH:
        return http_rules_patched(redirect_rules(fault), head);
    case FAULT_HTTP_PATCH_REQUEST:
        return false; /* no answer tells */
    }
    return false;
}

/* The longest that an answer took before. */
static struct dur_ns usual(const struct redirect_path *path, bool body)
{
    struct dur_ns most = {0};
    for (size_t i = 0; i < path->before_count; i++) {
        struct dur_ns took = body ? path->before[i].spread : path->before[i].first;
        if (took.ns > most.ns)
            most = took;
    }
    return most;
}

/* Not later than asked by more than a tenth and the machine's hesitation. */
static bool is_exact(const struct fault_spec *spec, const struct redirect_path *path,
                     const struct proxy_probe_result *result)
{
    bool slow = spec->http.action == FAULT_HTTP_SLOW_BODY;
    struct dur_ns asked = slow ? slow_time(spec, body_of(result)) : spec->http.time;
    asked.ns += spec->http.jitter.ns;
    struct dur_ns took = slow ? result->spread : result->first;
    if (!slow && spec->http.action != FAULT_HTTP_DELAY)
        return true;
    return took.ns <= usual(path, slow).ns + asked.ns * 11 / 10 + slack_ms * BASE_NS_PER_MS;
}

/* Before: whether the answer is one on which the effect would show at all. */
static bool would_show(const struct fault_spec *spec, const struct redirect_path *path,
                       struct redirect_finding *out)
{
    size_t body = body_of(&path->now[0]);
    bool slow = spec->http.action == FAULT_HTTP_SLOW_BODY;
    if (slow && slow_time(spec, body).ns < base_dur_ms(shortest_slow_ms).ns)
        (void)snprintf(out->expected, sizeof out->expected,
                       "one that takes %d ms or more at this speed: name a path with more",
                       shortest_slow_ms);
    else if (spec->http.action == FAULT_HTTP_TRUNCATE && body <= spec->http.bytes)
        (void)snprintf(out->expected, sizeof out->expected, "more than %llu: name a path with more",
                       (unsigned long long)spec->http.bytes);
    else
        return true;
    (void)snprintf(out->value, sizeof out->value, "a body of %zu bytes", body);
    return false;
}

static bool judge_jitter(const struct fault_spec *spec, const struct redirect_path *path,
                         struct redirect_finding *out)
{
    int64_t *before = base_calloc(path->before_count + 1, sizeof *before);
    int64_t *late = base_calloc(path->count + 1, sizeof *late);
    size_t count = 0;
    for (size_t i = 0; i < path->before_count; i++)
        before[i] = path->before[i].first.ns;
    for (size_t i = 0; i < path->count; i++)
        if (path->now[i].first.ns >= (spec->http.time.ns - spec->http.jitter.ns) * 9 / 10)
            late[count++] = path->now[i].first.ns;
    bool shown =
        redirect_jitter_shown(spec->http.jitter, before, path->before_count, late, count, out);
    free(before);
    free(late);
    return shown;
}

/* Whether it is one of ours, and changed. Without the header that says so it is not looked at:
 * check has refused to patch that one. */
static enum redirect_sight http_sight(const struct fault *fault, const struct http_head *head)
{
    struct http_text fields = head->fields;
    struct http_field field;
    if (fault_spec_of(fault)->http.action != FAULT_HTTP_PATCH_REQUEST)
        return REDIRECT_NOT_OURS;
    while (http_field_next(&fields, &field))
        if (http_text_names(field.name, "X-Traffic") && http_text_is(field.value, "probe"))
            return http_rules_patched(redirect_rules(fault), head) ? REDIRECT_CHANGED
                                                                   : REDIRECT_USUAL;
    return REDIRECT_NOT_OURS;
}

/* Of those that the proxy sent on, which during the fault are all that were answered. */
static bool judge_sight(const struct fault *fault, const struct redirect_path *path, bool during,
                        size_t answered, struct redirect_finding *out)
{
    struct redirect_seen seen = redirect_seen(fault, path->zone);
    struct fault_interval want =
        redirect_hits(fault_spec_of(fault)->http.share, seen.heads, during && seen.heads > 0);
    (void)snprintf(out->value, sizeof out->value, "%zu of %zu seen (%zu of %zu answered)",
                   seen.changed, seen.heads, answered, path->count);
    (void)snprintf(out->expected, sizeof out->expected, "%zu to %zu", want.low, want.high);
    return answered == path->count && seen.changed >= want.low && seen.changed <= want.high &&
           (!during || seen.heads >= answered);
}

static bool http_judge(const struct fault *fault, const struct redirect_path *path,
                       enum fault_step round, struct redirect_finding *out)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    bool during = round == FAULT_STEP_VERIFY;
    size_t answered = 0;
    size_t hits = 0;
    size_t inexact = 0;
    struct fault_interval want = redirect_hits(spec->http.share, path->count, during);
    out->metric = actions[spec->http.action].metric;
    for (size_t i = 0; i < path->count; i++) {
        struct http_head head;
        if (!parse(&path->now[i], &head))
            continue;
        bool hit = is_hit(fault, &path->now[i], &head);
        answered++;
        hits += hit ? 1 : 0;
        inexact += hit && during && !is_exact(spec, path, &path->now[i]) ? 1 : 0;
    }
    if (spec->http.action == FAULT_HTTP_PATCH_REQUEST)
        return judge_sight(fault, path, during, answered, out);
    bool exact = 2 * inexact <= hits; /* the median is in time */
    (void)snprintf(out->value, sizeof out->value, "%zu of %zu (%zu answered%s)", hits, path->count,
                   answered, exact ? "" : ", most of them too late");
    (void)snprintf(out->expected, sizeof out->expected, "%zu to %zu", want.low, want.high);
    bool ok = answered == path->count && hits >= want.low && hits <= want.high && exact;
    if (ok && during && spec->http.jitter.ns > 0)
        return judge_jitter(spec, path, out);
    return ok && (round != FAULT_STEP_PREPARE || would_show(spec, path, out));
}

static const struct redirect_kind http_kind = {
    .word = "http",
    .driver = &proxy_http_driver,
    .route = http_route,
    .rules = http_rules,
    .rules_free = http_rules_free,
    .ask = http_ask,
    .sight = http_sight,
    .judge = http_judge,
};

/* --- the table --- */

static bool http_platform(const struct topo *topo, struct base_error *err)
{
    return fault_zone_platform("http", topo, err);
}

static bool http_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    return redirect_open(fault, &http_kind, topo, err);
}

static bool http_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    return redirect_reopen(fault, &http_kind, undo, err);
}

/* Requests go in rounds of REDIRECT_PARALLEL, each as long as what befalls it. */
static struct dur_ns http_deadline(const struct fault *fault, enum fault_step step)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    int64_t rounds = redirect_rounds(samples_of(spec)) + 1;
    bool talks = step == FAULT_STEP_PREPARE || step == FAULT_STEP_VERIFY;
    if (step == FAULT_STEP_VERIFY_GONE)
        return base_dur_s(step_slack_s / 2);
    return (struct dur_ns){talks ? base_dur_s(step_slack_s).ns + rounds * 2 * spec->http.time.ns
                                 : 0};
}

const struct fault_ops fault_http_ops = {
    /* To see what a server is sent. */
    REDIRECT_OPS(UINT64_C(1) << CAP_NET_RAW),
    .platform = http_platform,
    .open = http_open,
    .reopen = http_reopen,
    .deadline = http_deadline,
};
