/* SPDX-License-Identifier: Apache-2.0 */
/* Which requests a fault of the kind http is about, and what becomes of heads. Pure. */
#ifndef CHAOS_HTTP_RULES_H
#define CHAOS_HTTP_RULES_H

#include "base/buf.h"
#include "http_head.h"
#include "model/fault.h"
#include "model/topology.h"

/* Says which answers are the fault's own. */
#define HTTP_RULES_MARK "X-Squall-Fault"

struct http_rules;

/* The service's own health and readiness paths, /metrics and /api/chaos are left alone by a fault
 * that does not name them: what steers and watches the platform must go on working. spec outlives
 * the rules; service may be NULL. NULL with err when nothing could be measured without requests
 * that do something to the server which nobody asked for. */
struct http_rules *http_rules_new(const struct fault_spec *spec, const struct topo_service *service,
                                  struct base_error *err);
void http_rules_free(void *rules); /* accepts NULL */
const struct fault_spec *http_rules_spec(const struct http_rules *rules);

bool http_rules_match(const struct http_rules *rules, const struct http_head *request);
/* The whole answer of an abort; close: the connection ends with it. */
void http_rules_answer(const struct http_rules *rules, const struct http_head *request, bool close,
                       struct base_buf *out);
/* A head with fields removed and set, as the actions patch and patchRequest ask. */
void http_rules_patch(const struct http_rules *rules, const struct http_head *head,
                      const char *bytes, struct base_buf *out);
/* Whether the head is as it would be after that. */
bool http_rules_patched(const struct http_rules *rules, const struct http_head *head);
/* A request that matches, for measuring; it has the headers that patchRequest removes. */
const char *http_rules_probe(const struct http_rules *rules);

#endif
