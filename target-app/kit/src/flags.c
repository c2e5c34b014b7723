/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flags.h"

#include <string.h>

#include "base/text.h"

bool kit_endpoint_parse(const char *text, bool allow_zero, struct kit_endpoint *out,
                        struct base_error *err)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (len > 0 && memchr(host, ':', len) != NULL) {
        len = 0; /* an IPv6 literal needs brackets */
    }
    uint64_t port;
    if (len == 0 || len >= sizeof out->host || !base_parse_u64(colon + 1, &port) ||
        port > UINT16_MAX || (port == 0 && !allow_zero))
        return base_fail(err, BASE_INVALID,
                         "'%s' is no HOST:PORT; write for example 127.0.0.1:3000 or [::1]:3000",
                         text);
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    out->port = (uint16_t)port;
    return true;
}

static bool parse_fraction(const char *text, double *out)
{
    double value;
    if (base_parse_percent(text, &value) || base_parse_double(text, &value)) {
        if (value >= 0 && value <= 1) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool store(const struct kit_flag *flag, const char *text, struct base_error *err)
{
    static const char *const wanted[] = {
        [KIT_FLAG_TEXT] = "text",
        [KIT_FLAG_SWITCH] = "no value",
        [KIT_FLAG_COUNT] = "a whole number",
        [KIT_FLAG_DURATION] = "a duration such as 250ms or 2s",
        [KIT_FLAG_FRACTION] = "a share from 0 to 1, or 0% to 100%",
        [KIT_FLAG_LISTEN] = "ADDR:PORT",
    };
    bool ok = true;
    switch (flag->type) {
    case KIT_FLAG_TEXT:
        *(const char **)flag->out = text;
        break;
    case KIT_FLAG_SWITCH:
        *(bool *)flag->out = true;
        break;
    case KIT_FLAG_COUNT:
        ok = base_parse_u64(text, flag->out);
        break;
    case KIT_FLAG_DURATION:
        ok = base_parse_duration(text, flag->out);
        break;
    case KIT_FLAG_FRACTION:
        ok = parse_fraction(text, flag->out);
        break;
    case KIT_FLAG_LISTEN:
        ok = kit_endpoint_parse(text, true, flag->out, NULL);
        break;
    }
    if (!ok)
        return base_fail(err, BASE_INVALID, "--%s: '%s' is not %s", flag->name, text,
                         wanted[flag->type]);
    return true;
}

static const struct kit_flag *find(const struct kit_flag *flags, size_t count, const char *name,
                                   size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0)
            return &flags[i];
    }
    return NULL;
}

static bool unknown(const struct kit_flag *flags, size_t count, const char *arg,
                    struct base_error *err)
{
    const char *names[64];
    size_t n = 0;
    for (; n < count && n < sizeof names / sizeof names[0]; n++)
        names[n] = flags[n].name;
    const char *near = base_str_starts(arg, "--") ? base_str_nearest(arg + 2, names, n) : NULL;
    if (near != NULL)
        return base_fail(err, BASE_INVALID, "unknown argument '%s'; did you mean --%s?", arg, near);
    return base_fail(err, BASE_INVALID, "unknown argument '%s'; --help lists what there is", arg);
}

bool kit_flags_parse(const struct kit_flag *flags, size_t count, int argc, char *const *argv,
                     bool *help, struct base_error *err)
{
    *help = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--help") == 0) {
            *help = true;
            return true;
        }
        const char *name = base_str_starts(arg, "--") ? arg + 2 : "";
        const char *equals = strchr(name, '=');
        size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
        const struct kit_flag *flag = find(flags, count, name, len);
        if (flag == NULL || (flag->type == KIT_FLAG_SWITCH && equals != NULL))
            return unknown(flags, count, arg, err);
        const char *value = equals != NULL ? equals + 1 : "";
        if (flag->type != KIT_FLAG_SWITCH && equals == NULL) {
            if (i + 1 >= argc)
                return base_fail(err, BASE_INVALID, "--%s needs a value", flag->name);
            value = argv[++i];
        }
        if (!store(flag, value, err))
            return false;
    }
    return true;
}

void kit_flags_help(const struct kit_flag *flags, size_t count, const char *program,
                    struct base_buf *out)
{
    base_buf_printf(out, "usage: %s [flags]\n", program);
    for (size_t i = 0; i < count; i++)
        base_buf_printf(out, "  --%-18s %s\n", flags[i].name, flags[i].help);
}
