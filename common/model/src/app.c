/* SPDX-License-Identifier: Apache-2.0 */
/* The fault "app": its JSON, and which of its orders it is. */
#include "base/text.h"
#include "model/fault.h"
#include "shapes.h"

const char *fault_app_order_name(enum fault_app_order order)
{
    static const char *const names[] = {
        [FAULT_APP_ANSWERS] = "errorRate or latency",
        [FAULT_APP_READINESS] = "unready",
        [FAULT_APP_DEPENDENCY] = "dependency",
        [FAULT_APP_CPU] = "cpu",
        [FAULT_APP_MEMORY] = "memory",
    };
    return names[order];
}

static void app_orders(const struct fault_spec *spec, bool out[static FAULT_APP_ORDERS])
{
    out[FAULT_APP_ANSWERS] = spec->app.error_rate > 0 || spec->app.latency.ns > 0;
    out[FAULT_APP_READINESS] = spec->app.unready;
    out[FAULT_APP_DEPENDENCY] = spec->app.dependency != NULL;
    out[FAULT_APP_CPU] = spec->app.cpu > 0;
    out[FAULT_APP_MEMORY] = spec->app.memory > 0;
}

enum fault_app_order fault_app_order_of(const struct fault_spec *spec)
{
    bool orders[FAULT_APP_ORDERS];
    app_orders(spec, orders);
    for (int order = FAULT_APP_ORDERS - 1; order > 0; order--)
        if (orders[order])
            return (enum fault_app_order)order;
    return FAULT_APP_ANSWERS;
}

static bool check_app(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    bool orders[FAULT_APP_ORDERS];
    int first = -1;
    app_orders(spec, orders);
    for (int order = 0; order < FAULT_APP_ORDERS; order++) {
        if (orders[order] && first >= 0)
            return base_fail(err, BASE_INVALID,
                             "%s: %s beside %s would hide each other's effect: one fault each",
                             where, fault_app_order_name((enum fault_app_order)order),
                             fault_app_order_name((enum fault_app_order)first));
        first = orders[order] ? order : first;
    }
    return (spec->app.dependency != NULL) == (spec->app.path != NULL) ||
           base_fail(err, BASE_INVALID, "%s: a dependency and the path that needs it go together",
                     where);
}

#define AT(member) .offset = offsetof(struct fault_spec, app.member)
static const struct codec_field app_fields[] = {
    {.key = "errorRate", .type = CODEC_REAL, .range = RANGE_SHARE, AT(error_rate)},
    {.key = "errorStatus", .type = CODEC_INT, .min = 500, .max = 599, AT(error_status)},
    {.key = "latencyNs", .type = CODEC_NS, AT(latency)},
    {.key = "unready", .type = CODEC_BOOL, .optional = true, AT(unready)},
    {.key = "dependency",
     .type = CODEC_TEXT_OR_NULL,
     .form = FORM_LINE,
     .optional = true,
     AT(dependency)},
    {.key = "path", .type = CODEC_TEXT_OR_NULL, .form = FORM_PATH, .optional = true, AT(path)},
    {.key = "cpu", .type = CODEC_REAL, .range = RANGE_SHARE, .optional = true, AT(cpu)},
    {.key = "memory", .type = CODEC_I64, .max = FAULT_APP_MEMORY_MAX, .optional = true, AT(memory)},
};
#undef AT

const struct codec_shape model_app_shape = {.name = "app",
                                            .size = sizeof(struct fault_spec),
                                            .closed = true,
                                            CODEC_FIELDS(app_fields),
                                            .check = check_app};
