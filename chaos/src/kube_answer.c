/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_answer.h"

#include "base/text.h"

const char *fault_kube_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && *text != '\0' ? text : NULL;
}

bool fault_kube_failed(const struct fault_rest_answer *answer, struct base_error *err)
{
    if (answer->status == 0)
        return !base_fail(err, BASE_UNAVAILABLE, "%s", answer->error);
    if (answer->status == 401 || answer->status == 403)
        return !base_fail(err, BASE_DENIED,
                          "the API server answered %d to the token of its tokenFile: %s",
                          answer->status, answer->error);
    return answer->status != 200 &&
           !base_fail(err, BASE_UNAVAILABLE, "the API server answered %d: %s", answer->status,
                      answer->error);
}

bool fault_kube_missing(const struct fault_rest_answer *answer)
{
    return answer->status == 404 && base_str_eq(fault_kube_text(answer->json, "kind"), "Status") &&
           base_str_eq(fault_kube_text(answer->json, "reason"), "NotFound");
}
