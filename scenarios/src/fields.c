/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of scenario files, squall/v1. This table is the contract: parser, defaults, ranges,
 * units, JSON Schema and help all come from it.
 */
#include "fields.h"

#include <signal.h>

#include "scenarios/scenario.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS(table)                                                                               \
    {                                                                                              \
        (table), COUNT_OF(table)                                                                   \
    }
#define FIELDS(table) .fields = (table), .count = COUNT_OF(table)

/* ---- words ---- */

static const struct scn_word api_version_list[] = {{"squall/v1", 1}};
static const struct scn_words api_versions = WORDS(api_version_list);
static const struct scn_word file_kind_list[] = {{"Scenario", 1}};
static const struct scn_words file_kinds = WORDS(file_kind_list);
static const struct scn_word target_kind_list[] = {{"sandbox", SCN_TARGET_SANDBOX},
                                                   {"external", SCN_TARGET_EXTERNAL}};
static const struct scn_words target_kinds = WORDS(target_kind_list);
static const struct scn_word arrivals_list[] = {{"poisson", LOAD_POISSON},
                                                {"constant", LOAD_CONSTANT}};
static const struct scn_words arrivals = WORDS(arrivals_list);
static const struct scn_word select_list[] = {{"one", SCN_SELECT_ONE}, {"all", SCN_SELECT_ALL}};
static const struct scn_words selects = WORDS(select_list);
static const struct scn_word signal_list[] = {
    {"SIGKILL", SIGKILL}, {"SIGTERM", SIGTERM}, {"SIGINT", SIGINT}, {"SIGQUIT", SIGQUIT},
    {"SIGABRT", SIGABRT}, {"SIGSEGV", SIGSEGV}, {"SIGHUP", SIGHUP}};
static const struct scn_words signals = WORDS(signal_list);
static const struct scn_word action_list[] = {{"drop", FAULT_DROP}, {"reject", FAULT_REJECT}};
static const struct scn_words actions = WORDS(action_list);
static const struct scn_word direction_list[] = {
    {"both", FAULT_BOTH}, {"ingress", FAULT_INGRESS}, {"egress", FAULT_EGRESS}};
static const struct scn_words directions = WORDS(direction_list);

/* ---- metadata, target ---- */

#define AT(member) .offset = offsetof(struct scn_scenario, member)
static const struct scn_field metadata_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "first",
     .help = "Names the scenario in reports and in the history of runs."},
    {.key = "description",
     .type = SCN_TEXT,
     AT(description),
     .fallback = "",
     .help = "What the scenario shows, for the people who read its report."},
};
static const struct scn_shape metadata_shape = {FIELDS(metadata_fields)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_target, agent.member)
static const struct scn_field agent_fields[] = {
    {.key = "url",
     .type = SCN_URL,
     AT(url),
     .required = true,
     .example = "http://127.0.0.1:7070",
     .help = "Where squall-agent listens."},
    {.key = "tokenFile",
     .type = SCN_TEXT,
     AT(token_file),
     .required = true,
     .example = "/etc/squall/agent.token",
     .help = "File on this machine that holds the agent's token."},
};
static const struct scn_shape agent_shape = {FIELDS(agent_fields)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_target, member)
static const struct scn_field target_fields[] = {
    {.key = "kind",
     .type = SCN_WORD,
     .words = &target_kinds,
     AT(kind),
     .fallback = "sandbox",
     .help = "sandbox: a platform brought up by `squall up`; external: any URLs."},
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .fallback = "default",
     .only = "sandbox",
     .example = "default",
     .help = "Name of the sandbox."},
    {.key = "urls",
     .type = SCN_TEXTS,
     .item = SCN_ORIGIN,
     AT(urls),
     .count_offset = offsetof(struct scn_target, url_count),
     .required = true,
     .only = "external",
     .least = 1,
     .most = 256,
     .help = "Origins that share the load."},
    {.key = "prometheus",
     .type = SCN_URL,
     AT(prometheus),
     .only = "external",
     .help = "Prometheus that scrapes the target; needed by slos."},
    {.key = "scrapeInterval",
     .type = SCN_DURATION,
     AT(scrape_interval),
     .fallback = "15s",
     .only = "external",
     .min = "100ms",
     .max = "10m",
     .help = "How often that Prometheus scrapes; coverage is judged by it."},
    {.key = "agent",
     .type = SCN_OBJECT,
     .shape = &agent_shape,
     .only = "external",
     .help = "The agent that applies faults on the target."},
};
static const struct scn_shape target_shape = {FIELDS(target_fields)};
#undef AT

/* ---- load ---- */

#define AT(member) .offset = offsetof(struct scn_route, member)
static const struct scn_field route_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "list-users",
     .help = "Names the route in thresholds and reports."},
    {.key = "method", .type = SCN_METHOD, AT(method), .fallback = "GET", .help = "HTTP method."},
    {.key = "path", .type = SCN_PATH, AT(path), .required = true, .help = "Path with the query."},
    {.key = "weight",
     .type = SCN_INTEGER,
     AT(weight),
     .fallback = "1",
     .min = "1",
     .max = "1000000",
     .help = "Share of the requests, relative to the other routes."},
    {.key = "headers",
     .type = SCN_HEADERS,
     AT(headers),
     .count_offset = offsetof(struct scn_route, header_count),
     .most = 100,
     .help = "Request headers by name."},
    {.key = "body",
     .type = SCN_TEXT,
     AT(body),
     .example = "'{\"name\":\"x\"}'",
     .help = "Request body."},
};
static const struct scn_shape route_shape = {
    .size = sizeof(struct scn_route), FIELDS(route_fields), .named = true};
#undef AT

#define AT(member) .offset = offsetof(struct scn_load, member)
static const struct scn_field load_fields[] = {
    {.key = "service",
     .type = SCN_NAME,
     AT(service),
     .example = "gateway",
     .help = "Service whose instances share the load. Needed unless target.kind is external."},
    {.key = "arrivals",
     .type = SCN_WORD,
     .words = &arrivals,
     AT(arrivals),
     .fallback = "poisson",
     .help = "How requests are spread over time; responses never slow them down."},
    {.key = "rate",
     .type = SCN_RATE,
     AT(rate),
     .required = true,
     .min = "1/h",
     .max = "1000000/s",
     .help = "Requests a second over all connections."},
    {.key = "connections",
     .type = SCN_INTEGER,
     AT(connections),
     .fallback = "64",
     .min = "1",
     .max = "65535",
     .help = "Connections that carry the requests."},
    {.key = "threads",
     .type = SCN_INTEGER,
     AT(threads),
     .fallback = "0",
     .min = "0",
     .max = "256",
     .help = "Threads of the load generator; 0 is one for each core."},
    {.key = "timeout",
     .type = SCN_DURATION,
     AT(timeout),
     .fallback = "5s",
     .min = "1ms",
     .max = "10m",
     .help = "A request without a whole response by then has failed."},
    {.key = "interval",
     .type = SCN_DURATION,
     AT(interval),
     .fallback = "1s",
     .min = "100ms",
     .max = "60s",
     .help = "Length of the intervals in which results are recorded."},
    {.key = "routes",
     .type = SCN_OBJECTS,
     .shape = &route_shape,
     AT(routes),
     .count_offset = offsetof(struct scn_load, route_count),
     .required = true,
     .least = 1,
     .most = 256,
     .help = "What is requested."},
};
static const struct scn_shape load_shape = {FIELDS(load_fields)};
#undef AT

/* ---- steady state ---- */

#define AT(member) .offset = offsetof(struct scn_check, member)
static const struct scn_field check_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "gateway-ready",
     .help = "Names the check in reports."},
    {.key = "service",
     .type = SCN_NAME,
     AT(service),
     .example = "gateway",
     .help = "Service whose every instance is asked; that of the load when left out."},
    {.key = "path",
     .type = SCN_PATH,
     AT(path),
     .fallback = "/ready",
     .example = "/ready",
     .help = "Path that is asked for."},
    {.key = "status",
     .type = SCN_INTEGER,
     AT(status),
     .fallback = "200",
     .min = "100",
     .max = "599",
     .help = "Status that must come back."},
    {.key = "timeout",
     .type = SCN_DURATION,
     AT(timeout),
     .fallback = "1s",
     .min = "1ms",
     .max = "60s",
     .help = "Time for the answer."},
};
static const struct scn_shape check_shape = {
    .size = sizeof(struct scn_check), FIELDS(check_fields), .named = true};
#undef AT

#define AT(member) .offset = offsetof(struct scn_steady, member)
static const struct scn_field steady_fields[] = {
    {.key = "for",
     .type = SCN_DURATION,
     AT(hold),
     .fallback = "2s",
     .min = "0s",
     .max = "10m",
     .help = "All checks must hold this long without a break before the load starts."},
    {.key = "within",
     .type = SCN_DURATION,
     AT(within),
     .fallback = "30s",
     .min = "1s",
     .max = "1h",
     .help = "The run is given up when that has not come about by then."},
    {.key = "checks",
     .type = SCN_OBJECTS,
     .shape = &check_shape,
     AT(checks),
     .count_offset = offsetof(struct scn_steady, check_count),
     .required = true,
     .least = 1,
     .most = 64,
     .help = "What must hold."},
};
static const struct scn_shape steady_shape = {FIELDS(steady_fields)};
#undef AT

/* ---- faults ---- */

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
};
static const struct scn_shape select_shape = {FIELDS(select_fields), .choice_of = "a way to select",
                                              .choice_offset = offsetof(struct scn_select, mode)};
#undef AT

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
     .help = "A new process must be ready by then."},
};
static const struct scn_shape kill_shape = {FIELDS(kill_fields)};

static const struct scn_field partition_fields[] = {
    {.key = "from",
     .type = SCN_TEXTS,
     .item = SCN_NAME,
     AT(partition.from),
     .count_offset = offsetof(struct scn_fault, partition.from_count),
     .required = true,
     .least = 1,
     .most = 64,
     .help = "Services that the targets are cut off from."},
    {.key = "action",
     .type = SCN_WORD,
     .words = &actions,
     AT(partition.action),
     .fallback = "drop",
     .help = "drop: packets vanish, as on a dead link; reject: connections are refused."},
    {.key = "direction",
     .type = SCN_WORD,
     .words = &directions,
     AT(partition.direction),
     .fallback = "both",
     .help = "Seen from the target: ingress is what it receives, egress what it sends."},
};
static const struct scn_shape partition_shape = {FIELDS(partition_fields)};

static const struct scn_field app_fields[] = {
    {.key = "errorRate",
     .type = SCN_PERCENT,
     AT(app.error_rate),
     .fallback = "0%",
     .min = "0%",
     .max = "100%",
     .example = "20%",
     .help = "Share of the requests that the service answers with an error."},
    {.key = "errorStatus",
     .type = SCN_INTEGER,
     AT(app.error_status),
     .fallback = "500",
     .min = "500",
     .max = "599",
     .example = "503",
     .help = "Status of those errors."},
    {.key = "latency",
     .type = SCN_DURATION,
     AT(app.latency),
     .fallback = "0s",
     .min = "0s",
     .max = "60s",
     .help = "Added to every answer."},
};
static const struct scn_shape app_shape = {FIELDS(app_fields)};

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
     .help = "When it is applied, counted from the start of the load."},
    {.key = "for",
     .type = SCN_DURATION,
     AT(duration),
     .required = true,
     .min = "100ms",
     .max = "1h",
     .help = "How long it stays. A fault without an end cannot be expressed."},
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
     .shape = &app_shape,
     .choice = FAULT_APP + 1,
     .help = "Errors and latency that the service itself injects."},
};
static const struct scn_shape fault_shape = {.size = sizeof(struct scn_fault),
                                             FIELDS(fault_fields),
                                             .choice_of = "a kind of fault",
                                             .choice_offset = offsetof(struct scn_fault, kind),
                                             .named = true};
#undef AT

/* ---- what must hold ---- */

#define AT(member) .offset = offsetof(struct scn_threshold, member)
static const struct scn_field threshold_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "steady-p99",
     .help = "Names the threshold in reports."},
    {.key = "expect",
     .type = SCN_CONDITION,
     AT(expect),
     .required = true,
     .help = "What the load generator must have measured: a percentile such as p99.9, mean, max, "
             "errors, achieved_rate, rate or count; < <= > >=; a value with its unit."},
    {.key = "phase",
     .type = SCN_NAME,
     AT(phase),
     .example = "steady",
     .help = "Only in this phase: steady, a fault's name, or after- and a fault's name."},
    {.key = "route",
     .type = SCN_NAME,
     AT(route),
     .example = "list-users",
     .help = "Only for this route of the load."},
};
static const struct scn_shape threshold_shape = {
    .size = sizeof(struct scn_threshold), FIELDS(threshold_fields), .named = true};
#undef AT

#define AT(member) .offset = offsetof(struct scn_slo, indicator.member)
#define INDICATOR_SERVICE                                                                          \
    {                                                                                              \
        .key = "service", .type = SCN_NAME, AT(service), .required = true, .example = "gateway",   \
        .help = "Service whose metrics are judged."                                                \
    }
#define INDICATOR_UP                                                                               \
    {                                                                                              \
        .key = "up", .type = SCN_SELECTOR, AT(up), .example = "up{job=\"users\"}",                 \
        .help = "Scrape health of the same instances, instead of the platform's own."              \
    }
#define INDICATOR_TOTAL                                                                            \
    {                                                                                              \
        .key = "total", .type = SCN_SELECTOR, AT(total),                                           \
        .help = "Counter of all events, instead of the platform's own."                            \
    }

static const struct scn_field availability_fields[] = {
    INDICATOR_SERVICE,
    INDICATOR_TOTAL,
    {.key = "bad",
     .type = SCN_SELECTOR,
     AT(bad),
     .help = "Counter of the bad events, instead of the platform's own."},
    INDICATOR_UP,
};
static const struct scn_shape availability_shape = {FIELDS(availability_fields)};

static const struct scn_field latency_fields[] = {
    INDICATOR_SERVICE,
    {.key = "within",
     .type = SCN_DURATION,
     AT(within),
     .required = true,
     .min = "1ms",
     .max = "10m",
     .help = "A request answered within this is good. A bound of the histogram: 5ms, 10ms, 25ms, "
             "50ms, 100ms, 250ms, 500ms, 1s, 2.5s or 5s, unless total and good are given."},
    INDICATOR_TOTAL,
    {.key = "good",
     .type = SCN_SELECTOR,
     AT(good),
     .help = "Counter of the good events, instead of the platform's own."},
    INDICATOR_UP,
};
static const struct scn_shape latency_shape = {FIELDS(latency_fields)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_slo, member)
static const struct scn_field slo_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "availability",
     .help = "Names the objective in reports."},
    {.key = "objective",
     .type = SCN_PERCENT,
     AT(objective),
     .required = true,
     .min = "0%",
     .max = "100%",
     .open = true,
     .example = "99.9%",
     .help = "Share of the events that must be good."},
    {.key = "minCoverage",
     .type = SCN_PERCENT,
     AT(min_coverage),
     .fallback = "90%",
     .min = "0%",
     .max = "100%",
     .help = "With fewer of the expected scrapes there, the answer is: insufficient."},
    {.key = "availability",
     .type = SCN_OBJECT,
     .shape = &availability_shape,
     .choice = PLAN_SLO_AVAILABILITY + 1,
     .help = "Good is what did not fail."},
    {.key = "latency",
     .type = SCN_OBJECT,
     .shape = &latency_shape,
     .choice = PLAN_SLO_LATENCY + 1,
     .help = "Good is what was answered in time."},
};
static const struct scn_shape slo_shape = {.size = sizeof(struct scn_slo),
                                           FIELDS(slo_fields),
                                           .choice_of = "a kind of objective",
                                           .choice_offset = offsetof(struct scn_slo, kind),
                                           .named = true};
#undef AT

#define AT(member) .offset = offsetof(struct scn_abort, member)
static const struct scn_field abort_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "too-many-errors",
     .help = "Names the condition in reports."},
    {.key = "when",
     .type = SCN_CONDITION,
     AT(when),
     .required = true,
     .example = "\"errors > 60%\"",
     .help = "The run is aborted when this holds; written as the thresholds are."},
    {.key = "over",
     .type = SCN_DURATION,
     AT(over),
     .fallback = "5s",
     .min = "1s",
     .max = "10m",
     .help = "Length of the sliding window in which it is judged."},
};
static const struct scn_shape abort_shape = {
    .size = sizeof(struct scn_abort), FIELDS(abort_fields), .named = true};
#undef AT

/* ---- the whole ---- */

#define AT(member) .offset = offsetof(struct scn_scenario, member)
#define LIST(member, of, how_many)                                                                 \
    .type = SCN_OBJECTS, .shape = &(of), AT(member), .most = (how_many)
static const struct scn_field spec_fields[] = {
    {.key = "target",
     .type = SCN_OBJECT,
     .shape = &target_shape,
     AT(target),
     .fallback = "{}",
     .help = "The platform; can be replaced on the command line."},
    {.key = "seed",
     .type = SCN_INTEGER,
     AT(seed),
     .fallback = "1",
     .min = "0",
     .max = "9223372036854775807",
     .example = "42",
     .help = "Decides arrivals and selections: the same seed, the same run."},
    {.key = "duration",
     .type = SCN_DURATION,
     AT(duration),
     .required = true,
     .min = "1s",
     .max = "24h",
     .help = "How long the load lasts."},
    {.key = "load",
     .type = SCN_OBJECT,
     .shape = &load_shape,
     AT(load),
     .required = true,
     .help = "What is sent."},
    {.key = "steadyState",
     .type = SCN_OBJECT,
     .shape = &steady_shape,
     AT(steady),
     .help = "What must hold before anything is sent or broken."},
    {.key = "faults",
     LIST(faults, fault_shape, 256),
     .count_offset = offsetof(struct scn_scenario, fault_count),
     .help = "What is broken, and when."},
    {.key = "thresholds",
     LIST(thresholds, threshold_shape, 256),
     .count_offset = offsetof(struct scn_scenario, threshold_count),
     .help = "What the load generator's own measurements must show."},
    {.key = "slos",
     LIST(slos, slo_shape, 64),
     .count_offset = offsetof(struct scn_scenario, slo_count),
     .help = "What the platform's metrics must show, as service level objectives."},
    {.key = "abort",
     LIST(aborts, abort_shape, 64),
     .count_offset = offsetof(struct scn_scenario, abort_count),
     .help = "When the run is given up at once, with every fault reverted."},
};
static const struct scn_shape spec_shape = {FIELDS(spec_fields)};

static const struct scn_field scenario_fields[] = {
    {.key = "apiVersion",
     .type = SCN_WORD,
     .words = &api_versions,
     AT(api_version),
     .required = true,
     .help = "Version of this format."},
    {.key = "kind",
     .type = SCN_WORD,
     .words = &file_kinds,
     AT(file_kind),
     .required = true,
     .help = "What the file holds."},
    {.key = "metadata",
     .type = SCN_OBJECT,
     .shape = &metadata_shape,
     .required = true,
     .help = "What the scenario is called."},
    {.key = "spec",
     .type = SCN_OBJECT,
     .shape = &spec_shape,
     .required = true,
     .help = "What it does."},
};
#undef AT

const struct scn_shape scn_scenario_shape = {.size = sizeof(struct scn_scenario),
                                             FIELDS(scenario_fields)};
