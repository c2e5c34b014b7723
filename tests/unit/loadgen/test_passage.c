/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "passage.h"

/* A spec of one flow, given as the JSON of its steps (' for "), and what may stand beside them. */
struct bench {
    struct load_spec spec;
    struct load_program *program;
    struct base_rng rng;
    char feeder[64]; /* a file of three people */
};

static void on_said(void *ctx, bool warning, const char *where, const char *what)
{
    (void)ctx;
    (void)warning;
    fail_msg("%s: %s", where, what);
}

static void start(struct bench *bench, const char *steps, const char *more)
{
    static const char people[] = "name,mail\nAnn O'Hara,ann@x\nBöb,b&b@x\n\"C\r\nX: y\",c@x\n";
    struct base_error err;
    (void)snprintf(bench->feeder, sizeof bench->feeder, "/tmp/squall-passage-%d.csv", getpid());
    assert_true(base_file_write(bench->feeder, people, strlen(people), 0644, &err));
    char *text = base_str_printf(
        "{'arrivals':'poisson','rate':1.0,'durationNs':1,'connections':1,'threads':0,'seed':9,"
        "'timeoutNs':1,'intervalNs':1,'maxLateNs':1,'host':'Shop:8080','targets':[{'address':"
        "'10.0.0.3','port':3000}],'routes':[],'firstPhase':'steady','flows':[{'name':'f',"
        "'weight':1,'steps':[%s]%s}],'feeders':[{'name':'people','file':'%s','format':'csv',"
        "'order':'unique'},{'name':'any','file':'%s','format':'csv','order':'random'},"
        "{'name':'again','file':'%s','format':'csv','order':'sequential'}]}",
        steps, more, bench->feeder, bench->feeder, bench->feeder);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *json = model_json_parse(text, strlen(text), "test", &err);
    if (json == NULL || !load_spec_from_json(json, &bench->spec, &err))
        fail_msg("%s", err.message);
    json_decref(json);
    free(text);
    bench->program = load_program_new(&bench->spec, on_said, NULL);
    assert_non_null(bench->program);
    base_rng_seed(&bench->rng, 1);
}

static void stop(struct bench *bench)
{
    load_program_free(bench->program);
    load_spec_fini(&bench->spec);
    (void)unlink(bench->feeder);
}

static struct load_passage *begin(struct bench *bench, uint64_t number)
{
    char why[LOAD_WHY_MAX] = "";
    struct load_passage *p =
        load_passage_new(bench->program, 0, LOAD_PART_STEPS, number, NULL, why);
    if (p == NULL)
        fail_msg("%s", why);
    return p;
}

static void assert_request(struct bench *bench, struct load_passage *p, const char *expected)
{
    char why[LOAD_WHY_MAX] = "";
    if (!load_passage_make(p, &bench->rng, why))
        fail_msg("%s", why);
    assert_string_equal(p->errand.request.bytes, expected);
    assert_int_equal(p->errand.request.len, strlen(expected));
    assert_int_equal(p->errand.request.total, p->errand.request.len);
}

/* Answers the step; expected: NULL for a success, or "failure: why". */
static void answer(struct load_passage *p, const char *response, const char *expected)
{
    char why[LOAD_WHY_MAX] = "";
    enum load_failure failure = LOAD_FAIL_COUNT;
    load_capture_add(&p->errand.capture, response, strlen(response), false);
    bool good = load_passage_judge(p, &failure, why);
    char *found = good ? NULL : base_str_printf("%s: %s", load_failure_name(failure), why);
    if (good != (expected == NULL) || (!good && strstr(found, expected) != found))
        fail_msg("%s: expected %s, found %s", response, expected, found);
    free(found);
}

#define FIXED             "Host: Shop:8080\r\nUser-Agent: squall-load\r\nX-Traffic: load\r\n"
#define OK(headers, body) "HTTP/1.1 200 OK\r\n" headers "\r\n" body

static void test_what_is_extracted_goes_on(void **state)
{
    (void)state;
    struct bench bench = {.program = NULL};
    start(&bench,
          "{'name':'a','method':'POST','path':'/users?n={{seq}}','headers':['Content-Type: x/y',"
          "'X-Id: {{rand}}'],'body':'{\\'n\\':\\'{{people.name|json}}\\'}','extract':["
          "{'name':'id','from':'json','json':'/data/0/id'},{'name':'obj','from':'json','json':"
          "'/data/0'},{'name':'tag','from':'header','header':'etag'},{'name':'word','from':'regex',"
          "'regex':'w=(\\\\w+)'},{'name':'all','from':'regex','regex':'w=.'},{'name':'code','from':"
          "'status'}]},"
          "{'name':'b','method':'GET','path':'/u/{{id}}?q={{people.mail|url}}&o={{obj|url}}',"
          "'headers':['If-Match: {{tag}}','X-W: {{word}}{{all}}{{code}}']}",
          "");
    struct load_passage *p = begin(&bench, 7);
    base_rng_seed(&bench.rng, 5);
    char *expected = base_str_printf("POST /users?n=000000000007 HTTP/1.1\r\n" FIXED
                                     "Content-Type: x/y\r\nX-Id: %016llx\r\n"
                                     "Content-Length: 18\r\n\r\n{\"n\":\"Ann O'Hara\"}",
                                     (unsigned long long)base_rng_u64(&bench.rng));
    base_rng_seed(&bench.rng, 5);
    assert_request(&bench, p, expected);
    free(expected);
    answer(p,
           "HTTP/1.1 201 Created\r\nETag: \"e1\"\r\nTransfer-Encoding: chunked\r\n\r\n"
           "10\r\n{\"data\":[{\"id\":4\r\n14\r\n2}],\"x\":\" w=wörd \"}\r\n0\r\n\r\n",
           NULL);
    assert_true(load_passage_advance(p));
    assert_request(&bench, p,
                   "GET /u/42?q=ann%40x&o=%7B%22id%22%3A42%7D HTTP/1.1\r\n" FIXED
                   "If-Match: \"e1\"\r\nX-W: ww=w201\r\n\r\n");
    answer(p, OK("", ""), NULL);
    assert_int_equal(load_passage_left(p), 0);
    assert_false(load_passage_advance(p));
    load_passage_free(p);
    stop(&bench);
}

/* A step's expectations and extractions, a response, and the verdict. */
static const struct {
    const char *step;
    const char *response;
    const char *verdict;
} cases[] = {
    {"", OK("", ""), NULL},
    {"", "HTTP/1.1 302 Found\r\n\r\n", NULL},
    {"", "HTTP/1.1 404 No\r\n\r\n", "http_4xx: status is 404"},
    {"", "HTTP/1.1 503 No\r\n\r\n", "http_5xx: status is 503"},
    {"", "HTTP/1.1 700 No\r\n\r\n", "status: status is 700"},
    {"'expect':[{'on':'status','status':404}]", "HTTP/1.1 404 No\r\n\r\n", NULL},
    {"'expect':[{'on':'status','status':404}]", OK("", ""),
     "assertion: status is 200, expected 404"},
    {"'expect':[{'on':'status','status':201}]", "HTTP/1.1 500 No\r\n\r\n",
     "http_5xx: status is 500, expected 201"},
    {"'expect':[{'on':'header','status':0,'header':'X'}]", OK("x: 1\r\n", ""), NULL},
    {"'expect':[{'on':'header','status':0,'header':'X'}]", OK("Y: 1\r\n", "X: 1"),
     "assertion: there is no header X"},
    {"'expect':[{'on':'header','status':0,'header':'X','equals':'{{seq}}'}]",
     OK("X: 000000000003\r\n", ""), NULL},
    {"'expect':[{'on':'header','status':0,'header':'X','equals':'a'}]", OK("X: b\r\nX: a\r\n", ""),
     NULL},
    {"'expect':[{'on':'header','status':0,'header':'X','equals':'a'}]", OK("X: ab\r\n", ""),
     "assertion: header X is \"ab\", expected \"a\""},
    {"'expect':[{'on':'header','status':0,'header':'X','contains':'b'}]", OK("X: abc\r\n", ""),
     NULL},
    {"'expect':[{'on':'header','status':0,'header':'X','contains':'d'}]", OK("X: abc\r\n", ""),
     "assertion: header X is \"abc\", expected it to contain \"d\""},
    {"'expect':[{'on':'header','status':0,'header':'X','matches':'^a.c$'}]", OK("X: abc\r\n", ""),
     NULL},
    {"'expect':[{'on':'header','status':0,'header':'X','matches':'^b'}]", OK("X: abc\r\n", ""),
     "assertion: X does not match ^b"},
    {"'expect':[{'on':'json','status':0,'json':'/a'}]", OK("", "{\"a\":null}"), NULL},
    {"'expect':[{'on':'json','status':0,'json':'/a/b'}]", OK("", "{\"a\":{}}"),
     "assertion: the body has nothing at /a/b"},
    {"'expect':[{'on':'json','status':0,'json':'/a','equals':'5'}]", OK("", "{\"a\":5}"), NULL},
    {"'expect':[{'on':'json','status':0,'json':'/a','equals':'5'}]", OK("", "{\"a\":\"5\"}"), NULL},
    {"'expect':[{'on':'json','status':0,'json':'/a','equals':'5'}]", OK("", "{\"a\":5.0}"),
     "assertion: /a is \"5.0\", expected \"5\""},
    {"'expect':[{'on':'json','status':0,'json':'/a','equals':'5'}]", OK("", "{\"a\":"),
     "assertion: the body:1:5: not valid JSON"},
    {"'expect':[{'on':'json','status':0,'json':'/a'}]", OK("", ""), "assertion: the body:"},
    {"'expect':[{'on':'bodyContains','status':0,'bodyContains':'b{{seq}}'}]",
     OK("", "ab000000000003"), NULL},
    {"'expect':[{'on':'bodyContains','status':0,'bodyContains':'X: 1'}]", OK("X: 1\r\n", "x"),
     "assertion: the body does not contain \"X: 1\""},
    {"'expect':[{'on':'bodyMatches','status':0,'bodyMatches':'^\\\\d+$'}]", OK("", "123"), NULL},
    {"'expect':[{'on':'bodyMatches','status':0,'bodyMatches':'^\\\\d+$'}]", OK("", "12a"),
     "assertion: the body does not match ^\\d+$"},
    {"'expect':[{'on':'bodyMatches','status':0,'bodyMatches':'^(([a-z])+.)+[A-Z]([a-z])+$'}]",
     OK("", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     "assertion: the search for "},
    {"'expect':[{'on':'status','status':200},{'on':'bodyContains','status':0,'bodyContains':'y'}]",
     OK("", "x"), "assertion: the body does not"},
    {"'extract':[{'name':'x','from':'json','json':'/a'}]", OK("", "{}"),
     "extraction: the body has nothing at /a"},
    {"'extract':[{'name':'x','from':'json','json':'/a'}]", OK("", "<a>"),
     "extraction: the body:1:1: not valid JSON"},
    {"'extract':[{'name':'x','from':'header','header':'A'}]", OK("", ""),
     "extraction: there is no header A"},
    {"'extract':[{'name':'x','from':'regex','regex':'a'}]", OK("", "b"),
     "extraction: the body does not match a"},
    /* What was asserted comes first. */
    {"'expect':[{'on':'status','status':201}],'extract':[{'name':'x','from':'json','json':'/a'}]",
     OK("", ""), "assertion: status is 200"},
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench = {.program = NULL};
        char *step = base_str_printf("{'name':'a','method':'GET','path':'/'%s%s}",
                                     cases[i].step[0] != '\0' ? "," : "", cases[i].step);
        start(&bench, step, "");
        struct load_passage *p = begin(&bench, 3);
        char why[LOAD_WHY_MAX];
        assert_true(load_passage_make(p, &bench.rng, why));
        answer(p, cases[i].response, cases[i].verdict);
        load_passage_free(p);
        free(step);
        stop(&bench);
    }
}

static void test_what_cannot_stand_there(void **state)
{
    (void)state;
    static const struct {
        const char *step;
        const char *why;
    } slips[] = {
        {"'path':'/{{people.name}}'", "{{people.name}} is \"Ann O'Hara\", which cannot stand in a "
                                      "path: see {{people.name|url}}"},
        {"'path':'{{people.name|url}}'", "the path \"Ann%20O%27Hara"},
        {"'path':'/','headers':['X: {{people.mail}}']", NULL},
    };
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        struct bench bench = {.program = NULL};
        char *step = base_str_printf("{'name':'a','method':'GET',%s}", slips[i].step);
        start(&bench, step, "");
        struct load_passage *p = begin(&bench, 0);
        char why[LOAD_WHY_MAX] = "";
        assert_int_equal(load_passage_make(p, &bench.rng, why), slips[i].why == NULL);
        if (slips[i].why != NULL && strstr(why, slips[i].why) != why)
            fail_msg("%s", why);
        load_passage_free(p);
        free(step);
        stop(&bench);
    }
}

/* The third row has a line break: as a header it would be another header. */
static void test_no_header_is_smuggled(void **state)
{
    (void)state;
    struct bench bench = {.program = NULL};
    char why[LOAD_WHY_MAX] = "";
    start(&bench, "{'name':'a','method':'GET','path':'/','headers':['X: {{again.name}}']}", "");
    for (uint64_t i = 0; i < 6; i++) {
        struct load_passage *p = begin(&bench, i);
        assert_int_equal(load_passage_make(p, &bench.rng, why), i % 3 != 2);
        load_passage_free(p);
    }
    assert_non_null(strstr(why, "{{again.name}} is \"C\r\nX: y\", which cannot stand in a header"));
    stop(&bench);
}

static void test_rows(void **state)
{
    (void)state;
    struct bench bench = {.program = NULL};
    char why[LOAD_WHY_MAX] = "";
    start(&bench, "{'name':'a','method':'GET','path':'/{{people.mail}}{{any.mail}}'}", "");
    size_t drawn[3];
    for (uint64_t i = 0; i < 3; i++) {
        struct load_passage *p = begin(&bench, i);
        assert_int_equal(p->rows[0], i);
        drawn[i] = p->rows[1];
        load_passage_free(p);
    }
    assert_null(load_passage_new(bench.program, 0, LOAD_PART_STEPS, 3, NULL, why));
    assert_non_null(strstr(why, "each of the 3 rows of /tmp/squall-passage-"));
    stop(&bench);
    /* Random rows follow from seed and number, whoever draws. */
    start(&bench, "{'name':'a','method':'GET','path':'/{{any.mail}}'}", "");
    bool all[3] = {false};
    for (uint64_t i = 40; i-- > 0;) {
        struct load_passage *p = begin(&bench, i);
        all[p->rows[1]] = true;
        if (i < 3)
            assert_int_equal(p->rows[1], drawn[i]);
        load_passage_free(p);
    }
    assert_true(all[0] && all[1] && all[2]);
    stop(&bench);
}

/* Of three processes, each on threads that come as they like. */
static void test_rows_are_dealt_to_processes_in_turn(void **state)
{
    (void)state;
    static const char *const names[] = {"Ann O'Hara", "B\u00f6b"};
    for (uint32_t index = 0; index < 2; index++) {
        struct bench bench = {.program = NULL};
        char why[LOAD_WHY_MAX] = "";
        start(&bench,
              "{'name':'a','method':'GET','path':'/{{people.name|url}}/{{again.mail|url}}'}", "");
        bench.program->share = (struct load_share){.index = index, .of = 2};
        struct load_passage *p = begin(&bench, 0);
        assert_string_equal(load_rows_cell(bench.program->rows[0], p->rows[0], 0), names[index]);
        load_passage_free(p);
        /* Three rows: the third is the first one's again, and then neither has any. */
        p = load_passage_new(bench.program, 0, LOAD_PART_STEPS, 1, NULL, why);
        if (index == 0) {
            assert_int_equal(p->rows[0], 2);
            assert_int_equal(p->rows[2], 2);
            load_passage_free(p);
            p = load_passage_new(bench.program, 0, LOAD_PART_STEPS, 2, NULL, why);
        }
        assert_null(p);
        assert_non_null(strstr(why, "each of this worker's share of the 3 rows"));
        stop(&bench);
    }
}

static void test_cookies(void **state)
{
    (void)state;
    struct bench bench = {.program = NULL};
    start(&bench,
          "{'name':'a','method':'GET','path':'/in/x'},{'name':'b','method':'GET','path':'/in/y'},"
          "{'name':'c','method':'GET','path':'/'},"
          "{'name':'d','method':'GET','path':'/in/','headers':['Cookie: own=1']}",
          "");
    struct load_passage *p = begin(&bench, 0);
    assert_request(&bench, p, "GET /in/x HTTP/1.1\r\n" FIXED "\r\n");
    answer(p,
           "HTTP/1.1 500 No\r\nSet-Cookie: s=1\r\nSet-Cookie: t=2; Secure\r\nSet-Cookie: u=3; "
           "Domain=shop\r\n\r\n",
           "http_5xx: "); /* cookies are kept all the same */
    assert_true(load_passage_advance(p));
    assert_request(&bench, p, "GET /in/y HTTP/1.1\r\n" FIXED "Cookie: s=1; u=3\r\n\r\n");
    answer(p, OK("Set-Cookie: s=; Max-Age=0\r\n", ""), NULL);
    assert_true(load_passage_advance(p));
    assert_request(&bench, p, "GET / HTTP/1.1\r\n" FIXED "\r\n");
    answer(p, OK("", ""), NULL);
    assert_true(load_passage_advance(p));
    assert_request(&bench, p, "GET /in/ HTTP/1.1\r\n" FIXED "Cookie: own=1\r\n\r\n");
    load_passage_free(p);
    stop(&bench);
}

static void test_what_setup_leaves(void **state)
{
    (void)state;
    struct bench bench = {.program = NULL};
    char why[LOAD_WHY_MAX] = "";
    start(&bench,
          "{'name':'a','method':'GET','path':'/{{key}}','extract':[{'name':'key','from':'header',"
          "'header':'K'}]},{'name':'b','method':'GET','path':'/b/{{key}}'}",
          ",'setup':[{'name':'in','method':'POST','path':'/in','extract':[{'name':'key','from':"
          "'header','header':'K'}]}]");
    struct load_passage *setup = load_passage_new(bench.program, 0, LOAD_PART_SETUP, 0, NULL, why);
    assert_request(&bench, setup, "POST /in HTTP/1.1\r\n" FIXED "Content-Length: 0\r\n\r\n");
    answer(setup, OK("K: k1\r\nSet-Cookie: c=1\r\n", ""), NULL);
    load_passage_bequeath(setup);
    load_passage_free(setup);
    for (int i = 0; i < 2; i++) { /* what one passage learns, the next does not know */
        struct load_passage *p = begin(&bench, 0);
        assert_request(&bench, p, "GET /k1 HTTP/1.1\r\n" FIXED "Cookie: c=1\r\n\r\n");
        answer(p, OK("K: k2\r\nSet-Cookie: c=2\r\n", ""), NULL);
        assert_true(load_passage_advance(p));
        assert_request(&bench, p, "GET /b/k2 HTTP/1.1\r\n" FIXED "Cookie: c=2\r\n\r\n");
        load_passage_free(p);
    }
    struct load_jar jar = {.count = 0}; /* a user's own jar outlives his passages */
    load_jar_copy(&jar, &bench.program->flows[0].jar);
    for (int i = 0; i < 2; i++) {
        struct load_passage *p = load_passage_new(bench.program, 0, LOAD_PART_STEPS, 0, &jar, why);
        assert_request(&bench, p,
                       i == 0 ? "GET /k1 HTTP/1.1\r\n" FIXED "Cookie: c=1\r\n\r\n"
                              : "GET /k1 HTTP/1.1\r\n" FIXED "Cookie: c=2\r\n\r\n");
        answer(p, OK("K: k2\r\nSet-Cookie: c=2\r\n", ""), NULL);
        load_passage_free(p);
    }
    load_jar_fini(&jar);
    stop(&bench);
}

/* From one process to another: values and cookies alike, and nothing that text cannot say. */
static void test_what_setup_leaves_travels(void **state)
{
    (void)state;
    static const char step[] = "{'name':'a','method':'GET','path':'/{{id}}'}";
    static const char setup[] = ",'setup':[{'name':'s','method':'GET','path':'/','extract':[{"
                                "'name':'id','from':'header','header':'x-id'}]}]";
    struct bench from = {.program = NULL}, to = {.program = NULL};
    struct base_error err = {.code = BASE_OK};
    char why[LOAD_WHY_MAX];
    json_t *bequest = NULL;
    start(&from, step, setup);
    struct load_passage *p = load_passage_new(from.program, 0, LOAD_PART_SETUP, 0, NULL, why);
    assert_true(load_passage_make(p, &from.rng, why));
    answer(
        p,
        OK("X-Id: B\u00f6b\r\nSet-Cookie: sid=7; Path=/x\r\nSet-Cookie: a=b; Max-Age=900\r\n", ""),
        NULL);
    load_passage_bequeath(p);
    assert_true(load_program_bequest(from.program, &bequest, &err));
    char *text = model_json_dump_line(bequest);
    json_decref(bequest);
    start(&to, step, setup);
    bequest = model_json_parse(text, strlen(text), "test", &err);
    free(text);
    assert_true(load_program_inherit(to.program, bequest, &err));
    struct load_passage *q = begin(&to, 0);
    assert_string_equal(q->values[0], "B\u00f6b");
    assert_int_equal(q->jar->count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(q->jar->cookies[i].name, from.program->flows[0].jar.cookies[i].name);
        assert_string_equal(q->jar->cookies[i].value, from.program->flows[0].jar.cookies[i].value);
        assert_string_equal(q->jar->cookies[i].path, from.program->flows[0].jar.cookies[i].path);
        assert_int_equal(q->jar->cookies[i].expires, from.program->flows[0].jar.cookies[i].expires);
    }
    assert_string_equal(q->jar->cookies[0].path, "/x");
    load_passage_free(q);
    json_decref(bequest);
    bequest = json_array();
    assert_false(load_program_inherit(to.program, bequest, &err));
    assert_int_equal(err.code, BASE_CORRUPT);
    for (size_t i = 0; i < to.program->spec->flow_count; i++)
        (void)json_array_append_new(bequest, json_object());
    assert_false(load_program_inherit(to.program, bequest, &err));
    assert_non_null(strstr(err.message, "lacks its values or cookies"));
    json_decref(bequest);
    free(from.program->flows[0].values[0]);
    from.program->flows[0].values[0] = base_str_dup("\xff");
    assert_false(load_program_bequest(from.program, &bequest, &err));
    assert_non_null(strstr(err.message, "set \"id\" to what is no text in UTF-8"));
    load_passage_free(p);
    stop(&from);
    stop(&to);
}

static void test_a_large_body(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "{'name':'a','method':'GET','path':'/'}",
        "{'name':'a','method':'GET','path':'/','expect':[{'on':'bodyContains','status':0,"
        "'bodyContains':''}]}"};
    char *body = base_calloc(LOAD_CAPTURE_MAX + 1, 1);
    memset(body, 'x', LOAD_CAPTURE_MAX);
    for (size_t i = 0; i < 2; i++) {
        struct bench bench = {.program = NULL};
        char why[LOAD_WHY_MAX];
        start(&bench, steps[i], "");
        struct load_passage *p = begin(&bench, 0);
        assert_true(load_passage_make(p, &bench.rng, why));
        load_capture_add(&p->errand.capture, OK("", ""), strlen(OK("", "")), false);
        load_capture_add(&p->errand.capture, body, LOAD_CAPTURE_MAX, true);
        answer(p, "", i == 0 ? NULL : "too_large: the response is larger than the 1048576 bytes");
        load_passage_free(p);
        stop(&bench);
    }
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_extracted_goes_on),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_what_cannot_stand_there),
        cmocka_unit_test(test_no_header_is_smuggled),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_are_dealt_to_processes_in_turn),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_what_setup_leaves),
        cmocka_unit_test(test_what_setup_leaves_travels),
        cmocka_unit_test(test_a_large_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
