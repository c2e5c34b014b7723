/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages from any client and any server; and what is answered must be an answer to what was
 * asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const uint8_t *data, const struct dns_question *question, int rcode,
                         const struct dns_address *address)
{
    unsigned char made[DNS_ANSWER_MAX];
    struct dns_answer answer;
    size_t len = dns_answer_make(data, question, rcode, address, made);
    if (len < question->end || len > sizeof made || !dns_answer_parse(made, len, &answer))
        abort();
    if (answer.id != question->id || answer.rcode != rcode)
        abort();
    bool given = address != NULL && question->class == 1 &&
                 question->type == (address->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA);
    if (given != (answer.first.family != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dns_address v4 = {.family = AF_INET, .bytes = {192, 0, 2, 1}};
    static const struct dns_address v6 = {.family = AF_INET6, .bytes = {0x20, 1}};
    struct dns_question question;
    struct dns_answer answer;
    (void)dns_answer_parse(data, size, &answer);
    if (!dns_question_parse(data, size, &question))
        return 0;
    if (question.end > size || question.end > DNS_QUERY_MAX ||
        strlen(question.name) >= DNS_NAME_TEXT)
        abort();
    check_answer(data, &question, DNS_NXDOMAIN, NULL);
    check_answer(data, &question, DNS_NOERROR, &v4);
    check_answer(data, &question, DNS_NOERROR, &v6);
    if (question.name[0] != '\0' && !dns_name_matches(question.name, question.name))
        abort();
    return 0;
}
