/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/trace.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; /* upper case is malformed, section 3.2.2.1 */
}

/* len hex digits at text followed by `end`; all zeroes are not an id. */
static bool id_at(const char *text, size_t len, char end)
{
    bool zero = true;
    for (size_t i = 0; i < len; i++) {
        if (hex(text[i]) < 0)
            return false;
        zero = zero && text[i] == '0';
    }
    return !zero && text[len] == end;
}

static bool parse(const char *text, struct kit_trace *out)
{
    enum { VERSION = 0, ID = 3, PARENT = 36, FLAGS = 53, END = 55 };
    size_t len = text == NULL ? 0 : strlen(text);
    if (len < END || hex(text[VERSION]) < 0 || hex(text[VERSION + 1]) < 0 ||
        text[VERSION + 2] != '-' || strncmp(text, "ff", 2) == 0)
        return false;
    /* Only versions still unknown to us may carry more. */
    bool first_version = strncmp(text, "00", 2) == 0;
    if (len > END && (first_version || text[END] != '-'))
        return false;
    if (!id_at(text + ID, 32, '-') || !id_at(text + PARENT, 16, '-') || hex(text[FLAGS]) < 0 ||
        hex(text[FLAGS + 1]) < 0)
        return false;
    memcpy(out->id, text + ID, 32);
    out->id[32] = '\0';
    memcpy(out->parent, text + PARENT, 16);
    out->parent[16] = '\0';
    out->flags = (unsigned)hex(text[FLAGS]) << 4 | (unsigned)hex(text[FLAGS + 1]);
    return true;
}

static uint64_t nonzero_random(void)
{
    uint64_t value;
    do
        value = base_random_u64();
    while (value == 0);
    return value;
}

void kit_trace_start(struct kit_trace *trace, const char *traceparent)
{
    if (!parse(traceparent, trace)) {
        snprintf(trace->id, sizeof trace->id, "%016" PRIx64 "%016" PRIx64, nonzero_random(),
                 base_random_u64());
        trace->parent[0] = '\0';
        trace->flags = 1; /* sampled */
    }
    snprintf(trace->span, sizeof trace->span, "%016" PRIx64, nonzero_random());
}

void kit_trace_format(const struct kit_trace *trace, char out[static KIT_TRACEPARENT_TEXT])
{
    /* Only the sampled bit is defined; the others must be sent as zero (section 3.2.2.5). */
    snprintf(out, KIT_TRACEPARENT_TEXT, "00-%s-%s-%02x", trace->id, trace->span, trace->flags & 1);
}
