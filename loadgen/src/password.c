/* SPDX-License-Identifier: Apache-2.0 */
#include "password.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "loadgen/routes.h"

bool load_password_given(const struct load_spec *spec)
{
    return spec->password_file != NULL || spec->password_env != NULL;
}

static bool read_env(const char *name, struct base_buf *out, struct base_error *err)
{
    const char *value = getenv(name);
    if (value == NULL || *value == '\0')
        return base_fail(err, BASE_INVALID,
                         "the environment has no variable %s: set it to the password", name);
    return base_buf_str(out, value) ||
           base_fail(err, BASE_INVALID, "%s is longer than what is accepted", name);
}

bool load_password_read(const struct load_spec *spec, struct base_buf *out, struct base_error *err)
{
    if (spec->password_env != NULL)
        return read_env(spec->password_env, out, err);
    if (base_secret_read(spec->password_file, out, err))
        return true;
    if (err != NULL)
        err->code = BASE_INVALID; /* whatever is wrong with the file, it is for the user to mend */
    return false;
}

void load_password_wipe(struct base_buf *password)
{
    if (password->data != NULL)
        explicit_bzero(password->data, password->len);
    base_buf_fini(password);
}

bool load_login_check(const struct load_spec *spec, struct base_error *err)
{
    struct base_buf password;
    base_buf_init(&password, LOAD_PASSWORD_MOST);
    bool good = !load_password_given(spec) || load_password_read(spec, &password, err);
    load_password_wipe(&password);
    return good;
}
