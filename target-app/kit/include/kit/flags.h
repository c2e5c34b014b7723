/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line flags as a table: one row is name, type, where the value goes and the help text, so
 * that parser and help cannot drift. `--name value` and `--name=value` are the same.
 */
#ifndef KIT_FLAGS_H
#define KIT_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

struct kit_endpoint {
    char host[256]; /* name or literal, without brackets */
    uint16_t port;
};
/* "HOST:PORT", "[::1]:PORT"; port 0 only when allow_zero. */
bool kit_endpoint_parse(const char *text, bool allow_zero, struct kit_endpoint *out,
                        struct base_error *err);

enum kit_flag_type {
    KIT_FLAG_TEXT,     /* const char *: points into argv */
    KIT_FLAG_SWITCH,   /* bool: takes no value */
    KIT_FLAG_COUNT,    /* uint64_t */
    KIT_FLAG_DURATION, /* struct dur_ns: 250ms, 2s */
    KIT_FLAG_FRACTION, /* double: 0.25 or 25% */
    KIT_FLAG_LISTEN    /* struct kit_endpoint, port 0 allowed */
};

struct kit_flag {
    const char *name; /* without the dashes */
    enum kit_flag_type type;
    void *out; /* holds the default before parsing */
    const char *help;
};

/* BASE_INVALID names the flag and, for an unknown one, the nearest known. --help sets *help and
 * stops. Values parsed before the error stay set. */
bool kit_flags_parse(const struct kit_flag *flags, size_t count, int argc, char *const *argv,
                     bool *help, struct base_error *err);
/* The help text: a usage line and one line for each flag. */
void kit_flags_help(const struct kit_flag *flags, size_t count, const char *program,
                    struct base_buf *out);

#endif
