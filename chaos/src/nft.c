/* SPDX-License-Identifier: Apache-2.0 */
#include "nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"
#include "nft_build.h"

enum {
    /* FAULT_MAX_PEERS elements twice, with room for table, chains and rules. */
    batch_bytes = 128 * 1024,
    list_tries = 16
};

struct fault_nft {
    struct mnl_socket *socket;
    uint32_t portid;
    uint32_t seq;
};

struct fault_nft *fault_nft_new(const struct fault_netns *netns, struct base_error *err)
{
    int fd = fault_netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, err);
    if (fd < 0)
        return NULL;
    struct mnl_socket *socket = mnl_socket_fdopen(fd);
    if (socket == NULL) {
        (void)base_fail_errno(err, "cannot use the netlink socket");
        base_fd_close(&fd);
        return NULL;
    }
    struct timeval patience = {.tv_sec = 2};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        (void)base_fail_errno(err, "cannot bind the netlink socket");
        (void)mnl_socket_close(socket);
        return NULL;
    }
    struct fault_nft *nft = base_calloc(1, sizeof *nft);
    nft->socket = socket;
    nft->portid = mnl_socket_get_portid(socket);
    nft->seq = (uint32_t)time(NULL);
    return nft;
}

void fault_nft_free(struct fault_nft *nft)
{
    if (nft == NULL)
        return;
    (void)mnl_socket_close(nft->socket);
    free(nft);
}

/* --- building one transaction --- */

void nft_batch_next(struct nft_batch *batch)
{
    if (!mnl_nlmsg_batch_next(batch->messages))
        batch->failed = true; /* the whole must fit into one send to be atomic */
}

void nft_batch_init(struct nft_batch *batch, struct fault_nft *nft)
{
    /* libmnl lets the last message run past the limit, up to the buffer's real end. */
    batch->buffer = base_calloc(2, batch_bytes);
    batch->messages = mnl_nlmsg_batch_start(batch->buffer, batch_bytes);
    batch->nft = nft;
    batch->failed = batch->messages == NULL;
    if (batch->failed)
        return;
    nftnl_batch_begin(mnl_nlmsg_batch_current(batch->messages), nft->seq++);
    nft_batch_next(batch);
}

struct nlmsghdr *nft_batch_message(struct nft_batch *batch, uint16_t type, uint16_t flags)
{
    return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch->messages), type, NFPROTO_INET,
                                 (uint16_t)(flags | NLM_F_ACK), batch->nft->seq++);
}

void nft_batch_fini(struct nft_batch *batch)
{
    if (batch->messages != NULL)
        mnl_nlmsg_batch_stop(batch->messages);
    free(batch->buffer);
}

/* One acknowledgement or error for each message lies in the socket when the send has returned:
 * nfnetlink works through a batch inside it. Returns the first error's errno, 0 for none. */
static int read_replies(struct fault_nft *nft, size_t *acks)
{
    char buffer[16384];
    int first = 0;
    for (;;) {
        ssize_t n = recv(mnl_socket_get_fd(nft->socket), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno != EAGAIN && first == 0 ? errno : first;
        int left = (int)n;
        for (const struct nlmsghdr *h = (const void *)buffer; mnl_nlmsg_ok(h, left);
             h = mnl_nlmsg_next(h, &left)) {
            if (h->nlmsg_type != NLMSG_ERROR)
                continue;
            const struct nlmsgerr *reply = mnl_nlmsg_get_payload(h);
            if (reply->error == 0)
                (*acks)++;
            else if (first == 0)
                first = -reply->error;
        }
    }
}

bool nft_batch_commit(struct nft_batch *batch, struct base_error *err, const char *what)
{
    struct fault_nft *nft = batch->nft;
    if (!batch->failed) {
        nftnl_batch_end(mnl_nlmsg_batch_current(batch->messages), nft->seq++);
        nft_batch_next(batch);
    }
    if (batch->failed)
        return base_fail(err, BASE_LIMIT, "%s: too large for one nftables transaction", what);
    size_t acks = 0;
    (void)read_replies(nft, &acks); /* nothing of an earlier exchange may answer for this one */
    acks = 0;
    if (mnl_socket_sendto(nft->socket, mnl_nlmsg_batch_head(batch->messages),
                          mnl_nlmsg_batch_size(batch->messages)) < 0)
        return base_fail_errno(err, "%s: cannot talk to nf_tables", what);
    int failed = read_replies(nft, &acks);
    if (failed == 0 && acks == 0)
        return base_fail(err, BASE_IO, "%s: nf_tables did not answer", what);
    errno = failed;
    return failed == 0 || base_fail_errno(err, "%s: nf_tables refused", what);
}

bool nft_batch_commit_removal(struct nft_batch *batch, struct base_error *err, const char *what)
{
    struct base_error why = {0};
    bool ok = nft_batch_commit(batch, &why, what);
    nft_batch_fini(batch);
    if (ok || why.sys == ENOENT)
        return true;
    if (err != NULL)
        *err = why;
    return false;
}

/* --- the calls that all tables have in common --- */

bool fault_nft_empty(struct fault_nft *nft, const char *table, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    for (size_t i = 0; i < NFT_FAMILIES; i++)
        nft_put_keys(&batch, table, &nft_families[i].peers, NULL, 0, 0, (struct dur_ns){0});
    return nft_batch_commit_removal(&batch, err, "emptying the sets of a table");
}

bool fault_nft_remove(struct fault_nft *nft, const char *table, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    nft_put_table(&batch, NFT_MSG_DELTABLE, table, 0);
    return nft_batch_commit_removal(&batch, err, "removing a table");
}

bool fault_nft_forget(struct fault_nft *nft, uint32_t mark, struct base_error *err)
{
    size_t acks = 0;
    char buffer[256];
    (void)read_replies(nft, &acks);
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header->nlmsg_seq = nft->seq++;
    struct nfgenmsg *family = mnl_nlmsg_put_extra_header(header, sizeof *family);
    family->nfgen_family = AF_UNSPEC;
    family->version = NFNETLINK_V0;
    mnl_attr_put_u32(header, CTA_MARK, htonl(mark));
    mnl_attr_put_u32(header, CTA_MARK_MASK, UINT32_MAX);
    if (mnl_socket_sendto(nft->socket, header, header->nlmsg_len) < 0)
        return base_fail_errno(err, "cannot talk to conntrack");
    int failed = read_replies(nft, &acks);
    errno = failed;
    return failed == 0 || base_fail_errno(err, "conntrack refused to forget");
}

struct listing {
    const char *prefix;
    void (*each)(void *ctx, const char *table);
    void *ctx;
};

static int on_table(const struct nlmsghdr *message, void *data)
{
    const struct listing *listing = data;
    struct nftnl_table *table = nftnl_table_alloc();
    if (table == NULL)
        return MNL_CB_ERROR;
    if (nftnl_table_nlmsg_parse(message, table) == 0) {
        const char *name = nftnl_table_get_str(table, NFTNL_TABLE_NAME);
        if (name != NULL && base_str_starts(name, listing->prefix))
            listing->each(listing->ctx, name);
    }
    nftnl_table_free(table);
    return MNL_CB_OK;
}

static bool list_once(struct fault_nft *nft, struct listing *listing, struct base_error *err)
{
    char buffer[16384];
    size_t acks = 0;
    (void)read_replies(nft, &acks);
    uint32_t seq = nft->seq++;
    struct nlmsghdr *request =
        nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETTABLE, NFPROTO_INET, NLM_F_DUMP, seq);
    if (mnl_socket_sendto(nft->socket, request, request->nlmsg_len) < 0)
        return base_fail_errno(err, "cannot ask nf_tables for its tables");
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(nft->socket, buffer, sizeof buffer);
        if (n < 0)
            return base_fail_errno(err, "nf_tables did not list its tables");
        more = mnl_cb_run(buffer, (size_t)n, seq, nft->portid, on_table, listing);
    }
    return more == MNL_CB_STOP || base_fail_errno(err, "nf_tables did not list its tables");
}

bool fault_nft_list(struct fault_nft *nft, const char *prefix,
                    void (*each)(void *ctx, const char *table), void *ctx, struct base_error *err)
{
    struct listing listing = {.prefix = prefix, .each = each, .ctx = ctx};
    struct base_error why = {0};
    for (int i = 0; i < list_tries; i++) {
        if (list_once(nft, &listing, &why))
            return true;
        /* NLM_F_DUMP_INTR: somebody else's tables changed meanwhile, so some may be missing. */
        if (why.sys != EINTR)
            break;
    }
    if (err != NULL)
        *err = why;
    return false;
}
