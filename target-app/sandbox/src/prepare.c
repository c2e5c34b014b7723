/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare.h"

#include <stdlib.h>
#include <unistd.h>

#include "addresses.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cgroup.h"
#include "lock.h"

static bool choose_mode(const struct sandbox_options *options, const struct sandbox_sink *sink,
                        bool *loopback, struct base_error *err)
{
    struct base_error why;
    if (base_str_eq(options->mode, "loopback")) {
        *loopback = true;
        return true;
    }
    bool allowed = sandbox_net_allowed(&why);
    if (base_str_eq(options->mode, "netns")) {
        *loopback = false;
        return allowed || base_fail(err, why.code, "--mode netns: %s", why.message);
    }
    if (options->mode != NULL && !base_str_eq(options->mode, "auto"))
        return base_fail(err, BASE_INVALID, "--mode %s: expected auto, netns or loopback",
                         options->mode);
    if (!allowed) {
        BASE_AUTO_FREE char *line = base_str_printf("  loopback addresses: %s", why.message);
        sink->line(sink->ctx, line);
    }
    *loopback = !allowed;
    return true;
}

static void say_network(const struct sandbox_setup *setup, const struct sandbox_sink *sink)
{
    char subnet[SANDBOX_SUBNET_TEXT];
    char bridge[SANDBOX_LINK_TEXT];
    sandbox_subnet_format(setup->roster.subnet, subnet);
    sandbox_bridge_name(setup->place, bridge);
    BASE_AUTO_FREE char *line =
        setup->roster.loopback
            ? base_str_printf("  %-14s %s", "network", subnet)
            : base_str_printf("  %-14s %-22s bridge %s", "network", subnet, bridge);
    sink->line(sink->ctx, line);
}

/* Holds the machine's address lock until the routes show what was chosen. */
static bool make_network(struct sandbox_setup *setup, const struct sandbox_options *options,
                         bool loopback, const char *cgroup_base, struct base_error *err)
{
    BASE_AUTO_FD int lock = sandbox_lock_addresses(setup->place, loopback, err);
    if (lock < 0)
        return false;
    if (!sandbox_addresses_choose(setup->place, setup->programs.ip, loopback, options->subnet,
                                  cgroup_base, &setup->roster, err))
        return false;
    return loopback || sandbox_net_create(setup->programs.ip, setup->place, &setup->roster, err);
}

static bool make_groups(struct sandbox_setup *setup, const char *cgroup_base,
                        struct base_error *err)
{
    if (cgroup_base == NULL)
        return true;
    setup->agent_cgroup = base_str_printf("%s/agent", cgroup_base);
    for (size_t i = 0; i < setup->roster.count; i++)
        if (!sandbox_cgroup_make(setup->roster.members[i].cgroup, err))
            return false;
    return sandbox_cgroup_make(setup->agent_cgroup, err);
}

bool sandbox_prepare(struct sandbox_setup *setup, const struct sandbox_options *options,
                     const struct sandbox_sink *sink, struct base_error *err)
{
    struct base_error why;
    bool loopback = false;
    if (!choose_mode(options, sink, &loopback, err) ||
        !sandbox_programs_find(&setup->programs, loopback, err) ||
        !sandbox_find_accounts(setup, err))
        return false;
    BASE_AUTO_FREE char *cgroup_base = loopback ? NULL : sandbox_cgroup_base(setup->place, &why);
    if (!loopback && cgroup_base == NULL) {
        BASE_AUTO_FREE char *line = base_str_printf("  no control groups: %s", why.message);
        sink->line(sink->ctx, line);
    }
    if (!make_network(setup, options, loopback, cgroup_base, err) ||
        !make_groups(setup, cgroup_base, err))
        return false;
    say_network(setup, sink);
    if (!sandbox_write_files(setup, err))
        return false;
    sandbox_list_units(setup);
    return true;
}
