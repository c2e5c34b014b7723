/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/load.h"

#define TEXT(literal) (char *)(uintptr_t)(literal)

/* All that was said, a line each: "where: what" with "warning: " in front. */
struct said {
    char text[4096];
    size_t len;
};

static void on_said(void *ctx, bool warning, const char *where, const char *what)
{
    struct said *said = ctx;
    said->len += (size_t)snprintf(said->text + said->len, sizeof said->text - said->len,
                                  "%s%s: %s\n", warning ? "warning: " : "", where, what);
}

static struct load_extract id_of = {
    .name = TEXT("id"), .from = LOAD_EXTRACT_JSON, .json = TEXT("/data/id")};
static struct load_step login = {
    .name = TEXT("login"), .method = TEXT("POST"), .path = TEXT("/in")};
static struct load_feeder people = {.name = TEXT("people"), .file = TEXT("p.csv")};

/* A flow of two steps, the first of which extracts id; and what there is to change in it. */
struct fixture {
    struct load_step steps[2];
    struct load_step setup;
    struct load_step teardown;
    struct load_extract extract;
    struct load_expect expect;
    char *header;
    struct load_flow flow;
    struct load_feeder feeders[2];
    struct load_spec spec;
};

static void make(struct fixture *f)
{
    *f = (struct fixture){.extract = id_of, .setup = login, .teardown = login};
    f->feeders[0] = f->feeders[1] = people;
    f->feeders[1].name = TEXT("towns");
    f->steps[0] = (struct load_step){.name = TEXT("create"),
                                     .method = TEXT("POST"),
                                     .path = TEXT("/users/{{seq}}/{{people.name}}"),
                                     .extract = &f->extract,
                                     .extract_count = 1};
    f->steps[1] = (struct load_step){.name = TEXT("read"),
                                     .method = TEXT("GET"),
                                     .path = TEXT("/users/{{id}}"),
                                     .body = TEXT("{{rand}}{{towns.zip|url}}"),
                                     .headers = &f->header};
    f->flow =
        (struct load_flow){.name = TEXT("life"), .weight = 1, .steps = f->steps, .step_count = 2};
    f->flow.setup = &f->setup;
    f->flow.teardown = &f->teardown;
    f->spec = (struct load_spec){
        .flows = &f->flow, .flow_count = 1, .feeders = f->feeders, .feeder_count = 2};
}

static void check(struct fixture *f, const char *expected)
{
    struct said said = {.text = ""};
    load_flows_check(&f->spec, on_said, &said);
    if (expected == NULL ? said.len > 0 : strstr(said.text, expected) == NULL)
        fail_msg("expected %s, found %s", expected == NULL ? "nothing" : expected, said.text);
    if (expected != NULL && strchr(said.text, '\n') != said.text + said.len - 1)
        fail_msg("more than one: %s", said.text);
}

static void test_a_good_flow(void **state)
{
    (void)state;
    struct fixture f;
    make(&f);
    check(&f, NULL);
}

static void test_templates(void **state)
{
    (void)state;
    static const struct {
        const char *path; /* of the second step */
        const char *said;
    } cases[] = {
        {"/{{id}}{{idd}}",
         "flows[0].steps[1].path: no variable \"idd\" here, did you mean \"id\"?"},
        {"/{{id}}{{other}}", "no variable \"other\" here, expected seq, rand"},
        {"/{{id}}{{peopel.name}}", "no feeder \"peopel\", did you mean \"people\"?"},
        {"/{{id}}{{x.name}}", "flows[0].steps[1].path: {{x.name}}: no feeder \"x\""},
        {"/{{", "flows[0].steps[1].path: \"{{\" is no field"},
        {"users/{{id}}", "flows[0].steps[1].path: \"users/{{id}}\" does not start with '/'"},
        {"/", "warning: flows[0].steps[0].extract[0].name: \"id\" is never used"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        make(&f);
        f.header = TEXT("X: {{id}}"); /* so that it is used, whatever the path says */
        f.steps[1].header_count = i + 1 < sizeof cases / sizeof *cases;
        f.steps[1].path = TEXT(cases[i].path);
        check(&f, cases[i].said);
    }
}

static void test_headers_and_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *body;
        const char *said;
    } cases[] = {
        {"Authorization: Bearer {{id}}", "{{towns.x}}", NULL},
        {"Authorization: {{toke}}", "{{towns.x}}", "steps[1].headers.Authorization: no variable"},
        {"Not a header", "{{towns.x}}", "steps[1].headers.Not a header: \"Not a header\" is not"},
        {"X: y", "{{towns.x}}{{no}}", "steps[1].body: no variable \"no\""},
        {"X: y", "", "warning: feeders[1].name: nobody draws from \"towns\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        make(&f);
        f.header = TEXT(cases[i].header);
        f.steps[1].header_count = 1;
        f.steps[1].body = TEXT(cases[i].body);
        check(&f, cases[i].said);
    }
}

static void test_extractions(void **state)
{
    (void)state;
    static const struct {
        struct load_extract extract;
        const char *said;
    } cases[] = {
        {{TEXT("id"), LOAD_EXTRACT_JSON, TEXT("data"), NULL, NULL}, "json: \"data\" is no JSON"},
        {{TEXT("id"), LOAD_EXTRACT_REGEX, NULL, NULL, TEXT("a(")}, "regex: \"a(\" is no regular"},
        {{TEXT("id"), LOAD_EXTRACT_HEADER, NULL, TEXT("a b"), NULL},
         "header: \"a b\" is no header"},
        {{TEXT("id"), LOAD_EXTRACT_STATUS, NULL, NULL, NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        make(&f);
        f.extract = cases[i].extract;
        check(&f, cases[i].said);
    }
    static const char *const names[] = {"seq", "rand", "a.b", "1a", "", "a b", "-a"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fixture f;
        make(&f);
        f.extract.name = TEXT(names[i]);
        f.steps[1].path = TEXT("/");
        check(&f, "flows[0].steps[0].extract[0].name: ");
    }
}

static void test_assertions(void **state)
{
    (void)state;
    static const struct {
        struct load_expect expect;
        const char *said;
    } cases[] = {
        {{.on = LOAD_EXPECT_STATUS, .status = 200}, NULL},
        {{.on = LOAD_EXPECT_STATUS, .status = 200, .equals = TEXT("x")},
         "expect[0]: \"equals\" makes no sense here"},
        {{.on = LOAD_EXPECT_JSON, .json = TEXT("/a"), .equals = TEXT("{{seq}}")}, NULL},
        {{.on = LOAD_EXPECT_JSON, .json = TEXT("/a"), .matches = TEXT("x")},
         "\"matches\" makes no"},
        {{.on = LOAD_EXPECT_JSON, .json = TEXT("a")}, "expect[0].json: \"a\" is no JSON pointer"},
        {{.on = LOAD_EXPECT_HEADER, .header = TEXT("A"), .contains = TEXT("x")}, NULL},
        {{.on = LOAD_EXPECT_HEADER, .header = TEXT("A"), .contains = TEXT("x"), .equals = TEXT("")},
         "expect[0]: expected at most one of"},
        {{.on = LOAD_EXPECT_HEADER, .header = TEXT("A"), .matches = TEXT("(")},
         "expect[0].matches: \"(\" is no regular"},
        {{.on = LOAD_EXPECT_CONTAINS, .body_contains = TEXT("{{idd}}")},
         "expect[0].bodyContains: no variable"},
        {{.on = LOAD_EXPECT_MATCHES, .body_matches = TEXT("[")}, "expect[0].bodyMatches: "},
        {{.on = LOAD_EXPECT_CONTAINS, .body_contains = TEXT("a {{rand}}")},
         "expect[0].bodyContains: {{rand}} is another number each time"},
        /* What the step itself extracts is not known before its response has been judged. */
        {{.on = LOAD_EXPECT_JSON, .json = TEXT("/a"), .equals = TEXT("{{id}}")},
         "expect[0].equals: no variable \"id\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        make(&f);
        f.expect = cases[i].expect;
        f.steps[0].expect = &f.expect;
        f.steps[0].expect_count = 1;
        check(&f, cases[i].said);
    }
}

static void test_setup_and_teardown(void **state)
{
    (void)state;
    static const struct {
        const char *setup; /* path */
        const char *step;
        const char *teardown;
        bool in_setup; /* the extraction is setup's */
        const char *said;
    } cases[] = {
        {"/", "/{{id}}", "/{{id}}", true, NULL},
        {"/", "/", "/{{id}}", true, NULL},
        {"/", "/", "/", true, "warning: flows[0].setup[0].extract[0].name: \"id\" is never"},
        {"/", "/{{id}}", "/{{id}}", false, "flows[0].teardown[0].path: no variable \"id\""},
        {"/{{id}}", "/{{id}}", "/", false, "flows[0].setup[0].path: no variable \"id\""},
        {"/{{seq}}", "/{{id}}", "/", false, "setup[0].path: {{seq}} is the number of a passage"},
        {"/", "/{{id}}", "/{{people.x}}", false, "teardown[0].path: {{people.x}}: a row is drawn"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        make(&f);
        f.flow.setup_count = f.flow.teardown_count = 1;
        f.setup.path = TEXT(cases[i].setup);
        f.steps[1].path = TEXT(cases[i].step);
        f.teardown.path = TEXT(cases[i].teardown);
        if (cases[i].in_setup) {
            f.steps[0].extract_count = 0;
            f.setup.extract = &f.extract;
            f.setup.extract_count = 1;
        }
        check(&f, cases[i].said);
    }
}

static void test_names_are_taken_once(void **state)
{
    (void)state;
    struct fixture f;
    make(&f);
    f.steps[1].name = f.steps[0].name;
    check(&f, "flows[0].steps[1].name: \"create\" is taken");
    make(&f);
    f.feeders[1].name = f.feeders[0].name;
    f.steps[1].body = TEXT("");
    check(&f, "feeders[1].name: \"people\" is taken");
    make(&f);
    struct load_flow two[] = {f.flow, f.flow};
    f.spec.flows = two;
    f.spec.flow_count = 2;
    check(&f, "flows[1].name: \"life\" is taken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_flow),          cmocka_unit_test(test_templates),
        cmocka_unit_test(test_headers_and_bodies),   cmocka_unit_test(test_extractions),
        cmocka_unit_test(test_assertions),           cmocka_unit_test(test_setup_and_teardown),
        cmocka_unit_test(test_names_are_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
