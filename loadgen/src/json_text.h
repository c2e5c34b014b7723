/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_JSON_TEXT_H
#define LOAD_JSON_TEXT_H

#include "model/json.h"

/* A JSON value as text to go on with: text as it is, anything else as compact JSON. free() it. */
char *load_json_text(const json_t *value);

#endif
