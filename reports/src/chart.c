/* SPDX-License-Identifier: Apache-2.0 */
#include "chart.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/child.h"

static const size_t svg_max = (size_t)8 << 20;
static const struct dur_ns gnuplot_limit = {20 * BASE_NS_PER_S};

void chart_fini(struct chart *chart)
{
    for (size_t i = 0; i < chart->legend_count; i++)
        free(chart->legend[i].text);
    free(chart->legend);
    free(chart->svg);
    free(chart->why);
    *chart = (struct chart){0};
}

/* --- gnuplot's SVG into the page's --- */

/* Colours that the scripts use as marks, as gnuplot writes them when spaces are left out. */
static const struct {
    const char *mark;
    const char *css;
} colours[] = {
    {"rgb(1,1,1)", "currentColor"}, {"#010101", "currentColor"},
    {"rgb(1,1,2)", "var(--grid)"},  {"#010102", "var(--grid)"},
    {"rgb(1,1,3)", "var(--shade)"}, {"#010103", "var(--shade)"},
    {"rgb(1,1,4)", "none"},         {"#010104", "none"},
    {"rgb(2,0,1)", "var(--c1)"},    {"rgb(2,0,2)", "var(--c2)"},
    {"rgb(2,0,3)", "var(--c3)"},    {"rgb(2,0,4)", "var(--c4)"},
    {"rgb(2,0,5)", "var(--c5)"},    {"rgb(2,0,6)", "var(--c6)"},
    {"rgb(2,0,7)", "var(--c7)"},    {"rgb(2,0,8)", "var(--c8)"},
    {"black", "currentColor"},      {"gray", "var(--grid)"},
};

static void put_colour(struct base_buf *out, const char *value, size_t len)
{
    char word[32];
    size_t used = 0;
    for (size_t i = 0; i < len && used + 1 < sizeof word; i++) {
        if (value[i] != ' ')
            word[used++] = value[i];
    }
    word[used] = '\0';
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        if (strcmp(word, colours[i].mark) == 0) {
            (void)base_buf_str(out, colours[i].css);
            return;
        }
    }
    (void)base_buf_append(out, value, len);
}

enum attribute { ATTRIBUTE_OTHER, ATTRIBUTE_COLOUR, ATTRIBUTE_ID, ATTRIBUTE_REFERENCE };

/* Which attribute ends right before at (its name, then perhaps " = " as gnuplot writes some). */
static enum attribute attribute_before(const char *start, const char *at)
{
    static const struct {
        const char *name;
        enum attribute kind;
    } names[] = {{"color", ATTRIBUTE_COLOUR}, {"stroke", ATTRIBUTE_COLOUR},
                 {"fill", ATTRIBUTE_COLOUR},  {"flood-color", ATTRIBUTE_COLOUR},
                 {"id", ATTRIBUTE_ID},        {"xlink:href", ATTRIBUTE_REFERENCE}};
    while (at > start && (at[-1] == ' ' || at[-1] == '='))
        at--;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i].name);
        if ((size_t)(at - start) > len && memcmp(at - len, names[i].name, len) == 0 &&
            strchr(" \t\n", at[-(ptrdiff_t)len - 1]) != NULL)
            return names[i].kind;
    }
    return ATTRIBUTE_OTHER;
}

/* Copies one quoted attribute value, adapted; at is the opening quote. Returns behind the closing
 * one, or NULL when there is none. */
static const char *put_value(struct base_buf *out, const char *start, const char *at,
                             const char *end, const char *prefix)
{
    const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
    if (close == NULL)
        return NULL;
    const char *value = at + 1;
    size_t len = (size_t)(close - value);
    enum attribute kind = attribute_before(start, at);
    (void)base_buf_char(out, *at);
    if (kind == ATTRIBUTE_COLOUR) {
        put_colour(out, value, len);
    } else if (kind == ATTRIBUTE_ID) {
        (void)base_buf_printf(out, "%s-%.*s", prefix, (int)len, value);
    } else if (kind == ATTRIBUTE_REFERENCE && len > 0 && value[0] == '#') {
        (void)base_buf_printf(out, "#%s-%.*s", prefix, (int)(len - 1), value + 1);
    } else {
        (void)base_buf_append(out, value, len);
    }
    (void)base_buf_char(out, *at);
    return close + 1;
}

/* The names of gnuplot and of the plot are no news to a reader; "Produced by GNUPLOT 5.4" would
 * make reports of two machines differ. */
static const char *skip_element(const char *at, const char *end)
{
    static const char *const elements[][2] = {{"<title>", "</title>"}, {"<desc>", "</desc>"}};
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        if (!base_str_starts(at, elements[i][0]))
            continue;
        const char *close = strstr(at, elements[i][1]);
        if (close != NULL && close < end)
            return close + strlen(elements[i][1]);
    }
    return at;
}

char *chart_adapt_svg(const char *text, const char *prefix)
{
    static const char closing[] = "</svg>";
    const char *start = strstr(text, "<svg");
    const char *end = start == NULL ? NULL : strstr(start, closing);
    if (end == NULL)
        return NULL;
    end += sizeof closing - 1;
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, svg_max);
    bool tag = false;
    for (const char *at = start; at < end;) {
        const char *behind = *at == '<' ? skip_element(at, end) : at;
        if (behind != at) {
            at = behind;
            continue;
        }
        tag = *at == '<' ? true : *at == '>' ? false : tag;
        if (tag && (*at == '"' || *at == '\'')) {
            at = put_value(&out, start, at, end, prefix);
            if (at == NULL)
                return NULL;
            continue;
        }
        (void)base_buf_char(&out, *at++);
    }
    return base_buf_steal(&out);
}

/* --- running gnuplot --- */

/* The script goes through an anonymous file: no name in /tmp, nothing to clean up. */
static int script_fd(const struct base_buf *script, struct base_error *err)
{
    int fd = memfd_create("squall-gnuplot", MFD_CLOEXEC);
    if (fd < 0) {
        (void)base_fail_errno(err, "cannot make a file for gnuplot's script");
        return -1;
    }
    if (!base_fd_write_all(fd, script->data, script->len, err) || lseek(fd, 0, SEEK_SET) < 0) {
        base_fd_close(&fd);
        return -1;
    }
    return fd;
}

static char *run_gnuplot(const struct base_buf *script, const char *program, const char *prefix,
                         struct base_error *err)
{
    BASE_AUTO_FD int fd = script_fd(script, err);
    if (fd < 0)
        return NULL;
    const char *const argv[] = {program, "-d", "-", NULL}; /* -d: no ~/.gnuplot */
    const char *const env[] = {"LC_ALL=C", NULL};
    struct io_child_spec spec = io_child_spec_default(argv);
    spec.env = env;
    spec.stdin_fd = fd;
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, svg_max);
    if (!io_child_run(&spec, gnuplot_limit, &out, err))
        return NULL;
    char *svg = chart_adapt_svg(out.data, prefix);
    if (svg == NULL)
        (void)base_fail(err, BASE_CORRUPT, "%s answered without a picture", program);
    return svg;
}

void chart_draw_all(const struct report *report, const char *program,
                    struct chart out[static CHART_COUNT])
{
    static const struct {
        const char *id, *title, *note;
        bool (*script)(const struct report *report, struct chart *chart, struct base_buf *out);
    } charts[CHART_COUNT] = {
        {"percentiles", "Latency by percentile",
         "Response time; the axis is log 1/(1 - p). A line ends where its phase has no more "
         "responses.",
         chart_script_percentiles},
        {"rate", "Rate and errors over time",
         "Requests a second, by the time they were sent. Shaded: a fault was in place.",
         chart_script_rate},
        {"latency", "Latency over time", NULL, chart_script_latency}}; /* which says by what time */
    for (int i = 0; i < CHART_COUNT; i++) {
        struct base_error err = {0};
        struct base_buf script;
        base_buf_init(&script, svg_max);
        out[i] =
            (struct chart){.id = charts[i].id, .title = charts[i].title, .note = charts[i].note};
        if (!charts[i].script(report, &out[i], &script))
            out[i].why = base_str_dup("There is no data for this chart.");
        else if ((out[i].svg = run_gnuplot(&script, program, charts[i].id, &err)) == NULL)
            out[i].why = base_str_printf("This chart could not be drawn: %s. Install gnuplot and "
                                         "run `squall report` again; the verdict stays the same.",
                                         err.message);
        base_buf_fini(&script);
    }
}
