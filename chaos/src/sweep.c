/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "nft.h"
#include "resolve.h"
#include "tc.h"

struct names {
    char **list;
    size_t count;
};

static void on_table(void *ctx, const char *table)
{
    struct names *names = ctx;
    names->list = base_reallocarray(names->list, names->count + 1, sizeof *names->list);
    names->list[names->count++] = base_str_dup(table);
}

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct names){0};
}

struct talk {
    void (*say)(void *ctx, bool ok, const char *line);
    void *ctx;
    bool ok;
};

static void say(struct talk *talk, bool ok, char *line)
{
    talk->say(talk->ctx, ok, line);
    talk->ok = talk->ok && ok;
    free(line);
}

static void sweep_namespace(struct talk *talk, struct fault_nft *nft, const char *path)
{
    struct names found = {0};
    struct names left = {0};
    struct base_error err = {0};
    if (!fault_nft_list(nft, FAULT_NFT_PREFIX, on_table, &found, &err)) {
        say(talk, false, base_str_printf("%s: %s", path, err.message));
        return;
    }
    for (size_t i = 0; i < found.count; i++) {
        if (fault_nft_remove(nft, found.list[i], &err))
            say(talk, true, base_str_printf("%s: removed table inet %s", path, found.list[i]));
        else
            say(talk, false, base_str_printf("%s: %s: %s", path, found.list[i], err.message));
    }
    if (found.count > 0 && !fault_nft_list(nft, FAULT_NFT_PREFIX, on_table, &left, &err))
        say(talk, false, base_str_printf("%s: %s", path, err.message));
    for (size_t i = 0; i < left.count; i++)
        say(talk, false, base_str_printf("%s: table inet %s is still there", path, left.list[i]));
    names_fini(&found);
    names_fini(&left);
}

/* What an agent has left that impaired packets by netem (netback_netem.c). */
static void sweep_qdiscs(struct talk *talk, const struct fault_netns *netns, const char *path)
{
    struct base_error err = {0};
    BASE_AUTO_FREE char *found = NULL;
    struct fault_tc *tc = fault_tc_new(netns, &err);
    bool ok = tc != NULL && fault_tc_standing(tc, &found, &err);
    if (ok && found != NULL)
        ok = fault_tc_remove(tc, &err);
    fault_tc_free(tc);
    if (!ok)
        say(talk, false, base_str_printf("%s: %s", path, err.message));
    else if (found != NULL)
        say(talk, true, base_str_printf("%s: removed %s and what belongs to it", path, found));
}

/* That the topology names, or that the instance's processes live in now; NULL: neither, or nobody
 * can tell. free() it. */
static char *namespace_of(const struct topo *topo, const struct topo_instance *instance)
{
    struct fault_target target = {0};
    struct base_error err = {0};
    char *path = NULL;
    if (instance->netns != NULL)
        return base_str_dup(instance->netns);
    if (topo_is_found(instance) && fault_target_resolve(topo, instance->name, &target, &err) &&
        target.netns != NULL)
        path = base_str_dup(target.netns);
    fault_target_fini(&target);
    return path;
}

static void sweep_instance(struct talk *talk, const struct topo *topo,
                           const struct topo_instance *instance)
{
    struct fault_netns netns = {.fd = -1};
    struct base_error err = {0};
    BASE_AUTO_FREE char *path = namespace_of(topo, instance);
    if (path == NULL)
        return;
    if (!fault_netns_open(path, &netns, &err)) {
        /* One that is gone holds nothing; in the agent's own nothing is ever put in place. */
        if (err.code != BASE_NOT_FOUND && (instance->netns != NULL || err.code != BASE_DENIED))
            say(talk, false, base_str_printf("%s: %s", instance->name, err.message));
        return;
    }
    struct fault_nft *nft = fault_nft_new(&netns, &err);
    if (nft != NULL)
        sweep_namespace(talk, nft, path);
    else
        say(talk, false, base_str_printf("%s: %s", instance->name, err.message));
    fault_nft_free(nft);
    sweep_qdiscs(talk, &netns, path);
    fault_netns_close(&netns);
}

bool agent_sweep_tables(const struct topo *topo, void (*line)(void *ctx, bool ok, const char *line),
                        void *ctx)
{
    struct talk talk = {.say = line, .ctx = ctx, .ok = true};
    /* Without root no agent of this user can have made a table. */
    if (geteuid() != 0)
        return true;
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++)
            sweep_instance(&talk, topo, &topo->services[s].instances[i]);
    return talk.ok;
}
