/* SPDX-License-Identifier: Apache-2.0 */
#include "by_hand.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const size_t text_max = 16384;

bool load_by_hand_has_teardown(const struct load_spec *spec)
{
    for (size_t i = 0; i < spec->flow_count; i++)
        if (spec->flows[i].teardown_count > 0)
            return true;
    return false;
}

bool load_by_hand_has_setup(const struct load_spec *spec)
{
    for (size_t i = 0; i < spec->flow_count; i++)
        if (spec->flows[i].setup_count > 0)
            return true;
    return false;
}

/* What {{name}}, or {{name|filter}}, stands for; NULL: nobody knows. */
static const char *value_of(const json_t *values, const char *name)
{
    BASE_AUTO_FREE char *key = base_str_ndup(name, strcspn(name, "|}"));
    return json_string_value(json_object_get(values, key));
}

static void put_path(struct base_buf *out, const char *path, const json_t *values)
{
    const char *open, *close;
    while ((open = strstr(path, "{{")) != NULL && (close = strstr(open, "}}")) != NULL) {
        const char *value = value_of(values, open + 2);
        base_buf_append(out, path, (size_t)(open - path));
        if (value != NULL)
            base_buf_str(out, value);
        else
            base_buf_append(out, open, (size_t)(close - open) + 2);
        path = close + 2;
    }
    base_buf_str(out, path);
}

char *load_by_hand(const struct load_spec *spec, const json_t *setup)
{
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, text_max);
    for (size_t i = 0; i < spec->flow_count; i++) {
        const struct load_flow *flow = &spec->flows[i];
        const json_t *values = json_object_get(json_array_get(setup, i), "values");
        for (size_t k = 0; k < flow->teardown_count; k++) {
            const struct load_step *step = &flow->teardown[k];
            base_buf_printf(&out, "%s%s.%s: %s ", out.len > 0 ? "; " : "", flow->name, step->name,
                            step->method);
            put_path(&out, step->path, values);
        }
    }
    char *text = out.failed ? NULL : base_buf_steal(&out);
    return text != NULL ? text : base_str_dup("the teardown of its flows");
}
