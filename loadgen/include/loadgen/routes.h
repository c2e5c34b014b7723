/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOADGEN_ROUTES_H
#define LOADGEN_ROUTES_H

#include "model/load.h"

/* Whether the engine can make a request of that route; BASE_INVALID: what is wrong with it. */
bool load_route_check(const struct load_spec *spec, size_t route, struct base_error *err);
/* Whether the password that the spec speaks of can be had here; BASE_INVALID: why not. */
bool load_login_check(const struct load_spec *spec, struct base_error *err);

#endif
