/* SPDX-License-Identifier: Apache-2.0 */
/* What the streams of one thread share, and what those of all threads do. */
#ifndef LOAD_STREAM_POOL_H
#define LOAD_STREAM_POOL_H

#include "protocol.h"

enum { LOAD_STREAM_BUFFER = 65536 };

struct load_stream_pool {
    const struct load_protocol *protocol;
    const struct load_request *requests; /* all threads' */
    size_t count;                        /* of these */
    size_t next;    /* target's are so many further on: one a route, or 0: all targets have the
                       same */
    char *memories; /* one a route, of protocol->memory_size each */
    char **patched; /* one a request: a copy of it to write fields into, or NULL */
    char *buffer;   /* for recv, LOAD_STREAM_BUFFER; parsers keep no bytes, so one serves all */
    struct load_tls *tls; /* NULL: plain */
};

/* As in struct load_driver. */
bool load_stream_prepare(const struct load_protocol *protocol, const struct load_spec *spec,
                         void **prepared, struct base_error *err);
void load_stream_discard(void *prepared);
/* What it was prepared for, and with *requests what, one a route (of the first target). */
const struct load_protocol *load_stream_prepared(const void *prepared,
                                                 const struct load_request **requests);
bool load_stream_pool_init(struct load_pool *pool, const void *prepared, struct base_error *err);
void load_stream_pool_fini(struct load_pool *pool);
void load_stream_count_tls(const struct load_pool *pool, struct load_tls_result *out);

#endif
