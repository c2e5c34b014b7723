/* SPDX-License-Identifier: Apache-2.0 */
#include "control_client.h"

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"

char *control_authorization(const char *token_file, struct base_error *err)
{
    enum { TOKEN_MAX = 4096 };
    BASE_AUTO_BUF struct base_buf token;
    base_buf_init(&token, TOKEN_MAX);
    if (!base_secret_read(token_file, &token, err)) {
        (void)base_fail_context(err, "the agent's token");
        return NULL;
    }
    return base_str_printf("Authorization: Bearer %s", token.data);
}
