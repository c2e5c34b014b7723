/* SPDX-License-Identifier: Apache-2.0 */
#include "passage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const size_t request_max = (size_t)64 * 1024 * 1024;
static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15); /* spreads numbers over seeds */

/* --- beginning and end --- */

static bool draw_row(struct load_passage *p, size_t feeder, char *why)
{
    struct load_feed *feed = &p->program->feeds[feeder];
    size_t rows = feed->rows.count;
    if (feed->spec->order == LOAD_FEEDER_RANDOM) {
        struct base_rng rng;
        base_rng_seed(&rng, p->program->spec->seed ^ (golden * (p->number + 1)) ^ (feeder << 32));
        p->rows[feeder] = base_rng_below(&rng, rows);
        return true;
    }
    /* As arrivals, rows are dealt to the processes in turn: none has another's. */
    const struct load_share *share = &p->program->share;
    uint64_t taken = atomic_fetch_add_explicit(&feed->taken, 1, memory_order_relaxed);
    taken = taken * share->of + share->index;
    p->rows[feeder] = taken % rows;
    if (feed->spec->order == LOAD_FEEDER_SEQUENTIAL || taken < rows)
        return true;
    (void)snprintf(why, LOAD_WHY_MAX, "each of %s %zu rows of %.120s has been used",
                   share->of == 1 ? "the" : "this worker's share of the", rows, feed->spec->file);
    return false;
}

struct load_passage *load_passage_new(struct load_program *program, uint32_t flow,
                                      enum load_part_of part, uint64_t number, struct load_jar *jar,
                                      char why[static LOAD_WHY_MAX])
{
    struct load_passage *p = base_calloc(1, sizeof *p);
    struct load_flow_code *code = &program->flows[flow];
    *p = (struct load_passage){.program = program, .flow = code, .part = part, .number = number};
    p->jar = jar;
    if (jar == NULL) {
        p->jar = &p->own;
        load_jar_copy(&p->own, &code->jar);
    }
    p->values = base_calloc(code->variable_count, sizeof *p->values);
    for (uint32_t i = 0; i < code->variable_count; i++)
        p->values[i] = base_str_dup(code->values[i]);
    p->rows = base_calloc(program->spec->feeder_count, sizeof *p->rows);
    load_capture_init(&p->errand.capture);
    for (size_t i = 0; part == LOAD_PART_STEPS && i < program->spec->feeder_count; i++) {
        if (code->draws[i] && !draw_row(p, i, why)) {
            load_passage_free(p);
            return NULL;
        }
    }
    return p;
}

void load_passage_free(struct load_passage *p)
{
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->flow->variable_count; i++)
        free(p->values[i]);
    free(p->values);
    free(p->rows);
    free(p->errand.request.bytes);
    load_jar_fini(&p->own);
    load_capture_fini(&p->errand.capture);
    free(p);
}

bool load_passage_advance(struct load_passage *p)
{
    return ++p->at < p->flow->parts[p->part].count;
}

void load_passage_rest(struct load_passage *p)
{
    free(p->errand.request.bytes);
    p->errand.request.bytes = NULL;
    load_capture_fini(&p->errand.capture);
    load_capture_init(&p->errand.capture);
}

size_t load_passage_left(const struct load_passage *p)
{
    return p->flow->parts[p->part].count - p->at - 1;
}

void load_passage_bequeath(struct load_passage *p)
{
    for (uint32_t i = 0; i < p->flow->variable_count; i++) {
        free(p->flow->values[i]);
        p->flow->values[i] = base_str_dup(p->values[i]);
    }
    load_jar_fini(&p->flow->jar);
    load_jar_copy(&p->flow->jar, p->jar);
}

/* --- the request --- */

static void write_cookies(const struct load_passage *p, const char *target, struct base_buf *out)
{
    size_t before = out->len;
    if (p->jar->count == 0 || load_passage_step(p)->own_cookie)
        return;
    base_buf_str(out, "Cookie: ");
    if (load_jar_write(p->jar, &p->program->site, target, base_wall_now(), out))
        base_buf_str(out, "\r\n");
    else
        out->len = before; /* none of them is for this path */
}

/* The target is read from the head that has just been written. */
static char *target_of(const struct base_buf *out, size_t at)
{
    return base_str_ndup(out->data + at, strcspn(out->data + at, " "));
}

static bool write_request(struct load_passage *p, struct base_rng *rng, struct base_buf *out,
                          struct base_buf *body, char *why)
{
    const struct load_step_code *step = load_passage_step(p);
    const struct load_fill_values values = load_passage_values(p, rng);
    if (!load_fill_write(&step->head, &values, out, why, LOAD_WHY_MAX) ||
        !load_fill_write(&step->body, &values, body, why, LOAD_WHY_MAX))
        return false;
    if (out->failed || out->data[step->path_at] != '/') {
        (void)snprintf(why, LOAD_WHY_MAX, "the path \"%.80s\" does not start with '/'",
                       out->failed ? "" : out->data + step->path_at);
        return false;
    }
    char *target = target_of(out, step->path_at);
    write_cookies(p, target, out);
    free(target);
    if (step->length)
        base_buf_printf(out, "Content-Length: %zu\r\n", body->len);
    base_buf_str(out, "\r\n");
    base_buf_append(out, body->data, body->len);
    if (out->failed || body->failed) {
        (void)snprintf(why, LOAD_WHY_MAX, "the request exceeds %zu bytes", request_max);
        return false;
    }
    return true;
}

bool load_passage_make(struct load_passage *p, struct base_rng *rng, char why[static LOAD_WHY_MAX])
{
    const struct load_step_code *step = load_passage_step(p);
    struct base_buf out, body;
    base_buf_init(&out, request_max);
    base_buf_init(&body, request_max);
    bool made = write_request(p, rng, &out, &body, why);
    base_buf_fini(&body);
    free(p->errand.request.bytes);
    p->errand.request =
        (struct load_request){.file = -1, .head = base_str_eq(step->spec->method, "HEAD")};
    if (made) {
        p->errand.request.len = p->errand.request.total = out.len;
        p->errand.request.bytes = base_buf_steal(&out);
    }
    base_buf_fini(&out);
    load_capture_start(&p->errand.capture, step->reads_body);
    return made;
}
