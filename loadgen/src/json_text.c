/* SPDX-License-Identifier: Apache-2.0 */
#include "json_text.h"

#include "base/text.h"

char *load_json_text(const json_t *value)
{
    return json_is_string(value) ? base_str_dup(json_string_value(value))
                                 : model_json_dump_line(value);
}
