/* SPDX-License-Identifier: Apache-2.0 */
#include "run_one.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"
#include "cli.h"
#include "dry_run.h"
#include "loadgen/routes.h"
#include "progress.h"
#include "reports/report.h"
#include "sandbox/sandbox.h"
#include "scenario_file.h"
#include "scenarios/live.h"
#include "scenarios/plan.h"

/* Everything one run holds, so that one function can let it all go. */
struct one {
    struct base_buf bytes;
    struct scn_scenario scenario;
    struct topo topo;
    struct plan plan;
    char *id;
    char *dir;
};

static void one_fini(struct one *one)
{
    base_buf_fini(&one->bytes);
    scn_scenario_fini(&one->scenario);
    topo_fini(&one->topo);
    plan_fini(&one->plan);
    free(one->id);
    free(one->dir);
}

static bool resolve(void *ctx, const char *host, char *out, size_t size, struct base_error *err)
{
    (void)ctx;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int code = getaddrinfo(host, NULL, &hints, &found);
    if (code != 0)
        return base_fail(err, BASE_NOT_FOUND, "%s: %s", host, gai_strerror(code));
    code = getnameinfo(found->ai_addr, found->ai_addrlen, out, (socklen_t)size, NULL, 0,
                       NI_NUMERICHOST);
    freeaddrinfo(found);
    return code == 0 || base_fail(err, BASE_INTERNAL, "%s: %s", host, gai_strerror(code));
}

/* An exit code, or -1 to go on. */
static int find_platform(struct one *one, const struct run_options *options)
{
    struct base_error err;
    if (options->topology != NULL)
        return topo_read(options->topology, &one->topo, &err) ? -1
                                                              : cli_fail(EXIT_CODE_USAGE, &err);
    if (one->scenario.target.kind == SCN_TARGET_EXTERNAL && options->target == NULL) {
        struct scn_problems problems = {0};
        bool ok = scn_external_topology(&one->scenario, resolve, NULL, &one->topo, &problems);
        if (!ok)
            scenario_file_complain(&problems);
        scn_problems_fini(&problems);
        return ok ? -1 : EXIT_CODE_USAGE;
    }
    const char *name = options->target != NULL ? options->target : one->scenario.target.name;
    BASE_AUTO_BUF struct base_buf path;
    base_buf_init(&path, 4096);
    if (!sandbox_topology_path(name, options->state, &path, &err) ||
        !topo_read(path.data, &one->topo, &err))
        return cli_fail(err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, &err);
    return -1;
}

static char *make_run_id(const char *scenario)
{
    char id[BASE_ID_TEXT];
    char stamp[32];
    time_t now = (time_t)(base_wall_now().ns / BASE_NS_PER_S);
    struct tm tm;
    base_random_id(id);
    if (gmtime_r(&now, &tm) == NULL || strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm) == 0)
        stamp[0] = '\0';
    return base_str_printf("%s-%s-%.4s", stamp, scenario, id);
}

static int make_plan(struct one *one, const struct run_options *options)
{
    one->id = make_run_id(one->scenario.name);
    const struct scn_plan_options choices = {
        .run = one->id,
        .started = base_wall_now(),
        .seed_given = options->seed_given,
        .seed = options->seed,
        .without_kernel_faults = options->without_kernel_faults,
        .target_given = options->target != NULL || options->topology != NULL,
    };
    struct scn_problems problems = {0};
    bool ok = scn_plan(&one->scenario, &one->topo, &choices, &one->plan, &problems);
    if (!ok)
        scenario_file_complain(&problems);
    scn_problems_fini(&problems);
    return ok ? -1 : EXIT_CODE_USAGE;
}

/* Before anything is touched. */
static int check_login(const struct one *one)
{
    struct base_error err;
    if (load_login_check(&one->plan.load, &err))
        return -1;
    (void)base_fail_context(&err, "%s: spec.load.login", one->scenario.file);
    return cli_fail(EXIT_CODE_USAGE, &err);
}

static bool open_run_dir(struct one *one, const struct run_options *options, struct base_error *err)
{
    one->dir = base_str_printf("%s/%s", options->out, one->id);
    BASE_AUTO_FREE char *scenario = base_str_printf("%s/scenario.yaml", one->dir);
    BASE_AUTO_FREE char *plan = base_str_printf("%s/plan.json", one->dir);
    if (!base_dir_make(one->dir, 0755, err) ||
        !base_file_write(scenario, one->bytes.data, one->bytes.len, 0644, err))
        return false;
    json_t *json = plan_to_json(&one->plan);
    bool ok = model_json_write(plan, json, err);
    json_decref(json);
    return ok;
}

static void announce(const struct one *one, const struct run_options *options)
{
    if (options->quiet)
        return;
    (void)printf("run     %s\ntarget  %s (%s)\n", one->id, one->plan.target_name,
                 one->plan.target_mode);
    for (size_t i = 0; i < one->plan.fault_count; i++) {
        const struct plan_fault *fault = &one->plan.faults[i];
        char at[BASE_DUR_TEXT];
        char duration[BASE_DUR_TEXT];
        base_dur_format(fault->at, at);
        base_dur_format(fault->spec.duration, duration);
        (void)printf("fault   at %s for %s: %s (%s) on", at, duration, fault->spec.name,
                     fault_kind_name(fault->spec.kind));
        for (size_t j = 0; j < fault->spec.target_count; j++)
            (void)printf(" %s", fault->spec.targets[j]);
        (void)putchar('\n');
    }
    for (size_t i = 0; i < one->plan.skipped_count; i++)
        (void)printf("SKIPPED fault %s: %s\n", one->plan.skipped[i].name, one->plan.skipped[i].why);
    (void)fflush(stdout);
}

/* What the runner knows outranks what it could still write down. */
static int exit_code_of(const struct run_outcome *outcome, int verdict)
{
    if (outcome->unclean || verdict == EXIT_CODE_UNCLEAN)
        return EXIT_CODE_UNCLEAN;
    if (outcome->evidence_lost)
        return EXIT_CODE_ERROR;
    return verdict;
}

static int judge(const struct one *one, const struct run_outcome *outcome,
                 const struct run_options *options)
{
    struct base_error err;
    struct verdict verdict = {0};
    int code = EXIT_CODE_ERROR;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, (size_t)4 << 20);
    const struct report_options choices = {.colour = isatty(STDOUT_FILENO) == 1, .terminal = &text};
    if (outcome->evidence_lost)
        (void)fprintf(stderr, "squall: evidence could not be written to %s: is the disk full?\n",
                      one->dir);
    if (report_write(one->dir, &choices, &verdict, &err)) {
        code = (int)verdict.exit_code;
        (void)printf("\n%sreport  %s/report.html\n", text.data, one->dir);
    } else {
        (void)cli_fail(EXIT_CODE_ERROR, &err);
    }
    verdict_fini(&verdict);
    if (outcome->aborted != RUN_NOT_ABORTED && options->quiet)
        (void)fprintf(stderr, "squall: ended early by %s: %s\n", run_abort_name(outcome->aborted),
                      outcome->why);
    return exit_code_of(outcome, code);
}

static const int end_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { END_SIGNALS = sizeof end_signals / sizeof end_signals[0] };

/* Signals that come while nobody listens for them wait here, from before the run until its report
 * is written: none may end squall between the two. A hang-up that we were started to ignore (nohup)
 * is left alone: Linux keeps it waiting, too, once it is blocked. */
static void hold_signals(sigset_t *before)
{
    sigset_t held;
    struct sigaction hang_up;
    (void)sigemptyset(&held);
    for (size_t i = 0; i < END_SIGNALS; i++)
        (void)sigaddset(&held, end_signals[i]);
    if (sigaction(SIGHUP, NULL, &hang_up) == 0 && hang_up.sa_handler == SIG_IGN)
        (void)sigdelset(&held, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &held, before);
}

/* Whether one has come. Then they stay held, for it would end squall here. */
static bool release_signals(const sigset_t *before)
{
    sigset_t waiting;
    (void)sigemptyset(&waiting);
    (void)sigpending(&waiting);
    for (size_t i = 0; i < END_SIGNALS; i++) {
        if (sigismember(&waiting, end_signals[i]) == 1)
            return true;
    }
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
    return false;
}

static int experiment(struct one *one, const struct run_options *options, const char *load_program,
                      bool *stop)
{
    struct base_error err;
    struct run_outcome outcome = {0};
    struct progress progress;
    if (!open_run_dir(one, options, &err))
        return cli_fail(EXIT_CODE_ERROR, &err);
    announce(one, options);
    progress_start(&progress, stdout, options->quiet, one->dir);
    const struct live_config config = {
        .plan = &one->plan,
        .run_dir = one->dir,
        .load_program = load_program,
        .terminal = STDIN_FILENO,
        .on_event = progress_event,
        .ctx = &progress,
    };
    bool ran = live_run(&config, &outcome, &err);
    progress_fini(&progress);
    if (!ran)
        return cli_fail(EXIT_CODE_ERROR, &err);
    int code = judge(one, &outcome, options);
    if (code == EXIT_CODE_UNCLEAN || outcome.aborted == RUN_ABORT_SIGNAL ||
        outcome.aborted == RUN_ABORT_HALT)
        *stop = true;
    free(outcome.why);
    return code;
}

static int carry_out(struct one *one, const struct run_options *options, bool *stop)
{
    struct base_error err;
    sigset_t before;
    BASE_AUTO_FREE char *load_program = cli_sibling("squall-load", &err);
    if (load_program == NULL)
        return cli_fail(EXIT_CODE_ERROR, &err);
    hold_signals(&before);
    int code = experiment(one, options, load_program, stop);
    if (!release_signals(&before))
        return code;
    *stop = true;
    (void)fprintf(stderr, "squall: interrupted; the run itself had ended\n");
    return code == EXIT_CODE_UNCLEAN ? code : EXIT_CODE_ABORTED;
}

int run_one(const char *file, const struct run_options *options, bool *stop)
{
    struct one one = {0};
    int code = EXIT_CODE_USAGE;
    if (scenario_file_load(file, &one.scenario, &one.bytes)) {
        code = find_platform(&one, options);
        if (code < 0)
            code = make_plan(&one, options);
        if (code < 0)
            code = check_login(&one);
        if (code < 0)
            code = options->dry_run ? dry_run_plan(&one.plan, &one.topo)
                                    : carry_out(&one, options, stop);
    }
    one_fini(&one);
    return code;
}

int run_one_load(const char *file, struct load_spec *out, double *max_missed)
{
    static const struct run_options options = {.without_kernel_faults = true};
    struct one one = {0};
    int code = EXIT_CODE_USAGE;
    if (scenario_file_load(file, &one.scenario, &one.bytes)) {
        code = find_platform(&one, &options);
        if (code < 0)
            code = make_plan(&one, &options);
        if (code < 0) {
            scn_plan_alone(&one.scenario, &one.plan.load);
            *out = one.plan.load;
            *max_missed = one.plan.max_missed;
            one.plan.load = (struct load_spec){.rate = 0};
        }
    }
    one_fini(&one);
    return code;
}
