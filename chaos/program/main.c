/* SPDX-License-Identifier: Apache-2.0 */
/* squall-agent: the command line around chaos/agent.h. */
#include <arpa/inet.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hurry.h"
#include "base/text.h"
#include "chaos/agent.h"
#include "chaos/node_watch.h"
#include "model/verdict.h"

enum { longest_s = 7 * 24 * 3600 }; /* of --max-duration */
enum { most_descriptors = 32768 };
enum { most_allowed = 64, least_audit_mib = 1, most_kept = 1000 };

static const char usage[] =
    "usage: squall-agent --listen ADDR:PORT [--token-file FILE] --topology FILE --journal DIR\n"
    "                    [--tls-cert FILE --tls-key FILE [--client-ca FILE]]\n"
    "                    [--audit FILE [--audit-max 64MiB] [--audit-keep 4]]\n"
    "                    [--max-duration 1h] [--max-affected 50%] [--allow-path DIR]...\n"
    "       squall-agent --sweep --topology FILE --journal DIR\n"
    "\n"
    "  --listen ADDR:PORT   where the control API is; a non-loopback address needs a token\n"
    "                       and TLS\n"
    "  --token-file FILE    requests must carry this secret as a bearer token\n"
    "  --tls-cert FILE      HTTPS with this certificate (PEM, with those between it and its CA)\n"
    "  --tls-key FILE       its key\n"
    "  --client-ca FILE     requests must come with a client certificate that this CA signed\n"
    "  --topology FILE      topology.json of the platform that this agent may break\n"
    "  --journal DIR        what is in place is on disk there; replayed at the start\n"
    "  --audit FILE         who asked for what, a JSON line each; else in the log, marked "
    "\"audit\".\n"
    "                       What cannot be written down there is not done\n"
    "  --audit-max SIZE     when FILE would grow beyond it, it becomes FILE.1 (64MiB)\n"
    "  --audit-keep N       and FILE.1 FILE.2..., up to FILE.N (4)\n"
    "  --max-duration D     ceiling on how long a fault may last (1h)\n"
    "  --max-affected P     cap on the share of a service's instances with a fault (50%)\n"
    "  --allow-path DIR     diskFill may fill it, beside the platform's own state folder\n"
    "  --sweep              revert what an agent that died has left, check, and exit: 0 when all\n"
    "                       is gone, 6 when something may still be in place\n";

struct options {
    char *listen;
    char *token_file;
    char *tls_cert;
    char *tls_key;
    char *client_ca;
    char *topology;
    char *journal;
    char *audit;
    char *audit_max;
    char *audit_keep;
    const char *allowed[most_allowed];
    size_t allowed_count;
    char *max_duration;
    char *max_affected;
    bool sweep;
    bool help;
};

struct program {
    struct io_loop *loop;
    struct agent *agent;
    const struct base_log *log;
    int exit_code;
};

static const struct {
    const char *name;
    size_t offset;
    bool is_flag;
} table[] = {
    {"--listen", offsetof(struct options, listen), false},
    {"--token-file", offsetof(struct options, token_file), false},
    {"--tls-cert", offsetof(struct options, tls_cert), false},
    {"--tls-key", offsetof(struct options, tls_key), false},
    {"--client-ca", offsetof(struct options, client_ca), false},
    {"--topology", offsetof(struct options, topology), false},
    {"--journal", offsetof(struct options, journal), false},
    {"--audit", offsetof(struct options, audit), false},
    {"--audit-max", offsetof(struct options, audit_max), false},
    {"--audit-keep", offsetof(struct options, audit_keep), false},
    {"--allow-path", offsetof(struct options, allowed), false},
    {"--max-duration", offsetof(struct options, max_duration), false},
    {"--max-affected", offsetof(struct options, max_affected), false},
    {"--sweep", offsetof(struct options, sweep), true},
    {"--help", offsetof(struct options, help), true},
};
enum { table_count = sizeof table / sizeof *table };

/* The one that may be repeated. */
static bool add_allowed(struct options *out, const char *value, struct base_error *err)
{
    if (out->allowed_count == most_allowed)
        return base_fail(err, BASE_INVALID, "--allow-path: at most %d folders", most_allowed);
    out->allowed[out->allowed_count++] = value;
    return true;
}

/* One option at argv[*at]; moves *at past it. */
static bool read_option(char **argv, int argc, int *at, struct options *out, struct base_error *err)
{
    const char *word = argv[(*at)++];
    size_t len = strcspn(word, "=");
    for (size_t i = 0; i < table_count; i++) {
        if (strncmp(table[i].name, word, len) != 0 || table[i].name[len] != '\0')
            continue;
        char *field = (char *)out + table[i].offset;
        if (table[i].is_flag) {
            *(bool *)(void *)field = true;
            return word[len] == '\0' ||
                   base_fail(err, BASE_INVALID, "%s takes no value", table[i].name);
        }
        if (word[len] == '\0' && *at >= argc)
            return base_fail(err, BASE_INVALID, "%s needs a value", table[i].name);
        char *value = word[len] == '=' ? argv[*at - 1] + len + 1 : argv[(*at)++];
        if (table[i].offset == offsetof(struct options, allowed))
            return add_allowed(out, value, err);
        *(char **)(void *)field = value;
        return true;
    }
    return base_fail(err, BASE_INVALID, "unknown option %s", word);
}

/* "127.0.0.1:7070" or "[::1]:7070", cut in place. */
static bool split_listen(char *text, const char **address, uint16_t *port, struct base_error *err)
{
    char *colon = strrchr(text, ':');
    uint64_t number = 0;
    unsigned char ignored[16];
    if (colon == NULL || !base_parse_u64(colon + 1, &number) || number > UINT16_MAX)
        return base_fail(err, BASE_INVALID, "--listen %s: expected ADDR:PORT", text);
    *colon = '\0';
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        text++;
    }
    if (inet_pton(AF_INET, text, ignored) != 1 && inet_pton(AF_INET6, text, ignored) != 1)
        return base_fail(err, BASE_INVALID, "--listen: \"%s\" is no IPv4 or IPv6 address", text);
    *address = text;
    *port = (uint16_t)number;
    return true;
}

static bool fill_audit(const struct options *options, struct agent_config *config,
                       struct base_error *err)
{
    uint64_t bytes = AGENT_AUDIT_MAX;
    uint64_t keep = AGENT_AUDIT_KEEP;
    if (options->audit == NULL && (options->audit_max != NULL || options->audit_keep != NULL))
        return base_fail(err, BASE_INVALID, "--audit-max and --audit-keep need --audit");
    if (options->audit_max != NULL && (!base_parse_bytes(options->audit_max, &bytes) ||
                                       bytes < UINT64_C(1048576) * least_audit_mib))
        return base_fail(err, BASE_INVALID, "--audit-max %s: expected a size of 1MiB or more",
                         options->audit_max);
    if (options->audit_keep != NULL &&
        (!base_parse_u64(options->audit_keep, &keep) || keep < 1 || keep > most_kept))
        return base_fail(err, BASE_INVALID, "--audit-keep %s: expected 1 to %d",
                         options->audit_keep, most_kept);
    config->audit = options->audit;
    config->audit_max = (int64_t)bytes;
    config->audit_keep = (unsigned)keep;
    return true;
}

static bool fill_config(struct options *options, struct agent_config *config,
                        struct base_error *err)
{
    if (options->topology == NULL || options->journal == NULL)
        return base_fail(err, BASE_INVALID, "--topology and --journal are needed");
    if (options->sweep == (options->listen != NULL))
        return base_fail(err, BASE_INVALID, "give one of --listen and --sweep");
    if (options->listen != NULL &&
        !split_listen(options->listen, &config->address, &config->port, err))
        return false;
    if (options->max_duration != NULL &&
        (!base_parse_duration(options->max_duration, &config->max_duration) ||
         config->max_duration.ns <= 0 || config->max_duration.ns > longest_s * BASE_NS_PER_S))
        return base_fail(err, BASE_INVALID,
                         "--max-duration %s: expected a duration such as 30m, at most 168h",
                         options->max_duration);
    if (options->max_affected != NULL &&
        (!base_parse_percent(options->max_affected, &config->max_affected) ||
         config->max_affected > 1.0))
        return base_fail(err, BASE_INVALID, "--max-affected %s: expected 0%% to 100%%",
                         options->max_affected);
    config->token_file = options->token_file;
    config->tls = (struct io_tls_files){
        .ca = options->client_ca, .cert = options->tls_cert, .key = options->tls_key};
    config->topology = options->topology;
    config->journal = options->journal;
    config->allowed = options->allowed;
    config->allowed_count = options->allowed_count;
    return fill_audit(options, config, err);
}

static bool read_options(int argc, char **argv, struct options *options,
                         struct agent_config *config, struct base_error *err)
{
    for (int at = 1; at < argc;)
        if (!read_option(argv, argc, &at, options, err))
            return false;
    return options->help || fill_config(options, config, err);
}

static void on_closed(void *ctx, bool clean)
{
    struct program *program = ctx;
    program->exit_code = clean ? EXIT_CODE_PASS : EXIT_CODE_UNCLEAN;
    io_loop_stop(program->loop);
}

static void on_stop_signal(void *ctx, int number)
{
    struct program *program = ctx;
    base_log_line(program->log, BASE_INFO, "stopping: reverting everything",
                  BASE_INT("signal", number));
    agent_shutdown(program->agent, on_closed, program);
}

static void serve(struct program *program, const struct agent_config *config)
{
    struct io_signal terminate = {0};
    struct io_signal interrupt = {0};
    io_signal_init(&terminate, program->loop, SIGTERM, on_stop_signal, program);
    io_signal_init(&interrupt, program->loop, SIGINT, on_stop_signal, program);
    base_log_line(program->log, BASE_INFO, "listening", BASE_TEXT("address", config->address),
                  BASE_INT("port", agent_port(program->agent)), BASE_INT("pid", getpid()));
    io_loop_run(program->loop);
    io_signal_fini(&terminate);
    io_signal_fini(&interrupt);
}

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    (void)printf("%s\n", line);
}

static void sweep(struct program *program)
{
    agent_shutdown(program->agent, on_closed, program);
    io_loop_run(program->loop);
    (void)printf("%s\n", program->exit_code == EXIT_CODE_PASS
                             ? "swept: nothing of squall is in place"
                             : "NOT clean: something may still be in place, see above");
}

/* Threads here are few and short-lived, or allocate little; each would leave an arena of its own
 * behind (mallopt(3)), which no malloc_trim gives back. */
static void share_the_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
}

/* Proxies hold several descriptors for each connection. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_cur < most_descriptors)
        limit.rlim_cur =
            limit.rlim_max < most_descriptors ? limit.rlim_max : (rlim_t)most_descriptors;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* fewer connections then */
}

static int run(const struct agent_config *given, bool sweeping)
{
    struct agent_config config = *given;
    struct base_error err = {0};
    struct base_log log = {
        .fd = sweeping ? -1 : STDERR_FILENO, .min = BASE_INFO, .service = "squall-agent"};
    struct program program = {.log = &log, .exit_code = EXIT_CODE_ERROR};
    config.log = &log;
    config.on_recovery = sweeping ? print_line : NULL;
    program.loop = io_loop_new(&err);
    if (program.loop != NULL)
        program.agent = agent_new(program.loop, &config, &err);
    if (program.agent != NULL && !agent_confine(program.agent, &err)) {
        agent_free(program.agent);
        program.agent = NULL;
    }
    if (program.agent == NULL) {
        (void)fprintf(stderr, "squall-agent: %s\n", err.message);
        io_loop_free(program.loop);
        bool bare = config.token_file == NULL || config.tls.cert == NULL;
        bool usage_error = err.code == BASE_DENIED && bare && !sweeping;
        return usage_error ? EXIT_CODE_USAGE : EXIT_CODE_ERROR;
    }
    if (sweeping)
        sweep(&program);
    else
        serve(&program, &config);
    agent_free(program.agent);
    io_loop_free(program.loop);
    return program.exit_code;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct base_error err = {0};
    struct agent_config config = {
        .max_duration = base_dur_s(AGENT_MAX_DURATION_S),
        .max_affected = AGENT_MAX_AFFECTED_PERCENT / 100.0,
    };
    if (agent_is_node_watch(argc, argv))
        return agent_node_watch(argv);
    if (!read_options(argc, argv, &options, &config, &err)) {
        (void)fprintf(stderr, "squall-agent: %s\n\n%s", err.message, usage);
        return EXIT_CODE_USAGE;
    }
    if (options.help) {
        (void)fputs(usage, stdout);
        return EXIT_CODE_PASS;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    share_the_heap();
    base_hurry(0); /* a lease, a halt and what a proxy holds must not wait behind busy targets */
    return run(&config, options.sweep);
}
