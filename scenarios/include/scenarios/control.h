/* SPDX-License-Identifier: Apache-2.0 */
/* One question to one agent, answered before this returns. For the command line. */
#ifndef SCENARIOS_CONTROL_H
#define SCENARIOS_CONTROL_H

#include "io/tls.h"
#include "model/json.h"

/* An agent as its operator names it; borrowed texts. */
struct control_agent {
    const char *url;
    const char *token_file;
    struct io_tls_files tls; /* of an https:// url */
};

/* sent: the body, NULL: none. true: the agent answered, with *status and *body (json_decref it;
 * NULL when it is no JSON). false: err says why there was no whole answer. Blocks for at most
 * patience. */
bool control_ask(const struct control_agent *agent, const char *method, const char *path,
                 const char *sent, struct dur_ns patience, int *status, json_t **body,
                 struct base_error *err);

/* As above for GET of CONTROL_PATH_HEALTH; an agent of another version is an error that names both.
 */
bool control_health(const struct control_agent *agent, json_t **body, struct base_error *err);

/* What the agent says is wrong, of an answer that is no record; NULL when it does not. */
const char *control_why(const json_t *body);

#endif
