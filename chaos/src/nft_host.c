/* SPDX-License-Identifier: Apache-2.0 */
#include "nft_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter_ipv4.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "established.h"
#include "nft.h"

static const char *const parts[FAULT_NFT_PARTS] = {
    [FAULT_NFT_TABLE] = "nf_tables (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)",
    [FAULT_NFT_OWNER] = "nf_tables' owned tables (Linux 5.12)",
    [FAULT_NFT_TIMEOUTS] = "nf_tables' sets with timeouts (Linux 4.1)",
    [FAULT_NFT_DROP] = "nf_tables' rules on addresses and interfaces (meta, payload, lookup)",
    [FAULT_NFT_REJECT] = "nf_tables' reject expression (CONFIG_NFT_REJECT_INET)",
    [FAULT_NFT_QUEUE] = "x_tables' NFQUEUE in nf_tables (NFT_COMPAT, NETFILTER_XT_TARGET_NFQUEUE)",
};

static bool lacking(struct base_error *err, const char *kind, const char *part,
                    const struct base_error *why)
{
    return base_fail(err, BASE_UNAVAILABLE,
                     "this kernel lacks %s, which %s is made with; it said: %s", part, kind,
                     why->message);
}

static bool not_allowed(struct base_error *err, const char *kind, const char *capability)
{
    return base_fail(err, BASE_DENIED,
                     "%s needs %s, which this process does not have: run as root, and in a "
                     "container with that capability",
                     kind, capability);
}

static bool no_socket(struct base_error *err, const char *kind, const struct base_error *why)
{
    if (why->sys == EPERM)
        return not_allowed(err, kind, "CAP_SYS_ADMIN (to enter network namespaces)");
    if (why->sys == EINVAL || why->sys == ENOSYS)
        return lacking(err, kind, "network namespaces (CONFIG_NET_NS)", why);
    if (why->sys == EPROTONOSUPPORT)
        return lacking(err, kind, "netlink for netfilter (CONFIG_NETFILTER_NETLINK)", why);
    return base_fail(err, why->code, "%s: %s", kind, why->message);
}

/* `but` is the part that this kind does without. */
static bool look(const char *kind, enum fault_nft_part but, struct base_error *err)
{
    struct base_error why = {0};
    struct fault_nft *nft = fault_nft_new(NULL, &why);
    if (nft == NULL)
        return no_socket(err, kind, &why);
    bool ok = true;
    for (int part = 0; ok && part < FAULT_NFT_PARTS; part++) {
        ok = part == (int)but || fault_nft_try(nft, (enum fault_nft_part)part, &why);
        if (!ok && why.sys == EPERM)
            (void)not_allowed(err, kind, "CAP_NET_ADMIN (to make tables)");
        else if (!ok)
            (void)lacking(err, kind, parts[part], &why);
    }
    fault_nft_free(nft);
    return ok;
}

bool fault_nft_host(struct base_error *err)
{
    return look("partition", FAULT_NFT_QUEUE, err);
}

bool fault_nft_queue_host(struct base_error *err)
{
    return look("network", FAULT_NFT_REJECT, err);
}

/* --- redirects --- */

static const char redirects[] = "a redirect (tcp, http, dns)";
enum { trial_port = 9 }; /* of nobody: the namespace is new */

/* A namespace is born with its loopback device down. */
static bool loopback_up(const struct fault_netns *netns, struct base_error *err)
{
    struct ifreq request = {.ifr_name = "lo"};
    BASE_AUTO_FD int fd = fault_netns_socket(netns, AF_INET, SOCK_DGRAM, 0, err);
    request.ifr_flags = IFF_UP;
    return fd >= 0 && (ioctl(fd, SIOCSIFFLAGS, &request) == 0 ||
                       base_fail_errno(err, "cannot set the loopback device up"));
}

static bool listener(const struct fault_netns *netns, int *fd, uint16_t *port,
                     struct base_error *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *fd = fault_netns_socket(netns, AF_INET, SOCK_STREAM, 0, err);
    if (*fd < 0)
        return false;
    if (bind(*fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(*fd, 1) < 0 ||
        getsockname(*fd, (struct sockaddr *)&at, &len) < 0)
        return base_fail_errno(err, "cannot listen in a network namespace");
    *port = ntohs(at.sin_port);
    return true;
}

/* Over loopback a connection is there when connect(2) returns. */
static bool connect_through(const struct fault_netns *netns, int listening, struct base_error *err)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(trial_port)};
    socklen_t len = sizeof to;
    BASE_AUTO_FD int fd = fault_netns_socket(netns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, err);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        return base_fail_errno(err, "cannot connect");
    BASE_AUTO_FD int taken = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (taken < 0)
        return base_fail_errno(err, "no connection came through the redirect");
    if (getsockopt(taken, SOL_IP, SO_ORIGINAL_DST, &to, &len) < 0)
        return base_fail_errno(err, "SO_ORIGINAL_DST");
    return ntohs(to.sin_port) == trial_port ||
           base_fail(err, BASE_INTERNAL, "SO_ORIGINAL_DST says port %u", ntohs(to.sin_port));
}

static bool try_redirect(const struct fault_netns *netns, struct fault_nft *nft,
                         struct base_error *err)
{
    static const uint16_t ports[] = {trial_port};
    static const struct fault_peers nobody = {0};
    struct fault_nft_redirect redirect = {.table = "redirect",
                                          .side = FAULT_OUTBOUND,
                                          .peers = &nobody,
                                          .ports = ports,
                                          .port_count = 1,
                                          .mark = FAULT_NFT_MARK};
    struct base_error why = {0};
    BASE_AUTO_FD int fd = -1;
    if (!loopback_up(netns, &why) || !listener(netns, &fd, &redirect.tcp[0], &why))
        return base_fail(err, why.code, "%s", why.message);
    if (!fault_nft_redirect(nft, &redirect, base_dur_s(2), &why))
        return lacking(err, redirects,
                       "nf_tables' redirect and connection marks (CONFIG_NFT_REDIR, "
                       "CONFIG_NFT_NAT, CONFIG_NFT_CT, CONFIG_NF_CONNTRACK_MARK)",
                       &why);
    if (!connect_through(netns, fd, &why))
        return lacking(err, redirects, "a working redirect (CONFIG_NF_NAT, CONFIG_NF_CONNTRACK)",
                       &why);
    if (!fault_established_reset(netns, &redirect, NULL, &why))
        return lacking(err, redirects, "SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY)", &why);
    return fault_nft_forget(nft, FAULT_NFT_MARK, &why) ||
           lacking(err, redirects, "conntrack over netlink (CONFIG_NF_CT_NETLINK)", &why);
}

bool fault_redirect_host(struct base_error *err)
{
    struct fault_netns netns = {.fd = -1};
    struct base_error why = {0};
    if (!look(redirects, FAULT_NFT_QUEUE, err))
        return false;
    struct fault_nft *nft = fault_netns_new(&netns, &why) ? fault_nft_new(&netns, &why) : NULL;
    bool ok = nft != NULL ? try_redirect(&netns, nft, err) : no_socket(err, redirects, &why);
    fault_nft_free(nft);
    fault_netns_close(&netns);
    return ok;
}
