/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_choice.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "sandbox/sandbox.h"

int agent_choice_platform(const struct agent_choice *choice, struct topo *out)
{
    struct base_error err;
    BASE_AUTO_BUF struct base_buf path;
    base_buf_init(&path, 4096);
    if (choice->topology != NULL && (choice->name != NULL || choice->state != NULL))
        return cli_usage("--topology names a platform; --name and --state choose a sandbox");
    if (choice->topology != NULL)
        return topo_read(choice->topology, out, &err) ? -1 : cli_fail(EXIT_CODE_USAGE, &err);
    const char *name = choice->name != NULL ? choice->name : "default";
    if (sandbox_topology_path(name, choice->state, &path, &err) && topo_read(path.data, out, &err))
        return -1;
    return cli_fail(err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, &err);
}

int agent_choice_agent(const struct agent_choice *choice, struct topo *topo,
                       struct control_agent *out)
{
    if ((choice->agent.url == NULL) != (choice->agent.token_file == NULL))
        return cli_usage("--agent and --token-file need each other");
    if (choice->agent.url != NULL) {
        *out = choice->agent;
        return -1;
    }
    int code = topo->name == NULL ? agent_choice_platform(choice, topo) : -1;
    if (code >= 0)
        return code;
    if (topo->agent_url == NULL) {
        (void)fprintf(stderr, "squall: the platform \"%s\" has no agent; name one with --agent\n",
                      topo->name);
        return EXIT_CODE_ERROR;
    }
    *out = (struct control_agent){
        .url = topo->agent_url,
        .token_file = topo->agent_token_file,
        .tls = {.ca = topo->agent_ca_file,
                .cert = topo->agent_cert_file,
                .key = topo->agent_key_file},
    };
    return -1;
}
