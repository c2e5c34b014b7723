/* SPDX-License-Identifier: Apache-2.0 */
/* Dates as cookies have them: RFC 6265 section 5.1.1, which takes more than RFC 9110's dates. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cookies.h"

enum { NOTHING = -1 };

struct date {
    int hour, minute, second; /* NOTHING: not found yet */
    int day;
    int month; /* from 0 */
    int year;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_delimiter(char c)
{
    unsigned char b = (unsigned char)c;
    return b == 0x09 || (b >= 0x20 && b <= 0x2f) || (b >= 0x3b && b <= 0x40) ||
           (b >= 0x5b && b <= 0x60) || (b >= 0x7b && b <= 0x7e);
}

/* least to most digits, then no digit; the number, and how many bytes it took. */
static int number(const char *text, size_t len, size_t least, size_t most, size_t *used)
{
    int value = 0;
    size_t n = 0;
    while (n < len && n < most && is_digit(text[n]))
        value = value * 10 + (text[n++] - '0');
    *used = n;
    return n >= least && (n == len || !is_digit(text[n])) ? value : NOTHING;
}

static bool take_time(struct date *date, const char *text, size_t len)
{
    int parts[3];
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        size_t used;
        if (i > 0 && (at >= len || text[at++] != ':'))
            return false;
        parts[i] = number(text + at, len - at, 1, 2, &used);
        if (parts[i] == NOTHING)
            return false;
        at += used;
    }
    date->hour = parts[0];
    date->minute = parts[1];
    date->second = parts[2];
    return true;
}

static bool take_month(struct date *date, const char *text, size_t len)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int month = 0; len >= 3 && month < 12; month++) {
        if (strncasecmp(text, names + 3 * (size_t)month, 3) != 0)
            continue;
        date->month = month;
        return true;
    }
    return false;
}

/* The first token of each kind counts. */
static void take_token(struct date *date, const char *text, size_t len)
{
    size_t used;
    int value;
    if (date->hour == NOTHING && take_time(date, text, len))
        return;
    if (date->day == NOTHING && (value = number(text, len, 1, 2, &used)) != NOTHING) {
        date->day = value;
        return;
    }
    if (date->month == NOTHING && take_month(date, text, len))
        return;
    if (date->year == NOTHING && (value = number(text, len, 2, 4, &used)) != NOTHING)
        date->year = value + (value >= 70 && value <= 99 ? 1900 : value <= 69 ? 2000 : 0);
}

static bool is_possible(const struct date *date)
{
    return date->hour >= 0 && date->hour <= 23 && date->minute <= 59 && date->second <= 59 &&
           date->day >= 1 && date->day <= 31 && date->month >= 0 && date->year >= 1601;
}

bool load_cookie_date(const char *text, size_t len, struct wall_ns *out)
{
    struct date date = {.hour = NOTHING, .day = NOTHING, .month = NOTHING, .year = NOTHING};
    for (size_t at = 0; at < len;) {
        size_t end = at;
        while (end < len && !is_delimiter(text[end]))
            end++;
        if (end > at)
            take_token(&date, text + at, end - at);
        at = end + 1;
    }
    if (!is_possible(&date))
        return false;
    struct tm tm = {.tm_sec = date.second,
                    .tm_min = date.minute,
                    .tm_hour = date.hour,
                    .tm_mday = date.day,
                    .tm_mon = date.month,
                    .tm_year = date.year - 1900};
    time_t s = timegm(&tm);
    if (tm.tm_mday != date.day) /* there is no 31st of April */
        return false;
    int64_t most = INT64_MAX / BASE_NS_PER_S;
    out->ns = s >= most ? INT64_MAX - 1 : s <= -most ? -INT64_MAX : s * BASE_NS_PER_S;
    return true;
}
