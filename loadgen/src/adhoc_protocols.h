/* SPDX-License-Identifier: Apache-2.0 */
/* Options of squall load that are of one protocol, and what a URL's protocol makes of the rest. */
#ifndef LOAD_ADHOC_PROTOCOLS_H
#define LOAD_ADHOC_PROTOCOLS_H

#include "loadgen/adhoc.h"
#include "url.h"

/* As set of struct load_option. */
bool load_adhoc_set_query(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_add_param(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_set_publish(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_set_exchange(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_set_persistent(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_set_get(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_set_consume(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_set_password_file(struct load_adhoc *adhoc, const char *value);
bool load_adhoc_set_pipeline(struct load_adhoc *adhoc, const char *value);

/* What the URL says about the target and the request. */
bool load_adhoc_apply_protocol(struct load_adhoc *adhoc, const struct load_url *url,
                               struct base_error *err);

#endif
