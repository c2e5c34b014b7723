/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fault as planned (struct fault_spec), and what became of it (struct fault_record). Both travel
 * as JSON between controller and agent and lie in plan.json and faults.json.
 */
#ifndef MODEL_FAULT_H
#define MODEL_FAULT_H

#include "model/json.h"
#include "model/topology.h"

enum fault_kind {
    FAULT_KILL,
    FAULT_PARTITION,
    FAULT_APP,
    FAULT_PAUSE,
    FAULT_CPU,
    FAULT_MEMORY,
    FAULT_NETWORK,
    FAULT_DISK_FILL,
    FAULT_LIMITS,
    FAULT_TCP,
    FAULT_HTTP,
    FAULT_DNS,
    FAULT_POSTGRES,
    FAULT_REDIS,
    FAULT_IO,
    FAULT_IO_THROTTLE,
    FAULT_RABBITMQ,
    FAULT_NODE
};
enum { FAULT_KIND_COUNT = FAULT_NODE + 1 };
/* What others have and this tool refuses: why, and what to do instead. */
#define FAULT_CLOCK "clock"
#define FAULT_CLOCK_REFUSED                                                                        \
    "there is no clock skew: a process gets another clock only by being changed from inside "      \
    "(ptrace, the vDSO), where nothing takes that back when squall dies, and the host's clock is " \
    "everybody's, the lease's too; start the service under libfaketime, as another platform"
#define FAULT_NODE_REBOOT_REFUSED                                                                  \
    "agent, watchdog and journal would go down with the host, and nothing brings it back when it " \
    "does not come up; `suspend` the run and reboot it by hand, or hit what runs on a node with "  \
    "`where: {node: ...}`; a kubelet that stands still is `pause` on kubelet.service, found by "   \
    "unit"
/* By what a target is killed: a signal to its process, or a request to Kubernetes' API about its
 * pod, which deletes it whatever a disruption budget says, or evicts it if the budget allows. */
enum fault_kill_by { FAULT_KILL_SIGNAL, FAULT_KILL_DELETE, FAULT_KILL_EVICT };
enum fault_action {
    FAULT_DROP,
    FAULT_REJECT, /* TCP is reset, for the rest an ICMP error tells that it is prohibited */
    FAULT_RESET   /* TCP is reset, the rest vanishes */
};
enum fault_direction { FAULT_BOTH, FAULT_INGRESS, FAULT_EGRESS }; /* as seen from the target */
enum fault_protocol {
    FAULT_PROTOCOL_ANY,
    FAULT_PROTOCOL_TCP,
    FAULT_PROTOCOL_ICMP,
    FAULT_PROTOCOL_UDP
};
enum fault_distribution { FAULT_UNIFORM, FAULT_NORMAL, FAULT_PARETO, FAULT_PARETO_NORMAL };

/* What happens to the packets of one direction. 0 switches a member off. */
struct fault_impairment {
    double share;         /* of the packets: only those are hit, each by lot; 0: all */
    struct dur_ns delay;  /* one way: a round trip takes it once for each impaired direction */
    struct dur_ns jitter; /* uniform: delay +- jitter; else: its standard deviation */
    double correlation;   /* of a packet's jitter with that of the packet before it, 0..1 */
    enum fault_distribution distribution;
    double loss;      /* share of the packets, each for itself */
    struct {          /* Gilbert-Elliott: two states, each with a loss of its own; enter 0: off */
        double enter; /* chance that a packet in the calm state is the first of a burst */
        double leave; /* chance that a packet in a burst is the first calm one */
        double loss;  /* within bursts */
        double calm;  /* loss between them */
    } burst;
    struct {            /* Markov chain of four states, two of which lose; enter 0: off */
        double alone;   /* chance that a packet outside of bursts is lost, and the next is not */
        double enter;   /* that it is lost as the first of a burst */
        double leave;   /* chance that after a loss in a burst the burst is over */
        double pass;    /* that a packet passes then, and the burst goes on */
        double relapse; /* chance that after such a packet the next one is lost */
    } states;
    double duplicate; /* share that arrives twice */
    double corrupt;   /* share with one bit behind the IP header flipped */
    double reorder;   /* share that overtakes: it is not delayed */
    double rate;      /* bits a second, counted from the IP header on */
};

struct fault_network {
    char **peers; /* names of services or instances, or addresses */
    size_t peer_count;
    char **ports; /* decimal, of either end; none: all */
    size_t port_count;
    enum fault_protocol protocol;
    enum fault_direction direction;
    struct fault_impairment impairment;
    uint64_t seed; /* of every chance above; below 2^63, as JSON numbers are */
};

enum { FAULT_MAX_PORTS = 64 };

/* Which connections of the target a proxy fault is about. */
enum fault_side { FAULT_INBOUND, FAULT_OUTBOUND };
struct fault_route {
    enum fault_side side;
    char **peers; /* names of services, or addresses: inbound from whom (none: from anybody),
                   * outbound to whom (at least one) */
    size_t peer_count;
    char **ports; /* as texts; none: the target's own, outbound: each peer's own */
    size_t port_count;
};
/* What befalls them; answers are the bytes that the server sends. */
enum fault_toxic {
    FAULT_TOXIC_LATENCY,     /* answers are `time` late */
    FAULT_TOXIC_SLICER,      /* answers come in pieces of `bytes`, `time` apart */
    FAULT_TOXIC_LIMIT_DATA,  /* closed after `bytes` of answers */
    FAULT_TOXIC_RESET_BYTES, /* reset after `bytes` of answers */
    FAULT_TOXIC_RESET_TIME,  /* reset `time` after they were opened */
    FAULT_TOXIC_TIMEOUT,     /* accepted, never answered; closed after `time`, 0: never */
    FAULT_TOXIC_SLOW_CLOSE   /* the server's close arrives `time` late */
};
enum { FAULT_TOXIC_COUNT = FAULT_TOXIC_SLOW_CLOSE + 1 };

/* What befalls requests that match. */
enum fault_http_action {
    FAULT_HTTP_ABORT,        /* answered with `status` and `body`, never forwarded */
    FAULT_HTTP_DELAY,        /* forwarded `time` later */
    FAULT_HTTP_SLOW_BODY,    /* the answer's body comes with `bytes` a second */
    FAULT_HTTP_TRUNCATE,     /* the connection is closed after `bytes` of the answer's body */
    FAULT_HTTP_PATCH,        /* header fields of the answer are removed, then set */
    FAULT_HTTP_PATCH_REQUEST /* those of the request, on its way to the server */
};
enum { FAULT_HTTP_ACTIONS = FAULT_HTTP_PATCH_REQUEST + 1 };
struct fault_texts {
    char **list;
    size_t count;
};

/* What is answered to questions for names that match. */
enum fault_dns_answer {
    FAULT_DNS_NXDOMAIN, /* there is no such name */
    FAULT_DNS_SERVFAIL, /* the server cannot tell */
    FAULT_DNS_TIMEOUT,  /* nothing */
    FAULT_DNS_ADDRESS   /* `address`, whatever the name's own is */
};

enum { FAULT_MAX_MEMBERS = 16 };
/* The node of a store's cluster is cut off from everybody, so that the others fail over. */
struct fault_failover {
    char **members; /* the others: names of instances, or of services, all whose instances but the
                     * target are meant */
    size_t member_count;
    struct dur_ns restored_within; /* of the fault's end: the cluster is whole again */
};

/* What befalls a PostgreSQL server, through its own protocol. */
enum fault_postgres_action {
    FAULT_POSTGRES_TERMINATE,   /* sessions of others in the database are ended, once or `every` */
    FAULT_POSTGRES_LOCK,        /* a transaction holds a lock on `table` */
    FAULT_POSTGRES_CONNECTIONS, /* connections are taken until `left` are free */
    FAULT_POSTGRES_SLOW_DISK,   /* commits of the primary wait for a disk that is throttled */
    FAULT_POSTGRES_FAILOVER     /* it is cut off, and a standby takes over */
};
enum fault_postgres_lock {
    FAULT_POSTGRES_LOCK_ALL,   /* ACCESS EXCLUSIVE: nobody reads or writes */
    FAULT_POSTGRES_LOCK_WRITES /* EXCLUSIVE: nobody writes */
};
enum { FAULT_POSTGRES_MOST_LEFT = 10000 };

/* What befalls a Redis server, through its own protocol. */
enum fault_redis_action {
    FAULT_REDIS_PAUSE,   /* clients wait: all of them, or those that write */
    FAULT_REDIS_FILL,    /* keys of the fault's own take up memory */
    FAULT_REDIS_KILL,    /* clients are disconnected, once or `every` */
    FAULT_REDIS_SLEEP,   /* it does nothing for `time`, again and again */
    FAULT_REDIS_EVICT,   /* it is made to evict `bytes` of what others keep there */
    FAULT_REDIS_FAILOVER /* it is cut off, and a replica takes over */
};
enum { FAULT_REDIS_DESTROYS_LEAST = 4 << 20, FAULT_REDIS_DESTROYS_MOST = 1 << 30 }; /* evict */
enum fault_redis_pause { FAULT_REDIS_PAUSE_ALL, FAULT_REDIS_PAUSE_WRITES };

/* What befalls a RabbitMQ node, through its management interface. */
enum fault_rabbitmq_action {
    FAULT_RABBITMQ_CLOSE, /* connections of others are closed, once or `every` */
    FAULT_RABBITMQ_FILL,  /* a queue of the fault's own takes up memory */
    FAULT_RABBITMQ_STOP   /* it is cut off, and its cluster goes on without it */
};

/* What befalls the nodes that the targets run on, through Kubernetes' API. */
enum fault_node_action {
    FAULT_NODE_CORDON, /* no new pod is placed there */
    FAULT_NODE_DRAIN   /* and those that are there are evicted */
};

/* What workers do with a file of theirs. */
enum fault_io_mode { FAULT_IO_WRITE, FAULT_IO_READ, FAULT_IO_BOTH };
/* What a device gives to a control group: bytes or operations a second, 0: as much as before. Of a
 * direction at most one of the two, for only the narrower could be measured. */
enum fault_io_limit {
    FAULT_IO_READ_RATE,
    FAULT_IO_WRITE_RATE,
    FAULT_IO_READ_OPS,
    FAULT_IO_WRITE_OPS
};
enum { FAULT_IO_LIMITS = FAULT_IO_WRITE_OPS + 1 };
struct fault_throttling {
    char *path; /* a folder in the platform's state folder: on the device that is meant */
    int64_t limits[FAULT_IO_LIMITS];
};

/* What an app fault orders, which is measured in a way of its own: errors and latency together, or
 * one of the others. */
enum fault_app_order {
    FAULT_APP_ANSWERS, /* errorRate, latency */
    FAULT_APP_READINESS,
    FAULT_APP_DEPENDENCY,
    FAULT_APP_CPU,
    FAULT_APP_MEMORY
};
enum { FAULT_APP_ORDERS = FAULT_APP_MEMORY + 1 };
enum { FAULT_APP_MEMORY_MAX = 1 << 30 }; /* bytes: no service has to take more */

struct fault_spec {
    char *id;               /* unique over all runs: <run id>-<n> */
    char *run;              /* run id */
    struct wall_ns started; /* of the run's planning, on the controller's clock; an agent refuses
                             * what was planned before its last halt. 0: a plan that is never run */
    char *name;             /* the scenario's word for it */
    enum fault_kind kind;
    struct dur_ns duration; /* `for`: always > 0 */
    struct dur_ns lease;    /* without renewal for this long the fault goes away */
    double max_affected;    /* cap on the affected share of the service's instances, 0..1 */
    char *service;
    char **targets; /* names of instances, never empty */
    size_t target_count;
    struct topo_where where; /* what targets are like, those that come later, too */
    struct {                 /* instances that come while it lasts */
        bool on;             /* those that match are hit, too; else they are listed as missed */
        uint64_t count;      /* so many are hit at a time; 0: share says how many */
        double share;        /* of the service's instances, rounded down; 0..1 */
    } track;
    char *parent; /* the agent's own: the fault that this one is a part of; NULL: none */
    union {
        struct {
            int signal;                   /* 0 unless by a signal */
            struct dur_ns restart_within; /* a new process, or pod, must be ready within this */
            struct dur_ns grace;          /* SIGKILL for one that lives on for so long; 0: never, of
                                           * a pod: as long as its own spec says */
            struct dur_ns every;          /* again when it is back, not sooner than this; 0: once */
            enum fault_kill_by by;
            bool force; /* delete: without any grace, and without the node's word that it is gone */
        } kill;
        struct {
            char **peers; /* names of services, or addresses */
            size_t peer_count;
            enum fault_action action;
            enum fault_direction direction;
            char **ports; /* TCP and UDP, of either end; none: all */
            size_t port_count;
            enum fault_protocol protocol; /* any, tcp or udp */
        } partition;
        struct {
            double error_rate; /* 0..1 */
            int error_status;  /* 500..599 */
            struct dur_ns latency;
            bool unready;     /* its readiness probe says no */
            char *dependency; /* it behaves as if this one had failed; NULL: none */
            char *path;       /* what needs that dependency: GET of it fails then; NULL: none */
            double cpu;       /* of one processor; 0..1 */
            int64_t memory;   /* bytes */
        } app;
        struct {
            int workers; /* in each target's control group */
            double load; /* of one processor, for each; 0..1 */
        } cpu;
        struct {
            int64_t bytes;  /* 0: percent is what counts, and the other way round */
            double percent; /* of the control group's limit, else of the host's memory; 0..1 */
            int64_t rate;   /* bytes a second */
        } memory;
        struct fault_network network;
        struct {
            char *path;    /* a folder in the platform's state folder */
            int64_t bytes; /* 0: left is what counts */
            double left;   /* of the file system: all but this share of it is filled; 0..1 */
        } disk;
        struct {
            int64_t files; /* soft limit on open files of each process; -1: left alone */
            int64_t pids;  /* pids.max of the control group; -1: left alone */
            /* Instead of a number: a share of the limit that is in force when the fault is
             * prepared, rounded down, 1 at least; 0..1, 0: none. */
            double files_share;
            double pids_share;
        } limits;
        struct {
            struct fault_route route;
            enum fault_toxic toxic;
            uint64_t bytes;
            struct dur_ns time;
            struct dur_ns jitter; /* latency: each arrival is up to so much earlier or later */
            double share;         /* of the connections, 0..1 */
            uint64_t seed;        /* decides which, and the jitter */
        } tcp;
        struct {
            struct fault_route route;
            char *method;               /* NULL: any */
            char *path;                 /* exactly, without the query; NULL: any */
            char *path_prefix;          /* NULL: any */
            struct fault_texts headers; /* "Name: value": all of them must be there */
            double share;               /* of the requests that match, 0..1 */
            uint64_t seed;              /* decides which */
            enum fault_http_action action;
            int status;
            char *body; /* NULL: none */
            struct dur_ns time;
            struct dur_ns jitter; /* delay: each request is up to so much earlier or later */
            uint64_t bytes;
            struct fault_texts set;    /* "Name: value" */
            struct fault_texts remove; /* names */
        } http;
        struct {
            struct fault_texts names; /* "db.example.com"; "*.example.com": all under it */
            double share;             /* of the questions for them, 0..1 */
            uint64_t seed;            /* decides which */
            enum fault_dns_answer answer;
            char *address; /* FAULT_DNS_ADDRESS; else NULL */
            char *server;  /* address of the name server to measure with; NULL: the target's own */
        } dns;
        struct {
            enum fault_postgres_action action;
            struct dur_ns every; /* 0: once */
            char *table;         /* "name" or "schema.name"; NULL unless locked */
            enum fault_postgres_lock lock;
            int64_t left;                 /* connections that ordinary roles still can make */
            struct fault_throttling disk; /* slowDisk; else without a path */
            struct fault_failover failover;
        } postgres;
        struct {
            enum fault_redis_action action;
            enum fault_redis_pause pause;
            int64_t bytes;       /* fill, evict; else 0 */
            struct dur_ns every; /* kill; 0: once */
            struct dur_ns time;  /* sleep; else 0 */
            struct fault_failover failover;
        } redis;
        struct {
            char *path;  /* a folder in the platform's state folder */
            int workers; /* in each target's control group */
            enum fault_io_mode mode;
            int64_t bytes; /* of the file of each */
            int64_t rate;  /* bytes a second of each; 0: as fast as it goes */
        } io;
        struct fault_throttling throttle;
        struct {
            enum fault_rabbitmq_action action;
            struct dur_ns every;            /* close; 0: once */
            int64_t bytes;                  /* fill; else 0 */
            struct fault_failover failover; /* stop */
        } rabbitmq;
        struct {
            enum fault_node_action action;
            bool empty_dir; /* drain: also pods with an emptyDir volume */
        } node;
    };
};

/* The life of a fault. The allowed moves are a table in chaos/src/lifecycle.c. */
enum fault_state {
    FAULT_REQUESTED,
    FAULT_APPLYING,    /* the journal holds it */
    FAULT_ACTIVE,      /* applied, and its effect measured */
    FAULT_INEFFECTIVE, /* applied, but the effect was not there: being reverted */
    FAULT_FAILED, /* could not be applied: being reverted, nothing is left if revert succeeds */
    FAULT_REVERTING,
    FAULT_GONE, /* reverted, and its absence measured */
    FAULT_STUCK /* reverted as far as possible, absence not shown: a person must look */
};

enum fault_end { /* why it was reverted */
                 FAULT_END_NONE,
                 FAULT_END_EXPIRED, /* its `for` passed */
                 FAULT_END_REQUEST, /* the controller asked */
                 FAULT_END_LEASE,   /* the controller fell silent */
                 FAULT_END_HALT,
                 FAULT_END_RECOVERY, /* the agent had died; found in the journal at its start */
                 FAULT_END_FAILED    /* never became active */
};

/* One measurement that shows presence or absence, before, during or after the fault. */
struct fault_evidence {
    char *target; /* instance */
    char *when;   /* "before" | "during" | "after" */
    char *metric; /* "process alive", "tcp connect to postgres-1:5432", "error rate"... */
    char *value;  /* as text with its unit */
    char *expected;
    bool ok;
    struct wall_ns at;
};

enum { FAULT_MAX_ARRIVALS = 256 }; /* of a record: one that crashes again and again fills no disk */

/* An instance that came while the fault was in force: for the first time, or as another process. */
struct fault_arrival {
    char *target;
    char *what;  /* "new instance", "new process", "restarted" */
    char *who;   /* "pid 123"; NULL: its process is not known */
    bool joined; /* it is hit, and that was measured; else it was missed */
    char *how;   /* joined: by what; missed: why */
    struct wall_ns seen_at;
    struct wall_ns decided_at; /* joined: its effect was measured then */
};

struct fault_record {
    char *id;
    char *run;
    char *name;
    enum fault_kind kind;
    char **targets;
    size_t target_count;
    enum fault_state state;
    enum fault_end end;
    bool was_active;             /* the effect was measured at some time */
    char *error;                 /* NULL: none */
    struct wall_ns requested_at; /* 0: has not happened */
    struct wall_ns applied_at;
    struct wall_ns verified_at;
    struct wall_ns reverted_at;
    struct wall_ns gone_at;
    struct wall_ns expires_at;
    struct fault_evidence *evidence;
    size_t evidence_count;
    struct fault_arrival *arrivals; /* grows at its end; what is there stays as it is */
    size_t arrival_count;
};

/* Whether the fault drains the node that the topology places the instance on. */
bool fault_drains(const struct fault_spec *spec, const struct topo *topo,
                  const struct topo_instance *instance);
/* It is done through Kubernetes' API: to a pod, and not to processes. */
bool fault_is_of_pod(const struct fault_spec *spec);
/* It throttles a disk as ioThrottle does, and shows it by commits of the primary. */
bool fault_is_slow_disk(const struct fault_spec *spec);
/* Of ioThrottle, or of a slow disk. */
const struct fault_throttling *fault_throttling_of(const struct fault_spec *spec);
/* Of one that cuts a store's node off from its cluster; NULL: it does not. */
const struct fault_failover *fault_failover_of(const struct fault_spec *spec);
const char *fault_kill_by_name(enum fault_kill_by by);
const char *fault_node_action_name(enum fault_node_action action);
/* What does not go together in a kill. */
bool fault_kill_check(const struct fault_spec *spec, struct base_error *err);
bool fault_spec_from_json(const json_t *json, struct fault_spec *out, struct base_error *err);
json_t *fault_spec_to_json(const struct fault_spec *spec);
void fault_spec_copy(struct fault_spec *out, const struct fault_spec *spec);
void fault_spec_fini(struct fault_spec *spec);

bool fault_record_from_json(const json_t *json, struct fault_record *out, struct base_error *err);
json_t *fault_record_to_json(const struct fault_record *record);
void fault_record_fini(struct fault_record *record);
void fault_record_add_evidence(struct fault_record *record, const char *target, const char *when,
                               const char *metric, const char *value, const char *expected, bool ok,
                               struct wall_ns at);

/* Takes copies. */
void fault_record_add_arrival(struct fault_record *record, const struct fault_arrival *arrival);
void fault_record_add_target(struct fault_record *record, const char *target);
/* Why faults of this kind cannot follow instances that come later; NULL: they can. */
const char *fault_track_refused(enum fault_kind kind);

/* It was applied, and a measurement taken during it did not show its effect. */
bool fault_record_ineffective(const struct fault_record *record);

/* Whether it does something, and nothing of it contradicts or hides the rest, so that the effect
 * can be measured. false: the message starts with the key that is to be changed. */
bool fault_network_check(const struct fault_network *network, struct base_error *err);
/* At least one limit, and of a direction one at most; the message starts with a key. */
bool fault_io_limits_check(const int64_t limits[static FAULT_IO_LIMITS], struct base_error *err);
/* Likewise, of what is to slow commits: one of them is of writes. */
bool fault_slow_disk_check(const int64_t limits[static FAULT_IO_LIMITS], struct base_error *err);
const char *fault_io_limit_name(enum fault_io_limit limit); /* as in scenarios: "readRate" */
/* As in scenarios: "dependency"; "errorRate or latency". */
const char *fault_app_order_name(enum fault_app_order order);
enum fault_app_order fault_app_order_of(const struct fault_spec *spec); /* of a checked one */
bool fault_has_burst(const struct fault_impairment *impairment);
bool fault_has_states(const struct fault_impairment *impairment);
bool fault_loses(const struct fault_impairment *impairment);     /* by any of the three ways */
bool fault_has_share(const struct fault_impairment *impairment); /* some are not hit */

/* Enum <-> lower-case word ("kill", "active", "lease"). Parsing an unknown word is false. */
const char *fault_kind_name(enum fault_kind kind);
const char *fault_toxic_name(enum fault_toxic toxic); /* as in scenarios: "limitData" */
const char *fault_http_action_name(enum fault_http_action action); /* "slowBody" */
const char *fault_state_name(enum fault_state state);
const char *fault_end_name(enum fault_end end);
bool fault_state_final(enum fault_state state); /* gone or stuck */

#endif
