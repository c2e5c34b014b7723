/* SPDX-License-Identifier: Apache-2.0 */
/* What every caller of the control protocol needs. */
#ifndef SCENARIOS_CONTROL_CLIENT_H
#define SCENARIOS_CONTROL_CLIENT_H

#include "io/http_client.h"
#include "model/json.h"

/* How one agent is spoken to. */
struct control_access {
    char *url;
    char *authorization;    /* the header line */
    const char *headers[4]; /* NULL-terminated; of authorization and constants */
    struct io_tls_files tls;
};

/* Reads the token; tls is borrowed. Not to be moved afterwards: headers point into it. */
bool control_access_init(struct control_access *out, const char *url, const char *token_file,
                         const struct io_tls_files *tls, struct base_error *err);
void control_access_fini(struct control_access *access); /* accepts a zeroed value */

/* A request to the path; body (text, may be NULL) and url are borrowed until it is started. The
 * caller sets timeouts. */
struct io_http_request control_request(const struct control_access *access, const char *method,
                                       const char *url, const char *body);

/* Why the agent that answered this to GET CONTROL_PATH_HEALTH cannot be worked with, or NULL when
 * it can; free() it. */
char *control_version_trouble(const struct io_http_response *response);

/* The message of an answer that is no record, or NULL. */
const char *control_error_text(const json_t *body);

#endif
