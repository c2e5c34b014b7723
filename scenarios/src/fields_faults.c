/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what can be broken; a new kind of fault is a row here. */
#include <signal.h>

#include "fields_parts.h"

static const struct scn_word select_list[] = {{"one", SCN_SELECT_ONE}, {"all", SCN_SELECT_ALL}};
static const struct scn_words selects = WORDS(select_list);
static const struct scn_word signal_list[] = {
    {"SIGKILL", SIGKILL}, {"SIGTERM", SIGTERM}, {"SIGINT", SIGINT}, {"SIGQUIT", SIGQUIT},
    {"SIGABRT", SIGABRT}, {"SIGSEGV", SIGSEGV}, {"SIGHUP", SIGHUP}};
static const struct scn_words signals = WORDS(signal_list);
static const struct scn_word action_list[] = {
    {"drop", FAULT_DROP}, {"reject", FAULT_REJECT}, {"tcp-reset", FAULT_RESET}};
static const struct scn_words actions = WORDS(action_list);

#define AT(member) .offset = offsetof(struct scn_select, member)
static const struct scn_field select_fields[] = {
    {.key = "count",
     .type = SCN_INTEGER,
     AT(count),
     .choice = SCN_SELECT_COUNT + 1,
     .min = "1",
     .max = "10000",
     .example = "2",
     .help = "So many instances."},
    {.key = "percent",
     .type = SCN_PERCENT,
     AT(percent),
     .choice = SCN_SELECT_PERCENT + 1,
     .min = "0%",
     .max = "100%",
     .help = "That share of the instances, rounded down; none is an error."},
    {.key = "randomMaxPercent",
     .type = SCN_PERCENT,
     AT(up_to),
     .choice = SCN_SELECT_UP_TO + 1,
     .min = "0%",
     .max = "100%",
     .example = "50%",
     .help = "A random number of instances, at least one, up to that share; the seed decides."},
};
static const struct scn_shape select_shape = {FIELDS(select_fields), .choice_of = "a way to select",
                                              .choice_offset = offsetof(struct scn_select, mode)};
#undef AT

#define AT(member) .offset = offsetof(struct topo_where, member)
static const struct scn_field where_fields[] = {
    {.key = "zone", .type = SCN_PLACE, AT(zone), .example = "eu-1a", .help = "In this zone."},
    {.key = "node", .type = SCN_PLACE, AT(node), .example = "node-1", .help = "On this node."},
    {.key = "namespace",
     .type = SCN_PLACE,
     AT(namespace),
     .example = "shop",
     .help = "In this namespace."},
    {.key = "labels",
     .type = SCN_TEXTS,
     .item = SCN_LABEL,
     AT(labels),
     .count_offset = offsetof(struct topo_where, label_count),
     .least = 1,
     .most = 16,
     .help = "With all of these labels."},
};
static const struct scn_shape where_shape = {FIELDS(where_fields)};
#undef AT

static const struct scn_word kill_by_list[] = {
    {"signal", FAULT_KILL_SIGNAL}, {"delete", FAULT_KILL_DELETE}, {"evict", FAULT_KILL_EVICT}};
static const struct scn_words kill_bys = WORDS(kill_by_list);

#define AT(member) .offset = offsetof(struct scn_fault, member)
static const struct scn_field kill_fields[] = {
    {.key = "signal",
     .type = SCN_WORD,
     .words = &signals,
     AT(kill.signal),
     .fallback = "SIGKILL",
     .help = "Signal that the processes get."},
    {.key = "restartWithin",
     .type = SCN_DURATION,
     AT(kill.restart_within),
     .fallback = "10s",
     .min = "100ms",
     .max = "10m",
     .help = "A new process must be ready by then; of a pod as many of its owner as before."},
    {.key = "grace",
     .type = SCN_DURATION,
     AT(kill.grace),
     .fallback = "0s",
     .min = "0s",
     .max = "10s",
     .example = "5s",
     .help = "A process that lives on for so long gets SIGKILL. Makes SIGTERM the default signal. "
             "Of a pod the time it is given to end, in whole seconds; 0s: what its own spec says."},
    {.key = "every",
     .type = SCN_DURATION,
     AT(kill.every),
     .fallback = "0s",
     .min = "0s",
     .max = "10m",
     .example = "2s",
     .help =
         "A crash loop: killed again each time that it has come back, at most this often, until "
         "the fault ends. 0s: once."},
    {.key = "by",
     .type = SCN_WORD,
     .words = &kill_bys,
     AT(kill.by),
     .fallback = "signal",
     .help = "signal: to the process; delete: its pod is deleted through Kubernetes' API, whatever "
             "a disruption budget says; evict: its pod is evicted if the budget allows. The "
             "topology tells the API server and each instance's pod."},
    {.key = "force",
     .type = SCN_BOOLEAN,
     AT(kill.force),
     .fallback = "false",
     .help = "With by: delete: at once, without the pod's grace or its node's word that it is "
             "gone."},
};
static const struct scn_shape kill_shape = {FIELDS(kill_fields)};

static const struct scn_word cut_protocol_list[] = {
    {"any", FAULT_PROTOCOL_ANY}, {"tcp", FAULT_PROTOCOL_TCP}, {"udp", FAULT_PROTOCOL_UDP}};
static const struct scn_words cut_protocols = WORDS(cut_protocol_list);
static const struct scn_field partition_fields[] = {
    {.key = "from",
     .type = SCN_TEXTS,
     .item = SCN_PEERS,
     AT(partition.from),
     .count_offset = offsetof(struct scn_fault, partition.from_count),
     .required = true,
     .least = 1,
     .most = 64,
     .help =
         "Whom the targets are cut off from: services, instances, ADDRESS:PORT, or blocks such as "
         "10.1.0.0/16, in which an instance must lie to measure by."},
    {.key = "action",
     .type = SCN_WORD,
     .words = &actions,
     AT(partition.action),
     .fallback = "drop",
     .help = "drop: packets vanish, as on a dead link; reject: TCP is reset, the rest is answered "
             "with ICMP errors; tcp-reset: TCP is reset, the rest vanishes."},
    {.key = "direction",
     .type = SCN_WORD,
     .words = &scn_directions,
     AT(partition.direction),
     .fallback = "both",
     .help = "Seen from the target: ingress is what it receives, egress what it sends."},
    {.key = "ports",
     .type = SCN_TEXTS,
     .item = SCN_PORT,
     AT(partition.ports),
     .count_offset = offsetof(struct scn_fault, partition.port_count),
     .most = FAULT_MAX_PORTS,
     .help = "Only packets from or to one of these TCP or UDP ports. Without it: all."},
    {.key = "protocol",
     .type = SCN_WORD,
     .words = &cut_protocols,
     AT(partition.protocol),
     .fallback = "any",
     .help = "Only packets of this protocol; of udp, whom they are cut off from has to be of the "
             "platform."},
};
static const struct scn_shape partition_shape = {FIELDS(partition_fields)};

static const struct scn_field repeat_fields[] = {
    {.key = "times",
     .type = SCN_INTEGER,
     AT(repeat.times),
     .required = true,
     .min = "2",
     .max = "100",
     .example = "3",
     .help = "How often the fault happens; each time selects its targets anew."},
    {.key = "every",
     .type = SCN_DURATION,
     AT(repeat.every),
     .required = true,
     .min = "1s",
     .max = "1h",
     .help = "From one start to the next; longer than `for`, so that recovery is seen."},
};
static const struct scn_shape repeat_shape = {FIELDS(repeat_fields)};

static const struct scn_field ramp_fields[] = {
    {.key = "steps",
     .type = SCN_INTEGER,
     AT(ramp.steps),
     .required = true,
     .min = "2",
     .max = "20",
     .example = "4",
     .help = "Cuts `for` into equal parts; the n-th of N has n/N of what the fault asks for. What "
             "ioThrottle allows is N/n times as much; io without a rate has n/N of its workers."},
};
static const struct scn_shape ramp_shape = {FIELDS(ramp_fields)};
static const struct scn_field cpu_fields[] = {
    {.key = "workers",
     .type = SCN_INTEGER,
     AT(cpu.workers),
     .fallback = "1",
     .min = "1",
     .max = "64",
     .example = "2",
     .help = "Processes that take processor time from the target, in its control group."},
    {.key = "load",
     .type = SCN_PERCENT,
     AT(cpu.load),
     .fallback = "100%",
     .min = "1%",
     .max = "100%",
     .help = "How much of one processor each of them takes."},
};
static const struct scn_shape cpu_shape = {FIELDS(cpu_fields)};

static const struct scn_field memory_fields[] = {
    {.key = "size",
     .type = SCN_BYTES,
     AT(memory.size),
     .choice = SCN_MEMORY_SIZE + 1,
     .min = "1MiB",
     .max = "1024GiB",
     .example = "256MiB",
     .help = "Memory that is taken from the target, in its control group."},
    {.key = "percent",
     .type = SCN_PERCENT,
     AT(memory.percent),
     .choice = SCN_MEMORY_PERCENT + 1,
     .min = "1%",
     .max = "100%",
     .example = "50%",
     .help = "The same as a share of the control group's limit, or of the host's memory when it "
             "has none."},
    {.key = "rate",
     .type = SCN_BYTES,
     AT(memory.rate),
     .fallback = "1GiB",
     .min = "1MiB",
     .max = "64GiB",
     .help = "How fast it is taken, in bytes a second; all must be taken well within the lease."},
};
static const struct scn_shape memory_shape = {FIELDS(memory_fields), .choice_of = "a measure",
                                              .choice_offset =
                                                  offsetof(struct scn_fault, memory.by)};

static const struct scn_field disk_fields[] = {
    {.key = "folder",
     .type = SCN_TEXT,
     AT(disk.folder),
     .fallback = ".",
     .example = "postgres",
     .help = "Where, within the platform's state folder, or an absolute path that the agent's "
             "--allow-path permits: the file system that it lies on is filled, for everybody."},
    {.key = "size",
     .type = SCN_BYTES,
     AT(disk.size),
     .choice = SCN_DISK_SIZE + 1,
     .min = "1MiB",
     .max = "1024GiB",
     .example = "1GiB",
     .help = "So much is filled."},
    {.key = "left",
     .type = SCN_PERCENT,
     AT(disk.left),
     .choice = SCN_DISK_LEFT + 1,
     .min = "0%",
     .max = "99%",
     .example = "10%",
     .help = "All is filled but this share of the file system. Where the agent's journal lies, 5% "
             "and 256 MiB always stay."},
};
static const struct scn_shape disk_shape = {FIELDS(disk_fields), .choice_of = "a measure",
                                            .choice_offset = offsetof(struct scn_fault, disk.by)};

static const struct scn_field limits_fields[] = {
    {.key = "files",
     .type = SCN_INTEGER,
     AT(limits.files),
     .fallback = "-1",
     .min = "-1",
     .max = "1000000",
     .example = "64",
     .help =
         "Files and connections that each process may have open; 0: not one more. -1: as it is."},
    {.key = "pids",
     .type = SCN_INTEGER,
     AT(limits.pids),
     .fallback = "-1",
     .min = "-1",
     .max = "1000000",
     .example = "10",
     .help = "Processes and threads in the target's control group; 0: not one more. -1: as it is."},
    {.key = "filesPercent",
     .type = SCN_PERCENT,
     AT(limits.files_share),
     .fallback = "0%",
     .min = "0%",
     .max = "99%",
     .example = "10%",
     .help = "Instead of files: a share of the soft limit that the target's process has, rounded "
             "down, 1 at least; the record says what it came to. 0%: as it is."},
    {.key = "pidsPercent",
     .type = SCN_PERCENT,
     AT(limits.pids_share),
     .fallback = "0%",
     .min = "0%",
     .max = "99%",
     .example = "50%",
     .help = "Instead of pids: a share of the control group's own pids.max, likewise; refused "
             "where it is \"max\". 0%: as it is."},
};
static const struct scn_shape limits_shape = {FIELDS(limits_fields)};

static const struct scn_shape pause_shape = {.fields = NULL}; /* nothing to say */
static const struct scn_field wait_fields[] = {
    {.key = "probe",
     .type = SCN_NAME,
     AT(wait.probe),
     .required = true,
     .example = "queue-is-deep",
     .help = "Name of a probe of mode gate or continuous; what it answered before does not count."},
    {.key = "within",
     .type = SCN_DURATION,
     AT(wait.within),
     .required = true,
     .min = "1s",
     .max = "24h",
     .example = "30s",
     .help = "It must hold by then; otherwise the run ends, and its evidence is insufficient."},
};
static const struct scn_shape wait_shape = {FIELDS(wait_fields)};

static const struct scn_field suspend_fields[] = {
    {.key = "within",
     .type = SCN_DURATION,
     AT(suspend.within),
     .required = true,
     .min = "1s",
     .max = "24h",
     .example = "5m",
     .help = "How long the run waits for somebody; then it is aborted."},
    {.key = "message",
     .type = SCN_TEXT,
     AT(suspend.message),
     .example = "\"look at the dashboard\"",
     .help = "What the operator is told."},
};
static const struct scn_shape suspend_shape = {FIELDS(suspend_fields)};

static const struct scn_field fault_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "lose-one-users-instance",
     .help = "Names the fault, the phase in which it is in force, and with after- in front the "
             "phase that follows."},
    {.key = "at",
     .type = SCN_DURATION,
     AT(at),
     .required = true,
     .min = "0s",
     .max = "24h",
     .help = "When it is applied, counted from the start of the load, or from the end of the fault "
             "that `after` names."},
    {.key = "after",
     .type = SCN_NAME,
     AT(after),
     .example = "lose-one-users-instance",
     .help = "Another fault that must be over by plan first; with `repeat`, its last time."},
    {.key = "for",
     .type = SCN_DURATION,
     AT(duration),
     .required = true,
     .min = "100ms",
     .max = "1h",
     .help = "How long it stays. A fault without an end cannot be expressed."},
    {.key = "repeat",
     .type = SCN_OBJECT,
     .shape = &repeat_shape,
     .help = "Happens several times, as <name>-1, <name>-2..."},
    {.key = "ramp",
     .type = SCN_OBJECT,
     .shape = &ramp_shape,
     .help = "Grows in steps on the same targets, as <name>-1, <name>-2..."},
    {.key = "lease",
     .type = SCN_DURATION,
     AT(lease),
     .fallback = "3s",
     .min = "1s",
     .max = "60s",
     .help = "It goes away by itself when squall has been silent for this long."},
    {.key = "service",
     .type = SCN_NAME,
     AT(service),
     .required = true,
     .example = "users",
     .help = "Service that is hit."},
    {.key = "select",
     .type = SCN_WORD_OR_OBJECT,
     .words = &selects,
     .shape = &select_shape,
     AT(select),
     .fallback = "one",
     .help = "Which of its instances; the seed decides where there is a choice."},
    {.key = "maxAffected",
     .type = SCN_PERCENT,
     AT(max_affected),
     .fallback = "50%",
     .min = "0%",
     .max = "100%",
     .help = "Largest share of the service's instances that may be hit at a time. Must be given "
             "for services that observe the platform."},
    {.key = "kill",
     .type = SCN_OBJECT,
     .shape = &kill_shape,
     .choice = FAULT_KILL + 1,
     .help = "Ends the processes; whoever runs them must start new ones."},
    {.key = "partition",
     .type = SCN_OBJECT,
     .shape = &partition_shape,
     .choice = FAULT_PARTITION + 1,
     .help = "Cuts the network between the targets and other services."},
    {.key = "app",
     .type = SCN_OBJECT,
     .shape = &scn_app_shape,
     .choice = FAULT_APP + 1,
     .help =
         "What the service does to itself when it is told to, through its /api/chaos: errorRate "
         "and latency, or one of the others."},
    {.key = "pause",
     .type = SCN_OBJECT,
     .shape = &pause_shape,
     .choice = FAULT_PAUSE + 1,
     .help = "Freezes the processes: connections are taken, nobody answers."},
    {.key = "cpu",
     .type = SCN_OBJECT,
     .shape = &cpu_shape,
     .choice = FAULT_CPU + 1,
     .help = "Takes processor time away, in the targets' control groups."},
    {.key = "memory",
     .type = SCN_OBJECT,
     .shape = &memory_shape,
     .choice = FAULT_MEMORY + 1,
     .help = "Takes memory away, in the targets' control groups; a tenth of the host's memory, "
             "256 MiB at least, always stays available."},
    {.key = "network",
     .type = SCN_OBJECT,
     .shape = &scn_network_shape,
     .choice = FAULT_NETWORK + 1,
     .help = "Delays, loses, doubles, corrupts, reorders or slows down packets between the targets "
             "and their peers."},
    {.key = "diskFill",
     .type = SCN_OBJECT,
     .shape = &disk_shape,
     .choice = FAULT_DISK_FILL + 1,
     .help = "Fills the file system that holds the platform's state."},
    {.key = "limits",
     .type = SCN_OBJECT,
     .shape = &limits_shape,
     .choice = FAULT_LIMITS + 1,
     .help = "Lets the targets run out of files or processes."},
    {.key = "tcp",
     .type = SCN_OBJECT,
     .shape = &scn_tcp_shape,
     .choice = FAULT_TCP + 1,
     .help = "What a bad proxy does to TCP connections; those that are open are reset when the "
             "fault begins and when it ends."},
    {.key = "http",
     .type = SCN_OBJECT,
     .shape = &scn_http_shape,
     .choice = FAULT_HTTP + 1,
     .help = "What a bad proxy does to HTTP/1.1 requests that match; open connections are reset "
             "as with tcp."},
    {.key = "dns",
     .type = SCN_OBJECT,
     .shape = &scn_dns_shape,
     .choice = FAULT_DNS + 1,
     .help = "What the targets are answered when they ask for names, over UDP and TCP."},
    {.key = "waitFor",
     .type = SCN_OBJECT,
     .shape = &wait_shape,
     .help = "When its turn has come, it begins as soon as a probe holds. What follows it is as "
             "much later; the phases are as they come."},
    {.key = "if",
     .type = SCN_NAME,
     AT(only_if),
     .example = "one-loss-was-survived",
     .help = "A probe that must hold at that time, or it is skipped: of mode gate or continuous, "
             "then it is asked anew; or during, then its answers up to then count. With `repeat` "
             "and `ramp`, each time for itself."},
    {.key = "unless",
     .type = SCN_NAME,
     AT(unless),
     .example = "one-loss-was-survived",
     .help = "As `if`, but the probe must not hold."},
    {.key = "suspend",
     .type = SCN_OBJECT,
     .shape = &suspend_shape,
     .help = "When its turn has come, the run waits for an operator (`squall continue DIR`, or "
             "Enter at its terminal), before waitFor, if and unless are looked at. Meanwhile no "
             "fault is in force, the load goes on, and all that is planned moves back."},
    {.key = "postgres",
     .type = SCN_OBJECT,
     .shape = &scn_postgres_shape,
     .choice = FAULT_POSTGRES + 1,
     .help = "What other clients can do to a PostgreSQL server, 14 or later. The service has a "
             "credentialsFile in the topology."},
    {.key = "redis",
     .type = SCN_OBJECT,
     .shape = &scn_redis_shape,
     .choice = FAULT_REDIS + 1,
     .help = "What other clients can do to a Redis server, 6.2 or later. The service has a "
             "credentialsFile in the topology."},
    {.key = "io",
     .type = SCN_OBJECT,
     .shape = &scn_io_shape,
     .choice = FAULT_IO + 1,
     .help = "Workers write and read on a disk, in the targets' control groups."},
    {.key = "ioThrottle",
     .type = SCN_OBJECT,
     .shape = &scn_throttle_shape,
     .choice = FAULT_IO_THROTTLE + 1,
     .help = "A disk gives the targets' control groups no more than so much."},
    {.key = "rabbitmq",
     .type = SCN_OBJECT,
     .shape = &scn_rabbitmq_shape,
     .choice = FAULT_RABBITMQ + 1,
     .help =
         "What an operator can do to a RabbitMQ node through its management plugin. The service "
         "has a credentialsFile in the topology."},
    {.key = "node",
     .type = SCN_OBJECT,
     .shape = &scn_node_shape,
     .choice = FAULT_NODE + 1,
     .help =
         "What Kubernetes does to the nodes that the targets run on. The topology tells the API "
         "server and each instance's node."},
    {.key = "track",
     .type = SCN_BOOLEAN,
     AT(track),
     .fallback = "false",
     .help =
         "Instances that come while it lasts, and new processes of those that are hit, are hit, "
         "too, as far as select and maxAffected allow. Without it they are listed as missed."},
    {.key = "where",
     .type = SCN_OBJECT,
     .shape = &where_shape,
     AT(where),
     .help = "Only instances of the service that the topology says to be like this: select chooses "
             "among them, and track follows them alone; maxAffected stays a share of all."},
    {.key = FAULT_CLOCK,
     .type = SCN_TEXT,
     .refused = FAULT_CLOCK_REFUSED,
     .help = "Never accepted: " FAULT_CLOCK_REFUSED "."},
};
const struct scn_shape scn_fault_shape = {.size = sizeof(struct scn_fault),
                                          FIELDS(fault_fields),
                                          .choice_of = "a kind of fault",
                                          .choice_offset = offsetof(struct scn_fault, kind),
                                          .named = true};
#undef AT
