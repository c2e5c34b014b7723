/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol between a controller (squall run, squall halt) and squall-agent: HTTP/1.1
 * with JSON bodies of at most CONTROL_MAX_BODY bytes. Every request but GET /v1/health carries
 * "Authorization: Bearer <token>", and an agent with --client-ca also asks for a client
 * certificate; a wrong one of either is 401. On anything but a loopback address the protocol is
 * HTTPS.
 *
 *   GET    /v1/health              200 {"status":"ok","version":1,"pid":N,"started":"<time>",
 *                                       "halted":"<time>"|null,"active":N,
 *                                       "kinds":{"kill":null,"partition":"why not"}}
 *                                  halted: when it was halted last, also before it was restarted
 *                                  kinds: null = available here, text = why it is not
 *   POST   /v1/faults              body struct fault_spec. Applies, then measures the effect, then
 *                                  answers struct fault_record: 200 active; 409 ineffective or
 *                                  failed (already reverted, the record says whether gone);
 *                                  400 invalid, 403 refused (cap, ceiling, target, or started more
 *                                  than CONTROL_MAX_SKEW_S ahead of the agent's clock or
 *                                  CONTROL_MAX_AGE_S ago), 410 when the run started before the
 *                                  last halt. Same id again: the present record, nothing is
 *                                  applied twice; an id that it has forgotten the fault of, or
 *                                  that an agent before it has taken: 403.
 *   POST   /v1/rehearse            the same body. Does nothing: 200 with whom it would hit,
 *                                  {"targets":[{"name":"users-1","pids":[N...],
 *                                       "netns":"<path>"|null,"cgroup":"<path>"|null}]},
 *                                  or what the fault would be refused with now. What only a
 *                                  measurement shows is not known then
 *   GET    /v1/faults              200 {"faults":[struct fault_record...]}: active ones and those
 *                                  ended within the last hour, recovered ones included
 *   GET    /v1/faults/ID           200 struct fault_record, 404
 *   POST   /v1/faults/ID/renew     body {"leaseNs":N}; 200 record, 404, 410 when no longer active
 *   DELETE /v1/faults/ID           reverts, measures the absence, answers the record: 200 gone, 409
 *                                  stuck, 404. Repeating it is harmless.
 *   POST   /v1/halt                reverts everything, and from then on refuses the faults of every
 *                                  run that started before (startedNs), whether or not it had
 *                                  injected already. When that was is on disk before the answer, so
 *                                  that a restart of the agent does not forget it. 200
 *                                  {"faults":[...]} once all are gone, 409 when one is stuck, 500
 *                                  when all are gone but the halt could not be written down.
 *
 * 413: a body of more than CONTROL_MAX_BODY bytes; 415: a body that is not application/json;
 * neither is looked at. A request that is not there in whole within 5 s is cut off. 507: it could
 * not be written down first (audit), so nothing was done; only of what puts a fault in place or
 * keeps it there, for what takes it away goes ahead with a full disk, too. Errors without a record:
 * {"error":{"code":"<base_code_name>","message":"..."}}.
 */
#ifndef MODEL_CONTROL_H
#define MODEL_CONTROL_H

/* The clocks of controller and agent are compared for halts; more apart than this is refused. A
 * load lasts 24 h at most and its steady state is waited for 1 h: a fault whose run was planned
 * longer ago than CONTROL_MAX_AGE_S is a repeated request. */
enum {
    CONTROL_VERSION = 1,
    CONTROL_MAX_BODY = 65536,
    CONTROL_MAX_SKEW_S = 5,
    CONTROL_MAX_AGE_S = 26 * 3600
};

/* A controller names its version in every request; an agent of another one refuses (400) to put a
 * fault in place or keep it there. It reverts for anybody who may ask. */
#define CONTROL_VERSION_HEADER "Squall-Protocol"

#define CONTROL_PATH_HEALTH   "/v1/health"
#define CONTROL_PATH_FAULTS   "/v1/faults"
#define CONTROL_PATH_REHEARSE "/v1/rehearse"
#define CONTROL_PATH_HALT     "/v1/halt"

#endif
