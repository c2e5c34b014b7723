/* SPDX-License-Identifier: Apache-2.0 */
/* Asks an instance once whether it is ready: HTTP, or the first step of PostgreSQL's protocol. */
#ifndef SANDBOX_PROBE_H
#define SANDBOX_PROBE_H

#include <stdint.h>

#include "base/buf.h"
#include "io/http_client.h"
#include "io/loop.h"

enum sandbox_probe_kind { SANDBOX_PROBE_NONE, SANDBOX_PROBE_HTTP, SANDBOX_PROBE_POSTGRES };

struct sandbox_probe {
    enum sandbox_probe_kind kind;
    const char *address; /* not owned */
    uint16_t port;
    const char *path; /* HTTP; not owned */
    /* Once for each start that was not cancelled; why is "" when ready. */
    void (*on_result)(void *ctx, bool ready, const char *why);
    void *ctx;

    struct io_http *http;
    struct io_http_call *call;
    struct io_loop *loop;
    struct io_watch watch;
    struct io_timer timeout;
    int fd;
    bool sent;
};

/* Fills the private part; the public one is the caller's. */
void sandbox_probe_init(struct sandbox_probe *probe, struct io_loop *loop, struct io_http *http);
void sandbox_probe_start(struct sandbox_probe *probe); /* not while one is under way */
void sandbox_probe_cancel(struct sandbox_probe *probe);
void sandbox_probe_fini(struct sandbox_probe *probe);

#endif
