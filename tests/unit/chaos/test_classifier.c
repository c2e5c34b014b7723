/* SPDX-License-Identifier: Apache-2.0 */
/* The program in the kernel, run there on packets made here (BPF_PROG_TEST_RUN). */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "classifier.h"
#include "statistics.h"

enum { hit = 0x53510002 };

struct packet {
    bool v6;
    uint8_t protocol;
    unsigned char source; /* the last byte of each address */
    unsigned char destination;
    uint16_t from;
    uint16_t to;
    uint8_t options; /* words of them behind the IPv4 header */
};

/* Ethernet, IP, ports: nothing else is looked at. */
static size_t make(const struct packet *packet, unsigned char out[static 256])
{
    size_t at = 14;
    memset(out, 0, 256);
    out[12] = packet->v6 ? 0x86 : 0x08;
    out[13] = packet->v6 ? 0xdd : 0x00;
    if (packet->v6) {
        out[at] = 0x60;
        out[at + 6] = packet->protocol;
        out[at + 8] = out[at + 24] = 0xfd;
        out[at + 23] = packet->source;
        out[at + 39] = packet->destination;
        at += 40;
    } else {
        out[at] = (unsigned char)(0x45 + packet->options);
        out[at + 9] = packet->protocol;
        out[at + 12] = out[at + 16] = 10;
        out[at + 15] = packet->source;
        out[at + 19] = packet->destination;
        at += 20 + (size_t)packet->options * 4;
    }
    out[at] = (unsigned char)(packet->from >> 8);
    out[at + 1] = (unsigned char)packet->from;
    out[at + 2] = (unsigned char)(packet->to >> 8);
    out[at + 3] = (unsigned char)packet->to;
    return at + 20;
}

static uint32_t run_bytes(const struct fault_classifier *classifier, const unsigned char *data,
                          size_t len)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = (uint32_t)fault_classifier_fd(classifier);
    attr.test.data_in = (uint64_t)(uintptr_t)data;
    attr.test.data_size_in = (uint32_t)len;
    attr.test.repeat = 1;
    if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr) < 0)
        fail_msg("BPF_PROG_TEST_RUN: %s", strerror(errno));
    return attr.test.retval;
}

static uint32_t run(const struct fault_classifier *classifier, struct packet packet)
{
    unsigned char data[256];
    size_t len = make(&packet, data);
    return run_bytes(classifier, data, len);
}

static struct fault_peer list[] = {
    {.family = AF_INET, .address = {10, 0, 0, 7}},
    {.family = AF_INET6, .address = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}},
};
static const struct fault_peers peers = {.list = list, .count = 2};

static struct fault_classifier *made(const struct fault_network *network, bool output)
{
    struct base_error err = {0};
    struct fault_classifier *classifier = fault_classifier_new(network, output, hit, &err);
    if (classifier == NULL)
        fail_msg("%s", err.message);
    assert_true(fault_classifier_renew(classifier, &peers, base_dur_s(60), NULL));
    return classifier;
}

static void only_peers_and_only_this_way(void **state)
{
    (void)state;
    const struct fault_network any = {.direction = FAULT_BOTH};
    struct fault_classifier *out = made(&any, true);
    struct fault_classifier *in = made(&any, false);
    assert_int_equal(run(out, (struct packet){.protocol = 17, .destination = 7}), hit);
    assert_int_equal(run(out, (struct packet){.protocol = 1, .destination = 7}), hit);
    assert_int_equal(run(out, (struct packet){.protocol = 6, .destination = 8}), 0);
    assert_int_equal(run(out, (struct packet){.protocol = 6, .source = 7}), 0);
    assert_int_equal(run(in, (struct packet){.protocol = 6, .source = 7}), hit);
    assert_int_equal(run(in, (struct packet){.protocol = 6, .destination = 7}), 0);
    assert_int_equal(run(out, (struct packet){.v6 = true, .protocol = 6, .destination = 9}), hit);
    assert_int_equal(run(out, (struct packet){.v6 = true, .protocol = 6, .destination = 7}), 0);
    assert_int_equal(run(in, (struct packet){.v6 = true, .protocol = 58, .source = 9}), hit);
    /* Neither IPv4 nor IPv6, and an IPv4 packet that ends within its header. */
    unsigned char data[256];
    size_t len = make(&(struct packet){.protocol = 6, .destination = 7}, data);
    data[12] = 0x08;
    data[13] = 0x06;
    assert_int_equal(run_bytes(out, data, len), 0);
    fault_classifier_free(out);
    fault_classifier_free(in);
}

static void blocks_are_met_to_their_last_bit(void **state)
{
    (void)state;
    static const unsigned char v4[] = {10, 0, 0, 64};
    static const unsigned char v6[16] = {0xfd, [15] = 0x20};
    struct addr_block blocks[] = {addr_block_of(AF_INET, v4, 27), addr_block_of(AF_INET6, v6, 125)};
    const struct fault_peers both = {.list = list, .count = 2, .blocks = blocks, .block_count = 2};
    const struct fault_network any = {.direction = FAULT_BOTH};
    struct fault_classifier *c = made(&any, true);
    assert_int_equal(run(c, (struct packet){.protocol = 6, .destination = 64}), 0);
    assert_true(fault_classifier_renew(c, &both, base_dur_s(60), NULL));
    for (unsigned last = 0; last < 256; last++) {
        struct packet packet = {.protocol = 6, .destination = (unsigned char)last};
        assert_int_equal(run(c, packet), last == 7 || (last >= 64 && last < 96) ? hit : 0);
        packet.v6 = true;
        assert_int_equal(run(c, packet), last == 9 || (last >= 0x20 && last < 0x28) ? hit : 0);
    }
    /* Each ends by itself, whoever holds it. */
    assert_true(fault_classifier_renew(c, &both, base_dur_ms(0), NULL));
    assert_int_equal(run(c, (struct packet){.protocol = 6, .destination = 64}), 0);
    fault_classifier_free(c);
}

static void protocols_and_ports(void **state)
{
    (void)state;
    char first[] = "5432";
    char second[] = "80";
    char *ports[] = {first, second};
    const struct fault_network tcp = {.protocol = FAULT_PROTOCOL_TCP};
    const struct fault_network icmp = {.protocol = FAULT_PROTOCOL_ICMP};
    const struct fault_network udp = {.protocol = FAULT_PROTOCOL_UDP};
    const struct fault_network udp_port = {
        .protocol = FAULT_PROTOCOL_UDP, .ports = &ports[1], .port_count = 1};
    const struct fault_network some = {
        .protocol = FAULT_PROTOCOL_ANY, .ports = ports, .port_count = 2};
    struct fault_classifier *c = made(&tcp, true);
    assert_int_equal(run(c, (struct packet){.protocol = 6, .destination = 7}), hit);
    assert_int_equal(run(c, (struct packet){.protocol = 17, .destination = 7}), 0);
    fault_classifier_free(c);
    c = made(&icmp, true);
    assert_int_equal(run(c, (struct packet){.protocol = 1, .destination = 7}), hit);
    assert_int_equal(run(c, (struct packet){.protocol = 6, .destination = 7}), 0);
    assert_int_equal(run(c, (struct packet){.v6 = true, .protocol = 58, .destination = 9}), hit);
    fault_classifier_free(c);
    c = made(&udp, true);
    assert_int_equal(run(c, (struct packet){.protocol = 17, .destination = 7}), hit);
    assert_int_equal(run(c, (struct packet){.protocol = 6, .destination = 7}), 0);
    assert_int_equal(run(c, (struct packet){.v6 = true, .protocol = 17, .destination = 9}), hit);
    assert_int_equal(run(c, (struct packet){.v6 = true, .protocol = 58, .destination = 9}), 0);
    fault_classifier_free(c);
    c = made(&udp_port, true);
    assert_int_equal(run(c, (struct packet){.protocol = 17, .destination = 7, .to = 80}), hit);
    assert_int_equal(run(c, (struct packet){.protocol = 17, .destination = 7, .to = 81}), 0);
    assert_int_equal(run(c, (struct packet){.protocol = 6, .destination = 7, .to = 80}), 0);
    fault_classifier_free(c);
    c = made(&some, true);
    static const struct {
        uint8_t protocol;
        uint16_t from;
        uint16_t to;
        uint32_t is;
    } cases[] = {{6, 5432, 1, hit}, {6, 1, 5432, hit}, {17, 9, 80, hit}, {17, 80, 9, hit},
                 {6, 1, 2, 0},      {1, 5432, 0, 0},   {6, 0x3815, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint8_t options = 0; options <= 10; options += 5)
            assert_int_equal(run(c, (struct packet){.protocol = cases[i].protocol,
                                                    .destination = 7,
                                                    .from = cases[i].from,
                                                    .to = cases[i].to,
                                                    .options = options}),
                             cases[i].is);
    assert_int_equal(
        run(c, (struct packet){.v6 = true, .protocol = 6, .destination = 9, .to = 5432}), hit);
    fault_classifier_free(c);
}

static void most_ports_fit(void **state)
{
    (void)state;
    static char texts[FAULT_MAX_PORTS][8];
    static char *ports[FAULT_MAX_PORTS];
    for (size_t i = 0; i < FAULT_MAX_PORTS; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%zu", 1000 + i);
        ports[i] = texts[i];
    }
    const struct fault_network network = {.ports = ports, .port_count = FAULT_MAX_PORTS};
    struct fault_classifier *c = made(&network, true);
    struct packet packet = {.protocol = 6, .destination = 7, .to = 1000 + FAULT_MAX_PORTS - 1};
    assert_int_equal(run(c, packet), hit);
    packet.to++;
    assert_int_equal(run(c, packet), 0);
    fault_classifier_free(c);
}

/* Each packet for itself, and only of those that match. */
static void a_share_is_drawn_by_lot(void **state)
{
    (void)state;
    enum { many = 4000 };
    static const double shares[] = {0.02, 0.3, 0.49, 0.51, 0.97};
    char first[] = "5432";
    char *ports[] = {first};
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        const struct fault_network network = {
            .impairment = {.share = shares[s]}, .ports = ports, .port_count = 1};
        struct fault_classifier *c = made(&network, true);
        size_t hits = 0;
        size_t again = 0;
        bool last = false;
        for (int i = 0; i < many; i++) {
            uint32_t is =
                run(c, (struct packet){.protocol = 6, .destination = 7, .from = 1, .to = 5432});
            assert_true(is == hit || is == 0);
            again += last && is == hit ? 1 : 0;
            last = is == hit;
            hits += last ? 1 : 0;
            assert_int_equal(run(c, (struct packet){.protocol = 6, .destination = 7, .to = 1}), 0);
        }
        struct fault_interval of_all = fault_binomial_interval(many, shares[s], 1e-6);
        struct fault_interval of_hits = fault_binomial_interval(hits, shares[s], 1e-6);
        if (hits < of_all.low || hits > of_all.high || again < of_hits.low || again > of_hits.high)
            fail_msg("%g: %zu of %d, %zu after another", shares[s], hits, many, again);
        fault_classifier_free(c);
    }
}

/* It needs nobody to end. */
static void it_ends_by_itself(void **state)
{
    (void)state;
    const struct fault_network any = {.direction = FAULT_BOTH};
    const struct packet packet = {.protocol = 6, .destination = 7};
    struct base_error err = {0};
    struct fault_classifier *c = fault_classifier_new(&any, true, hit, &err);
    assert_non_null(c);
    assert_int_equal(run(c, packet), 0); /* not before its first renewal */
    assert_true(fault_classifier_renew(c, &peers, base_dur_ms(200), &err));
    struct mono_ns end = base_mono_add(base_mono_now(), base_dur_ms(200));
    bool seen = run(c, packet) == hit;
    assert_true(seen ||
                !base_mono_before(base_mono_now(), end)); /* on a machine that stood still */
    while (base_mono_before(base_mono_now(), end))
        (void)usleep(1000);
    assert_int_equal(run(c, packet), 0);
    assert_true(fault_classifier_renew(c, &peers, base_dur_s(60), &err));
    assert_int_equal(run(c, packet), hit);
    fault_classifier_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_peers_and_only_this_way),
        cmocka_unit_test(blocks_are_met_to_their_last_bit),
        cmocka_unit_test(protocols_and_ports),
        cmocka_unit_test(most_ports_fit),
        cmocka_unit_test(a_share_is_drawn_by_lot),
        cmocka_unit_test(it_ends_by_itself),
    };
    const struct fault_network any = {.direction = FAULT_BOTH};
    struct base_error err = {0};
    struct fault_classifier *classifier = fault_classifier_new(&any, true, hit, &err);
    if (classifier == NULL) {
        printf("skipped: %s\n", err.message);
        return 0;
    }
    fault_classifier_free(classifier);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
