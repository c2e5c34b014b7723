/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of the kind http. Its rules: struct http_rules. */
#ifndef CHAOS_PROXY_HTTP_H
#define CHAOS_PROXY_HTTP_H

#include "http_rules.h"
#include "proxy.h"

extern const struct proxy_driver proxy_http_driver;

#endif
