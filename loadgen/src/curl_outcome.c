/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a request, in the words of the results. */
#include <stdio.h>
#include <string.h>

#include "curl_connect.h"
#include "curl_slot.h"
#include "io/curl_late.h"

/* With TLS 1.3 a server refuses a client's certificate after the client's handshake ended. */
static bool refused_late(const struct load_curl_slot *slot, CURLcode result)
{
    long connects = 0;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects);
    return result == CURLE_RECV_ERROR && connects > 0 && strstr(slot->why, "alert") != NULL;
}

/* Idle when the request was sent, the connection ended without a byte: libcurl wanted to send it
 * again, could not, or had done so too often. */
static bool hung_up(const struct load_curl_slot *slot, CURLcode result)
{
    return slot->again || result == CURLE_SEND_FAIL_REWIND ||
           (result == CURLE_SEND_ERROR && strstr(slot->why, "Connection died") != NULL);
}

/* libcurl has no code of its own for it. */
static bool is_no_chunk(const struct load_curl_slot *slot)
{
    return strstr(slot->why, "in chunked-encoding") != NULL;
}

/* LOAD_CAUSE_COUNT: what came was not HTTP. */
static enum load_cause cause_of_end(const struct load_curl_slot *slot, CURLcode result)
{
    if (hung_up(slot, result))
        return LOAD_CAUSE_CLOSED;
    if (is_no_chunk(slot))
        return LOAD_CAUSE_COUNT;
    switch (result) {
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return LOAD_CAUSE_CLOSED;
    case CURLE_RECV_ERROR:
        return refused_late(slot, result) ? LOAD_CAUSE_TLS : LOAD_CAUSE_RESET;
    case CURLE_SEND_ERROR:
    case CURLE_READ_ERROR:
    case CURLE_ABORTED_BY_CALLBACK: /* the body's file has become shorter */
    case CURLE_HTTP2_STREAM:
        return LOAD_CAUSE_RESET;
    default:
        return LOAD_CAUSE_COUNT;
    }
}

/* Whether the target was reached, and if not why. */
static void note_reached(struct load_curl_slot *slot, enum load_cause cause)
{
    enum load_failure failure =
        cause == LOAD_CAUSE_COUNT ? LOAD_FAIL_COUNT : load_cause_failure(cause);
    bool reached = failure != LOAD_FAIL_CONNECT && failure != LOAD_FAIL_DNS;
    struct load_pool *pool = slot->head.pool;
    pool->established += (size_t)(reached && !slot->established);
    pool->established -= (size_t)(!reached && slot->established);
    slot->established = reached;
    load_conn_settle(&slot->head, reached);
    if (reached)
        return;
    char why[LOAD_TLS_WHY];
    (void)snprintf(why, sizeof why, "TLS with %.80s failed: %s",
                   pool->spec->tls.server_name == NULL ? "the proxy" : pool->spec->tls.server_name,
                   slot->why);
    load_conn_note_refusal(&slot->head, cause, why);
}

static uint64_t info_bytes(const struct load_curl_slot *slot, CURLINFO head, CURLINFO body)
{
    long in_head = 0;
    curl_off_t in_body = 0;
    (void)curl_easy_getinfo(slot->easy, head, &in_head);
    (void)curl_easy_getinfo(slot->easy, body, &in_body);
    return (uint64_t)in_head + (uint64_t)in_body;
}

static void finish(struct load_curl_slot *slot, struct load_outcome *outcome)
{
    outcome->first_at = slot->first_at;
    outcome->bytes_in = info_bytes(slot, CURLINFO_HEADER_SIZE, CURLINFO_SIZE_DOWNLOAD_T);
    outcome->bytes_out = info_bytes(slot, CURLINFO_REQUEST_SIZE, CURLINFO_SIZE_UPLOAD_T);
    note_reached(slot, outcome->cause);
}

void load_curl_judge(struct load_curl_slot *slot, int code, struct load_outcome *outcome)
{
    CURLcode result = (CURLcode)code;
    long status = 0, version = 0;
    outcome->cause = LOAD_CAUSE_COUNT;
    outcome->failure = LOAD_FAIL_PROTOCOL;
    if (result != CURLE_OK) {
        outcome->cause = slot->sending ? cause_of_end(slot, result)
                                       : load_curl_cause(slot->easy, code, slot->socket_error);
    } else {
        (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(slot->easy, CURLINFO_HTTP_VERSION, &version);
        outcome->answered = true;
        if (slot->head.pool->spec->http2 && version != CURL_HTTP_VERSION_2)
            outcome->cause = LOAD_CAUSE_NOT_HTTP2;
        else
            load_outcome_status(outcome, (unsigned)status);
    }
    if (outcome->cause != LOAD_CAUSE_COUNT)
        outcome->failure = load_cause_failure(outcome->cause);
    finish(slot, outcome);
}

void load_curl_judge_late(struct load_curl_slot *slot, struct load_outcome *outcome)
{
    outcome->cause = !slot->sending        ? load_curl_awaits(slot->easy)
                     : slot->first_at == 0 ? LOAD_CAUSE_SILENT
                                           : LOAD_CAUSE_STALLED;
    outcome->failure = load_cause_failure(outcome->cause);
    finish(slot, outcome);
}
