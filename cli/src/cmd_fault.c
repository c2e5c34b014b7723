/* SPDX-License-Identifier: Apache-2.0 */
/* squall fault: one fault by hand, without a scenario. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "agent_choice.h"
#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"
#include "cli.h"
#include "dry_run.h"
#include "model/control.h"
#include "options.h"
#include "scenario_file.h"
#include "scenarios/fault_session.h"
#include "scenarios/fault_words.h"

static const char help[] =
    "usage: squall fault apply KIND SERVICE --for DURATION [KEY=VALUE...] [OPTIONS]\n"
    "       squall fault list [--all] [--json] [OPTIONS]\n"
    "       squall fault revert ID... [OPTIONS]\n"
    "apply puts a fault in place, shows that it is, and keeps it while it runs in the foreground:\n"
    "Ctrl-C reverts it, so does the end of --for, and when this process dies its lease. KEY=VALUE\n"
    "are the keys of the kind, as in a scenario (squall schema --keys):\n"
    "  squall fault apply partition users --for 30s from=[postgres] action=reject\n"
    "Exit code 0 when it was in force and is measured gone, 1 when it had no effect or ended "
    "before\n"
    "its time, 4 when somebody halted it, 5 when it was refused, 6 when it may still be in "
    "place.\n\n"
    "  --dry-run           say what would be done to whom, and do nothing\n"
    "  --where WHICH       only instances that are like this, such as\n"
    "                      '{zone: a, labels: [tier=front]}'\n"
    "  --select HOW        one (default), all, a number, a share such as 50%,\n"
    "                      or '{randomMaxPercent: 50%}'\n"
    "  --lease DURATION    it goes away when squall has been silent for this long (3s)\n"
    "  --max-affected P    largest share of the service's instances that may be hit (50%)\n"
    "  --track             instances that come meanwhile are hit, too\n"
    "  --seed N            decides whom a selection hits (1)\n"
    "  --all               list: those that ended within the last hour, too\n"
    "  --json              list: the agent's records as they are\n" AGENT_CHOICE_HELP;

struct shown { /* of a record, that has been printed */
    size_t evidence;
    size_t arrivals;
};

struct fault_options {
    struct agent_choice choice;
    struct scn_fault_words words;
    uint64_t seed;
    bool dry_run, all, json, track;
    char **rest; /* words that are no options */
    int rest_count;
};

/* --- apply --- */

static void print_news(void *ctx, const char *what, const struct fault_record *record)
{
    char now[BASE_WALL_TEXT];
    struct shown *shown = ctx;
    base_wall_format(base_wall_now(), now);
    (void)printf("%s  %s\n", now, what);
    for (; record != NULL && shown->arrivals < record->arrival_count; shown->arrivals++) {
        const struct fault_arrival *one = &record->arrivals[shown->arrivals];
        (void)printf("  %-7s %s (%s): %s\n", one->joined ? "joined" : "missed", one->target,
                     one->what, one->how);
    }
    for (; record != NULL && shown->evidence < record->evidence_count; shown->evidence++) {
        const struct fault_evidence *one = &record->evidence[shown->evidence];
        bool judged = one->expected != NULL; /* else only told */
        (void)printf("  %-7s %s: %s is %s%s%s%s\n", one->when, one->target, one->metric, one->value,
                     judged ? ", expected " : "", judged ? one->expected : "",
                     one->ok ? "" : " (NOT so)");
    }
    (void)fflush(stdout);
}

static int keep_fault(const struct control_agent *agent, const struct plan *plan,
                      const struct topo *topo)
{
    static const int codes[] = {[FAULT_SESSION_ENDED] = EXIT_CODE_PASS,
                                [FAULT_SESSION_REFUSED] = EXIT_CODE_ERROR,
                                [FAULT_SESSION_FAILED] = EXIT_CODE_FAIL,
                                [FAULT_SESSION_HALTED] = EXIT_CODE_ABORTED,
                                [FAULT_SESSION_UNCLEAN] = EXIT_CODE_UNCLEAN};
    struct base_error err = {0};
    struct shown shown = {0};
    enum fault_session_end end;
    BASE_AUTO_FREE char *why = NULL;
    const struct fault_session_config config = {
        .agent = *agent, .spec = &plan->faults[0].spec, .on_news = print_news, .ctx = &shown};
    dry_run_fault(&plan->faults[0], topo);
    (void)printf("id %s; Ctrl-C reverts it\n", plan->faults[0].spec.id);
    (void)fflush(stdout);
    if (!fault_session_run(&config, &end, &why, &err))
        return cli_fail(EXIT_CODE_ERROR, &err);
    if (end == FAULT_SESSION_UNCLEAN)
        (void)fprintf(stderr,
                      "squall: the fault may still be in place: %s; try squall halt, and "
                      "squall-agent --sweep on its host\n",
                      why != NULL ? why : "?");
    else if (end != FAULT_SESSION_ENDED)
        (void)fprintf(stderr, "squall: %s\n", why != NULL ? why : "?");
    return codes[end];
}

static int plan_and_apply(struct fault_options *options, struct topo *topo, struct plan *plan)
{
    char id[BASE_ID_TEXT];
    struct control_agent agent = {0};
    struct scn_problems problems = {0};
    base_random_id(id);
    BASE_AUTO_FREE char *run = base_str_printf("by-hand-%s", id);
    const struct scn_plan_options choices = {.run = run,
                                             .started = base_wall_now(),
                                             .seed_given = true,
                                             .seed = options->seed,
                                             .target_given = true};
    int code = agent_choice_platform(&options->choice, topo);
    if (code < 0)
        code = agent_choice_agent(&options->choice, topo, &agent);
    if (code >= 0)
        return code;
    if (topo->agent_url == NULL) { /* the planner asks for one, and ours is on the command line */
        topo->agent_url = base_str_dup(agent.url);
        topo->agent_token_file = base_str_dup(agent.token_file);
    }
    if (!scn_plan_fault_words(&options->words, topo, &choices, plan, &problems)) {
        scenario_file_complain(&problems);
        scn_problems_fini(&problems);
        return EXIT_CODE_USAGE;
    }
    if (!options->dry_run)
        return keep_fault(&agent, plan, topo);
    dry_run_fault(&plan->faults[0], topo);
    code = dry_run_agent(&agent, plan);
    (void)printf("nothing was done (--dry-run)\n");
    return code;
}

static int fault_apply(struct fault_options *options)
{
    struct topo topo = {0};
    struct plan plan = {0};
    if (options->rest_count < 2)
        return cli_usage("fault apply: which KIND on which SERVICE? see squall fault --help");
    if (options->words.duration == NULL)
        return cli_usage("fault apply: say how long it may last at most: --for 30s");
    options->words.track = options->track ? "true" : NULL;
    options->words.kind = options->rest[0];
    options->words.service = options->rest[1];
    options->words.details = (const char *const *)(options->rest + 2);
    options->words.detail_count = (size_t)options->rest_count - 2;
    int code = plan_and_apply(options, &topo, &plan);
    plan_fini(&plan);
    topo_fini(&topo);
    return code;
}

/* --- list and revert --- */

static void print_record(const struct fault_record *record)
{
    (void)printf("%-12s %-10s %s (%s) on", fault_state_name(record->state),
                 fault_kind_name(record->kind), record->id, record->name);
    for (size_t i = 0; i < record->target_count; i++)
        (void)printf(" %s", record->targets[i]);
    char until[BASE_WALL_TEXT];
    base_wall_format(record->expires_at, until);
    if (!fault_state_final(record->state) && record->expires_at.ns > 0)
        (void)printf(", until %s", until);
    if (record->end != FAULT_END_NONE)
        (void)printf(", ended by %s", fault_end_name(record->end));
    if (record->error != NULL)
        (void)printf(": %s", record->error);
    (void)putchar('\n');
}

static int not_as_expected(const char *what, int status, const json_t *body)
{
    const char *why = control_why(body);
    (void)fprintf(stderr, "squall: %s: the agent answered %d: %s\n", what, status,
                  why != NULL ? why : "without saying why");
    return EXIT_CODE_ERROR;
}

static int print_list(const struct fault_options *options, int status, const json_t *body)
{
    size_t i;
    const json_t *one;
    size_t shown = 0;
    const json_t *faults = json_object_get(body, "faults");
    if (status != 200 || !json_is_array(faults))
        return not_as_expected("fault list", status, body);
    if (options->json) {
        BASE_AUTO_FREE char *text = model_json_dump(body);
        (void)fputs(text, stdout);
        return EXIT_CODE_PASS;
    }
    json_array_foreach(faults, i, one)
    {
        struct fault_record record = {0};
        if (!fault_record_from_json(one, &record, NULL))
            continue;
        if (options->all || record.state != FAULT_GONE) {
            print_record(&record);
            shown++;
        }
        fault_record_fini(&record);
    }
    if (shown == 0)
        (void)printf("no fault is in place%s\n",
                     options->all ? ", nor was within the last hour" : "");
    return EXIT_CODE_PASS;
}

static int fault_list(const struct fault_options *options, const struct control_agent *agent)
{
    int status = 0;
    json_t *body = NULL;
    struct base_error err = {0};
    if (options->rest_count > 0)
        return cli_usage("fault list: \"%s\" was not expected", options->rest[0]);
    if (!control_ask(agent, "GET", CONTROL_PATH_FAULTS, NULL, base_dur_s(10), &status, &body, &err))
        return cli_fail(EXIT_CODE_ERROR, &err);
    int code = print_list(options, status, body);
    json_decref(body);
    return code;
}

static int revert_one(const struct control_agent *agent, const char *id)
{
    enum { PATIENCE_S = 60 };
    int status = 0;
    json_t *body = NULL;
    struct base_error err = {0};
    struct fault_record record = {0};
    if (id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] != '\0')
        return cli_usage("fault revert: \"%s\" is no fault's id; squall fault list shows them", id);
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", CONTROL_PATH_FAULTS, id);
    if (!control_ask(agent, "DELETE", path, NULL, base_dur_s(PATIENCE_S), &status, &body, &err))
        return cli_fail(EXIT_CODE_UNCLEAN, &err);
    int code = EXIT_CODE_UNCLEAN;
    if (fault_record_from_json(body, &record, NULL)) {
        print_record(&record);
        code = record.state == FAULT_GONE ? EXIT_CODE_PASS : EXIT_CODE_UNCLEAN;
    } else {
        code = not_as_expected(id, status, body);
    }
    fault_record_fini(&record);
    json_decref(body);
    return code;
}

static int fault_revert(const struct fault_options *options, const struct control_agent *agent)
{
    int worst = EXIT_CODE_PASS;
    if (options->rest_count == 0)
        return cli_usage("fault revert: which ID? squall fault list shows them; squall halt "
                         "reverts all");
    for (int i = 0; i < options->rest_count; i++) {
        int code = revert_one(agent, options->rest[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int with_agent(const struct fault_options *options,
                      int (*act)(const struct fault_options *, const struct control_agent *))
{
    struct topo topo = {0};
    struct control_agent agent = {0};
    int code = agent_choice_agent(&options->choice, &topo, &agent);
    if (code < 0)
        code = act(options, &agent);
    topo_fini(&topo);
    return code;
}

int cmd_fault(int argc, char **argv)
{
    struct fault_options options = {.seed = 1};
    const struct cli_option table[] = {
        AGENT_CHOICE_OPTIONS(&options.choice),
        {"for", .text = &options.words.duration},
        {"lease", .text = &options.words.lease},
        {"select", .text = &options.words.select},
        {"where", .text = &options.words.where},
        {"max-affected", .text = &options.words.max_affected},
        {"seed", .seed = &options.seed},
        {"track", .flag = &options.track},
        {"dry-run", .flag = &options.dry_run},
        {"all", .flag = &options.all},
        {"json", .flag = &options.json},
    };
    int code = cli_options_take(argc, argv, help, table, sizeof table / sizeof table[0]);
    if (code >= 0)
        return code;
    if (optind >= argc)
        return cli_usage("fault: apply, list or revert? see squall fault --help");
    const char *verb = argv[optind];
    options.rest = argv + optind + 1;
    options.rest_count = argc - optind - 1;
    if (strcmp(verb, "apply") == 0)
        return fault_apply(&options);
    if (strcmp(verb, "list") == 0)
        return with_agent(&options, fault_list);
    if (strcmp(verb, "revert") == 0)
        return with_agent(&options, fault_revert);
    return cli_usage("fault: \"%s\" is none of apply, list and revert; see squall fault --help",
                     verb);
}
