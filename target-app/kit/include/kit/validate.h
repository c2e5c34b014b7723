/* SPDX-License-Identifier: Apache-2.0 */
/* JSON bodies checked against a table of fields; every mistake is reported in one pass. */
#ifndef KIT_VALIDATE_H
#define KIT_VALIDATE_H

#include <stdbool.h>

#include "kit/envelope.h"

enum kit_field_type {
    KIT_FIELD_LINE,    /* text without control characters, not blank; limits in code points */
    KIT_FIELD_EMAIL,   /* local@domain.tld by RFC 5321 lengths; max in bytes */
    KIT_FIELD_INTEGER, /* limits are values */
    KIT_FIELD_NUMBER   /* integer or real; limits are values */
};

struct kit_field {
    const char *name;
    enum kit_field_type type;
    bool required;
    double min;
    double max;
};

/* Codes: REQUIRED, WRONG_TYPE, INVALID_FORMAT, TOO_SHORT, TOO_LONG, OUT_OF_RANGE, UNKNOWN_FIELD,
 * and NOT_AN_OBJECT. false when anything was added to errors. */
bool kit_validate(const json_t *body, const struct kit_field *fields, size_t count,
                  struct kit_errors *errors);
/* The whole body as JSON, duplicate keys refused; NULL with INVALID_JSON added to errors. The
 * caller owns the value. */
json_t *kit_json_parse(const char *body, size_t len, struct kit_errors *errors);
bool kit_email_valid(const char *text);

#endif
