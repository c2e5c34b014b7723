/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asked this agent for what: JSON lines, appended to a file of their own (--audit) or to the
 * agent's log, where "message":"audit" marks them. A request that is refused, or that only reads,
 * is one line ("event":"end"). One that changes something is two: "begin" is written before
 * anything is done and "end" when it is answered; both carry the same number.
 *
 *   {"time","level","service":"squall-agent","message":"audit","event":"begin"|"end","request":N,
 *    "peer":"10.0.0.1:40312","who":"token agent.token"|null,"method","path","run","fault","kind",
 *    "targets":["users-1"]|null,"until":"<time>"|null,"status":200|null,"outcome":"active"|null}
 */
#ifndef CHAOS_AUDIT_H
#define CHAOS_AUDIT_H

#include "base/buf.h"
#include "base/error.h"
#include "model/fault.h"

struct agent_audit;

/* Texts may be NULL: they are written as null. */
struct agent_audit_line {
    bool begin;       /* before anything is done; else the request's last line */
    int64_t request;  /* pairs the two */
    const char *peer; /* "" when it is gone */
    const char *who;  /* NULL: nobody this agent knows */
    const char *method;
    const char *path;                 /* cut when it is long */
    const struct fault_record *fault; /* id, run, kind, targets, expires_at; NULL: about none */
    unsigned status;                  /* 0: no answer (yet) */
    const char *outcome;
};

/* path NULL: lines go to fd, which stays the caller's; else the file is made (mode 0600) or
 * appended to. */
struct agent_audit *agent_audit_open(const char *path, int fd, struct base_error *err);
void agent_audit_close(struct agent_audit *audit); /* accepts NULL */
/* From now on a file of its own (path) stays below `most` bytes: before a line that would make it
 * larger it is rotated (rotate.h), and `keep` old ones are kept. When that cannot be done, the line
 * is written all the same, and is an error. most 0: it grows. */
void agent_audit_bound(struct agent_audit *audit, int64_t most, unsigned keep);
/* false: the line is not, or not whole, where it belongs, or the file grows beyond its bound; err
 * says why and where. After a torn line the next one starts on a line of its own. It is on the disk
 * after agent_audit_sync, or when the file has been rotated since. */
bool agent_audit_write(struct agent_audit *audit, const struct agent_audit_line *line,
                       struct base_error *err);
/* Where lines go now, for agent_audit_sync; the caller closes it. -1 with err. */
int agent_audit_handle(const struct agent_audit *audit, struct base_error *err);
/* From any thread: every line that was written there before the call. */
bool agent_audit_sync(const struct agent_audit *audit, int handle, struct base_error *err);

/* The line with its newline. Pure. */
bool agent_audit_encode(const struct agent_audit_line *line, struct wall_ns when,
                        struct base_buf *out);

#endif
