/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "dial.h"

/* Threads share them. */
struct requests {
    const struct load_protocol *protocol;
    size_t count;
    size_t each; /* one for each route: these are for one target after the other, or for all */
    struct load_request *list;
};

void load_stream_discard(void *prepared)
{
    struct requests *requests = prepared;
    if (requests == NULL)
        return;
    for (size_t i = 0; i < requests->count; i++)
        load_request_fini(&requests->list[i]);
    free(requests->list);
    free(requests);
}

bool load_stream_prepare(const struct load_protocol *protocol, const struct load_spec *spec,
                         void **prepared, struct base_error *err)
{
    struct requests *requests = base_calloc(1, sizeof *requests);
    bool several = protocol->for_each_target != NULL && protocol->for_each_target(spec) &&
                   spec->target_count > 1;
    requests->protocol = protocol;
    requests->each = spec->route_count;
    requests->count = (several ? spec->target_count : 1) * requests->each;
    requests->list = base_calloc(requests->count, sizeof *requests->list);
    for (size_t i = 0; i < requests->count; i++) {
        struct load_spec one = *spec; /* whose first target is the request's */
        one.targets += i / requests->each;
        if (!protocol->build(&requests->list[i], &one, &spec->routes[i % requests->each], err)) {
            load_stream_discard(requests);
            return false;
        }
    }
    *prepared = requests;
    return true;
}

const struct load_protocol *load_stream_prepared(const void *prepared,
                                                 const struct load_request **requests)
{
    const struct requests *all = prepared;
    *requests = all->list;
    return all->protocol;
}

static void copy_patched(struct load_stream_pool *own)
{
    for (size_t i = 0; i < own->count; i++) {
        const struct load_request *request = &own->requests[i];
        if (request->patch_count == 0)
            continue;
        own->patched[i] = base_calloc(request->len, 1);
        memcpy(own->patched[i], request->bytes, request->len);
    }
}

bool load_stream_pool_init(struct load_pool *pool, const void *prepared, struct base_error *err)
{
    const struct load_spec *spec = pool->spec;
    const struct requests *requests = prepared;
    struct load_stream_pool *own = base_calloc(1, sizeof *own);
    *own = (struct load_stream_pool){
        .protocol = requests->protocol,
        .requests = requests->list,
        .count = requests->count,
        .next = requests->count > requests->each ? requests->each : 0,
        .memories = base_calloc(load_spec_routes(spec), requests->protocol->memory_size + 1),
        .patched = base_calloc(requests->count, sizeof *own->patched),
        .buffer = base_calloc(LOAD_STREAM_BUFFER, 1)};
    pool->engine = own;
    copy_patched(own);
    if (spec->tls.server_name != NULL)
        own->tls = load_tls_new(&spec->tls, spec->target_count, load_tls_offer_of(spec), err);
    if (spec->tls.server_name != NULL && own->tls == NULL)
        return false;
    return load_dials_init(pool, err);
}

void load_stream_pool_fini(struct load_pool *pool)
{
    struct load_stream_pool *own = pool->engine;
    if (own == NULL)
        return;
    load_tls_free(own->tls);
    load_dials_fini(pool);
    for (size_t i = 0; i < own->count; i++)
        free(own->patched[i]);
    free(own->patched);
    free(own->memories);
    free(own->buffer);
    free(own);
    pool->engine = NULL;
}

void load_stream_count_tls(const struct load_pool *pool, struct load_tls_result *out)
{
    const struct load_stream_pool *own = pool->engine;
    if (own->tls != NULL)
        load_tls_count(own->tls, out);
}
