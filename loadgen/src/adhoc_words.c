/* SPDX-License-Identifier: Apache-2.0 */
#include "adhoc_words.h"

#include <string.h>

static const struct {
    const char *theirs;
    const char *ours;
    const char *whose;
} same[] = {
    {"R", "rate", "wrk2"},
    {"T", "timeout", "wrk"},
    {"L", "latency", "wrk2"},
    {"u_latency", "latency", "wrk"},
    {"z", "duration", "hey"},
    {"X", "method", "curl"},
    {"D", "body-file", "hey"},
    {"max-concurrent-streams", "streams", "h2load"},
    {"http2-prior-knowledge", "http2", "curl"},
    {"h2", "http2", "hey"},
    {"h2c", "http2", "vegeta"},
    {"root-certs", "ca-file", "vegeta"},
    {"laddr", "source", "vegeta"},
    {"prometheus-addr", "prometheus", "vegeta"},
    {"cacert", "ca-file", "curl"},
};
enum { SAME = sizeof same / sizeof *same };

#define COUNTED                                                                                    \
    "a rate has a length, -d SECS; a number of requests is for users, who send one after the "     \
    "other: --users N --iterations REQUESTS"
#define KEPT                                                                                       \
    "connections are kept open between requests; -H \"Connection: close\" has the target end them"

/* dashes: how many the refused form has; 0: either. */
static const struct {
    const char *theirs;
    int dashes;
    const char *hint;
} different[] = {
    {"s", 1, "there are no scripts: a scenario has routes, weights and phases (squall schema)"},
    {"script", 0,
     "there are no scripts: a scenario has routes, weights and phases (squall "
     "schema)"},
    {"n", 1, COUNTED},
    {"requests", 0, COUNTED},
    {"B", 1, "service time is always shown beside response time"},
    {"batch_latency", 0, "service time is always shown beside response time"},
    {"targets", 0, "one URL is expected; several are the routes of a scenario (squall schema)"},
    {"body", 1, "behind one dash it names a file elsewhere: --body-file FILE, or --body TEXT"},
    {"workers", 1, "connections are opened beforehand: -c N"},
    {"max-workers", 0, "connections are opened beforehand: -c N"},
    {"max-connections", 0, "connections are opened beforehand: -c N"},
    {"keepalive", 0, KEPT},
    {"disable-keepalive", 0, KEPT},
    {"redirects", 0, "redirects are answers like others, and not followed"},
    {"disable-redirects", 0, "redirects are answers like others, and not followed"},
    {"host", 0, "it is a header: -H \"Host: NAME\""},
    {"cpus", 0, "threads are as many as cores, or -t N"},
    {"output", 0, "results go to --hlog, --hgrm or --csv FILE, or with --json to standard output"},
    {"name", 0, "a result has no name of its own"},
    {"v", 1, "the version is what squall --version says"},
    {"version", 0, "the version is what squall --version says"},
};
enum { DIFFERENT = sizeof different / sizeof *different };

static bool is(const char *word, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(name, word, len) == 0;
}

const char *load_words_ours(const char *word, size_t len)
{
    for (size_t i = 0; i < SAME; i++)
        if (is(word, len, same[i].theirs))
            return same[i].ours;
    return NULL;
}

const char *load_words_refusal(const char *word, size_t len, int dashes)
{
    for (size_t i = 0; i < DIFFERENT; i++)
        if (is(word, len, different[i].theirs) &&
            (different[i].dashes == 0 || different[i].dashes == dashes))
            return different[i].hint;
    return NULL;
}

bool load_words_help(struct base_buf *out)
{
    base_buf_str(out, "as elsewhere:");
    for (size_t i = 0; i < SAME; i++)
        base_buf_printf(out, "%s%s%s is --%s (%s)",
                        i == 0       ? " "
                        : i % 5 == 4 ? ",\n  "
                                     : ", ",
                        same[i].theirs[1] == '\0' ? "-" : "--", same[i].theirs, same[i].ours,
                        same[i].whose);
    return base_buf_str(
        out, ";\n  long names also behind one dash (vegeta: -rate=50/1s). Not as elsewhere: -d is "
             "the duration (hey: the body),\n  -t threads (hey: the timeout), -q quiet (hey: a "
             "rate for each worker)\n");
}
