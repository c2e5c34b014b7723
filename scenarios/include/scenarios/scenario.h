/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario as its file says it, with every default filled in. The table in scenarios/src/fields.c
 * is the format; these structs are what it decodes into. Owned text is never NULL unless said.
 */
#ifndef SCENARIOS_SCENARIO_H
#define SCENARIOS_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/expectation.h"
#include "model/fault.h"
#include "model/load.h"
#include "model/plan.h"
#include "scenarios/problems.h"

enum scn_target_kind { SCN_TARGET_SANDBOX, SCN_TARGET_EXTERNAL };

enum scn_verify { SCN_VERIFY_FULL, SCN_VERIFY_NONE };

struct scn_target {
    enum scn_target_kind kind;
    char *name;  /* of the sandbox */
    char **urls; /* external: origins that share the load */
    size_t url_count;
    char *prometheus; /* NULL: none */
    struct dur_ns scrape_interval;
    struct scn_target_tls { /* of https:// origins; each NULL: not given */
        char *ca_file;
        char *cert_file;
        char *key_file;
        enum scn_verify verify;
    } tls;
};

/* What a route asks for: each is a key of it (fields_routes.c). */
enum scn_request {
    SCN_REQUEST_PATH,
    SCN_REQUEST_COMMAND,
    SCN_REQUEST_SEND,
    SCN_REQUEST_SQL,
    SCN_REQUEST_PUBLISH,
    SCN_REQUEST_GET,
    SCN_REQUEST_CONSUME,
    SCN_REQUESTS
};

struct scn_route {
    char *name;
    enum scn_request request;
    char *method; /* http */
    char *path;   /* http; NULL otherwise */
    int64_t weight;
    char **headers; /* "Name: value" */
    size_t header_count;
    char *body; /* of any protocol; NULL: none */
    char *body_file;
    char *until; /* tcp; NULL: a newline */
    int64_t answer_bytes;
    char **params; /* sql: the values of $1, $2... */
    size_t param_count;
    char *key;       /* publish, consume: routing key */
    char *exchange;  /* publish, consume; NULL: the default one */
    bool persistent; /* publish, consume */
    char *queue;     /* get */
};

enum scn_stage_kind { SCN_STAGE_RATE, SCN_STAGE_RAMP, SCN_STAGE_BURST };

struct scn_stage {
    enum scn_stage_kind kind;
    char *name;           /* the phase of what becomes due in it; NULL: none */
    struct dur_ns length; /* `for` */
    double rate;
    double from; /* 0 also when left out: then where the stage before it ended */
    double to;
    int64_t steps; /* 0: a ramp */
    int64_t burst;
    struct dur_ns every;
};

struct scn_replay {
    char *file; /* as written */
    enum load_unit unit;
};

enum scn_users_kind { SCN_USERS_FLAT, SCN_USERS_RAMP };

struct scn_user_stage {
    enum scn_users_kind kind;
    char *name;           /* as in scn_stage */
    struct dur_ns length; /* `for` */
    int64_t count;
    int64_t from; /* as in scn_stage */
    int64_t to;
};

struct scn_users {
    enum scn_users_kind kind;
    int64_t count;
    struct scn_user_stage *stages;
    size_t stage_count;
    enum load_think think;
    struct dur_ns think_a; /* as in load_closed */
    struct dur_ns think_b;
    int64_t iterations; /* 0: no such bound */
    int64_t each;
};

enum scn_load_source { SCN_LOAD_RATE, SCN_LOAD_STAGES, SCN_LOAD_REPLAY, SCN_LOAD_USERS };

struct scn_load {
    char *service; /* NULL only for external targets */
    enum load_arrivals arrivals;
    enum scn_load_source source;
    double rate; /* a second */
    struct scn_stage *stages;
    size_t stage_count;
    struct scn_replay replay;
    struct scn_users users;
    int64_t connections;
    int64_t threads; /* 0: one for each core */
    struct dur_ns timeout;
    struct dur_ns interval;
    struct dur_ns max_late;
    double max_missed; /* 0..1 */
    struct scn_route *routes;
    size_t route_count;
    char **sources; /* addresses to connect from */
    size_t source_count;
    enum load_engine engine;
    bool http2;
    int64_t streams;
    char *proxy;       /* NULL: none */
    char *unix_socket; /* NULL: none */
    struct load_flow *flows;
    size_t flow_count;
    struct load_feeder *feeders; /* files as written */
    size_t feeder_count;
    int64_t pipeline;
    struct scn_login { /* each NULL: not given */
        char *user;
        char *password_file; /* as written */
        char *password_env;
        char *database;     /* postgres */
        char *virtual_host; /* amqp */
    } login;
};

struct scn_check {
    char *name;
    char *service; /* NULL: that of the load */
    char *path;
    int64_t status;
    struct dur_ns timeout;
};

/* Where a file has no steadyState but probes of mode before, which are asked for it all the same.
 */
#define SCN_STEADY_FOR    "2s"
#define SCN_STEADY_WITHIN "30s"

struct scn_steady {
    struct dur_ns hold; /* `for` */
    struct dur_ns within;
    struct scn_check *checks;
    size_t check_count;
};

enum scn_select_mode {
    SCN_SELECT_ONE,
    SCN_SELECT_ALL,
    SCN_SELECT_COUNT,
    SCN_SELECT_PERCENT,
    SCN_SELECT_UP_TO
};

struct scn_select {
    enum scn_select_mode mode;
    int64_t count;
    double percent; /* 0..1 */
    double up_to;   /* 0..1 */
};

/* Which connections of the targets go through a proxy. */
struct scn_route_of {
    enum fault_side side;
    char **peers;
    size_t peer_count;
    int64_t port; /* 0: that of whoever is connected to */
    char **ports; /* instead of port */
    size_t port_count;
};

/* A node that is cut off, so that its cluster fails over. */
struct scn_failover {
    char **members;
    size_t member_count;
    struct dur_ns restored_within;
};

struct scn_fault {
    char *name;
    struct dur_ns at;       /* after the load's start, or after the end of `after` */
    char *after;            /* name of another fault; NULL: none */
    struct dur_ns duration; /* `for` */
    struct {
        int64_t times; /* 0: once */
        struct dur_ns every;
    } repeat;
    struct {
        int64_t steps; /* 0: none */
    } ramp;
    struct {
        struct dur_ns within; /* 0: there is none */
        char *message;        /* NULL: none */
    } suspend;
    struct {
        char *probe; /* NULL: none */
        struct dur_ns within;
    } wait;
    char *only_if; /* a probe; NULL: none */
    char *unless;
    struct dur_ns lease;
    char *service;
    struct topo_where where; /* among whom `select` chooses */
    struct scn_select select;
    double max_affected; /* 0..1 */
    bool track;          /* instances that come later are hit, too */
    enum fault_kind kind;
    struct {
        int signal;
        struct dur_ns restart_within;
        struct dur_ns grace; /* 0: none */
        struct dur_ns every; /* 0: once */
        enum fault_kill_by by;
        bool force;
    } kill;
    struct {
        char **from;
        size_t from_count;
        enum fault_action action;
        enum fault_direction direction;
        char **ports; /* as texts; none: all */
        size_t port_count;
        enum fault_protocol protocol;
    } partition;
    struct {
        double error_rate;
        int64_t error_status;
        struct dur_ns latency;
        bool unready;
        char *dependency; /* NULL: none, and no path */
        char *path;
        double cpu; /* 0..1 */
        uint64_t memory;
    } app;
    struct {
        int64_t workers;
        double load; /* 0..1 */
    } cpu;
    struct {
        enum scn_memory_by { SCN_MEMORY_SIZE, SCN_MEMORY_PERCENT } by;
        uint64_t size;
        double percent; /* 0..1 */
        uint64_t rate;  /* bytes a second */
    } memory;
    struct fault_network network; /* peers as written, seed 0 */
    struct {
        char *folder; /* within the platform's state folder, or absolute */
        enum scn_disk_by { SCN_DISK_SIZE, SCN_DISK_LEFT } by;
        uint64_t size;
        double left; /* 0..1 */
    } disk;
    struct {
        int64_t files; /* -1: as it is */
        int64_t pids;
        double files_share; /* 0..1; 0: as it is */
        double pids_share;
    } limits;
    struct {
        struct scn_route_of route;
        enum fault_toxic toxic;
        int64_t bytes;
        struct dur_ns time;
        struct dur_ns jitter;
        double share; /* 0..1 */
    } tcp;
    struct {
        struct scn_route_of route;
        char *method;
        char *path;
        char *path_prefix;
        char **headers; /* "Name: value" */
        size_t header_count;
        double share; /* 0..1 */
        enum fault_http_action action;
        int64_t status;
        char *body;
        struct dur_ns time;
        struct dur_ns jitter;
        int64_t bytes;
        char **set; /* "Name: value" */
        size_t set_count;
        char **remove;
        size_t remove_count;
    } http;
    struct {
        char **names;
        size_t name_count;
        double share; /* 0..1 */
        enum fault_dns_answer answer;
        char *address;
        char *server;
    } dns;
    struct {
        enum fault_postgres_action action;
        struct dur_ns every;
        char *table;
        enum fault_postgres_lock lock;
        int64_t left;
        struct scn_failover failover;
    } postgres;
    struct {
        enum fault_redis_action action;
        enum fault_redis_pause pause;
        uint64_t bytes;
        struct dur_ns every;
        struct dur_ns time;
        struct scn_failover failover;
    } redis;
    struct {
        char *folder; /* within the platform's state folder */
        int64_t workers;
        enum fault_io_mode mode;
        uint64_t size;
        uint64_t rate; /* bytes a second; 0: as fast as it goes */
    } io;
    struct {
        char *folder;
        uint64_t read_rate; /* bytes a second; 0: not limited */
        uint64_t write_rate;
        int64_t read_ops; /* a second; 0: not limited */
        int64_t write_ops;
    } throttle;
    struct {
        enum fault_rabbitmq_action action;
        struct dur_ns every;
        uint64_t bytes;
        struct scn_failover failover;
    } rabbitmq;
    struct {
        enum fault_node_action action;
        bool empty_dir;
    } node;
};

struct scn_probe {
    char *name;
    enum plan_probe_mode mode;
    char *fault; /* during: the name of a fault; NULL: any */
    struct dur_ns every;
    struct dur_ns timeout;
    struct dur_ns within;
    double at_least;
    enum plan_probe_kind kind;
    char *service; /* http, tcp: NULL: that of the load */
    struct {
        char *path;
        int64_t status;
        char *contains; /* NULL: anything */
    } http;
    struct {
        int64_t port; /* 0: that of the service */
    } tcp;
    struct {
        char *query;
    } promql;
    struct {
        char *command;
    } exec;
    struct scn_store {
        char *address; /* ADDRESS:PORT, instead of a service; NULL: none */
        char *user;    /* NULL: the client's default */
        char *password_file;
    } store; /* sql, redis */
    struct {
        char *database;
        char *query;
        enum plan_compare compare;
        char *value;  /* NULL: none */
        int64_t rows; /* -1: not given */
    } sql;
    struct {
        int64_t database;
        char **command;
        size_t command_count;
        enum plan_compare compare;
        char *reply; /* NULL: any */
    } redis;
};

struct scn_threshold {
    char *name;
    struct expectation expect;
    char *phase;        /* NULL: the whole run */
    char *route;        /* NULL: all routes */
    struct dur_ns over; /* 0: the whole */
    bool abort;
};

/* What both kinds of SLO are made of; selectors are NULL for the platform's own metrics. */
struct scn_indicator {
    char *service;
    struct dur_ns within; /* latency */
    char *total;
    char *bad;  /* availability */
    char *good; /* latency */
    char *up;
};

struct scn_slo {
    char *name;
    double objective;
    double min_coverage;
    enum plan_slo_kind kind;
    struct scn_indicator indicator;
};

struct scn_abort {
    char *name;
    struct expectation when;
    struct dur_ns over;
};

/* Where a value stands in the file. */
struct scn_place {
    char *path;
    struct scn_mark mark;
};

struct scn_scenario {
    char *file;
    int api_version;
    int file_kind;
    char *name;
    char *description; /* may be "" */
    struct scn_target target;
    int64_t seed;
    struct dur_ns duration;
    struct scn_load load;
    struct scn_steady steady;
    struct scn_fault *faults;
    size_t fault_count;
    struct scn_probe *probes;
    size_t probe_count;
    struct scn_threshold *thresholds;
    size_t threshold_count;
    struct scn_slo *slos;
    size_t slo_count;
    struct scn_abort *aborts;
    size_t abort_count;
    struct {
        double max_spend;   /* 0..1 */
        struct dur_ns over; /* 0: as long as the load */
    } budget;
    struct scn_place *places; /* of every value that the file gives, in its order */
    size_t place_count;
};

/* Where the timestamps lie, from here rather than from the scenario's folder; NULL without a
 * replay. free() it. */
char *scn_replay_path(const struct scn_scenario *scenario);
/* The same for any file that the scenario names; NULL for NULL. free() it. */
char *scn_path_beside(const struct scn_scenario *scenario, const char *file);
/* The key that a request is written under: "path", "command"... */
const char *scn_request_key(enum scn_request request);
enum load_speech scn_request_protocol(enum scn_request request);
/* "\"publish\" or \"get\"": the keys of requests, 1 << scn_request each. free() it. */
char *scn_request_list(unsigned requests);
/* All requests of a protocol. */
unsigned scn_requests_of(enum load_speech protocol);
/* What is spoken with the load's targets: as their URLs say, else as its first route does. */
enum load_speech scn_load_protocol(const struct scn_scenario *scenario);
/* Whether the load's targets are spoken to over TLS. */
bool scn_load_secure(const struct scn_scenario *scenario);
/* Routes, and the protocol that they are of. */
void scn_routes_plan(const struct scn_scenario *scenario, struct load_spec *load);
/* Flows and feeders, with the files as scn_path_beside has them. */
void scn_flows_plan(const struct scn_scenario *scenario, struct load_spec *load);
/* What is odd about a scenario, but no mistake. */
void scn_warnings(const struct scn_scenario *scenario, struct scn_problems *out);
void scn_scenario_fini(struct scn_scenario *scenario); /* accepts a zeroed value, leaves one */
/* The place of the value at path, or of the nearest thing around it when it was left to its
 * default. */
struct scn_mark scn_scenario_mark(const struct scn_scenario *scenario, const char *path);
/* Does the file give this value itself? */
bool scn_scenario_has(const struct scn_scenario *scenario, const char *path);

#endif
