/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <string.h>

#include "base/text.h"

enum { SHOWN_MAX = 100 };

bool answer_can_compare(enum plan_compare compare, const char *expected)
{
    double number;
    return compare == PLAN_EQUAL || compare == PLAN_NOT_EQUAL ||
           base_parse_double(expected, &number);
}

static bool holds(enum plan_compare compare, int order)
{
    switch (compare) {
    case PLAN_EQUAL:
        return order == 0;
    case PLAN_NOT_EQUAL:
        return order != 0;
    case PLAN_LESS:
        return order < 0;
    case PLAN_AT_MOST:
        return order <= 0;
    case PLAN_MORE:
        return order > 0;
    case PLAN_AT_LEAST:
        return order >= 0;
    }
    return false;
}

char *answer_trouble(const char *what, const char *found, enum plan_compare compare,
                     const char *expected)
{
    double a;
    double b;
    if (found == NULL)
        return base_str_printf("%s: there is none, expected %s %s", what,
                               plan_compare_name(compare), expected);
    bool numbers = base_parse_double(found, &a) && base_parse_double(expected, &b);
    if (!numbers && compare != PLAN_EQUAL && compare != PLAN_NOT_EQUAL)
        return base_str_printf("%s: \"%.*s\" is no number, expected %s %s", what, SHOWN_MAX, found,
                               plan_compare_name(compare), expected);
    int order = numbers ? (a > b) - (a < b) : strcmp(found, expected);
    if (holds(compare, order))
        return NULL;
    return base_str_printf("%s: \"%.*s\", expected %s \"%.*s\"", what, SHOWN_MAX, found,
                           plan_compare_name(compare), SHOWN_MAX, expected);
}
