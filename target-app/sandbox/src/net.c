/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <jansson.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/child.h"

enum { BATCH_MAX = 64 << 10, LISTING_MAX = 16 << 20, IP_DEADLINE_S = 20, LISTING_TRIES = 20 };

bool sandbox_net_allowed(struct base_error *err)
{
    /* capabilities(7): namespaces and the mount over /etc/hosts need the one, links the other. */
    const uint32_t needed = 1U << CAP_SYS_ADMIN | 1U << CAP_NET_ADMIN;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (geteuid() != 0)
        return base_fail(err, BASE_DENIED, "network namespaces need root");
    if (syscall(SYS_capget, &header, data) < 0)
        return base_fail_errno(err, "cannot read our capabilities");
    if ((data[0].effective & needed) != needed)
        return base_fail(err, BASE_DENIED,
                         "network namespaces need CAP_NET_ADMIN and CAP_SYS_ADMIN, which this "
                         "container withholds");
    return true;
}

static bool run_ip(const char *const *argv, const char *batch, struct base_buf *out,
                   struct base_error *err)
{
    struct io_child_spec spec = io_child_spec_default(argv);
    BASE_AUTO_FD int fd = -1;
    if (batch != NULL) {
        fd = memfd_create("ip-batch", MFD_CLOEXEC);
        if (fd < 0 || !base_fd_write_all(fd, batch, strlen(batch), NULL) ||
            lseek(fd, 0, SEEK_SET) < 0)
            return base_fail_errno(err, "cannot prepare the input of ip");
        spec.stdin_fd = fd;
    }
    return io_child_run(&spec, base_dur_s(IP_DEADLINE_S), out, err);
}

struct subnet_list {
    struct sandbox_subnet *items;
    size_t count;
};

static void list_add(struct subnet_list *list, const char *text)
{
    struct sandbox_subnet subnet;
    if (text == NULL || !sandbox_subnet_parse(text, &subnet) || subnet.bits == 0)
        return;
    list->items = base_reallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = subnet;
}

static void add_addresses(struct subnet_list *list, const json_t *link)
{
    const json_t *infos = json_object_get(link, "addr_info");
    for (size_t i = 0; i < json_array_size(infos); i++) {
        const json_t *info = json_array_get(infos, i);
        const char *local = json_string_value(json_object_get(info, "local"));
        json_int_t bits = json_integer_value(json_object_get(info, "prefixlen"));
        if (local == NULL)
            continue;
        BASE_AUTO_FREE char *text = base_str_printf("%s/%d", local, (int)bits);
        list_add(list, text);
    }
}

/* When something changes while the kernel lists it, ip says so before its output, and something may
 * be missing from that (rtnl_dump_filter in iproute2): it has to be asked again. */
static bool was_interrupted(const struct base_buf *listing)
{
    return strstr(listing->data, "Dump was interrupted") != NULL;
}

static json_t *ip_listing(const char *const *argv, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, LISTING_MAX);
    int tries = 0;
    do {
        base_buf_consume(&out, out.len);
        if (!run_ip(argv, NULL, &out, err))
            return NULL;
        tries++;
    } while (was_interrupted(&out) && tries < LISTING_TRIES);
    json_error_t why;
    json_t *value = was_interrupted(&out) ? NULL : json_loadb(out.data, out.len, 0, &why);
    if (value == NULL && was_interrupted(&out))
        base_fail(err, BASE_UNAVAILABLE,
                  "routes and addresses change faster than ip can list them: try again");
    else if (value == NULL)
        base_fail(err, BASE_CORRUPT, "output of ip -j is not JSON: %s", why.text);
    return value;
}

bool sandbox_net_used(const char *ip, struct sandbox_subnet **out, size_t *count,
                      struct base_error *err)
{
    const char *routes[] = {ip, "-j", "-4", "route", "show", "table", "all", NULL};
    const char *addresses[] = {ip, "-j", "-4", "address", "show", NULL};
    json_t *route = ip_listing(routes, err);
    json_t *address = route == NULL ? NULL : ip_listing(addresses, err);
    struct subnet_list list = {0};
    for (size_t i = 0; i < json_array_size(route); i++)
        list_add(&list, json_string_value(json_object_get(json_array_get(route, i), "dst")));
    for (size_t i = 0; i < json_array_size(address); i++)
        add_addresses(&list, json_array_get(address, i));
    bool ok = route != NULL && address != NULL;
    json_decref(route);
    json_decref(address);
    if (!ok) {
        free(list.items);
        return false;
    }
    *out = list.items;
    *count = list.count;
    return true;
}

static bool create_links(const char *ip, const struct sandbox_place *place,
                         const struct sandbox_roster *roster, struct base_error *err)
{
    char bridge[SANDBOX_LINK_TEXT];
    char gateway[SANDBOX_ADDRESS_TEXT];
    sandbox_bridge_name(place, bridge);
    sandbox_address_format(roster->subnet, SANDBOX_GATEWAY_HOST, gateway);
    BASE_AUTO_BUF struct base_buf batch;
    base_buf_init(&batch, BATCH_MAX);
    (void)base_buf_printf(&batch,
                          "link add %s type bridge\n"
                          "link set %s addrgenmode none\n"
                          "link set %s up\n"
                          "address add %s/24 dev %s\n",
                          bridge, bridge, bridge, gateway, bridge);
    for (size_t i = 0; i < roster->count; i++) {
        char veth[SANDBOX_LINK_TEXT];
        sandbox_veth_name(place, (unsigned)i, veth);
        BASE_AUTO_FREE char *netns = sandbox_netns_name(place, roster->members[i].name);
        (void)base_buf_printf(&batch,
                              "netns add %s\n"
                              "link add %s type veth peer name eth0 netns %s\n"
                              "link set %s master %s addrgenmode none up\n",
                              netns, veth, netns, veth, bridge);
    }
    const char *argv[] = {ip, "-batch", "-", NULL};
    return run_ip(argv, batch.data, NULL, err) || base_fail_context(err, "network of the sandbox");
}

static bool configure_inside(const char *ip, const struct sandbox_place *place,
                             const struct sandbox_member *member, struct base_error *err)
{
    BASE_AUTO_FREE char *netns = sandbox_netns_name(place, member->name);
    BASE_AUTO_FREE char *batch = base_str_printf(
        "link set lo up\naddress add %s/24 dev eth0\nlink set eth0 up\n", member->address);
    const char *argv[] = {ip, "-n", netns, "-batch", "-", NULL};
    return run_ip(argv, batch, NULL, err) || base_fail_context(err, "network of %s", member->name);
}

bool sandbox_net_create(const char *ip, const struct sandbox_place *place,
                        const struct sandbox_roster *roster, struct base_error *err)
{
    if (!create_links(ip, place, roster, err))
        return false;
    for (size_t i = 0; i < roster->count; i++)
        if (!configure_inside(ip, place, &roster->members[i], err))
            return false;
    return true;
}

/* Not by /sys/class/net, which shows the namespace that sysfs was mounted in. */
static bool link_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

/* One "link delete" or "netns delete" for each thing that is there: deleting a veth end takes its
 * peer along at once, while the end of a namespace would do it some time later. */
static void list_leftovers(const struct sandbox_place *place, const struct sandbox_roster *roster,
                           struct base_buf *batch)
{
    char name[SANDBOX_LINK_TEXT];
    sandbox_bridge_name(place, name);
    if (link_exists(name))
        (void)base_buf_printf(batch, "link delete %s\n", name);
    for (size_t i = 0; i < roster->count; i++) {
        BASE_AUTO_FREE char *netns = sandbox_netns_name(place, roster->members[i].name);
        BASE_AUTO_FREE char *path = base_str_printf("/run/netns/%s", netns);
        sandbox_veth_name(place, (unsigned)i, name);
        if (link_exists(name))
            (void)base_buf_printf(batch, "link delete %s\n", name);
        if (access(path, F_OK) == 0)
            (void)base_buf_printf(batch, "netns delete %s\n", netns);
    }
}

bool sandbox_net_exists(const struct sandbox_place *place, const struct sandbox_roster *roster)
{
    BASE_AUTO_BUF struct base_buf batch;
    base_buf_init(&batch, BATCH_MAX);
    list_leftovers(place, roster, &batch);
    return batch.len > 0;
}

bool sandbox_net_remove(const char *ip, const struct sandbox_place *place,
                        const struct sandbox_roster *roster, struct base_error *err)
{
    struct base_error why = {.message = ""};
    BASE_AUTO_BUF struct base_buf batch;
    base_buf_init(&batch, BATCH_MAX);
    list_leftovers(place, roster, &batch);
    if (batch.len == 0)
        return true;
    if (ip == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "ip is not installed (apt-get install iproute2): "
                         "cannot remove the sandbox's network");
    const char *argv[] = {ip, "-force", "-batch", "-", NULL};
    (void)run_ip(argv, batch.data, NULL, &why);
    base_buf_clear(&batch);
    list_leftovers(place, roster, &batch);
    if (batch.len > 0)
        return base_fail(err, BASE_IO, "network left behind: %s; ip said: %s", batch.data,
                         why.message);
    return true;
}

const char *sandbox_net_caution(void)
{
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, 16);
    if (!base_file_read("/proc/sys/net/bridge/bridge-nf-call-iptables", &buf, NULL) ||
        buf.data[0] != '1')
        return NULL;
    return "this kernel hands bridged packets to the host's firewall (bridge-nf-call-iptables=1, "
           "as Docker sets it): if services cannot reach each other, accept the sandbox's bridge "
           "in its FORWARD chain";
}
