/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void fill(struct base_error *err, enum base_code code,
                                                       int sys, const char *format, va_list args)
{
    /* By way of a copy: err->message itself may be among the arguments. */
    char message[sizeof err->message];
    (void)vsnprintf(message, sizeof message, format, args);
    err->code = code;
    err->sys = sys;
    memcpy(err->message, message, strlen(message) + 1);
}

bool base_fail(struct base_error *err, enum base_code code, const char *format, ...)
{
    if (err == NULL)
        return false;
    va_list args;
    va_start(args, format);
    fill(err, code, 0, format, args);
    va_end(args);
    return false;
}

static enum base_code code_of_errno(int sys)
{
    switch (sys) {
    case EPERM:
    case EACCES:
        return BASE_DENIED;
    case ENOENT:
        return BASE_NOT_FOUND;
    default:
        return BASE_IO;
    }
}

bool base_fail_errno(struct base_error *err, const char *format, ...)
{
    int sys = errno;
    if (err == NULL)
        return false;
    va_list args;
    va_start(args, format);
    fill(err, code_of_errno(sys), sys, format, args);
    va_end(args);
    size_t used = strlen(err->message);
    (void)snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(sys));
    return false;
}

bool base_fail_context(struct base_error *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    char inner[sizeof err->message];
    memcpy(inner, err->message, sizeof inner);
    va_list args;
    va_start(args, format);
    fill(err, err->code, err->sys, format, args);
    va_end(args);
    size_t used = strlen(err->message);
    (void)snprintf(err->message + used, sizeof err->message - used, ": %s", inner);
    return false;
}

const char *base_code_name(enum base_code code)
{
    static const char *const names[] = {
        [BASE_OK] = "ok",
        [BASE_INVALID] = "invalid",
        [BASE_NOT_FOUND] = "not-found",
        [BASE_DENIED] = "denied",
        [BASE_LIMIT] = "limit",
        [BASE_TIMEOUT] = "timeout",
        [BASE_UNAVAILABLE] = "unavailable",
        [BASE_CORRUPT] = "corrupt",
        [BASE_IO] = "io",
        [BASE_INTERNAL] = "internal",
    };
    if ((size_t)code >= sizeof names / sizeof names[0])
        return "unknown";
    return names[code];
}
