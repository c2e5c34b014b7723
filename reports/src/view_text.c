/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as a person reads them. */
#include "base/text.h"
#include "view.h"

char *view_latency(int64_t ns)
{
    double value = (double)ns;
    if (ns < BASE_NS_PER_MS)
        return base_str_printf("%.4gus", value / (double)BASE_NS_PER_US);
    if (ns < BASE_NS_PER_S)
        return base_str_printf("%.4gms", value / (double)BASE_NS_PER_MS);
    return base_str_printf("%.4gs", value / (double)BASE_NS_PER_S);
}

/* Each limit is where the form before it would round to one digit more. */
char *view_duration(int64_t ns)
{
    static const struct {
        double below; /* ns */
        double unit;
        int decimals;
        const char *name;
    } forms[] = {{999.5, 1, 0, "ns"},
                 {999.5e3, 1e3, 0, "us"},
                 {9.95e6, 1e6, 1, "ms"},
                 {999.5e6, 1e6, 0, "ms"},
                 {59.95e9, 1e9, 1, "s"}};
    double size = ns < 0 ? -(double)ns : (double)ns;
    const char *sign = ns < 0 ? "-" : "";
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (size < forms[i].below)
            return base_str_printf("%s%.*f%s", sign, forms[i].decimals, size / forms[i].unit,
                                   forms[i].name);
    }
    unsigned long long seconds = (unsigned long long)(size / 1e9 + 0.5);
    return base_str_printf("%s%llum%02llus", sign, seconds / 60, seconds % 60);
}

char *view_span(struct wall_ns from, struct wall_ns to)
{
    return from.ns == 0 || to.ns == 0 ? base_str_dup("") : view_duration(to.ns - from.ns);
}

char *view_since_load(const struct report *report, struct wall_ns at)
{
    int64_t start = report->course.load_start.ns;
    if (start == 0 || at.ns == 0)
        return base_str_dup("");
    return base_str_printf("%+.3fs", (double)(at.ns - start) / (double)BASE_NS_PER_S);
}
