/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "loadgen/merge.h"
#include "recorder.h"
#include "summary.h"

enum { COLUMN = 11, COUNT_COLUMN = 12 };

static void write_head(struct base_buf *out)
{
    base_buf_printf(out, "%*s", COUNT_COLUMN, "count");
    for (size_t i = 0; i < load_figure_count; i++)
        base_buf_printf(out, "%*s", COLUMN, load_figures[i].label);
    base_buf_str(out, "  tag\n");
}

static void write_row(struct base_buf *out, const char *tag, const struct hdr *hdr)
{
    base_buf_printf(out, "%*" PRId64, COUNT_COLUMN, hdr->total);
    for (size_t i = 0; i < load_figure_count; i++) {
        char text[LOAD_TIME_TEXT];
        load_time_text(hdr_value_at_quantile(hdr, load_figures[i].quantile), text);
        base_buf_printf(out, "%*s", COLUMN, text);
    }
    base_buf_printf(out, "  %s\n", tag);
}

bool load_merge_summary(struct load_merge *merge, struct base_buf *out)
{
    write_head(out);
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++) {
        const char *name = load_kind_name((enum load_kind)kind);
        const struct hdr *all = load_merge_kind(merge, (enum load_kind)kind);
        if (all != NULL)
            write_row(out, name, all);
    }
    for (size_t i = 0; i < load_merge_tag_count(merge); i++) {
        const char *tag = load_merge_tag(merge, i);
        write_row(out, *tag == '\0' ? "(none)" : tag, load_merge_total(merge, i));
    }
    return !out->failed;
}

json_t *load_merge_summary_json(struct load_merge *merge)
{
    json_t *latency = json_object();
    json_t *tags = json_object();
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++) {
        const char *name = load_kind_name((enum load_kind)kind);
        const struct hdr *all = load_merge_kind(merge, (enum load_kind)kind);
        if (all != NULL)
            (void)json_object_set_new(latency, name, load_figures_json(all));
    }
    for (size_t i = 0; i < load_merge_tag_count(merge); i++)
        (void)json_object_set_new(tags, load_merge_tag(merge, i),
                                  load_figures_json(load_merge_total(merge, i)));
    return json_pack("{s:o, s:o}", "latency", latency, "tags", tags);
}
