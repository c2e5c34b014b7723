/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* --- who asks --- */

static bool has_our_token(const struct agent *agent, const struct io_exchange *exchange)
{
    static const char scheme[] = "Bearer ";
    const char *header = io_exchange_header(exchange, "Authorization");
    char digest[IO_SHA256_TEXT];
    if (!agent->has_token)
        return true;
    if (header == NULL || !base_str_starts(header, scheme))
        return false;
    const char *token = header + sizeof scheme - 1;
    /* Digests are of one length: not even the length of the token shows in the time. */
    io_sha256(token, strlen(token), digest);
    return io_secret_equal(digest, agent->token_digest);
}

bool agent_authorize(const struct agent *agent, const struct io_exchange *exchange,
                     char who[static AGENT_WHO_TEXT], struct base_error *err)
{
    char subject[IO_SUBJECT_TEXT] = "";
    if (agent->wants_cert && !io_exchange_certified(exchange, subject, err))
        return base_fail_context(err, "this agent wants a client certificate signed by the CA of "
                                      "its --client-ca (certFile and keyFile of the target's "
                                      "agent; --cert and --key)");
    if (!has_our_token(agent, exchange))
        return base_fail(err, BASE_DENIED,
                         "this needs \"Authorization: Bearer <token>\" with the token of this "
                         "agent's --token-file");
    (void)snprintf(who, AGENT_WHO_TEXT, "%s%s%s%s", agent->wants_cert ? "certificate " : "",
                   subject, agent->wants_cert && agent->has_token ? " and " : "",
                   agent->has_token ? agent->token_name : "");
    return true;
}

/* --- audit lines --- */

static bool audit(const struct agent *agent, const struct io_exchange *exchange, bool begin,
                  unsigned status, const struct fault_record *about, const char *outcome,
                  struct base_error *err)
{
    char peer[IO_PEER_TEXT];
    char who[AGENT_WHO_TEXT] = "";
    bool known = agent_authorize(agent, exchange, who, NULL);
    io_exchange_peer(exchange, peer);
    const struct agent_audit_line line = {
        .begin = begin,
        .request = io_exchange_received(exchange).ns, /* no two are read at one time */
        .peer = peer,
        .who = known && who[0] != '\0' ? who : NULL,
        .method = io_exchange_method(exchange),
        .path = io_exchange_path(exchange),
        .fault = about,
        .status = status,
        .outcome = outcome,
    };
    return agent_audit_write(agent->audit, &line, err);
}

bool agent_audit_begin(const struct agent *agent, const struct io_exchange *exchange,
                       const struct fault_record *about, struct base_error *err)
{
    return audit(agent, exchange, true, 0, about, NULL, err) ||
           base_fail_context(err, "nothing was done, for it could not be written down");
}

void agent_audit_begin_anyway(const struct agent *agent, const struct io_exchange *exchange,
                              const struct fault_record *about)
{
    struct base_error err = {0};
    if (!audit(agent, exchange, true, 0, about, NULL, &err))
        base_log_text(agent->log, BASE_ERROR, err.message);
}

void agent_audit_end(const struct agent *agent, const struct io_exchange *exchange, unsigned status,
                     const struct fault_record *about, const char *outcome)
{
    struct base_error err = {0};
    if (!audit(agent, exchange, false, status, about, outcome, &err))
        base_log_text(agent->log, BASE_ERROR, err.message);
}

struct fault_record agent_record_asked(const struct fault_spec *spec)
{
    return (struct fault_record){.id = spec->id,
                                 .run = spec->run,
                                 .kind = spec->kind,
                                 .targets = spec->targets,
                                 .target_count = spec->target_count,
                                 .expires_at = base_wall_add(base_wall_now(), spec->duration)};
}

/* --- answers --- */

void agent_answer_json(struct io_exchange *exchange, unsigned status, json_t *body)
{
    BASE_AUTO_FREE char *text = model_json_dump_line(body);
    json_decref(body);
    const char *safe = text != NULL ? text : "{}";
    io_exchange_reply(exchange, status, "application/json", safe, strlen(safe));
}

void agent_answer_error(const struct agent *agent, struct io_exchange *exchange, unsigned status,
                        const struct base_error *err, const struct fault_spec *spec)
{
    struct fault_record asked = {0};
    if (spec != NULL)
        asked = agent_record_asked(spec);
    agent_audit_end(agent, exchange, status, spec != NULL ? &asked : NULL, err->message);
    json_t *error = json_object();
    json_object_set_new(error, "code", model_json_text(base_code_name(err->code)));
    json_object_set_new(error, "message", model_json_text(err->message));
    json_t *body = json_object();
    json_object_set_new(body, "error", error);
    agent_answer_json(exchange, status, body);
}

void agent_answer_fault(const struct agent *agent, struct io_exchange *exchange, unsigned status,
                        const struct fault_record *record)
{
    agent_audit_end(agent, exchange, status, record, fault_state_name(record->state));
    agent_answer_json(exchange, status, fault_record_to_json(record));
}

void agent_answer_all(struct agent *agent, struct io_exchange *exchange, unsigned status,
                      const char *outcome)
{
    json_t *body = json_object();
    json_object_set_new(body, "faults", agent_roll_records(agent));
    agent_audit_end(agent, exchange, status, NULL, outcome);
    agent_answer_json(exchange, status, body);
}
