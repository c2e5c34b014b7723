/* SPDX-License-Identifier: Apache-2.0 */
/* What the real effects share: live.c wires them, each live_*.c holds one side of the world. */
#ifndef SCENARIOS_LIVE_INTERNAL_H
#define SCENARIOS_LIVE_INTERNAL_H

#include "control_client.h"
#include "io/child.h"
#include "io/lines.h"
#include "scenarios/live.h"

/* live_record.c: the run directory */
struct live_record {
    const char *dir;
    int events_fd;
    uint64_t seq;
    bool full; /* the timeline may end in half a line: nothing is appended any more */
};
bool live_record_open(struct live_record *record, const char *dir, struct base_error *err);
void live_record_close(struct live_record *record);
bool live_record_event(struct live_record *record, const char *type, const json_t *fields,
                       struct mono_ns mono, struct wall_ns wall);
bool live_record_store(struct live_record *record, const char *name, const json_t *document);

/* live_load.c: the load generator */
struct live_load {
    struct io_loop *loop;
    struct run *run;
    struct io_child *child;
    struct io_lines out;
    struct io_lines log;
    char *hlog_path; /* what squall-load writes */
    off_t hlog_read; /* so much of it has been told to the run */
    int commands;    /* its standard input; -1 when closed */
    bool out_open, log_open, exited, reported;
    struct io_child_exit exit;
    char *error;             /* what it said last */
    bool finished;           /* it said so */
    struct io_timer refusal; /* reports a failed start from the loop */
};
void live_load_init(struct live_load *load, struct io_loop *loop, struct run *run);
void live_load_start(struct live_load *load, const struct live_config *config);
void live_load_phase(struct live_load *load, const char *phase);
void live_load_stop(struct live_load *load);
void live_load_kill(struct live_load *load);
void live_load_fini(struct live_load *load);

/* live_agent.c: the chaos agent */
struct live_ask { /* one of each request can be under way for each fault */
    struct live_agent *agent;
    size_t fault;
    enum run_request request;
    struct io_timer refusal; /* answers from the loop what could not even be asked */
    char *refused;
};
struct live_agent {
    struct io_http *http;
    struct run *run;
    const struct plan *plan;
    struct control_access access;
    struct live_ask *asks; /* by fault, then request */
    size_t check;          /* the number its own steady-state check has */
};
bool live_agent_init(struct live_agent *agent, struct io_loop *loop, struct io_http *http,
                     struct run *run, const struct plan *plan, struct base_error *err);
void live_agent_fini(struct live_agent *agent);
void live_agent_ask(struct live_agent *agent, size_t fault, enum run_request request);
void live_agent_check(struct live_agent *agent, size_t check);

/* live_http.c: steady-state checks and Prometheus */
struct live_check {
    struct run *run;
    const struct plan_check *planned;
    size_t index;
    struct live_check_url *urls;
    size_t open;   /* URLs that have not answered */
    char *trouble; /* the first that did not answer as expected */
};
struct live_check_url {
    struct live_check *check;
    const char *url;
};
struct live_query {
    struct run *run;
    size_t index;
    char *url;
};
struct live_scrape {
    struct run *run;
    const struct plan_slo *slo;
    size_t index; /* as a check */
};
struct live_questions {
    struct io_http *http;
    struct run *run;
    const struct plan *plan;
    struct live_check *checks;
    struct live_scrape *scrapes; /* one for each SLO */
    struct live_query *queries;
    size_t query_count;
};
void live_questions_init(struct live_questions *questions, struct io_http *http, struct run *run,
                         const struct plan *plan);
void live_questions_fini(struct live_questions *questions);
void live_check_start(struct live_questions *questions, size_t check);
/* The address of an instant query; now when `at` is 0. free() it. */
char *live_query_url(const struct plan *plan, const char *text, struct wall_ns at);
struct io_tls_files live_target_tls(const struct plan *plan); /* of the target's https:// URLs */
/* Why a response is not what was expected, with `contains` in its body unless NULL; NULL: it is.
 * free() it. */
char *live_http_trouble(const char *url, const struct io_http_response *response, int status,
                        const char *contains);
void live_query_start(struct live_questions *questions, size_t query, const char *text,
                      struct wall_ns at);

/* live_operator.c */
struct live_operator {
    struct io_loop *loop;
    struct run *run;
    const char *run_dir;
    int terminal; /* borrowed; -1: none */
    int folder;   /* the run directory, while a socket is in it */
    int listener;
    int client;
    struct io_watch listener_watch;
    struct io_watch client_watch;
    struct io_watch terminal_watch;
    struct io_timer client_timer;
};
void live_operator_init(struct live_operator *op, struct io_loop *loop, struct run *run,
                        const char *run_dir, int terminal);
/* false: nobody can be heard, by socket or terminal. */
bool live_operator_listen(struct live_operator *op, bool on);
void live_operator_fini(struct live_operator *op); /* accepts a zeroed value */

/* live_probes.c */
struct live_probes {
    struct io_loop *loop;
    struct io_http *http;
    struct run *run;
    const struct plan *plan;
    struct live_probe *list; /* one for each probe of the plan */
};
void live_probes_init(struct live_probes *probes, struct io_loop *loop, struct io_http *http,
                      struct run *run, const struct plan *plan);
void live_probes_fini(struct live_probes *probes); /* before the HTTP client goes */
void live_probe_start(struct live_probes *probes, size_t probe);

#endif
