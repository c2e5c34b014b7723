/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about as whom the load logs in. */
#include "base/cleanup.h"
#include "check_load.h"

/* Says so when the key is there and the load speaks none of the protocols. */
static void check_fits(struct scn_reporter *reporter, const char *key, enum load_speech one,
                       enum load_speech other)
{
    enum load_speech protocol = scn_load_protocol(reporter->scenario);
    scn_at(reporter, "spec.load.login%s", key);
    if (!scn_scenario_has(reporter->scenario, reporter->path) || protocol == one ||
        protocol == other)
        return;
    BASE_AUTO_FREE char *list = scn_request_list(scn_requests_of(one) | scn_requests_of(other));
    scn_say(reporter, "makes sense only where routes have %s", list);
}

/* As they go into JSON that squall-load reads. */
static void check_texts(struct scn_reporter *reporter, const struct scn_login *login)
{
    const struct {
        const char *key;
        const char *text;
    } texts[] = {{"user", login->user},
                 {"passwordFile", login->password_file},
                 {"database", login->database},
                 {"virtualHost", login->virtual_host}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *c = texts[i].text;
        while (c != NULL && *c != '\0' && (unsigned char)*c >= ' ' && *c != 0x7f)
            c++;
        scn_at(reporter, "spec.load.login.%s", texts[i].key);
        if (c != NULL && (*c != '\0' || c == texts[i].text))
            scn_say(reporter, "expected text that is not empty, without control characters");
    }
}

void scn_check_login(struct scn_reporter *reporter)
{
    const struct scn_login *login = &reporter->scenario->load.login;
    bool password = login->password_file != NULL || login->password_env != NULL;
    check_fits(reporter, "", LOAD_SPEECH_POSTGRES, LOAD_SPEECH_AMQP);
    if (scn_spoiled(reporter))
        return;
    check_texts(reporter, login);
    check_fits(reporter, ".database", LOAD_SPEECH_POSTGRES, LOAD_SPEECH_POSTGRES);
    check_fits(reporter, ".virtualHost", LOAD_SPEECH_AMQP, LOAD_SPEECH_AMQP);
    scn_at(reporter, "spec.load.login.passwordEnv");
    if (login->password_env != NULL && login->password_file != NULL)
        scn_say(reporter, "beside \"passwordFile\", expected one of them");
    scn_at(reporter, "spec.load.login.user");
    if (login->user != NULL && !password &&
        scn_load_protocol(reporter->scenario) == LOAD_SPEECH_AMQP)
        scn_say(reporter, "RabbitMQ wants a password with it, expected passwordFile or "
                          "passwordEnv");
}
