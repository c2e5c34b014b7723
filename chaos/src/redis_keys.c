/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/meminfo.h"
#include "base/text.h"

enum {
    key_text = 192,
    ttl_text = 24,
    reserve_mib = 256,
    expiring_most = 100 /* keys of others, beside those of the fault */
};
#define OWN_DATABASE                                                                               \
    "15" /* the last that redis.conf has; where there is none a session stays in 0 */
static const double host_share = 0.1; /* stays available */

static void key_of(const struct fault_redis_subject *subject, size_t index,
                   char out[static key_text])
{
    (void)snprintf(out, key_text, "squall:%s:%zu", subject->spec->id, index);
}

static void ttl_of(const struct fault_redis_subject *subject, char out[static ttl_text])
{
    int64_t left = base_dur_to_ms(fault_effect_left(subject->store->fault));
    (void)snprintf(out, ttl_text, "%" PRId64, left > 0 ? left : 1);
}

struct fault_redis *fault_redis_keys_session(const struct fault_redis_subject *subject)
{
    struct fault_redis *session = fault_redis_session(subject);
    fault_redis_ask(session, FAULT_REDIS_WORDS("SELECT", OWN_DATABASE), NULL, NULL);
    return session;
}

void fault_redis_probe_keys(struct fault_redis_subject *subject)
{
    fault_redis_probe(subject);
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("SELECT", OWN_DATABASE), NULL, NULL);
}

void fault_redis_find_database(struct fault_redis_subject *subject, fault_redis_next *next)
{
    fault_redis_probe(subject);
    fault_redis_ask(subject->probe, FAULT_REDIS_WORDS("SELECT", OWN_DATABASE), next, subject);
}

/* INFO has a line for each database with keys: "db0:keys=7,expires=2,avg_ttl=0". */
static int64_t expiring(const struct fault_redis_answer *answer, const char *database)
{
    BASE_AUTO_FREE char *label = base_str_printf("\n%s:", database);
    const char *line = strstr(answer->text, label);
    const char *at = line != NULL ? strstr(line, "expires=") : NULL;
    int64_t count = 0;
    if (at == NULL)
        return 0;
    at += strlen("expires=");
    BASE_AUTO_FREE char *digits = base_str_ndup(at, strspn(at, "0123456789"));
    return base_parse_i64(digits, &count) ? count : INT64_MAX;
}

const char *fault_redis_keys_would_stay(const struct fault_redis_subject *subject,
                                        const struct fault_redis_answer *answer)
{
    if (expiring(answer, subject->apart ? "db" OWN_DATABASE : "db0") <= expiring_most)
        return NULL;
    return subject->apart
               ? "others have more than 100 keys that expire in database 15, among which those of "
                 "the fault would keep their memory beyond the lease"
               : "it has no database 15, and more than 100 keys of others expire in database 0, "
                 "among which those of the fault would keep their memory beyond the lease";
}

void fault_redis_ask_of_keys(struct fault_redis_subject *subject, const char *command, size_t count,
                             fault_redis_next *next)
{
    char names[FAULT_REDIS_KEYS][key_text];
    const char *words[FAULT_REDIS_KEYS + 2] = {command};
    for (size_t i = 0; i < count; i++) {
        key_of(subject, i, names[i]);
        words[i + 1] = names[i];
    }
    fault_redis_ask(subject->probe, words, next, subject);
}

void fault_redis_make_key(struct fault_redis_subject *subject, struct fault_redis *session,
                          size_t index, size_t size, fault_redis_next *next)
{
    char key[key_text];
    char ttl[ttl_text];
    char end[24];
    key_of(subject, index, key);
    ttl_of(subject, ttl);
    (void)snprintf(end, sizeof end, "%zu", size - 1);
    fault_redis_ask(session, FAULT_REDIS_WORDS("MULTI"), NULL, NULL);
    /* Queued, or refused: "-OOM command not allowed when used memory > 'maxmemory'". */
    fault_redis_ask(session, FAULT_REDIS_WORDS("SETRANGE", key, end, "x"), next, subject);
    fault_redis_ask(session, FAULT_REDIS_WORDS("PEXPIRE", key, ttl), NULL, NULL);
    fault_redis_ask(session, FAULT_REDIS_WORDS("EXEC"), next, subject);
}

void fault_redis_keep_keys(struct fault_redis_subject *subject, struct fault_redis *session,
                           size_t count, fault_redis_next *next)
{
    char key[key_text];
    char ttl[ttl_text];
    ttl_of(subject, ttl);
    for (size_t i = 0; i < count; i++) {
        key_of(subject, i, key);
        fault_redis_ask(session, FAULT_REDIS_WORDS("PEXPIRE", key, ttl), next, subject);
    }
}

void fault_redis_say_keys(struct fault_redis_subject *subject, int64_t count, size_t wanted,
                          bool ok)
{
    BASE_AUTO_FREE char *value = base_str_printf("%" PRId64, count);
    BASE_AUTO_FREE char *expected = base_str_printf("%zu", wanted);
    fault_store_evidence(subject->store, "keys of the fault", value, expected, ok);
}

bool fault_redis_no_keys(struct fault_redis_subject *subject,
                         const struct fault_redis_answer *answer, const char *why)
{
    bool none = answer->ok && answer->number == 0;
    if (none || (answer->ok && fault_store_is_injecting(subject->store)))
        fault_redis_say_keys(subject, answer->number, 0, none);
    if (!none)
        fault_redis_fail(subject, FAULT_OUTCOME_FAILED, answer->ok ? why : "cannot look for keys",
                         answer->ok ? NULL : answer);
    return none;
}

const char *fault_redis_host_is_short(const struct fault_redis_subject *subject,
                                      const struct fault_redis_answer *answer, double bytes)
{
    double used = (double)fault_redis_info(answer, "used_memory") + bytes;
    double total = (double)fault_redis_info(answer, "total_system_memory");
    bool here = subject->store->process.pid > 0;
    double available = (double)base_meminfo("MemAvailable");
    double reserve = (double)base_meminfo("MemTotal") * host_share;
    if (reserve < (double)reserve_mib * FAULT_REDIS_MIB)
        reserve = (double)reserve_mib * FAULT_REDIS_MIB;
    if (total > 0 && used > total * (1 - host_share))
        return "a tenth of the memory of its host would not stay available: ask for less";
    if (here && available - bytes < reserve)
        return "a tenth of this host's memory, 256 MiB at least, would not stay available: ask for "
               "less";
    return NULL;
}
