/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as values. A function that can fail returns bool (or NULL) and fills a struct base_error
 * that its caller owns; on failure every other output is untouched. The message says what failed,
 * where, and what to do; each caller adds its context in front on the way up.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum base_code {
    BASE_OK = 0,
    BASE_INVALID,     /* the input is wrong; the user must change it */
    BASE_NOT_FOUND,   /* a named thing does not exist */
    BASE_DENIED,      /* permission or authentication */
    BASE_LIMIT,       /* a declared maximum would be exceeded */
    BASE_TIMEOUT,     /* the deadline passed first */
    BASE_UNAVAILABLE, /* a peer or resource is not there now; a retry may work */
    BASE_CORRUPT,     /* stored or received bytes do not decode */
    BASE_IO,          /* the operating system said no; `sys` holds errno */
    BASE_INTERNAL     /* a bug in squall */
};

struct base_error {
    enum base_code code;
    int sys; /* errno behind the error, 0 when there is none */
    char message[1024];
};

/* Fills err (which may be NULL) and returns false, so that `return base_fail(...)` reads well. */
bool base_fail(struct base_error *err, enum base_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As base_fail, with the current errno kept and its text appended; code BASE_IO, or BASE_DENIED
 * for EPERM and EACCES, BASE_NOT_FOUND for ENOENT. */
bool base_fail_errno(struct base_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the message already in err; returns false. */
bool base_fail_context(struct base_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A stable lower-case word for a code, for JSON and logs. */
const char *base_code_name(enum base_code code);

#endif
