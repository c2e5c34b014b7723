/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the HTTP server and client, as the PEM files that an operator names. */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <stdbool.h>

/* Paths, borrowed for the call that they are given to. A zeroed value: the system's authorities and
 * no certificate of our own. */
struct io_tls_files {
    const char *ca;   /* who may have signed the peer's certificate; NULL: a client takes those that
                       * the system trusts, a server asks its clients for none */
    const char *cert; /* our own, with those between it and the authority; NULL: none */
    const char *key;  /* of cert; NULL: it lies in the same file */
    bool insecure;    /* of a client: the peer's certificate is not verified */
};

#endif
