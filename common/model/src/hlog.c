/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes: a histogram log is lines of text.
 *
 *   #[Histogram log format version 1.3]
 *   #[StartTime: 1763712345.123 (seconds since epoch), 2025-11-21T08:05:45.123Z]
 *   "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
 *   Tag=steady,1763712346.123,1.000,12.345,HISTF...
 *
 * The second column is a length and not an end. Comments stand in the header only, because some
 * readers stop at a comment behind an interval. Starts are absolute, unless a BaseTime line says
 * what to add; without one, a log whose first start lies a year or more before StartTime is taken
 * to count from StartTime, as HdrHistogram's own log reader does.
 *
 * Times and the maximum are printed from integers: printf's %f would follow the locale.
 */
#include "model/hlog.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

enum { TAG_MAX = 255, NUMBER_MAX = 63 };

static const char legend[] = "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                             "\"Interval_Compressed_Histogram\"\n";
static const char tag_prefix[] = "Tag=";

/* ---- writing ---- */

/* unit = how many of value make one thousandth. */
static void append_thousandths(struct base_buf *out, int64_t value, int64_t unit)
{
    int64_t thousandths = value / unit + (value % unit >= unit / 2 ? 1 : 0);
    (void)base_buf_printf(out, "%" PRId64 ".%03d", thousandths / 1000, (int)(thousandths % 1000));
}

bool hlog_write_header(struct base_buf *out, struct wall_ns start)
{
    char date[BASE_WALL_TEXT];
    base_wall_format(start, date);
    (void)base_buf_str(out, "#[Histogram log format version 1.3]\n#[StartTime: ");
    append_thousandths(out, start.ns < 0 ? 0 : start.ns, BASE_NS_PER_MS);
    (void)base_buf_printf(out, " (seconds since epoch), %s]\n", date);
    return base_buf_str(out, legend);
}

static bool tag_is_valid(const char *tag, size_t len)
{
    if (len == 0 || len > TAG_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)tag[i];
        if (c == ',' || c <= ' ' || c == 0x7f)
            return false;
    }
    return true;
}

static void take_back(struct base_buf *out, size_t len)
{
    out->len = len;
    if (out->cap > 0)
        out->data[len] = '\0';
}

bool hlog_write_entry(struct base_buf *out, const char *tag, struct wall_ns start,
                      struct dur_ns length, const struct hdr *hdr, struct base_error *err)
{
    size_t before = out->len;
    if (tag != NULL && !tag_is_valid(tag, strlen(tag)))
        return base_fail(err, BASE_INVALID,
                         "the tag \"%.*s\" of a histogram log must have 1 to %d characters and no "
                         "comma, space or control character: rename it",
                         TAG_MAX, tag, TAG_MAX);
    if (start.ns < 0 || length.ns < 0)
        return base_fail(err, BASE_INVALID,
                         "a histogram log cannot hold an interval that starts before 1970 or has a "
                         "negative length: check the clock");
    if (tag != NULL)
        (void)base_buf_printf(out, "%s%s,", tag_prefix, tag);
    append_thousandths(out, start.ns, BASE_NS_PER_MS);
    (void)base_buf_char(out, ',');
    append_thousandths(out, length.ns, BASE_NS_PER_MS);
    (void)base_buf_char(out, ',');
    append_thousandths(out, hdr_max(hdr), BASE_NS_PER_US);
    (void)base_buf_char(out, ',');
    if (!hdr_encode(hdr, out, err)) {
        take_back(out, before);
        return base_fail_context(err, "cannot write an interval of a histogram log");
    }
    if (!base_buf_char(out, '\n')) {
        take_back(out, before);
        return base_fail(err, BASE_LIMIT,
                         "an interval of a histogram log does not fit into a buffer of %zu bytes: "
                         "empty it more often",
                         out->max);
    }
    return true;
}

/* ---- reading ---- */

struct span {
    const char *at;
    size_t len;
};

struct reader {
    double start_time; /* 0: not known */
    double base_time;
    bool base_known;
    size_t line;
    const char *name; /* of the log; NULL: none is said */
};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trimmed(struct span span)
{
    while (span.len > 0 && blank(span.at[0])) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && blank(span.at[span.len - 1]))
        span.len--;
    return span;
}

static bool span_starts(struct span span, const char *prefix)
{
    size_t len = strlen(prefix);
    return span.len >= len && memcmp(span.at, prefix, len) == 0;
}

/* What lies before the separator, which is taken off too. */
static struct span cut_at(struct span *rest, char separator)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->at, separator, rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->at);
    struct span head = {rest->at, len};
    size_t taken = end == NULL ? len : len + 1;
    rest->at += taken;
    rest->len -= taken;
    return head;
}

static bool number(struct span span, double *out)
{
    char text[NUMBER_MAX + 1];
    span = trimmed(span);
    if (span.len > NUMBER_MAX || memchr(span.at, '\0', span.len) != NULL)
        return false;
    memcpy(text, span.at, span.len);
    text[span.len] = '\0';
    return base_parse_double(text, out);
}

/* "#[StartTime: 1.234 (seconds since epoch), ..." with the name before the number. */
static bool read_time_comment(struct span line, const char *name, double *out, bool *found)
{
    *found = span_starts(line, name);
    if (!*found)
        return true;
    struct span rest = {line.at + strlen(name), line.len - strlen(name)};
    rest = trimmed(rest);
    struct span word = cut_at(&rest, ' ');
    if (word.len > 0 && word.at[word.len - 1] == ']')
        word.len--;
    return number(word, out);
}

static bool read_comment(struct reader *reader, struct span line, struct base_error *err)
{
    bool found;
    if (!read_time_comment(line, "#[StartTime:", &reader->start_time, &found))
        return base_fail(err, BASE_CORRUPT, "StartTime has no number of seconds");
    if (!read_time_comment(line, "#[BaseTime:", &reader->base_time, &found))
        return base_fail(err, BASE_CORRUPT, "BaseTime has no number of seconds");
    reader->base_known = reader->base_known || found;
    return true;
}

static void settle_base_time(struct reader *reader, double first_start)
{
    const double year = 365.0 * 24 * 3600;
    if (!reader->base_known && first_start < reader->start_time - year)
        reader->base_time = reader->start_time;
    reader->base_known = true;
}

/* The tag's text to out ("" when there is none); false when it is malformed. */
static bool read_tag(struct span *rest, char out[static TAG_MAX + 1])
{
    out[0] = '\0';
    if (!span_starts(*rest, tag_prefix))
        return true;
    struct span tag = cut_at(rest, ',');
    tag.at += sizeof tag_prefix - 1;
    tag.len -= sizeof tag_prefix - 1;
    if (!tag_is_valid(tag.at, tag.len))
        return false;
    memcpy(out, tag.at, tag.len);
    out[tag.len] = '\0';
    return true;
}

static bool read_entry(struct reader *reader, struct span line, struct hlog_entry *entry,
                       char tag[static TAG_MAX + 1], struct base_error *err)
{
    struct span rest = line;
    if (!read_tag(&rest, tag))
        return base_fail(err, BASE_CORRUPT, "the tag must have 1 to %d characters and no space",
                         TAG_MAX);
    const struct {
        const char *name;
        double *value;
        bool negative_allowed;
    } columns[] = {{"start", &entry->start, true},
                   {"length", &entry->length, false},
                   {"maximum", &entry->max, false}};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (!number(cut_at(&rest, ','), columns[i].value) ||
            (*columns[i].value < 0 && !columns[i].negative_allowed))
            return base_fail(err, BASE_CORRUPT,
                             "the %s is not a number of its kind: is it a histogram log?",
                             columns[i].name);
    }
    settle_base_time(reader, entry->start);
    entry->start += reader->base_time;
    entry->tag = tag[0] == '\0' ? NULL : tag;
    rest = trimmed(rest);
    entry->line = reader->line;
    entry->text = rest.at;
    entry->text_len = rest.len;
    return hdr_decode(rest.at, rest.len, &entry->hdr, err);
}

/* 1: go on; 0: the callback has enough; -1: err is set. */
static int read_line(struct reader *reader, struct span line,
                     bool (*on_entry)(void *ctx, struct hlog_entry *entry), void *ctx,
                     struct base_error *err)
{
    line = trimmed(line);
    if (line.len == 0 || line.at[0] == '"' || span_starts(line, "Timestamp"))
        return 1;
    if (line.at[0] == '#')
        return read_comment(reader, line, err) ? 1 : -1;
    char tag[TAG_MAX + 1];
    struct hlog_entry entry = {.tag = NULL};
    if (!read_entry(reader, line, &entry, tag, err))
        return -1;
    bool more = on_entry(ctx, &entry);
    hdr_fini(&entry.hdr);
    return more ? 1 : 0;
}

static void tell_place(const struct reader *reader, struct base_error *err)
{
    if (reader->name != NULL)
        (void)base_fail_context(err, "%s:%zu", reader->name, reader->line);
    else
        (void)base_fail_context(err, "line %zu", reader->line);
}

bool hlog_read_named(const char *name, const char *text, size_t len, double *start_time,
                     bool (*on_entry)(void *ctx, struct hlog_entry *entry), void *ctx,
                     struct base_error *err)
{
    struct reader reader = {.line = 0, .name = name};
    struct span rest = {text, len};
    int state = 1;
    while (rest.len > 0 && state > 0) {
        reader.line++;
        state = read_line(&reader, cut_at(&rest, '\n'), on_entry, ctx, err);
    }
    if (state < 0) {
        tell_place(&reader, err);
        return false;
    }
    if (start_time != NULL)
        *start_time = reader.start_time;
    return true;
}

bool hlog_read(const char *text, size_t len, double *start_time,
               bool (*on_entry)(void *ctx, struct hlog_entry *entry), void *ctx,
               struct base_error *err)
{
    return hlog_read_named(NULL, text, len, start_time, on_entry, ctx, err);
}
