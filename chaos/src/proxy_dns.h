/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of the kind dns, over TCP and UDP. Its rules: struct proxy_dns_rules. */
#ifndef CHAOS_PROXY_DNS_H
#define CHAOS_PROXY_DNS_H

#include "base/random.h"
#include "dns_message.h"
#include "model/fault.h"
#include "proxy.h"

struct proxy_dns_rules {
    const struct fault_spec *spec; /* outlives the proxy */
    struct dns_address address;    /* FAULT_DNS_ADDRESS */
};

extern const struct proxy_driver proxy_dns_driver;

/* What becomes of a message from a client; *len bytes of out are the answer of PROXY_DNS_ANSWER. */
enum proxy_dns_fate { PROXY_DNS_FORWARD, PROXY_DNS_DROP, PROXY_DNS_ANSWER };
enum proxy_dns_fate proxy_dns_decide(const struct proxy_dns_rules *rules, struct base_rng *rng,
                                     const unsigned char *message, size_t message_len,
                                     unsigned char out[static DNS_ANSWER_MAX], size_t *len);

/* --- UDP (dns_udp.c) --- */
struct dns_udp;
struct dns_udp *dns_udp_new(struct io_loop *loop, const struct fault_proxy_config *config,
                            struct base_rng *rng, struct base_error *err);
void dns_udp_free(struct dns_udp *udp); /* accepts NULL */
uint16_t dns_udp_port(const struct dns_udp *udp, int family);

#endif
