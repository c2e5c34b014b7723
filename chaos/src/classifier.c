/* SPDX-License-Identifier: Apache-2.0 */
#include "classifier.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum {
    most_instructions = 512, /* FAULT_MAX_PORTS need 128, the rest about 100 */
    most_jumps = 200,
    address_bits = 128,
    v4_bits = 96, /* in front of those of an IPv4 address */
    /* On the stack, below the frame pointer. */
    key_at = -20, /* struct key, whose address begins at: */
    address_at = -16,
    protocol_at = -24, /* one byte */
    length_at = -23,   /* the first byte of an IPv4 header */
    ports_at = -32,    /* source and destination */
    from_network = 1   /* BPF_HDR_START_NET */
};

struct key { /* of BPF_MAP_TYPE_LPM_TRIE */
    uint32_t bits;
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct fault_classifier {
    int map;
    int program;
};

/* --- assembling --- */

enum label { TO_V6, TO_LOOKUP, TO_MISS, TO_HIT, LABELS };

struct assembly {
    struct bpf_insn code[most_instructions];
    size_t len;
    struct {
        size_t at;
        enum label to;
    } jumps[most_jumps];
    size_t jump_count;
    size_t labels[LABELS];
};

static void emit(struct assembly *a, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
                 int32_t imm)
{
    struct bpf_insn *insn = &a->code[a->len++];
    *insn = (struct bpf_insn){.code = code, .off = off, .imm = imm};
    /* The two registers are bit fields of one byte, the destination in its low half on every
     * machine whose bytes are in that order, too. */
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eBPF's registers within their byte");
    ((unsigned char *)insn)[1] = (unsigned char)(dst | src << 4);
}

static void set(struct assembly *a, uint8_t dst, int32_t imm)
{
    emit(a, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static void copy(struct assembly *a, uint8_t dst, uint8_t src)
{
    emit(a, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void load(struct assembly *a, uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
    emit(a, BPF_LDX | size | BPF_MEM, dst, src, off, 0);
}

static void jump_if(struct assembly *a, uint8_t how, uint8_t reg, int32_t imm, enum label to)
{
    a->jumps[a->jump_count].at = a->len;
    a->jumps[a->jump_count++].to = to;
    emit(a, BPF_JMP | how | BPF_K, reg, 0, 0, imm);
}

/* Unsigned, of 64 bits. */
static void jump_unless_below(struct assembly *a, uint8_t reg, uint8_t than, enum label to)
{
    a->jumps[a->jump_count].at = a->len;
    a->jumps[a->jump_count++].to = to;
    emit(a, BPF_JMP | BPF_JGE | BPF_X, reg, than, 0, 0);
}

static void label(struct assembly *a, enum label which)
{
    a->labels[which] = a->len;
}

static void call(struct assembly *a, int32_t function)
{
    emit(a, BPF_JMP | BPF_CALL, 0, 0, 0, function);
}

/* len bytes of the packet, counted from the IP header, onto the stack; a shorter packet is a miss.
 * offset_reg: added to offset; 0 for none. */
static void fetch(struct assembly *a, uint8_t offset_reg, int32_t offset, int32_t stack,
                  int32_t len)
{
    copy(a, BPF_REG_1, BPF_REG_6);
    if (offset_reg != 0)
        copy(a, BPF_REG_2, offset_reg);
    else
        set(a, BPF_REG_2, offset);
    copy(a, BPF_REG_3, BPF_REG_10);
    emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, stack);
    set(a, BPF_REG_4, len);
    set(a, BPF_REG_5, from_network);
    call(a, BPF_FUNC_skb_load_bytes_relative);
    jump_if(a, BPF_JNE, BPF_REG_0, 0, TO_MISS);
}

static int32_t network_order(uint16_t value)
{
    unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};
    uint16_t raw;
    memcpy(&raw, bytes, sizeof raw);
    return raw;
}

/* Leaves the address on the stack, the protocol in r9 and the transport header's offset in r8. */
static void read_headers(struct assembly *a, bool output)
{
    static const unsigned char mapped[4] = {0, 0, 0xff, 0xff};
    int32_t mapped_word;
    memcpy(&mapped_word, mapped, sizeof mapped_word);
    copy(a, BPF_REG_6, BPF_REG_1);
    load(a, BPF_W, BPF_REG_7, BPF_REG_6, offsetof(struct __sk_buff, protocol));
    jump_if(a, BPF_JEQ, BPF_REG_7, network_order(ETH_P_IPV6), TO_V6);
    jump_if(a, BPF_JNE, BPF_REG_7, network_order(ETH_P_IP), TO_MISS);
    emit(a, BPF_ST | BPF_DW | BPF_MEM, BPF_REG_10, 0, address_at, 0);
    emit(a, BPF_ST | BPF_W | BPF_MEM, BPF_REG_10, 0, address_at + 8, mapped_word);
    fetch(a, 0, output ? 16 : 12, address_at + 12, 4);
    fetch(a, 0, 9, protocol_at, 1);
    fetch(a, 0, 0, length_at, 1);
    load(a, BPF_B, BPF_REG_8, BPF_REG_10, length_at);
    emit(a, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_8, 0, 0, 15);
    emit(a, BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_8, 0, 0, 2);
    jump_if(a, BPF_JA, 0, 0, TO_LOOKUP);
    label(a, TO_V6);
    fetch(a, 0, output ? 24 : 8, address_at, 16);
    fetch(a, 0, 6, protocol_at, 1);
    set(a, BPF_REG_8, 40);
    label(a, TO_LOOKUP);
    load(a, BPF_B, BPF_REG_9, BPF_REG_10, protocol_at);
}

static void look_up(struct assembly *a, int map)
{
    emit(a, BPF_ST | BPF_W | BPF_MEM, BPF_REG_10, 0, key_at, address_bits);
    emit(a, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map);
    emit(a, 0, 0, 0, 0, 0);
    copy(a, BPF_REG_2, BPF_REG_10);
    emit(a, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, key_at);
    call(a, BPF_FUNC_map_lookup_elem);
    jump_if(a, BPF_JEQ, BPF_REG_0, 0, TO_MISS);
    load(a, BPF_DW, BPF_REG_7, BPF_REG_0, 0);
    call(a, BPF_FUNC_ktime_get_ns);
    jump_unless_below(a, BPF_REG_0, BPF_REG_7, TO_MISS);
}

static void match_ports(struct assembly *a, const struct fault_network *network)
{
    fetch(a, BPF_REG_8, 0, ports_at, 4);
    load(a, BPF_H, BPF_REG_1, BPF_REG_10, ports_at);
    load(a, BPF_H, BPF_REG_2, BPF_REG_10, ports_at + 2);
    for (size_t i = 0; i < network->port_count; i++) {
        uint64_t port = 0;
        (void)base_parse_u64(network->ports[i], &port); /* fault_network_check has read it */
        jump_if(a, BPF_JEQ, BPF_REG_1, network_order((uint16_t)port), TO_HIT);
        jump_if(a, BPF_JEQ, BPF_REG_2, network_order((uint16_t)port), TO_HIT);
    }
    jump_if(a, BPF_JA, 0, 0, TO_MISS);
}

/* With ports any protocol means those that have them. */
static void match_protocol(struct assembly *a, const struct fault_network *network)
{
    static const struct {
        int32_t first;
        int32_t second;
    } numbers[] = {[FAULT_PROTOCOL_ANY] = {IPPROTO_TCP, IPPROTO_UDP},
                   [FAULT_PROTOCOL_TCP] = {IPPROTO_TCP, IPPROTO_TCP},
                   [FAULT_PROTOCOL_ICMP] = {IPPROTO_ICMP, IPPROTO_ICMPV6},
                   [FAULT_PROTOCOL_UDP] = {IPPROTO_UDP, IPPROTO_UDP}};
    if (network->protocol == FAULT_PROTOCOL_ANY && network->port_count == 0)
        return;
    emit(a, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_9, 0, 1, numbers[network->protocol].first);
    jump_if(a, BPF_JNE, BPF_REG_9, numbers[network->protocol].second, TO_MISS);
}

/* Each packet for itself. The number is one of 32 bits, and so is what it is held against: moved
 * by an instruction of 64 bits its highest bit would be taken for a sign. */
static void draw_lots(struct assembly *a, double share)
{
    double below = share * 4294967296.0;
    call(a, BPF_FUNC_get_prandom_u32);
    emit(a, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, (int32_t)(uint32_t)below);
    jump_unless_below(a, BPF_REG_0, BPF_REG_1, TO_MISS);
}

static void assemble(struct assembly *a, const struct fault_network *network, bool output, int map,
                     uint32_t class_id)
{
    read_headers(a, output);
    look_up(a, map);
    match_protocol(a, network);
    if (network->port_count > 0)
        match_ports(a, network);
    label(a, TO_HIT);
    if (fault_has_share(&network->impairment))
        draw_lots(a, network->impairment.share);
    set(a, BPF_REG_0, (int32_t)class_id);
    emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    label(a, TO_MISS);
    set(a, BPF_REG_0, 0);
    emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    for (size_t i = 0; i < a->jump_count; i++) {
        size_t at = a->jumps[i].at;
        a->code[at].off = (int16_t)((ptrdiff_t)a->labels[a->jumps[i].to] - (ptrdiff_t)at - 1);
    }
}

/* --- the kernel --- */

static int bpf(int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

/* Descriptors of the kernel's are not inherited: BPF sets O_CLOEXEC itself. */
static bool make_map(struct fault_classifier *classifier, struct base_error *err)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_LPM_TRIE;
    attr.key_size = sizeof(struct key);
    attr.value_size = sizeof(uint64_t);
    attr.max_entries = 2 * FAULT_MAX_PEERS; /* peers, and blocks */
    attr.map_flags = BPF_F_NO_PREALLOC;
    classifier->map = bpf(BPF_MAP_CREATE, &attr);
    return classifier->map >= 0 || base_fail_errno(err, "cannot make a map of eBPF");
}

static bool load_program(struct fault_classifier *classifier, const struct assembly *a,
                         struct base_error *err)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
    attr.insn_cnt = (uint32_t)a->len;
    attr.insns = (uint64_t)(uintptr_t)a->code;
    attr.license = (uint64_t)(uintptr_t) "Apache-2.0";
    classifier->program = bpf(BPF_PROG_LOAD, &attr);
    return classifier->program >= 0 ||
           base_fail_errno(err, "cannot load a classifier of eBPF (Linux 5.8 or later)");
}

struct fault_classifier *fault_classifier_new(const struct fault_network *network, bool output,
                                              uint32_t class_id, struct base_error *err)
{
    struct fault_classifier *classifier = base_calloc(1, sizeof *classifier);
    struct assembly *a = base_calloc(1, sizeof *a);
    classifier->map = -1;
    classifier->program = -1;
    bool ok = make_map(classifier, err);
    if (ok) {
        assemble(a, network, output, classifier->map, class_id);
        ok = load_program(classifier, a, err);
    }
    free(a);
    if (ok)
        return classifier;
    fault_classifier_free(classifier);
    return NULL;
}

void fault_classifier_free(struct fault_classifier *classifier)
{
    if (classifier == NULL)
        return;
    base_fd_close(&classifier->map);
    base_fd_close(&classifier->program);
    free(classifier);
}

int fault_classifier_fd(const struct fault_classifier *classifier)
{
    return classifier->program;
}

/* bits: of the address, 32 of IPv4 for one alone. */
static bool renew_one(const struct fault_classifier *classifier, int family,
                      const unsigned char *address, uint32_t bits, uint64_t until,
                      struct base_error *err)
{
    struct key key = {.bits = bits};
    union bpf_attr attr;
    if (family == AF_INET6) {
        memcpy(key.address, address, sizeof key.address);
    } else {
        key.bits += v4_bits;
        key.address[10] = key.address[11] = 0xff;
        memcpy(key.address + 12, address, 4);
    }
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)classifier->map;
    attr.key = (uint64_t)(uintptr_t)&key;
    attr.value = (uint64_t)(uintptr_t)&until;
    return bpf(BPF_MAP_UPDATE_ELEM, &attr) == 0 ||
           base_fail_errno(err, "cannot renew a classifier of eBPF");
}

bool fault_classifier_renew(struct fault_classifier *classifier, const struct fault_peers *peers,
                            struct dur_ns timeout, struct base_error *err)
{
    /* bpf_ktime_get_ns() is CLOCK_MONOTONIC. */
    uint64_t until = (uint64_t)base_mono_add(base_mono_now(), timeout).ns;
    bool ok = true;
    for (size_t i = 0; ok && i < peers->count; i++) {
        const struct fault_peer *peer = &peers->list[i];
        ok = renew_one(classifier, peer->family, peer->address, peer->family == AF_INET6 ? 128 : 32,
                       until, err);
    }
    for (size_t i = 0; ok && i < peers->block_count; i++) {
        const struct addr_block *block = &peers->blocks[i];
        ok = renew_one(classifier, block->family, block->first, addr_block_bits(block), until, err);
    }
    return ok;
}
