/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "model/load.h"

const struct load_scheme load_schemes[] = {
    {"http://", LOAD_SPEECH_HTTP, false, 80},
    {"https://", LOAD_SPEECH_HTTP, true, 443},
    {"redis://", LOAD_SPEECH_REDIS, false, 6379},
    {"rediss://", LOAD_SPEECH_REDIS, true, 6379},
    {"tcp://", LOAD_SPEECH_TCP, false, 0},
    {"tls://", LOAD_SPEECH_TCP, true, 0},
    {"postgres://", LOAD_SPEECH_POSTGRES, false, 5432},
    {"postgresql://", LOAD_SPEECH_POSTGRES, false, 5432},
    {"amqp://", LOAD_SPEECH_AMQP, false, 5672},
    {"amqps://", LOAD_SPEECH_AMQP, true, 5671},
};
const size_t load_scheme_count = sizeof load_schemes / sizeof *load_schemes;

const struct load_scheme *load_scheme_of(const char *url)
{
    for (size_t i = 0; url != NULL && i < load_scheme_count; i++)
        if (strncasecmp(url, load_schemes[i].prefix, strlen(load_schemes[i].prefix)) == 0)
            return &load_schemes[i];
    return NULL;
}

char *load_scheme_list(void)
{
    struct base_buf list;
    base_buf_init(&list, 1024);
    for (size_t i = 0; i < load_scheme_count; i++)
        base_buf_printf(&list, "%s%s",
                        i == 0                       ? ""
                        : i + 1 == load_scheme_count ? " or "
                                                     : ", ",
                        load_schemes[i].prefix);
    return base_buf_steal(&list);
}
