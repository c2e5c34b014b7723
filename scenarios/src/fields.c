/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of scenario files, squall/v1. This table is the contract: parser, defaults, ranges,
 * units, JSON Schema and help all come from it. Some of its branches lie in files of their own:
 * fields_routes.c, fields_faults.c, fields_probes.c and fields_judge.c among them.
 */
#include "fields_parts.h"

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
static const struct scn_word engines_list[] = {
    {"auto", LOAD_ENGINE_AUTO}, {"native", LOAD_ENGINE_NATIVE}, {"curl", LOAD_ENGINE_CURL}};
static const struct scn_words engines = WORDS(engines_list);
static const struct scn_word verify_list[] = {{"full", SCN_VERIFY_FULL}, {"none", SCN_VERIFY_NONE}};
static const struct scn_words verify = WORDS(verify_list);

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

#define AT(member) .offset = offsetof(struct scn_target, tls.member)
static const struct scn_field tls_fields[] = {
    {.key = "caFile",
     .type = SCN_TEXT,
     AT(ca_file),
     .example = "/etc/squall/ca.pem",
     .help = "PEM file of the authorities to trust; the system's when left out."},
    {.key = "certFile",
     .type = SCN_TEXT,
     AT(cert_file),
     .example = "/etc/squall/client.pem",
     .help = "PEM file with the certificate that the load generator shows, and its chain."},
    {.key = "keyFile",
     .type = SCN_TEXT,
     AT(key_file),
     .example = "/etc/squall/client.key",
     .help = "PEM file with the key of that certificate."},
    {.key = "verify",
     .type = SCN_WORD,
     .words = &verify,
     AT(verify),
     .fallback = "full",
     .help = "none: any certificate will do, and the result says so."},
};
static const struct scn_shape tls_shape = {FIELDS(tls_fields)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_target, member)
static const struct scn_field target_fields[] = {
    {.key = "kind",
     .type = SCN_WORD,
     .words = &target_kinds,
     AT(kind),
     .fallback = "sandbox",
     .help = "sandbox: a platform brought up by `squall up`; external: any URLs, which take load "
             "but no faults."},
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
     .help = "Origins that share the load: http://, redis://, tcp://, postgres:// or amqp://, or "
             "https://, rediss://, tls:// or amqps:// over TLS; all of one kind, which the routes "
             "must fit."},
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
    {.key = "tls",
     .type = SCN_OBJECT,
     .shape = &tls_shape,
     .only = "external",
     .help = "How the origins are trusted when they are spoken to over TLS; PostgreSQL is when "
             "this is given."},
};
static const struct scn_shape target_shape = {FIELDS(target_fields)};
#undef AT

/* ---- load ---- */

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
     .choice = SCN_LOAD_RATE + 1,
     .min = "1/h",
     .max = "1000000/s",
     .help = "Requests a second over all connections."},
    {.key = "connections",
     .type = SCN_INTEGER,
     AT(connections),
     .fallback = "64",
     .min = "1",
     .max = "65535",
     .help = "Connections that carry the requests; with users, one for each unless given."},
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
    {.key = "maxLate",
     .type = SCN_DURATION,
     AT(max_late),
     .fallback = "10ms",
     .min = "1ms",
     .max = "10m",
     .help = "How late the generator itself may be (p99) before its numbers are no evidence."},
    {.key = "maxMissed",
     .type = SCN_PERCENT,
     AT(max_missed),
     .fallback = "0%",
     .min = "0%",
     .max = "100%",
     .help = "Share of the requests that may go unsent because no connection got free in time."},
    {.key = "routes",
     .type = SCN_OBJECTS,
     .shape = &scn_request_shape,
     AT(routes),
     .count_offset = offsetof(struct scn_load, route_count),
     .least = 1,
     .most = 256,
     .help = "What is requested. Needed unless there are flows."},
    {.key = "stages",
     .type = SCN_OBJECTS,
     .shape = &scn_stage_shape,
     AT(stages),
     .count_offset = offsetof(struct scn_load, stage_count),
     .choice = SCN_LOAD_STAGES + 1,
     .least = 1,
     .most = 1000,
     .help = "Instead of one rate: rates, ramps, staircases and bursts, one after the other."},
    {.key = "replay",
     .type = SCN_OBJECT,
     .shape = &scn_replay_shape,
     AT(replay),
     .choice = SCN_LOAD_REPLAY + 1,
     .help = "Instead of a rate: recorded times at which requests are due."},
    {.key = "users",
     .type = SCN_OBJECT,
     .shape = &scn_users_shape,
     AT(users),
     .choice = SCN_LOAD_USERS + 1,
     .help = "Instead of a rate, the closed model: users who wait for the end of a request and "
             "think before the next. Load then falls when the target gets slow."},
    {.key = "sources",
     .type = SCN_TEXTS,
     .item = SCN_TEXT,
     AT(sources),
     .count_offset = offsetof(struct scn_load, source_count),
     .most = 256,
     .help = "Addresses of this machine to connect from, when one has too few ports."},
    {.key = "engine",
     .type = SCN_WORD,
     .words = &engines,
     AT(engine),
     .fallback = "auto",
     .help = "What connects: native or curl; auto is native unless proxy or unixSocket need "
             "curl."},
    {.key = "http2",
     .type = SCN_BOOLEAN,
     AT(http2),
     .fallback = "false",
     .help = "Speak HTTP/2: over TLS by ALPN, else with prior knowledge; a target that does "
             "not has failed."},
    {.key = "streams",
     .type = SCN_INTEGER,
     AT(streams),
     .fallback = "1",
     .min = "1",
     .max = "1000",
     .help = "Of HTTP/2: requests at once on each connection."},
    {.key = "proxy",
     .type = SCN_TEXT,
     AT(proxy),
     .example = "http://127.0.0.1:3128",
     .help = "Proxy to connect through: http://, https:// or socks5://HOST:PORT."},
    {.key = "unixSocket",
     .type = SCN_TEXT,
     AT(unix_socket),
     .example = "/run/app.sock",
     .help = "Unix socket that is connected to instead of the targets."},
    {.key = "flows",
     .type = SCN_OBJECTS,
     .shape = &scn_flow_shape,
     AT(flows),
     .count_offset = offsetof(struct scn_load, flow_count),
     .least = 1,
     .most = 64,
     .help = "What users do in several steps, beside or instead of the routes."},
    {.key = "feeders",
     .type = SCN_OBJECTS,
     .shape = &scn_feeder_shape,
     AT(feeders),
     .count_offset = offsetof(struct scn_load, feeder_count),
     .most = 64,
     .help = "Files from which flows draw a row each time."},
    {.key = "login",
     .type = SCN_OBJECT,
     .shape = &scn_login_shape,
     .help = "PostgreSQL, RabbitMQ: as whom to log in, and to what."},
    {.key = "pipeline",
     .type = SCN_INTEGER,
     AT(pipeline),
     .fallback = "1",
     .min = "1",
     .max = "1000",
     .help = "Requests under way on each connection without waiting for each other: statements, "
             "messages, Redis commands, HTTP/1.1."},
};
static const struct scn_shape load_shape = {FIELDS(load_fields), .choice_of = "a schedule",
                                            .choice_offset = offsetof(struct scn_load, source)};
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
     .fallback = SCN_STEADY_FOR,
     .min = "0s",
     .max = "10m",
     .help = "All checks must hold this long without a break before the load starts."},
    {.key = "within",
     .type = SCN_DURATION,
     AT(within),
     .fallback = SCN_STEADY_WITHIN,
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

/* ---- the whole ---- */

#define AT(member) .offset = offsetof(struct scn_scenario, member)
#define LIST(member, of, how_many)                                                                 \
    .type = SCN_OBJECTS, .shape = &(of), AT(member), .most = (how_many)
static const struct scn_field budget_fields[] = {
    {.key = "maxSpend",
     .type = SCN_PERCENT,
     AT(budget.max_spend),
     .required = true,
     .min = "0%",
     .max = "100%",
     .example = "5%",
     .help = "Share of each objective's error budget that the faults may be predicted to spend at "
             "most; otherwise the run is refused. `squall run --dry-run` shows the prediction."},
    {.key = "over",
     .type = SCN_DURATION,
     AT(budget.over),
     .min = "1s",
     .max = "8784h",
     .example = "720h",
     .help = "The budget is that of so long a time, with traffic such as the load's; of this run "
             "alone when left out."},
};
static const struct scn_shape budget_shape = {FIELDS(budget_fields)};

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
     LIST(faults, scn_fault_shape, 256),
     .count_offset = offsetof(struct scn_scenario, fault_count),
     .help = "What is broken, and when."},
    {.key = "probes",
     LIST(probes, scn_probe_shape, 64),
     .count_offset = offsetof(struct scn_scenario, probe_count),
     .help = "Questions asked again and again, whose answers are judged."},
    {.key = "thresholds",
     LIST(thresholds, scn_threshold_shape, 256),
     .count_offset = offsetof(struct scn_scenario, threshold_count),
     .help = "What the load generator's own measurements must show."},
    {.key = "slos",
     LIST(slos, scn_slo_shape, 64),
     .count_offset = offsetof(struct scn_scenario, slo_count),
     .help = "What the platform's metrics must show, as service level objectives."},
    {.key = "abort",
     LIST(aborts, scn_abort_shape, 64),
     .count_offset = offsetof(struct scn_scenario, abort_count),
     .help = "When the run is given up at once, with every fault reverted."},
    {.key = "budget",
     .type = SCN_OBJECT,
     .shape = &budget_shape,
     .help = "What the faults may cost at most, judged before anything is done."},
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
