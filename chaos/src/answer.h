/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the control API, each with its audit line. */
#ifndef CHAOS_ANSWER_H
#define CHAOS_ANSWER_H

#include "agent_state.h"

/* Before anything is done. false: it could not be written down, so it must not be done. */
bool agent_audit_begin(const struct agent *agent, const struct io_exchange *exchange,
                       const struct fault_record *about, struct base_error *err);
/* For what takes away and must not be kept from it by a full disk: says so in the log instead. */
void agent_audit_begin_anyway(const struct agent *agent, const struct io_exchange *exchange,
                              const struct fault_record *about);
/* A request that ends without an answer of ours; status 0: without any. */
void agent_audit_end(const struct agent *agent, const struct io_exchange *exchange, unsigned status,
                     const struct fault_record *about, const char *outcome);
/* What a spec says of the fault that it asks for, as a record that borrows from it. */
struct fault_record agent_record_asked(const struct fault_spec *spec);

/* spec NULL: it is not known what was asked for. */
void agent_answer_error(const struct agent *agent, struct io_exchange *exchange, unsigned status,
                        const struct base_error *err, const struct fault_spec *spec);
void agent_answer_fault(const struct agent *agent, struct io_exchange *exchange, unsigned status,
                        const struct fault_record *record);
void agent_answer_all(struct agent *agent, struct io_exchange *exchange, unsigned status,
                      const char *outcome);
/* Without an audit line: what anybody may ask. */
void agent_answer_json(struct io_exchange *exchange, unsigned status, json_t *body /* taken */);

/* The request carries what this agent asks for: a client certificate, a token, both or nothing.
 * who: "certificate CN=controller and token agent.token"; "" when nothing is asked for. false:
 * BASE_DENIED says what is missing. */
enum { AGENT_WHO_TEXT = 512 };
bool agent_authorize(const struct agent *agent, const struct io_exchange *exchange,
                     char who[static AGENT_WHO_TEXT], struct base_error *err);

#endif
