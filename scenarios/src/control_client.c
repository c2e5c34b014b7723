/* SPDX-License-Identifier: Apache-2.0 */
#include "control_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/control.h"

#define TEXT_OF(number)      #number
#define VERSION_LINE(number) CONTROL_VERSION_HEADER ": " TEXT_OF(number)

/* "Authorization: Bearer <the file's first line>" */
static char *read_authorization(const char *token_file, struct base_error *err)
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

bool control_access_init(struct control_access *out, const char *url, const char *token_file,
                         const struct io_tls_files *tls, struct base_error *err)
{
    static const char version[] = VERSION_LINE(1);
    _Static_assert(CONTROL_VERSION == 1, "the line names the version");
    char *authorization = read_authorization(token_file, err);
    if (authorization == NULL)
        return false;
    *out = (struct control_access){
        .url = base_str_dup(url),
        .authorization = authorization,
        .headers = {authorization, "Content-Type: application/json", version, NULL},
        .tls = *tls,
    };
    return true;
}

void control_access_fini(struct control_access *access)
{
    free(access->url);
    free(access->authorization);
    *access = (struct control_access){0};
}

struct io_http_request control_request(const struct control_access *access, const char *method,
                                       const char *url, const char *body)
{
    return (struct io_http_request){
        .method = method,
        .url = url,
        .headers = access->headers,
        .body = body,
        .body_len = body != NULL ? strlen(body) : 0,
        .tls = access->tls,
    };
}

const char *control_error_text(const json_t *body)
{
    return json_string_value(json_object_get(json_object_get(body, "error"), "message"));
}

char *control_version_trouble(const struct io_http_response *response)
{
    if (!response->ok)
        return base_str_dup(response->error.message);
    json_t *body = model_json_parse(response->body, response->body_len, "agent", NULL);
    const json_t *version = json_object_get(body, "version");
    char *trouble = NULL;
    if (response->status != 200 || !json_is_integer(version))
        trouble = base_str_printf("answered %d without a version: is it a squall-agent?",
                                  response->status);
    else if (json_integer_value(version) != CONTROL_VERSION)
        trouble = base_str_printf("the agent speaks version %lld of the control protocol and this "
                                  "squall version %d: use squall and squall-agent of one release",
                                  (long long)json_integer_value(version), CONTROL_VERSION);
    json_decref(body);
    return trouble;
}
