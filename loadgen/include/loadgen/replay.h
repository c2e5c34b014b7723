/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded arrivals: a text file with one timestamp a line, in seconds ("12.345678901", up to nine
 * decimals) or whole nanoseconds. Times count from the first line; they must not decrease. Empty
 * lines and lines that start with '#' are passed over. The file is read piece by piece and what is
 * kept are eight bytes a timestamp, LOAD_REPLAY_MAX of them at most (128 MiB), once for all
 * threads.
 */
#ifndef LOADGEN_REPLAY_H
#define LOADGEN_REPLAY_H

#include "model/load.h"

enum { LOAD_REPLAY_MAX = 1 << 24 };

struct load_replay {
    int64_t *at; /* ns after the first; owned */
    size_t count;
    size_t max; /* set before reading; 0: LOAD_REPLAY_MAX */
};

/* Reads the whole file. Blocks. BASE_INVALID with the line for what is no timestamp or is out of
 * order, BASE_LIMIT for too many, BASE_IO or BASE_NOT_FOUND; out is untouched then. */
bool load_replay_read(const char *path, enum load_unit unit, struct load_replay *out,
                      struct base_error *err);
void load_replay_fini(struct load_replay *replay); /* accepts a zeroed value */

/* The same for bytes that come in pieces: zero the value, feed until the end, then finish. */
struct load_replay_reader {
    struct load_replay replay;
    enum load_unit unit;
    size_t cap;
    int64_t first; /* of the file's own times */
    size_t line;   /* number of the line at hand */
    char text[40]; /* of it */
    size_t len;
};
bool load_replay_feed(struct load_replay_reader *reader, const char *data, size_t len,
                      struct base_error *err);
bool load_replay_finish(struct load_replay_reader *reader, struct base_error *err);

#endif
