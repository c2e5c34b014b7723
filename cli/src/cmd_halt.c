/* SPDX-License-Identifier: Apache-2.0 */
/* squall halt: every agent that this machine knows of reverts everything, now. */
#include <stdio.h>
#include <stdlib.h>

#include "agent_choice.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cli.h"
#include "model/topology.h"
#include "options.h"
#include "sandbox/sandbox.h"
#include "scenarios/halt.h"

static const char help[] =
    "usage: squall halt [--name SANDBOX] [--state DIR]\n"
    "       squall halt --topology FILE\n"
    "       squall halt --agent URL --token-file FILE [--ca FILE] [--cert FILE] [--key FILE]\n"
    "Reverts every fault, everywhere, now: on all sandboxes of this machine, on one of them, on\n"
    "the platform of a topology.json, or on one agent. Needs no controller. Exit code 0 when "
    "every\n"
    "agent has measured that nothing is in place any more, 6 when one has not or cannot be "
    "asked.\n\n"
    "  --ca FILE    who signed the certificate of an https:// agent (PEM)\n"
    "  --cert FILE  the certificate that it asks for, and --key FILE its key\n";

enum { AGENTS_MAX = 256, HALT_PATIENCE_S = 20 };

struct halt_list {
    struct halt_agent agents[AGENTS_MAX];
    struct topo topologies[AGENTS_MAX]; /* own the texts of the agents */
    size_t count;
    bool incomplete;
};

static void add_platform(void *ctx, const char *topology)
{
    struct halt_list *list = ctx;
    struct base_error err;
    struct topo *topo = &list->topologies[list->count];
    if (list->count == AGENTS_MAX || !topo_read(topology, topo, &err)) {
        (void)fprintf(stderr, "squall: %s: not asked: %s\n", topology,
                      list->count == AGENTS_MAX ? "too many sandboxes" : err.message);
        list->incomplete = true;
        return;
    }
    if (topo->agent_url == NULL) {
        topo_fini(topo);
        return;
    }
    list->agents[list->count++] = (struct halt_agent){.url = topo->agent_url,
                                                      .token_file = topo->agent_token_file,
                                                      .tls = {.ca = topo->agent_ca_file,
                                                              .cert = topo->agent_cert_file,
                                                              .key = topo->agent_key_file}};
}

static bool report(const struct halt_agent *agent)
{
    switch (agent->result) {
    case HALT_CLEAN:
        (void)printf("halted  %s: %zu faults of the last hour, all measured gone\n", agent->url,
                     agent->faults);
        return true;
    case HALT_STUCK:
        (void)printf("STUCK   %s: %s\n", agent->url, agent->error);
        return false;
    case HALT_UNREACHABLE:
        break;
    }
    (void)printf("UNKNOWN %s: %s; on that host run squall-agent --sweep\n", agent->url,
                 agent->error);
    return false;
}

static int halt_all(struct halt_list *list)
{
    struct base_error err;
    bool clean = !list->incomplete;
    bool asked = halt_agents(list->agents, list->count, base_dur_s(HALT_PATIENCE_S), &err);
    if (!asked) {
        (void)cli_fail(EXIT_CODE_UNCLEAN, &err);
        clean = false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (asked)
            clean = report(&list->agents[i]) && clean;
        free(list->agents[i].error);
        topo_fini(&list->topologies[i]);
    }
    return clean ? EXIT_CODE_PASS : EXIT_CODE_UNCLEAN;
}

static int find_agents(const struct agent_choice *choice, struct halt_list *list)
{
    struct base_error err;
    const struct control_agent *agent = &choice->agent;
    if ((agent->url == NULL) != (agent->token_file == NULL))
        return cli_usage("halt: --agent and --token-file need each other");
    bool sandboxes = choice->name != NULL || choice->state != NULL;
    if (sandboxes + (agent->url != NULL) + (choice->topology != NULL) > 1)
        return cli_usage("halt: --agent names one agent and --topology one platform; --name and "
                         "--state choose among sandboxes");
    if (agent->url != NULL) {
        list->agents[list->count++] = (struct halt_agent){
            .url = agent->url, .token_file = agent->token_file, .tls = agent->tls};
    } else if (choice->topology != NULL) {
        add_platform(list, choice->topology);
    } else if (!sandbox_each_topology(choice->state, choice->name, add_platform, list, &err)) {
        return cli_fail(EXIT_CODE_ERROR, &err);
    }
    if (list->count == 0 && !list->incomplete)
        return cli_fail(EXIT_CODE_ERROR,
                        &(struct base_error){.message =
                                                 "halt: no agent is known here: no sandbox is up, "
                                                 "or the topology names none; name one with "
                                                 "--state, --topology or --agent"});
    return -1;
}

int cmd_halt(int argc, char **argv)
{
    struct agent_choice choice = {.name = NULL};
    const struct cli_option table[] = {
        {"name", .text = &choice.name},
        {"state", .text = &choice.state},
        {"topology", .text = &choice.topology},
        AGENT_OPTIONS(&choice.agent),
    };
    int code = cli_options_only(argc, argv, help, table, sizeof table / sizeof table[0]);
    if (code >= 0)
        return code;
    BASE_AUTO_FREE struct halt_list *list = base_calloc(1, sizeof *list);
    code = find_agents(&choice, list);
    return code >= 0 ? code : halt_all(list);
}
