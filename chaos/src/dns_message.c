/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_message.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    header_len = 12,
    max_label = 63,
    pointer = 0xc0, /* the two bits of a compressed name */
    flag_response = 0x80,
    flag_recursion_desired = 0x01,
    opcode_mask = 0x78,
    flag_recursion_available = 0x80,
    rcode_mask = 0x0f,
    class_in = 1,
    ttl_s = 1,    /* nobody is to remember it for longer than the fault lasts */
    rr_fixed = 10 /* type, class, TTL, length */
};

static uint16_t get16(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static unsigned char *put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

static char lower(unsigned char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '.' && c != '*';
}

/* An uncompressed name at *at, as text; *at moves behind it. */
static bool read_name(const unsigned char *data, size_t len, size_t *at, char out[DNS_NAME_TEXT])
{
    size_t used = 0;
    size_t i = *at;
    while (i < len && data[i] != 0) {
        size_t label = data[i++];
        size_t dot = used > 0 ? 1 : 0;
        if (label > max_label || label > len - i || used + dot + label >= DNS_NAME_TEXT)
            return false;
        if (dot > 0)
            out[used++] = '.';
        for (size_t k = 0; k < label; k++) {
            if (!is_plain(data[i + k]))
                return false;
            out[used++] = lower(data[i + k]);
        }
        i += label;
    }
    if (i >= len)
        return false;
    out[used] = '\0';
    *at = i + 1;
    return true;
}

bool dns_question_parse(const unsigned char *data, size_t len, struct dns_question *out)
{
    struct dns_question question = {0};
    size_t at = header_len;
    if (len < header_len || (data[2] & (flag_response | opcode_mask)) != 0 || get16(data + 4) != 1)
        return false;
    if (!read_name(data, len, &at, question.name) || len - at < 4)
        return false;
    question.id = get16(data);
    question.recursion = (data[2] & flag_recursion_desired) != 0;
    question.type = get16(data + at);
    question.class = get16(data + at + 2);
    question.end = at + 4;
    *out = question;
    return true;
}

size_t dns_question_make(uint16_t id, const char *name, uint16_t type,
                         unsigned char out[static DNS_QUERY_MAX])
{
    unsigned char *at = out;
    memset(out, 0, DNS_QUERY_MAX);
    (void)put16(out, id);
    out[2] = flag_recursion_desired;
    (void)put16(out + 4, 1);
    at += header_len;
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > max_label || (size_t)(at - out) + label + 6 > DNS_QUERY_MAX)
            return 0;
        *at++ = (unsigned char)label;
        memcpy(at, name, label);
        at += label;
        name += label + (name[label] == '.' ? 1 : 0);
    }
    at = put16(at + 1, type);
    at = put16(at, class_in);
    return (size_t)(at - out);
}

static bool fits(const struct dns_question *question, const struct dns_address *address)
{
    return address != NULL && question->class == class_in &&
           ((address->family == AF_INET && question->type == DNS_TYPE_A) ||
            (address->family == AF_INET6 && question->type == DNS_TYPE_AAAA));
}

size_t dns_answer_make(const unsigned char *query, const struct dns_question *question, int rcode,
                       const struct dns_address *address, unsigned char out[static DNS_ANSWER_MAX])
{
    bool with_address = fits(question, address);
    unsigned char *at = out + question->end;
    memset(out, 0, DNS_ANSWER_MAX);
    memcpy(out, query, question->end);
    out[2] = (unsigned char)(flag_response | (question->recursion ? flag_recursion_desired : 0));
    out[3] = (unsigned char)(flag_recursion_available | (rcode & rcode_mask));
    (void)put16(out + 6, with_address ? 1 : 0);
    memset(out + 8, 0, 4);
    if (!with_address)
        return question->end;
    size_t bytes = address->family == AF_INET ? 4 : 16;
    at = put16(at, (unsigned)pointer << 8 | header_len); /* the question's name */
    at = put16(at, question->type);
    at = put16(at, class_in);
    at = put16(put16(at, 0), ttl_s);
    at = put16(at, (unsigned)bytes);
    memcpy(at, address->bytes, bytes);
    return (size_t)(at - out) + bytes;
}

/* Behind a name that may be compressed: what it says does not matter. */
static bool skip_name(const unsigned char *data, size_t len, size_t *at)
{
    size_t i = *at;
    while (i < len && data[i] != 0) {
        if ((data[i] & pointer) == pointer) {
            *at = i + 2;
            return *at <= len;
        }
        if (data[i] > max_label)
            return false;
        i += (size_t)data[i] + 1;
    }
    *at = i + 1;
    return *at <= len;
}

static bool read_record(const unsigned char *data, size_t len, size_t *at, struct dns_address *out)
{
    if (!skip_name(data, len, at) || len - *at < rr_fixed)
        return false;
    uint16_t type = get16(data + *at);
    size_t size = get16(data + *at + 8);
    *at += rr_fixed;
    if (size > len - *at)
        return false;
    bool v4 = type == DNS_TYPE_A && size == 4;
    if (out->family == 0 && (v4 || (type == DNS_TYPE_AAAA && size == 16))) {
        out->family = v4 ? AF_INET : AF_INET6;
        memcpy(out->bytes, data + *at, size);
    }
    *at += size;
    return true;
}

bool dns_answer_parse(const unsigned char *data, size_t len, struct dns_answer *out)
{
    struct dns_answer answer = {0};
    size_t at = header_len;
    if (len < header_len || (data[2] & flag_response) == 0)
        return false;
    for (unsigned i = 0; i < get16(data + 4); i++) {
        if (!skip_name(data, len, &at) || len - at < 4)
            return false;
        at += 4;
    }
    for (unsigned i = 0; i < get16(data + 6); i++)
        if (!read_record(data, len, &at, &answer.first))
            return false;
    answer.id = get16(data);
    answer.rcode = data[3] & rcode_mask;
    *out = answer;
    return true;
}

bool dns_name_matches(const char *pattern, const char *name)
{
    if (strncmp(pattern, "*.", 2) != 0)
        return strcasecmp(pattern, name) == 0;
    size_t suffix = strlen(pattern) - 1; /* with the dot */
    size_t len = strlen(name);
    return len > suffix && strcasecmp(name + len - suffix, pattern + 1) == 0;
}

bool dns_pattern_valid(const char *pattern)
{
    unsigned char query[DNS_QUERY_MAX];
    struct dns_question question;
    const char *name = strncmp(pattern, "*.", 2) == 0 ? pattern + 2 : pattern;
    size_t len = strlen(name);
    if (len == 0 || len + 13 > DNS_NAME_TEXT || name[len - 1] == '.')
        return false;
    len = dns_question_make(0, name, DNS_TYPE_A, query);
    return len > 0 && dns_question_parse(query, len, &question) &&
           strcasecmp(question.name, name) == 0;
}
