/* SPDX-License-Identifier: Apache-2.0 */
/* As much of DNS messages (RFC 1035, section 4) as it takes to answer in a server's place, and to
 * see what one answered. Pure; bounds are checked, compression is followed backwards only. */
#ifndef CHAOS_DNS_MESSAGE_H
#define CHAOS_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_MESSAGE_MAX = 65535,
    DNS_NAME_WIRE = 255, /* a name's most bytes in a message (RFC 1035, section 3.1) */
    DNS_NAME_TEXT = DNS_NAME_WIRE - 2 + 1, /* "db.example.com", in lower case, and a NUL */
    DNS_QUERY_MAX = 12 + DNS_NAME_WIRE + 4,
    DNS_ANSWER_MAX = DNS_QUERY_MAX + 12 + 16,
    DNS_TYPE_A = 1,
    DNS_TYPE_AAAA = 28,
    DNS_NOERROR = 0,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3
};

struct dns_question {
    uint16_t id;
    bool recursion; /* desired */
    char name[DNS_NAME_TEXT];
    uint16_t type;
    uint16_t class;
    size_t end; /* where it ends in the message */
};

struct dns_address {
    int family; /* AF_INET, AF_INET6; 0: none */
    unsigned char bytes[16];
};

struct dns_answer {
    uint16_t id;
    int rcode;
    struct dns_address first; /* of the answers, the first that is an address */
};

/* A query with one question, whose name has plain letters only; false for anything else. */
bool dns_question_parse(const unsigned char *data, size_t len, struct dns_question *out);
/* A query for a name that has this form ("a.b"), as a recursive resolver takes it; the length. */
size_t dns_question_make(uint16_t id, const char *name, uint16_t type,
                         unsigned char out[static DNS_QUERY_MAX]);
/* The answer to a parsed query; an address is given where it fits the question's type. */
size_t dns_answer_make(const unsigned char *query, const struct dns_question *question, int rcode,
                       const struct dns_address *address, unsigned char out[static DNS_ANSWER_MAX]);
bool dns_answer_parse(const unsigned char *data, size_t len, struct dns_answer *out);

/* "db.example.com", or "*.example.com" for every name under it; `name` is in lower case. */
bool dns_name_matches(const char *pattern, const char *name);
/* Whether such a pattern is well formed. */
bool dns_pattern_valid(const char *pattern);

#endif
