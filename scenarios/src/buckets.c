/* SPDX-License-Identifier: Apache-2.0 */
#include "buckets.h"

#include "base/buf.h"
#include "base/text.h"

static const struct {
    int64_t ms;
    const char *matcher;
} buckets[] = {
    {5, "=\"0.005\""},  {10, "=\"0.01\""},       {25, "=\"0.025\""}, {50, "=\"0.05\""},
    {100, "=\"0.1\""},  {250, "=\"0.25\""},      {500, "=\"0.5\""},  {1000, "=~\"1|1[.]0\""},
    {2500, "=\"2.5\""}, {5000, "=~\"5|5[.]0\""},
};
enum { BUCKETS = sizeof buckets / sizeof buckets[0] };

const char *scn_bucket_bound(struct dur_ns within)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        if (base_dur_ms(buckets[i].ms).ns == within.ns)
            return buckets[i].matcher;
    }
    return NULL;
}

char *scn_bucket_list(void)
{
    struct base_buf list;
    base_buf_init(&list, 256);
    for (size_t i = 0; i < BUCKETS; i++) {
        char text[BASE_DUR_TEXT];
        base_dur_format(base_dur_ms(buckets[i].ms), text);
        base_buf_printf(&list, "%s%s", i > 0 ? ", " : "", text);
    }
    char *text = base_buf_steal(&list);
    return text != NULL ? text : base_str_dup("");
}
