/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes. Reading decodes every histogram once, to find damage and to add up totals, and
 * keeps where its text lies and not the histogram: that would be a quarter of a megabyte for each
 * interval, tag and log. Writing decodes those of one interval at a time again.
 *
 * Which intervals are "the same" is a matter of clocks: generators start together but tick apart by
 * milliseconds. An interval belongs to the slot of its tag that it overlaps most, if that is more
 * than half of the shorter of the two and the slot has nothing of the same log yet: two intervals
 * of one log are never one, whatever their times.
 *
 * Some writers give each histogram the range that its values need. Where units and significant
 * figures are the same, so are the buckets, however many there are, and a sum has as many as the
 * longest.
 */
#include "loadgen/merge.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/hlog.h"
#include "recorder.h"

static const size_t log_max = (size_t)1024 * 1024 * 1024;
static const size_t line_max = (size_t)64 * 1024 * 1024;
static const size_t flush_at = (size_t)1024 * 1024;
/* Seconds, both together less than an int64_t of ns has room for: until 2255. */
static const double latest_s = 9e9;
static const double longest_s = 1e8;

struct source {
    char *name;
    char *text;
    dev_t device; /* 0 with inode 0: not a file */
    ino_t inode;
    double start_time;
    size_t entries;
};

/* One line of one log. */
struct piece {
    size_t source;
    size_t tag;
    size_t line;
    int64_t start_ms;
    int64_t length_ms;
    const char *text;
    size_t len;
    size_t next; /* of the same slot; SIZE_MAX: the last */
};

struct tag {
    char *name; /* "": none */
    struct hdr total;
};

/* One line of the merged log: what its first piece and those that join it hold. */
struct slot {
    size_t first;
    size_t last;
    int64_t start_ms;
    int64_t end_ms;
};

struct load_merge {
    struct source *sources;
    size_t source_count;
    struct piece *pieces;
    size_t piece_count, piece_cap;
    struct tag *tags;
    size_t tag_count;
    struct hdr kinds[LOAD_KIND_COUNT]; /* as load_merge_kind gave them last */
    struct hdr ended;                  /* as load_merge_ended did */
};

struct load_merge *load_merge_new(void)
{
    return base_calloc(1, sizeof(struct load_merge));
}

static void source_fini(struct source *source)
{
    free(source->name);
    free(source->text);
}

void load_merge_free(struct load_merge *merge)
{
    if (merge == NULL)
        return;
    for (size_t i = 0; i < merge->source_count; i++)
        source_fini(&merge->sources[i]);
    for (size_t i = 0; i < merge->tag_count; i++) {
        free(merge->tags[i].name);
        hdr_fini(&merge->tags[i].total);
    }
    free(merge->sources);
    free(merge->pieces);
    free(merge->tags);
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        hdr_fini(&merge->kinds[kind]);
    hdr_fini(&merge->ended);
    free(merge);
}

/* ---- reading ---- */

struct reading {
    struct load_merge *merge;
    struct source *source;
    struct base_error *err;
    bool failed;
};

static bool same_buckets(const struct hdr *a, const struct hdr *b)
{
    return a->unit_magnitude == b->unit_magnitude &&
           a->significant_figures == b->significant_figures;
}

/* As far as `like` goes, at least. */
static bool widen(struct hdr *hdr, const struct hdr *like, struct base_error *err)
{
    struct hdr wider;
    if (like->highest <= hdr->highest)
        return true;
    if (!hdr_init(&wider, hdr->lowest, like->highest, hdr->significant_figures, err))
        return false;
    if (!hdr_add(&wider, hdr, err)) {
        hdr_fini(&wider);
        return false;
    }
    hdr_fini(hdr);
    *hdr = wider;
    return true;
}

static bool find_tag(struct load_merge *merge, const char *name, const struct hdr *shape,
                     size_t *out, struct base_error *err)
{
    for (size_t i = 0; i < merge->tag_count; i++) {
        if (base_str_eq(merge->tags[i].name, name)) {
            *out = i;
            return widen(&merge->tags[i].total, shape, err);
        }
    }
    struct tag made = {.name = NULL};
    if (!hdr_init(&made.total, shape->lowest, shape->highest, shape->significant_figures, err))
        return false;
    made.name = base_str_dup(name);
    merge->tags = base_reallocarray(merge->tags, merge->tag_count + 1, sizeof *merge->tags);
    merge->tags[merge->tag_count] = made;
    *out = merge->tag_count++;
    return true;
}

static bool check_shape(const struct load_merge *merge, const struct hdr *hdr,
                        struct base_error *err)
{
    if (merge->tag_count == 0 || same_buckets(&merge->tags[0].total, hdr))
        return true;
    const struct hdr *first = &merge->tags[0].total;
    return base_fail(err, BASE_INVALID,
                     "a histogram of %d significant figures from %" PRId64
                     " cannot be merged without loss with the others, which have %d from %" PRId64,
                     hdr->significant_figures, hdr->lowest, first->significant_figures,
                     first->lowest);
}

static void append_piece(struct load_merge *merge, const struct piece *piece)
{
    if (merge->piece_count == merge->piece_cap) {
        merge->piece_cap = merge->piece_cap == 0 ? 256 : merge->piece_cap * 2;
        merge->pieces = base_reallocarray(merge->pieces, merge->piece_cap, sizeof *merge->pieces);
    }
    merge->pieces[merge->piece_count++] = *piece;
}

static bool take_entry(struct reading *reading, const struct hlog_entry *entry)
{
    struct load_merge *merge = reading->merge;
    struct piece piece = {.source = merge->source_count,
                          .line = entry->line,
                          .start_ms = llround(entry->start * 1e3),
                          .length_ms = llround(entry->length * 1e3),
                          .text = entry->text,
                          .len = entry->text_len,
                          .next = SIZE_MAX};
    if (!(entry->start >= 0) || entry->start > latest_s || entry->length > longest_s)
        return base_fail(reading->err, BASE_CORRUPT, "an interval outside of all calendars");
    if (!check_shape(merge, &entry->hdr, reading->err) ||
        !find_tag(merge, entry->tag == NULL ? "" : entry->tag, &entry->hdr, &piece.tag,
                  reading->err) ||
        !hdr_add(&merge->tags[piece.tag].total, &entry->hdr, reading->err))
        return false;
    append_piece(merge, &piece);
    reading->source->entries++;
    return true;
}

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    struct reading *reading = ctx;
    reading->failed = !take_entry(reading, entry);
    if (reading->failed)
        (void)base_fail_context(reading->err, "%s:%zu", reading->source->name, entry->line);
    return !reading->failed;
}

/* Takes over the source, whatever comes of it: a merge that failed is only good to be freed. */
static bool take_source(struct load_merge *merge, struct source *source, size_t len,
                        struct base_error *err)
{
    struct reading reading = {.merge = merge, .source = source, .err = err};
    bool good = hlog_read_named(source->name, source->text, len, &source->start_time, on_entry,
                                &reading, err) &&
                !reading.failed;
    merge->sources =
        base_reallocarray(merge->sources, merge->source_count + 1, sizeof *merge->sources);
    merge->sources[merge->source_count++] = *source;
    return good;
}

static bool check_new(const struct load_merge *merge, const struct source *source,
                      struct base_error *err)
{
    for (size_t i = 0; i < merge->source_count; i++)
        if (merge->sources[i].inode == source->inode && merge->sources[i].device == source->device)
            return base_fail(err, BASE_INVALID,
                             "%s: the same file as %s: its values would count twice", source->name,
                             merge->sources[i].name);
    return true;
}

bool load_merge_file(struct load_merge *merge, const char *path, struct base_error *err)
{
    struct stat st;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, log_max);
    if (!base_file_read(path, &text, err))
        return false;
    if (stat(path, &st) != 0)
        return base_fail_errno(err, "cannot read %s", path);
    struct source source = {.name = base_str_dup(path), .device = st.st_dev, .inode = st.st_ino};
    if (!check_new(merge, &source, err)) {
        source_fini(&source);
        return false;
    }
    size_t len = text.len;
    source.text = base_buf_steal(&text);
    if (!take_source(merge, &source, len, err))
        return false;
    if (source.entries == 0)
        return base_fail(err, BASE_CORRUPT, "%s:1: no interval in it: is it a histogram log?",
                         path);
    return true;
}

bool load_merge_text(struct load_merge *merge, const char *name, const char *text, size_t len,
                     struct base_error *err)
{
    struct source source = {.name = base_str_dup(name), .text = base_str_ndup(text, len)};
    return take_source(merge, &source, len, err);
}

/* ---- writing ---- */

static int by_tag_and_time(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    if (a->start_ms != b->start_ms)
        return a->start_ms < b->start_ms ? -1 : 1;
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

struct slots {
    struct load_merge *merge;
    struct slot *all;
    size_t count;
};

static bool has_source(const struct slots *slots, const struct slot *slot, size_t source)
{
    for (size_t i = slot->first; i != SIZE_MAX; i = slots->merge->pieces[i].next)
        if (slots->merge->pieces[i].source == source)
            return true;
    return false;
}

/* ms that the piece and the slot's first piece share; -1 when that is too little to be the same. */
static int64_t shared_ms(const struct slots *slots, const struct slot *slot,
                         const struct piece *piece)
{
    const struct piece *first = &slots->merge->pieces[slot->first];
    int64_t from = piece->start_ms > first->start_ms ? piece->start_ms : first->start_ms;
    int64_t piece_end = piece->start_ms + piece->length_ms;
    int64_t first_end = first->start_ms + first->length_ms;
    int64_t to = piece_end < first_end ? piece_end : first_end;
    int64_t shorter = piece->length_ms < first->length_ms ? piece->length_ms : first->length_ms;
    if (shorter == 0)
        return piece->start_ms == first->start_ms ? 0 : -1;
    return (to - from) * 2 > shorter ? to - from : -1;
}

/* longest: of the tag's intervals so far; what began earlier than that cannot overlap. */
static struct slot *find_slot(const struct slots *slots, size_t from, int64_t longest,
                              const struct piece *piece)
{
    struct slot *best = NULL;
    int64_t most = -1;
    for (size_t i = slots->count; i > from; i--) {
        struct slot *slot = &slots->all[i - 1];
        if (slots->merge->pieces[slot->first].start_ms + longest < piece->start_ms)
            break;
        int64_t shared = shared_ms(slots, slot, piece);
        if (shared >= 0 && shared >= most && !has_source(slots, slot, piece->source)) {
            best = slot;
            most = shared;
        }
    }
    return best;
}

static void join(struct slots *slots, struct slot *slot, size_t index)
{
    const struct piece *piece = &slots->merge->pieces[index];
    slots->merge->pieces[slot->last].next = index;
    slot->last = index;
    int64_t end = piece->start_ms + piece->length_ms;
    slot->start_ms = piece->start_ms < slot->start_ms ? piece->start_ms : slot->start_ms;
    slot->end_ms = end > slot->end_ms ? end : slot->end_ms;
}

static void fill_slots(struct slots *slots)
{
    const struct piece *pieces = slots->merge->pieces;
    size_t from = 0; /* the tag's first slot */
    int64_t longest = 0;
    for (size_t i = 0; i < slots->merge->piece_count; i++) {
        const struct piece *piece = &pieces[i];
        if (i == 0 || piece->tag != pieces[i - 1].tag) {
            from = slots->count;
            longest = 0;
        }
        longest = piece->length_ms > longest ? piece->length_ms : longest;
        struct slot *slot = find_slot(slots, from, longest, piece);
        if (slot != NULL)
            join(slots, slot, i);
        else
            slots->all[slots->count++] =
                (struct slot){.first = i,
                              .last = i,
                              .start_ms = piece->start_ms,
                              .end_ms = piece->start_ms + piece->length_ms};
    }
}

/* first is the index of a piece, and those are in the order of their tags. */
static int by_time(const void *left, const void *right)
{
    const struct slot *a = left, *b = right;
    if (a->start_ms != b->start_ms)
        return a->start_ms < b->start_ms ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

static bool add_slot(const struct load_merge *merge, const struct slot *slot, struct hdr *sum,
                     struct base_error *err)
{
    for (size_t i = slot->first; i != SIZE_MAX; i = merge->pieces[i].next) {
        struct hdr one;
        if (!hdr_decode(merge->pieces[i].text, merge->pieces[i].len, &one, err))
            return false;
        bool added = hdr_add(sum, &one, err);
        hdr_fini(&one);
        if (!added)
            return false;
    }
    return true;
}

static bool write_slots(const struct slots *slots, struct base_buf *out, int fd,
                        struct base_error *err)
{
    struct load_merge *merge = slots->merge;
    for (size_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->all[i];
        const struct tag *tag = &merge->tags[merge->pieces[slot->first].tag];
        const struct hdr *shape = &tag->total;
        struct hdr sum;
        if (!hdr_init(&sum, shape->lowest, shape->highest, shape->significant_figures, err))
            return false;
        bool good = add_slot(merge, slot, &sum, err) &&
                    hlog_write_entry(out, *tag->name == '\0' ? NULL : tag->name,
                                     (struct wall_ns){slot->start_ms * BASE_NS_PER_MS},
                                     base_dur_ms(slot->end_ms - slot->start_ms), &sum, err);
        hdr_fini(&sum);
        if (!good)
            return false;
        if (out->len >= flush_at) {
            if (!base_fd_write_all(fd, out->data, out->len, err))
                return false;
            base_buf_clear(out);
        }
    }
    return base_fd_write_all(fd, out->data, out->len, err);
}

/* The earliest of what the logs say of their start, or of their intervals. */
static struct wall_ns earliest(const struct slots *slots)
{
    const struct load_merge *merge = slots->merge;
    double start = slots->count > 0 ? (double)slots->all[0].start_ms / 1e3 : 0;
    for (size_t i = 0; i < merge->source_count; i++)
        if (merge->sources[i].start_time > 0 && merge->sources[i].start_time < start)
            start = merge->sources[i].start_time;
    return (struct wall_ns){llround(start * 1e3) * BASE_NS_PER_MS};
}

bool load_merge_write(struct load_merge *merge, int fd, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, flush_at + line_max);
    if (merge->piece_count > 0)
        qsort(merge->pieces, merge->piece_count, sizeof *merge->pieces, by_tag_and_time);
    for (size_t i = 0; i < merge->piece_count; i++)
        merge->pieces[i].next = SIZE_MAX;
    struct slots slots = {.merge = merge};
    slots.all = base_calloc(merge->piece_count + 1, sizeof *slots.all);
    fill_slots(&slots);
    qsort(slots.all, slots.count, sizeof *slots.all, by_time);
    bool good = hlog_write_header(&out, earliest(&slots)) && write_slots(&slots, &out, fd, err);
    free(slots.all);
    return good;
}

/* ---- sums ---- */

size_t load_merge_tag_count(const struct load_merge *merge)
{
    return merge->tag_count;
}

const char *load_merge_tag(const struct load_merge *merge, size_t i)
{
    return merge->tags[i].name;
}

const struct hdr *load_merge_total(const struct load_merge *merge, size_t i)
{
    return &merge->tags[i].total;
}

/* NULL: there are none. */
static const struct hdr *sum_up(const struct load_merge *merge, const char *kind, struct hdr *sum)
{
    BASE_AUTO_FREE char *end = base_str_printf("/%s", kind);
    struct base_error err;
    hdr_fini(sum);
    for (size_t i = 0; i < merge->tag_count; i++) {
        const struct hdr *total = &merge->tags[i].total;
        if (!base_str_ends(merge->tags[i].name, end))
            continue;
        if (sum->counts == NULL &&
            !hdr_init(sum, total->lowest, total->highest, total->significant_figures, &err))
            return NULL;
        if (!widen(sum, total, &err) ||
            !hdr_add(sum, total, &err)) /* more values than 63 bits count */
            return NULL;
    }
    return sum->counts != NULL && sum->total > 0 ? sum : NULL;
}

const struct hdr *load_merge_kind(struct load_merge *merge, enum load_kind kind)
{
    return sum_up(merge, load_kind_name(kind), &merge->kinds[kind]);
}

const struct hdr *load_merge_ended(struct load_merge *merge)
{
    return sum_up(merge, LOAD_ENDED, &merge->ended);
}
