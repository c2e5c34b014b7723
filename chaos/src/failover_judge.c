/* SPDX-License-Identifier: Apache-2.0 */
/* A store with one primary, whom the others follow: as it has to be before its primary is cut off,
 * that somebody took over, and that it is whole again. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "failover.h"

static bool is_primary(const struct failover_node *node)
{
    return node->view.answered && node->view.role == FAILOVER_PRIMARY;
}

static bool follows(const struct failover_node *node, const struct failover_node *primary)
{
    const struct failover_view *view = &node->view;
    return view->answered && view->role == FAILOVER_FOLLOWER && view->follows &&
           base_str_eq(view->history, primary->view.history);
}

static void describe(const struct failover_view *view, char *out, size_t size)
{
    if (!view->answered)
        (void)snprintf(out, size, "no answer: %s", view->why);
    else if (view->role == FAILOVER_PRIMARY && view->writes)
        (void)snprintf(out, size, "primary");
    else if (view->role == FAILOVER_PRIMARY)
        (void)snprintf(out, size, "primary that takes no writes: %s", view->refused);
    else if (view->follows)
        (void)snprintf(out, size, "follows");
    else
        (void)snprintf(out, size, "follows nobody now: %s", view->lags);
}

static void put(struct failover_verdict *out, const struct failover_node *node,
                const char *expected, bool ok)
{
    struct failover_line *line = &out->lines[out->count++];
    *line = (struct failover_line){.node = node, .ok = ok};
    describe(&node->view, line->value, sizeof line->value);
    (void)snprintf(line->expected, sizeof line->expected, "%s", expected);
    out->metric = "role";
}

static const char *name_of(const struct failover_node *node)
{
    return node->target.name;
}

/* "redis-1 and redis-3" */
static size_t name_primaries(const struct failover_node *nodes, size_t count, char *out,
                             size_t size)
{
    size_t found = 0;
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!is_primary(&nodes[i]))
            continue;
        (void)snprintf(out + len, size - len, "%s%s", found > 0 ? " and " : "", name_of(&nodes[i]));
        len = strlen(out);
        found++;
    }
    return found;
}

/* --- before --- */

static void complain_before(const struct failover_node *nodes, size_t count, size_t followers,
                            struct failover_verdict *out)
{
    char primaries[256];
    char found[320];
    const struct failover_node *first = &nodes[0];
    size_t others = name_primaries(nodes + 1, count - 1, primaries, sizeof primaries);
    describe(&first->view, found, sizeof found);
    if (!is_primary(first) && others > 0)
        (void)snprintf(out->error, sizeof out->error,
                       "%s is not the primary (%s), %s is: let the fault be of that one",
                       name_of(first), found, primaries);
    else if (!is_primary(first) || !first->view.writes)
        (void)snprintf(out->error, sizeof out->error,
                       "%s is no primary that takes writes (%s): name the primary, or mend it",
                       name_of(first), found);
    else if (others > 0)
        (void)snprintf(out->error, sizeof out->error,
                       "%s and %s are both primaries: either these are several clusters, and only "
                       "the members of one are to be named, or its brain is split already",
                       name_of(first), primaries);
    else if (followers == 0)
        (void)snprintf(out->error, sizeof out->error,
                       "none of the members follows %s, so that nobody could take over: that would "
                       "be an outage and no failover; see the evidence, name its followers as "
                       "members, or use partition",
                       name_of(first));
}

void failover_judge_before(const struct failover_node *nodes, size_t count,
                           struct failover_verdict *out)
{
    size_t followers = 0;
    out->settled = true;
    for (size_t i = 0; i < count; i++)
        out->settled = out->settled && nodes[i].view.answered;
    for (size_t i = 1; i < count; i++)
        followers += follows(&nodes[i], &nodes[0]) ? 1 : 0;
    put(out, &nodes[0], "primary", is_primary(&nodes[0]) && nodes[0].view.writes);
    for (size_t i = 1; i < count; i++)
        put(out, &nodes[i], "follows, at least one of them",
            followers > 0 && !is_primary(&nodes[i]));
    complain_before(nodes, count, followers, out);
    out->ok = out->error[0] == '\0';
}

/* --- during --- */

void failover_judge_during(const struct failover_node *nodes, size_t count,
                           struct failover_verdict *out)
{
    bool taken = false;
    bool cut = !nodes[0].view.answered;
    for (size_t i = 1; i < count; i++)
        taken = taken || (is_primary(&nodes[i]) && nodes[i].view.writes);
    put(out, &nodes[0], "no answer", cut);
    for (size_t i = 1; i < count; i++)
        put(out, &nodes[i], "primary, one of them", taken);
    out->ok = taken && cut;
    if (!cut)
        (void)snprintf(out->error, sizeof out->error,
                       "%s still answers: what is said to it does not come through its network "
                       "namespace",
                       name_of(&nodes[0]));
    else if (!taken)
        (void)snprintf(out->error, sizeof out->error,
                       "nobody took over from %s within the lease: see what is to fail it over, "
                       "and how soon (Sentinel's down-after-milliseconds, Patroni's ttl); a longer "
                       "lease (60s at most) gives it more time",
                       name_of(&nodes[0]));
}

/* --- after --- */

void failover_judge_after(const struct failover_node *nodes, size_t count,
                          struct failover_verdict *out)
{
    char primaries[256];
    char found[320];
    const struct failover_node *primary = NULL;
    size_t heads = name_primaries(nodes, count, primaries, sizeof primaries);
    for (size_t i = 0; i < count && primary == NULL; i++)
        primary = is_primary(&nodes[i]) ? &nodes[i] : NULL;
    for (size_t i = 0; i < count; i++) {
        const struct failover_node *node = &nodes[i];
        bool leads = heads == 1 && node == primary && node->view.writes;
        bool ok = leads || (heads == 1 && node != primary && follows(node, primary));
        put(out, node, heads == 1 && node != primary ? "follows the primary" : "one primary", ok);
        describe(&node->view, found, sizeof found);
        if (!ok && out->error[0] == '\0' && heads == 1)
            (void)snprintf(out->error, sizeof out->error, "%s is not as it was: %s%s%s",
                           name_of(node), found, node != primary ? ", while the primary is " : "",
                           node != primary ? primaries : "");
    }
    if (heads > 1)
        (void)snprintf(out->error, sizeof out->error,
                       "split brain: %s are all primaries; keep the data of one, and make the "
                       "others follow it",
                       primaries);
    else if (heads == 0)
        (void)snprintf(out->error, sizeof out->error, "none of them is the primary");
    out->ok = out->error[0] == '\0';
}
