/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of TLS that libmicrohttpd leaves to its user: reading the files so that an
 * operator learns what is wrong with them, and judging the certificates of clients. */
#ifndef IO_TLS_PEER_H
#define IO_TLS_PEER_H

#include "base/buf.h"
#include "base/error.h"
#include "io/tls.h"

struct io_tls_texts { /* of the files, NUL-terminated */
    struct base_buf cert;
    struct base_buf key;
    struct base_buf ca; /* empty: no client certificates */
};

/* Reads all files and checks that they are what they should be and belong together. */
bool io_tls_read(const struct io_tls_files *files, struct io_tls_texts *out,
                 struct base_error *err);
void io_tls_texts_fini(struct io_tls_texts *texts); /* wipes the key; accepts a zeroed value */

/* Judges the certificate of the peer of a gnutls_session_t: signed by an authority that the session
 * trusts, within its dates, made for clients. Its subject goes to out, cut when it is long. */
bool io_tls_peer_verify(void *session, char *out, size_t size, struct base_error *err);

#endif
