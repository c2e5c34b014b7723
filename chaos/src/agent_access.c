/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask an agent, and where it listens. */
#include <arpa/inet.h>
#include <string.h>

#include "agent_state.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/control.h"

enum { request_timeout_s = 5 };

static bool is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool read_token(struct agent *agent, const char *path, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, 4096);
    if (!base_secret_read(path, &buf, err))
        return base_fail_context(err, "token file");
    const char *slash = strrchr(path, '/');
    agent->token_name = base_str_printf("token %s", slash != NULL ? slash + 1 : path);
    agent->has_token = true;
    io_sha256(buf.data, buf.len, agent->token_digest);
    return true;
}

bool agent_check_access(struct agent *agent, const struct agent_config *config,
                        struct base_error *err)
{
    bool local = is_loopback(config->address);
    if (config->tls.cert == NULL && (config->tls.key != NULL || config->tls.ca != NULL))
        return base_fail(err, BASE_INVALID, "--tls-key and --client-ca need --tls-cert");
    if (!local && config->token_file == NULL)
        return base_fail(err, BASE_DENIED,
                         "refusing to listen on %s without a token: anyone there could break this "
                         "host; give --token-file",
                         config->address);
    if (!local && config->tls.cert == NULL)
        return base_fail(err, BASE_DENIED,
                         "refusing to listen on %s without TLS: the token would cross the network "
                         "for all to read; give --tls-cert and --tls-key, and --client-ca so that "
                         "controllers must have certificates",
                         config->address);
    agent->wants_cert = config->tls.ca != NULL;
    if (config->token_file != NULL)
        return read_token(agent, config->token_file, err);
    if (!agent->wants_cert)
        base_log_text(agent->log, BASE_WARN,
                      "no token file: every local user can inject faults through this agent");
    return true;
}

bool agent_listen(struct agent *agent, const struct agent_config *config, struct base_error *err)
{
    struct io_server_config server = {
        .address = config->address,
        .port = config->port,
        .max_body = CONTROL_MAX_BODY,
        .max_connections = 256,
        .request_timeout = base_dur_s(request_timeout_s),
        .on_request = agent_api_request,
        .on_abandon = agent_api_abandon,
        .on_refused = agent_api_refused,
        .tls = config->tls.cert != NULL ? &config->tls : NULL,
        .ctx = agent,
    };
    agent->server = io_server_new(agent->loop, &server, err);
    return agent->server != NULL;
}
