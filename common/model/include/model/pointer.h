/* SPDX-License-Identifier: Apache-2.0 */
/* JSON pointers (RFC 6901): "" is the whole, "/data/0/id" a part; ~1 is a '/' in a key, ~0 a '~'.
 */
#ifndef MODEL_POINTER_H
#define MODEL_POINTER_H

#include "model/json.h"

bool model_pointer_check(const char *pointer, struct base_error *err);
/* The value there; NULL: none. pointer has been checked. */
const json_t *model_pointer_get(const json_t *json, const char *pointer);

#endif
