/* SPDX-License-Identifier: Apache-2.0 */
#include "lateness.h"

#include <string.h>

#include "base/text.h"
#include "recorder.h"

static const size_t text_max = (size_t)16 * 1024 * 1024;

static char *encoded(const struct hdr *hdr)
{
    struct base_buf text;
    base_buf_init(&text, text_max);
    if (!hdr_encode(hdr, &text, NULL))
        base_buf_clear(&text);
    return text.len > 0 ? base_buf_steal(&text) : NULL;
}

void load_lateness_list(struct load_result *result, const struct hdr late[static LOAD_DELAY_COUNT])
{
    result->lateness = base_calloc(LOAD_DELAY_COUNT, sizeof *result->lateness);
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++) {
        const struct hdr *hdr = &late[cause];
        if (hdr->total > 0)
            result->lateness[result->lateness_count++] =
                (struct load_lateness){.cause = (enum load_delay)cause,
                                       .count = (uint64_t)hdr->total,
                                       .p50 = {hdr_value_at_quantile(hdr, 0.5)},
                                       .p99 = {hdr_value_at_quantile(hdr, 0.99)},
                                       .max = {hdr_max(hdr)},
                                       .histogram = encoded(hdr)};
    }
}

static bool add(struct hdr *sum, const struct load_lateness *one, struct base_error *err)
{
    struct hdr hdr;
    const char *text = one->histogram != NULL ? one->histogram : "";
    if (!hdr_decode(text, strlen(text), &hdr, err))
        return false;
    if (sum->counts == NULL)
        load_hdr_prepare(sum);
    bool good = (uint64_t)hdr.total == one->count
                    ? hdr_add(sum, &hdr, err)
                    : base_fail(err, BASE_CORRUPT, "its histogram is not of all of them");
    hdr_fini(&hdr);
    return good;
}

bool load_lateness_add(struct hdr late[static LOAD_DELAY_COUNT], const struct load_result *one,
                       struct base_error *err)
{
    for (size_t i = 0; i < one->lateness_count; i++) {
        const struct load_lateness *from = &one->lateness[i];
        if (!add(&late[from->cause], from, err))
            return base_fail_context(err, "schedule errors (%s)", load_delay_name(from->cause));
    }
    return true;
}
