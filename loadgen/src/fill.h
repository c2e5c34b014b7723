/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates ready for filling in: their names have become numbers. What is filled in comes from
 * responses and files, so each place has its own idea of what may stand there; a value that would
 * break the request is refused, not repaired.
 */
#ifndef LOAD_FILL_H
#define LOAD_FILL_H

#include "base/buf.h"
#include "base/random.h"
#include "feeder.h"
#include "model/template.h"

enum load_fill_kind {
    LOAD_FILL_TEXT,
    LOAD_FILL_SEQ,
    LOAD_FILL_RAND,
    LOAD_FILL_VARIABLE, /* number of the slot */
    LOAD_FILL_CELL      /* feeder and column */
};

enum load_fill_place {
    LOAD_PLACE_BODY,   /* anything */
    LOAD_PLACE_HEADER, /* no control characters */
    LOAD_PLACE_PATH    /* printable ASCII without spaces and '#' */
};

struct load_fill_part {
    enum load_fill_kind kind;
    enum load_fill_place place;
    enum template_filter filter;
    uint32_t number; /* slot, or feeder */
    uint32_t column;
    char *text; /* owned: what stands there, or the field's name for messages */
    size_t len;
};

struct load_fill {
    struct load_fill_part *parts; /* owned */
    size_t count;
};

/* What the fields stand for, of one passage of a flow. */
struct load_fill_values {
    uint64_t seq;
    struct base_rng *rng;
    char *const *variables; /* by slot */
    const struct load_rows *const *feeders;
    const size_t *rows; /* by feeder */
};

void load_fill_add_text(struct load_fill *fill, const char *text);
struct load_fill_part *load_fill_add(struct load_fill *fill, const char *name);
void load_fill_fini(struct load_fill *fill); /* accepts a zeroed value */
/* Appends to out; false with why: a value that cannot stand where it should. */
bool load_fill_write(const struct load_fill *fill, const struct load_fill_values *values,
                     struct base_buf *out, char *why, size_t why_size);

#endif
