/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of what can be loaded: their parts, and the addresses behind their host. */
#ifndef LOAD_URL_H
#define LOAD_URL_H

#include "model/load.h"

struct load_url {
    char *host;      /* without brackets */
    char *authority; /* for the Host header */
    char *path;      /* with the query, at least "/" */
    uint16_t port;
    bool tls;
    enum load_speech protocol;
    char *user;     /* postgres, amqp; NULL: not said */
    char *database; /* postgres, amqp: what follows the host, unquoted; NULL: not said */
};

bool load_url_parse(const char *text, struct load_url *out, struct base_error *err);
void load_url_fini(struct load_url *url); /* accepts a zeroed value */
/* All addresses of one family: of the first address that takes a connection within a second, else
 * of the first. Blocking. */
bool load_url_resolve(const struct load_url *url, struct load_target **targets, size_t *count,
                      struct base_error *err);

#endif
