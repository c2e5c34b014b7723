/* SPDX-License-Identifier: Apache-2.0 */
/* What setup left, on its way from the process that did it to the others. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "program.h"

/* --- out --- */

static bool put_values(const struct load_flow_code *flow, json_t *values, struct base_error *err)
{
    for (uint32_t i = 0; i < flow->variable_count; i++)
        if (flow->values[i] != NULL &&
            json_object_set_new(values, flow->variables[i], json_string(flow->values[i])) != 0)
            return base_fail(err, BASE_INVALID,
                             "the setup of flow \"%s\" set \"%s\" to what is no text in UTF-8: it "
                             "cannot be handed to other workers",
                             flow->spec->name, flow->variables[i]);
    return true;
}

static bool put_cookies(const struct load_flow_code *flow, json_t *cookies, struct base_error *err)
{
    for (size_t i = 0; i < flow->jar.count; i++) {
        const struct load_cookie *cookie = &flow->jar.cookies[i];
        json_t *one =
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "name", cookie->name, "value",
                      cookie->value, "path", cookie->path, "expiresNs", (json_int_t)cookie->expires,
                      "born", (json_int_t)cookie->born, "secure", cookie->secure);
        if (json_array_append_new(cookies, one) != 0)
            return base_fail(err, BASE_INVALID,
                             "the setup of flow \"%s\" got the cookie \"%s\", which is no text in "
                             "UTF-8: it cannot be handed to other workers",
                             flow->spec->name, cookie->name);
    }
    return true;
}

bool load_program_bequest(const struct load_program *program, json_t **out, struct base_error *err)
{
    json_t *flows = json_array();
    bool good = true;
    for (size_t i = 0; i < program->spec->flow_count && good; i++) {
        json_t *values = json_object();
        json_t *cookies = json_array();
        good = put_values(&program->flows[i], values, err) &&
               put_cookies(&program->flows[i], cookies, err);
        (void)json_array_append_new(flows,
                                    json_pack("{s:o, s:o}", "values", values, "cookies", cookies));
    }
    if (good)
        *out = flows;
    else
        json_decref(flows);
    return good;
}

/* --- in --- */

static const char where[] = "what setup left";

static bool take_values(struct load_flow_code *flow, const json_t *values, struct base_error *err)
{
    for (uint32_t i = 0; i < flow->variable_count; i++) {
        const json_t *value = json_object_get(values, flow->variables[i]);
        if (value == NULL)
            continue;
        if (!json_is_string(value))
            return base_fail(err, BASE_CORRUPT, "%s: \"%s\" is no text", where, flow->variables[i]);
        free(flow->values[i]);
        flow->values[i] = base_str_dup(json_string_value(value));
    }
    return true;
}

static bool take_cookie(struct load_jar *jar, const json_t *json, struct base_error *err)
{
    BASE_AUTO_FREE char *name = NULL;
    BASE_AUTO_FREE char *value = NULL;
    BASE_AUTO_FREE char *path = NULL;
    struct load_cookie cookie = {.secure = json_is_true(json_object_get(json, "secure"))};
    if (jar->count >= LOAD_COOKIES_MAX)
        return base_fail(err, BASE_CORRUPT, "%s: more than %d cookies", where, LOAD_COOKIES_MAX);
    if (!model_get_text(json, where, "name", &name, err) ||
        !model_get_text(json, where, "value", &value, err) ||
        !model_get_text(json, where, "path", &path, err) ||
        !model_get_i64(json, where, "expiresNs", 0, INT64_MAX, &cookie.expires, err) ||
        !model_get_u64(json, where, "born", UINT32_MAX, &cookie.born, err))
        return false;
    cookie.name = name;
    cookie.value = value;
    cookie.path = path;
    load_jar_put(jar, &cookie);
    return true;
}

bool load_program_inherit(struct load_program *program, const json_t *bequest,
                          struct base_error *err)
{
    if (json_array_size(bequest) != program->spec->flow_count)
        return base_fail(err, BASE_CORRUPT, "%s: expected it of each of the %zu flows", where,
                         program->spec->flow_count);
    for (size_t i = 0; i < program->spec->flow_count; i++) {
        struct load_flow_code *flow = &program->flows[i];
        const json_t *one = json_array_get(bequest, i);
        const json_t *cookies = json_object_get(one, "cookies");
        if (!json_is_object(json_object_get(one, "values")) || !json_is_array(cookies))
            return base_fail(err, BASE_CORRUPT, "%s: flow %zu lacks its values or cookies", where,
                             i);
        if (!take_values(flow, json_object_get(one, "values"), err))
            return false;
        for (size_t k = 0; k < json_array_size(cookies); k++)
            if (!take_cookie(&flow->jar, json_array_get(cookies, k), err))
                return false;
    }
    return true;
}
