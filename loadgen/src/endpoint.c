/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint.h"

#include <string.h>

#include "base/text.h"

bool load_endpoint_parse(const char *text, char **host, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    uint64_t number;
    if (colon == NULL || !base_parse_u64(colon + 1, &number) || number > UINT16_MAX)
        return false;
    const char *from = text;
    const char *to = colon;
    if (*from == '[' && to > from && to[-1] == ']') {
        from++;
        to--;
    } else if (memchr(from, ':', (size_t)(to - from)) != NULL) {
        return false; /* where would the address end? */
    }
    if (to <= from || strcspn(from, " \t\r\n") < (size_t)(to - from))
        return false;
    *host = base_str_ndup(from, (size_t)(to - from));
    *port = (uint16_t)number;
    return true;
}
