/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of the interoperability test, see hdr_interop.js:
 *   hdr_interop write FILE   writes a log of various histograms, and prints what they hold
 *   hdr_interop read FILE    prints what a log holds
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"
#include "model/hlog.h"

enum { LOG_MAX = 64 << 20 };

static void print_counts(const struct hdr *hdr)
{
    struct hdr_iter iter;
    hdr_iter_init(&iter, hdr);
    printf("\"counts\":[");
    for (const char *comma = ""; hdr_iter_next(&iter); comma = ",")
        printf("%s[%" PRId64 ",%" PRId64 "]", comma, iter.value, iter.count);
    printf("],");
}

static void print_percentiles(const struct hdr *hdr)
{
    static const double percentiles[] = {0,  1,    10, 25,   50,    75,     90,
                                         95, 97.5, 99, 99.9, 99.99, 99.999, 100};
    printf("\"percentiles\":[");
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
        printf("%s%" PRId64, i == 0 ? "" : ",", hdr_value_at_quantile(hdr, percentiles[i] / 100));
    printf("],");
}

static bool print_table(const struct hdr *hdr)
{
    BASE_AUTO_BUF struct base_buf table;
    base_buf_init(&table, 1 << 20);
    if (!hgrm_write(&table, hdr, 1e6))
        return false;
    printf("\"table\":\"");
    for (size_t i = 0; i < table.len; i++) {
        if (table.data[i] == '\n')
            printf("\\n");
        else
            (void)putchar(table.data[i]);
    }
    printf("\"}");
    return true;
}

static bool print_entry(const char *tag, double start, double length, const struct hdr *hdr)
{
    printf("{\"tag\":%s%s%s,\"startMs\":%.0f,\"lengthMs\":%.0f,", tag == NULL ? "" : "\"",
           tag == NULL ? "null" : tag, tag == NULL ? "" : "\"", round(start * 1e3),
           round(length * 1e3));
    printf("\"lowest\":%" PRId64 ",\"highest\":%" PRId64 ",\"figures\":%d,", hdr->lowest,
           hdr->highest, hdr->significant_figures);
    printf("\"total\":%" PRId64 ",\"min\":%" PRId64 ",\"max\":%" PRId64 ",", hdr->total,
           hdr_min(hdr), hdr_max(hdr));
    printf("\"mean\":%.17g,\"stddev\":%.17g,", hdr_mean(hdr), hdr_stddev(hdr));
    print_percentiles(hdr);
    print_counts(hdr);
    return print_table(hdr);
}

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    const char **comma = ctx;
    printf("%s", *comma);
    *comma = ",\n";
    return print_entry(entry->tag, entry->start, entry->length, &entry->hdr);
}

static bool read_log(const char *path, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, LOG_MAX);
    const char *comma = "";
    return base_file_read(path, &text, err) &&
           hlog_read(text.data, text.len, NULL, on_entry, &comma, err);
}

static void fill(struct hdr *hdr, struct base_rng *rng, int index)
{
    static const int sizes[] = {0, 1, 100, 10000, 100000, 5000};
    for (int i = 0; i < sizes[index]; i++)
        hdr_record(hdr, (int64_t)base_rng_exponential(rng, pow(10, 2 + i % 8)));
    if (index == 5) {
        hdr_record_n(hdr, 77, INT64_C(1) << 40);
        hdr_record_n(hdr, 0, 12345);
        hdr_record(hdr, hdr->highest);
    }
}

static bool write_log(const char *path, struct base_error *err)
{
    static const char *const tags[] = {NULL,      "baseline/response", NULL, "inject/service",
                                       "recover", "extremes"};
    BASE_AUTO_BUF struct base_buf text;
    struct base_rng rng;
    struct wall_ns start = {INT64_C(1763712345) * BASE_NS_PER_S};
    base_buf_init(&text, LOG_MAX);
    base_rng_seed(&rng, 1);
    bool ok = hlog_write_header(&text, start);
    for (int i = 0; ok && i < 6; i++) {
        struct hdr hdr;
        struct wall_ns at = base_wall_add(start, base_dur_ms(250 * i));
        if (!hdr_init(&hdr, i == 3 ? 1000 : 1, INT64_C(3600000000000), 1 + i % 3, err))
            return false;
        fill(&hdr, &rng, i);
        printf("%s", i == 0 ? "" : ",\n");
        ok = print_entry(tags[i], (double)at.ns / 1e9, 0.25, &hdr) &&
             hlog_write_entry(&text, tags[i], at, base_dur_ms(250), &hdr, err);
        hdr_fini(&hdr);
    }
    return ok && base_file_write(path, text.data, text.len, 0644, err);
}

int main(int argc, char **argv)
{
    struct base_error err = {.message = "no memory for a table"};
    if (argc != 3 || (!base_str_eq(argv[1], "read") && !base_str_eq(argv[1], "write"))) {
        (void)fprintf(stderr, "usage: hdr_interop read|write FILE\n");
        return 2;
    }
    printf("[");
    bool ok = base_str_eq(argv[1], "read") ? read_log(argv[2], &err) : write_log(argv[2], &err);
    printf("]\n");
    if (!ok)
        (void)fprintf(stderr, "hdr_interop: %s\n", err.message);
    return ok ? 0 : 5;
}
