/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool base_parse_u64(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    if (text == NULL || *text == '\0')
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return false;
        uint64_t digit = (uint64_t)(*p - '0');
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool base_parse_i64(const char *text, int64_t *out)
{
    bool negative = text != NULL && *text == '-';
    uint64_t magnitude;
    if (!base_parse_u64(negative ? text + 1 : text, &magnitude))
        return false;
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (magnitude > limit)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

/* Digits, one '.', digits: returns the length of such a prefix of text, 0 when there is none.
 * An exponent is allowed only where a unit cannot follow. */
static size_t decimal_prefix(const char *text, bool exponent)
{
    size_t n = 0;
    bool digits = false;
    if (text[n] == '-')
        n++;
    while (text[n] >= '0' && text[n] <= '9') {
        digits = true;
        n++;
    }
    if (text[n] == '.') {
        n++;
        while (text[n] >= '0' && text[n] <= '9') {
            digits = true;
            n++;
        }
    }
    if (!digits)
        return 0;
    if (exponent && (text[n] == 'e' || text[n] == 'E')) {
        size_t m = n + 1;
        if (text[m] == '+' || text[m] == '-')
            m++;
        if (text[m] < '0' || text[m] > '9')
            return n;
        while (text[m] >= '0' && text[m] <= '9')
            m++;
        n = m;
    }
    return n;
}

static bool decimal_value(const char *text, size_t len, double *out)
{
    char copy[64];
    if (len == 0 || len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    locale_t c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0)
        return false;
    char *end;
    double value = strtod_l(copy, &end, c_locale);
    freelocale(c_locale);
    if (end != copy + len || !isfinite(value))
        return false;
    *out = value;
    return true;
}

bool base_parse_double(const char *text, double *out)
{
    if (text == NULL)
        return false;
    size_t len = decimal_prefix(text, true);
    return len > 0 && text[len] == '\0' && decimal_value(text, len, out);
}

struct unit {
    const char *name;
    double factor;
};

/* The unit behind the number that text starts with, or NULL. */
static const struct unit *unit_of(const char *text, const struct unit *units, size_t count)
{
    size_t len = decimal_prefix(text, false);
    for (size_t i = 0; i < count; i++) {
        if (len > 0 && strcmp(text + len, units[i].name) == 0)
            return &units[i];
    }
    return NULL;
}

static bool parse_with_unit(const char *text, const struct unit *units, size_t count, double *out)
{
    const struct unit *unit = text == NULL ? NULL : unit_of(text, units, count);
    double value;
    if (unit == NULL || !decimal_value(text, decimal_prefix(text, false), &value))
        return false;
    *out = value * unit->factor;
    return true;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool base_parse_duration(const char *text, struct dur_ns *out)
{
    static const struct unit units[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                        {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    static const int64_t longest = INT64_C(1) << 62;
    const struct unit *unit = text == NULL ? NULL : unit_of(text, units, COUNT(units));
    if (unit == NULL || *text == '-')
        return false;
    /* A double is exact up to 104 days of nanoseconds only: the whole units are counted apart. */
    int64_t whole = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *p - '0', &whole))
            return false;
    }
    double fraction = 0;
    if (*p == '.' && p[1] >= '0' && p[1] <= '9' &&
        !decimal_value(p, decimal_prefix(p, false), &fraction))
        return false;
    if (__builtin_mul_overflow(whole, (int64_t)unit->factor, &whole) ||
        __builtin_add_overflow(whole, (int64_t)(fraction * unit->factor + 0.5), &whole) ||
        whole > longest)
        return false;
    out->ns = whole;
    return true;
}

bool base_parse_rate(const char *text, double *out_per_s)
{
    static const struct unit units[] = {{"/s", 1}, {"/m", 1.0 / 60}, {"/h", 1.0 / 3600}};
    double rate;
    if (!parse_with_unit(text, units, COUNT(units), &rate) || !(rate > 0))
        return false;
    *out_per_s = rate;
    return true;
}

bool base_parse_percent(const char *text, double *out_fraction)
{
    static const struct unit units[] = {{"%", 1}};
    double percent;
    if (!parse_with_unit(text, units, COUNT(units), &percent) || percent < 0 || percent > 100)
        return false;
    *out_fraction = percent / 100;
    return true;
}

bool base_parse_bytes(const char *text, uint64_t *out)
{
    static const struct unit units[] = {{"", 1},         {"B", 1},       {"kB", 1e3},
                                        {"MB", 1e6},     {"GB", 1e9},    {"KiB", 0x1p10},
                                        {"MiB", 0x1p20}, {"GiB", 0x1p30}};
    double bytes;
    if (!parse_with_unit(text, units, COUNT(units), &bytes) || bytes < 0 || bytes > 0x1p53)
        return false;
    /* 1.001 * 1000 is 1000.9999999999999 in binary, and means 1001. */
    double whole = nearbyint(bytes);
    if (fabs(bytes - whole) > 4 * DBL_EPSILON * whole)
        return false;
    *out = (uint64_t)whole;
    return true;
}

bool base_str_eq(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool base_str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool base_str_ends(const char *text, const char *suffix)
{
    size_t n = strlen(text);
    size_t m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}

static void *or_die(void *memory)
{
    if (memory == NULL) {
        static const char message[] = "squall: out of memory\n";
        ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
        (void)ignored;
        abort();
    }
    return memory;
}

char *base_str_dup(const char *text)
{
    return text == NULL ? NULL : or_die(strdup(text));
}

char *base_str_ndup(const char *text, size_t len)
{
    return or_die(strndup(text, len));
}

char *base_str_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    return or_die(len < 0 ? NULL : text);
}

void *base_calloc(size_t count, size_t size)
{
    return or_die(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *base_reallocarray(void *old, size_t count, size_t size)
{
    return or_die(reallocarray(old, count > 0 ? count : 1, size > 0 ? size : 1));
}

enum { NEAREST_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Inserted, dropped, changed and swapped neighbouring letters (optimal string alignment): swaps
 * are the commonest slips, and would count as two without being looked at. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][NEAREST_MAX + 1] = {{0}};
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], rows[(i + 1) % 3][j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *base_str_nearest(const char *word, const char *const *names, size_t count)
{
    size_t n = strlen(word);
    size_t limit = n / 3;
    const char *best = NULL;
    if (n > NEAREST_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t m = strlen(names[i]);
        if (m > NEAREST_MAX)
            continue;
        size_t distance = edit_distance(word, n, names[i], m);
        if (distance <= limit && distance < (n > m ? n : m)) {
            best = names[i];
            if (distance == 0)
                break;
            limit = distance - 1;
        }
    }
    return best;
}
