/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded histograms from anywhere. zlib's checksums keep a fuzzer out of the header and the
 * counts, so the input is also packed as the bytes inside the envelope: the first byte chooses.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "hdr_base64.h"
#include "model/hdr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16384 };

static void check(const struct hdr *hdr)
{
    struct base_error err;
    struct base_buf text;
    struct hdr again;
    if (hdr_value_at_quantile(hdr, 1) != hdr_max(hdr) || hdr_min(hdr) > hdr_max(hdr) ||
        hdr_count_at_or_below(hdr, hdr_max(hdr)) != hdr->total)
        abort();
    base_buf_init(&text, 64 << 20);
    if (!hdr_encode(hdr, &text, &err) || !hdr_decode(text.data, text.len, &again, &err) ||
        !hdr_equal(hdr, &again))
        abort();
    hdr_fini(&again);
    base_buf_fini(&text);
}

static void decode(const char *text, size_t len)
{
    struct base_error err = {.code = BASE_OK};
    struct hdr hdr;
    if (hdr_decode(text, len, &hdr, &err)) {
        check(&hdr);
        hdr_fini(&hdr);
    } else if (err.code != BASE_CORRUPT) {
        abort();
    }
}

static void decode_packed(const uint8_t *data, size_t size)
{
    static const unsigned char cookie[] = {0x1c, 0x84, 0x93, 0x14};
    unsigned char bytes[2 * INPUT_MAX];
    uLongf len = sizeof bytes - 8;
    if (compress2(bytes + 8, &len, data, (uLong)size, 1) != Z_OK)
        abort();
    memcpy(bytes, cookie, sizeof cookie);
    for (int i = 0; i < 4; i++)
        bytes[4 + i] = (unsigned char)(len >> (24 - 8 * i));
    struct base_buf text;
    base_buf_init(&text, 4 * INPUT_MAX);
    if (!hdr_base64_encode(bytes, len + 8, &text))
        abort();
    decode(text.data, text.len);
    base_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    if (data[0] == 'H')
        decode((const char *)data, size);
    else
        decode_packed(data + 1, size - 1);
    return 0;
}
