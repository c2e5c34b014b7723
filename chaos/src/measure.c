/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "statistics.h"

enum {
    max_parallel = 64,
    enough_latencies = 10, /* fewer answers without error than this: take all */
    give_up_after = 3      /* requests without an answer, when none has had one */
};

struct slot {
    struct fault_measure *measure;
    struct io_http_call *call; /* NULL: idle */
};

struct sample {
    int64_t ns;
    bool injected;
};

struct fault_measure {
    struct io_http *http;
    char *url;
    struct dur_ns timeout;
    size_t count;
    size_t started;
    size_t unanswered;
    struct slot slots[max_parallel];
    struct sample *samples;
    struct fault_measure_result result;
    void (*on_done)(void *ctx, const struct fault_measure_result *);
    void *ctx;
};

char *fault_url(const char *address, uint16_t port, const char *path)
{
    bool v6 = strchr(address, ':') != NULL;
    return base_str_printf("http://%s%s%s:%u%s", v6 ? "[" : "", address, v6 ? "]" : "",
                           (unsigned)port, path);
}

void fault_measure_cancel(struct fault_measure *measure)
{
    if (measure == NULL)
        return;
    for (size_t i = 0; i < max_parallel; i++)
        if (measure->slots[i].call != NULL)
            io_http_cancel(measure->slots[i].call);
    free(measure->url);
    free(measure->samples);
    free(measure);
}

static int64_t median_of(const struct fault_measure *measure)
{
    size_t answered = measure->result.answered;
    bool all = answered - measure->result.injected < enough_latencies;
    int64_t *values = base_calloc(answered + 1, sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i < answered; i++)
        if (all || !measure->samples[i].injected)
            values[count++] = measure->samples[i].ns;
    int64_t median = fault_median(values, count);
    free(values);
    return median;
}

static bool busy(const struct fault_measure *measure)
{
    for (size_t i = 0; i < max_parallel; i++)
        if (measure->slots[i].call != NULL)
            return true;
    return false;
}

static void finish(struct fault_measure *measure)
{
    struct fault_measure_result result = measure->result;
    result.asked = measure->started;
    result.median_ns = median_of(measure);
    void (*on_done)(void *ctx, const struct fault_measure_result *) = measure->on_done;
    void *ctx = measure->ctx;
    fault_measure_cancel(measure);
    on_done(ctx, &result);
}

static void on_answer(void *ctx, const struct io_http_response *response);

static bool start_one(struct slot *slot, struct base_error *err)
{
    struct fault_measure *measure = slot->measure;
    const char *headers[] = {"X-Traffic: probe", NULL};
    struct io_http_request request = {
        .url = measure->url,
        .headers = headers,
        .timeout = measure->timeout,
        .max_response = 65536,
    };
    slot->call = io_http_start(measure->http, &request, on_answer, slot, err);
    if (slot->call == NULL)
        return false;
    measure->started++;
    return true;
}

static void count_answer(struct fault_measure *measure, const struct io_http_response *response)
{
    if (!response->ok) {
        measure->unanswered++;
        (void)snprintf(measure->result.error, sizeof measure->result.error, "%.*s", 255,
                       response->error.message);
        return;
    }
    bool injected = strstr(response->body, "\"CHAOS_INJECTED\"") != NULL;
    measure->samples[measure->result.answered++] =
        (struct sample){.ns = response->elapsed.ns, .injected = injected};
    measure->result.injected += injected ? 1 : 0;
}

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct slot *slot = ctx;
    struct fault_measure *measure = slot->measure;
    slot->call = NULL;
    count_answer(measure, response);
    bool hopeless = measure->result.answered == 0 && measure->unanswered >= give_up_after;
    struct base_error err = {0};
    if (!hopeless && measure->started < measure->count && !start_one(slot, &err)) {
        (void)snprintf(measure->result.error, sizeof measure->result.error, "%.*s", 255,
                       err.message);
        measure->count = measure->started;
    }
    if (!busy(measure))
        finish(measure);
}

struct fault_measure *fault_measure_start(struct io_http *http, const char *address, uint16_t port,
                                          size_t count, size_t parallel, struct dur_ns timeout,
                                          void (*on_done)(void *ctx,
                                                          const struct fault_measure_result *),
                                          void *ctx, struct base_error *err)
{
    struct fault_measure *measure = base_calloc(1, sizeof *measure);
    measure->http = http;
    measure->url = fault_url(address, port, FAULT_MEASURE_PATH);
    measure->timeout = timeout;
    measure->count = count;
    measure->samples = base_calloc(count, sizeof *measure->samples);
    measure->on_done = on_done;
    measure->ctx = ctx;
    if (parallel > max_parallel)
        parallel = max_parallel;
    if (parallel == 0)
        parallel = 1;
    for (size_t i = 0; i < max_parallel; i++)
        measure->slots[i].measure = measure;
    for (size_t i = 0; i < parallel && measure->started < count; i++) {
        if (!start_one(&measure->slots[i], err)) {
            fault_measure_cancel(measure);
            return NULL;
        }
    }
    return measure;
}
