/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for probes that ask PostgreSQL and Redis. */
#include "check_stores.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "base/cleanup.h"
#include "base/text.h"

static bool is_address_and_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    struct in6_addr ignored;
    if (colon == NULL || !base_parse_u64(colon + 1, &port) || port == 0 || port > UINT16_MAX)
        return false;
    size_t len = (size_t)(colon - text);
    bool v6 = text[0] == '[' && len > 2 && text[len - 1] == ']';
    BASE_AUTO_FREE char *host = base_str_ndup(text + (v6 ? 1 : 0), v6 ? len - 2 : len);
    return inet_pton(v6 ? AF_INET6 : AF_INET, host, &ignored) == 1;
}

static void check_place(struct scn_reporter *reporter, const struct scn_probe *probe,
                        const char *kind, size_t i)
{
    const char *address = probe->store.address;
    scn_at(reporter, "spec.probes[%zu].%s", i, kind);
    if ((probe->service == NULL) == (address == NULL))
        scn_say(reporter, "expected either service or address: who is to be asked");
    scn_at(reporter, "spec.probes[%zu].%s.address", i, kind);
    if (address != NULL && !is_address_and_port(address))
        scn_say(reporter,
                "\"%s\" is no address with a port, expected one such as 127.0.0.1:6379 or "
                "[::1]:6379",
                address);
}

static void check_compare(struct scn_reporter *reporter, const char *kind, size_t i,
                          enum plan_compare compare, const char *expected, bool anything)
{
    scn_at(reporter, "spec.probes[%zu].%s.compare", i, kind);
    if (compare != PLAN_EQUAL && !anything)
        scn_say(reporter, "there is nothing to compare with");
    else if (expected != NULL && !answer_can_compare(compare, expected))
        scn_say(reporter, "\"%s\" is no number, expected == or !=", expected);
}

static void check_sql(struct scn_reporter *reporter, const struct scn_probe *probe, size_t i)
{
    bool counts = probe->sql.rows >= 0;
    scn_at(reporter, "spec.probes[%zu].sql.rows", i);
    if (counts && probe->sql.value != NULL)
        scn_say(reporter, "beside \"value\", expected one of them");
    check_compare(reporter, "sql", i, probe->sql.compare, probe->sql.value,
                  counts || probe->sql.value != NULL);
}

/* A command is written into plan, events and reports, as it is. */
static void check_redis(struct scn_reporter *reporter, const struct scn_probe *probe, size_t i)
{
    const char *command = probe->redis.command[0];
    scn_at(reporter, "spec.probes[%zu].redis.command", i);
    if (strcasecmp(command, "AUTH") == 0 || strcasecmp(command, "HELLO") == 0)
        scn_say(reporter, "%s would put a password into every report, expected passwordFile",
                command);
    check_compare(reporter, "redis", i, probe->redis.compare, probe->redis.reply,
                  probe->redis.reply != NULL);
}

void scn_check_store_probe(struct scn_reporter *reporter, size_t i)
{
    const struct scn_probe *probe = &reporter->scenario->probes[i];
    if (probe->kind == PLAN_PROBE_SQL) {
        check_place(reporter, probe, "sql", i);
        check_sql(reporter, probe, i);
    } else if (probe->kind == PLAN_PROBE_REDIS) {
        check_place(reporter, probe, "redis", i);
        check_redis(reporter, probe, i);
    }
}
