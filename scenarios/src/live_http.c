/* SPDX-License-Identifier: Apache-2.0 */
/* Questions over HTTP whose answers are evidence: steady-state checks and Prometheus queries. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "live_internal.h"

/* Three queries at most for each SLO: total, bad or good, up. */
enum { QUERIES_PER_SLO = 3 };

void live_questions_init(struct live_questions *questions, struct io_http *http, struct run *run,
                         const struct plan *plan)
{
    *questions = (struct live_questions){.http = http, .run = run, .plan = plan};
    questions->checks = base_calloc(plan->check_count, sizeof *questions->checks);
    for (size_t i = 0; i < plan->check_count; i++) {
        struct live_check *check = &questions->checks[i];
        *check = (struct live_check){.run = run, .planned = &plan->checks[i], .index = i};
        check->urls = base_calloc(check->planned->url_count, sizeof *check->urls);
        for (size_t j = 0; j < check->planned->url_count; j++)
            check->urls[j] = (struct live_check_url){check, check->planned->urls[j]};
    }
    questions->scrapes = base_calloc(plan->slo_count, sizeof *questions->scrapes);
    for (size_t i = 0; i < plan->slo_count; i++)
        questions->scrapes[i] = (struct live_scrape){run, &plan->slos[i], plan->check_count + i};
    questions->query_count = plan->slo_count * QUERIES_PER_SLO;
    questions->queries = base_calloc(questions->query_count, sizeof *questions->queries);
    for (size_t i = 0; i < questions->query_count; i++)
        questions->queries[i] = (struct live_query){.run = run, .index = i};
}

void live_questions_fini(struct live_questions *questions)
{
    for (size_t i = 0; questions->checks != NULL && i < questions->plan->check_count; i++) {
        free(questions->checks[i].urls);
        free(questions->checks[i].trouble);
    }
    for (size_t i = 0; i < questions->query_count; i++)
        free(questions->queries[i].url);
    free(questions->checks);
    free(questions->scrapes);
    free(questions->queries);
    *questions = (struct live_questions){0};
}

static char *percent_encode(const char *text)
{
    struct base_buf out;
    base_buf_init(&out, strlen(text) * 3 + 1);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= 'a' && *p <= 'z') || strchr("-_.~", *p) != NULL;
        if (plain)
            base_buf_char(&out, (char)*p);
        else
            base_buf_printf(&out, "%%%02X", *p);
    }
    return base_buf_steal(&out);
}

char *live_query_url(const struct plan *plan, const char *text, struct wall_ns at)
{
    BASE_AUTO_FREE char *encoded = percent_encode(text);
    if (at.ns == 0)
        return base_str_printf("%s/api/v1/query?query=%s", plan->prometheus_url, encoded);
    return base_str_printf("%s/api/v1/query?query=%s&time=%" PRId64 ".%03d", plan->prometheus_url,
                           encoded, at.ns / BASE_NS_PER_S,
                           (int)(at.ns % BASE_NS_PER_S / BASE_NS_PER_MS));
}

/* --- checks: every URL must answer with the expected status --- */

struct io_tls_files live_target_tls(const struct plan *plan)
{
    const struct load_tls_spec *tls = &plan->load.tls;
    return (struct io_tls_files){.ca = tls->ca_file,
                                 .cert = tls->cert_file,
                                 .key = tls->key_file,
                                 .insecure = tls->insecure};
}

char *live_http_trouble(const char *url, const struct io_http_response *response, int status,
                        const char *contains)
{
    if (!response->ok)
        return base_str_dup(response->error.message); /* it names the URL */
    if (response->status != status)
        return base_str_printf("%s answered %d, expected %d", url, response->status, status);
    if (contains != NULL &&
        memmem(response->body, response->body_len, contains, strlen(contains)) == NULL)
        return base_str_printf("%s answered without \"%s\"", url, contains);
    return NULL;
}

static void on_checked(void *ctx, const struct io_http_response *response)
{
    struct live_check_url *one = ctx;
    struct live_check *check = one->check;
    if (check->trouble == NULL)
        check->trouble = live_http_trouble(one->url, response, check->planned->status, NULL);
    if (--check->open == 0)
        run_on_check(check->run, check->index, check->trouble == NULL, check->trouble);
}

/* Instances with two scrapes in the last three intervals, the newest of them a success. */
static size_t scraped_instances(const json_t *answer)
{
    size_t i;
    size_t count = 0;
    const json_t *series;
    const json_t *data = json_object_get(answer, "data");
    json_array_foreach(json_object_get(data, "result"), i, series)
    {
        const json_t *values = json_object_get(series, "values");
        size_t n = json_array_size(values);
        const json_t *newest = n >= 2 ? json_array_get(values, n - 1) : NULL;
        if (base_str_eq(json_string_value(json_array_get(newest, 1)), "1"))
            count++;
    }
    return count;
}

static void on_scrapes(void *ctx, const struct io_http_response *response)
{
    const struct live_scrape *scrape = ctx;
    size_t expected = scrape->slo->instances > 0 ? scrape->slo->instances : 1;
    json_t *answer = response->ok
                         ? model_json_parse(response->body, response->body_len, "Prometheus", NULL)
                         : NULL;
    size_t count = scraped_instances(answer);
    const char *refusal = json_string_value(json_object_get(answer, "error"));
    BASE_AUTO_FREE char *detail = NULL;
    if (!response->ok)
        detail = base_str_printf("Prometheus: %s", response->error.message);
    else if (refusal != NULL || response->status != 200)
        detail = base_str_printf("Prometheus answered %d to %s: %s", response->status,
                                 scrape->slo->up, refusal != NULL ? refusal : "no reason given");
    else
        detail = base_str_printf("Prometheus scrapes %zu of %zu instances of %s (%s)", count,
                                 expected, scrape->slo->service, scrape->slo->up);
    json_decref(answer);
    run_on_check(scrape->run, scrape->index, count >= expected, detail);
}

static void start_scrape_check(struct live_questions *questions, size_t slo)
{
    const struct plan *plan = questions->plan;
    struct live_scrape *scrape = &questions->scrapes[slo];
    BASE_AUTO_FREE char *text = base_str_printf("%s[%" PRId64 "ms]", scrape->slo->up,
                                                3 * base_dur_to_ms(plan->scrape_interval));
    BASE_AUTO_FREE char *url = live_query_url(plan, text, (struct wall_ns){0});
    const struct io_http_request request = {.url = url, .timeout = base_dur_s(2)};
    (void)io_http_start(questions->http, &request, on_scrapes, scrape, NULL);
}

static void start_url_checks(struct live_questions *questions, size_t index)
{
    struct live_check *check = &questions->checks[index];
    const char *const headers[] = {"X-Traffic: probe", NULL};
    free(check->trouble);
    check->trouble = NULL;
    check->open = check->planned->url_count;
    for (size_t i = 0; i < check->planned->url_count; i++) {
        const struct io_http_request request = {.url = check->urls[i].url,
                                                .headers = headers,
                                                .timeout = check->planned->timeout,
                                                .tls = live_target_tls(questions->plan)};
        (void)io_http_start(questions->http, &request, on_checked, &check->urls[i], NULL);
    }
}

/* What cannot even be asked leaves its round open: the stage's deadline ends it. */
void live_check_start(struct live_questions *questions, size_t check)
{
    size_t planned = questions->plan->check_count;
    if (check < planned)
        start_url_checks(questions, check);
    else
        start_scrape_check(questions, check - planned);
}

/* --- Prometheus --- */

static void answer_query(struct live_query *query, const char *error, const json_t *answer)
{
    const struct run_query_result result = {
        .ok = error == NULL,
        .error = error,
        .url = query->url,
        .warnings = json_object_get(answer, "warnings"),
        .data = error == NULL ? json_object_get(answer, "data") : NULL,
    };
    run_on_query(query->run, query->index, &result);
}

static void on_queried(void *ctx, const struct io_http_response *response)
{
    struct live_query *query = ctx;
    struct base_error err = {0};
    if (!response->ok) {
        answer_query(query, response->error.message, NULL);
        return;
    }
    json_t *answer = model_json_parse(response->body, response->body_len, "Prometheus", &err);
    const char *status = json_string_value(json_object_get(answer, "status"));
    const char *error = NULL;
    if (answer == NULL)
        error = err.message;
    else if (!base_str_eq(status, "success")) {
        error = json_string_value(json_object_get(answer, "error"));
        error = error != NULL ? error : "Prometheus did not answer with success";
    }
    answer_query(query, error, answer);
    json_decref(answer);
}

void live_query_start(struct live_questions *questions, size_t index, const char *text,
                      struct wall_ns at)
{
    struct live_query *query = &questions->queries[index];
    free(query->url);
    query->url = live_query_url(questions->plan, text, at);
    const struct io_http_request request = {.url = query->url, .timeout = base_dur_s(8)};
    /* A query that cannot even be asked stays open: the stage's deadline ends it, without data. */
    (void)io_http_start(questions->http, &request, on_queried, query, NULL);
}
