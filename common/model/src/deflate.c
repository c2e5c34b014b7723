/* SPDX-License-Identifier: Apache-2.0 */
#include "model/deflate.h"

#include <stdlib.h>
#include <zlib.h>

bool model_deflate(const void *data, size_t len, struct base_buf *out)
{
    uLongf room = compressBound((uLong)len);
    char *at = base_buf_reserve(out, room);
    if (at == NULL ||
        compress2((Bytef *)at, &room, data, (uLong)len, Z_DEFAULT_COMPRESSION) != Z_OK)
        return false;
    out->len += room;
    out->data[out->len] = '\0';
    return true;
}

bool model_inflate(const void *stream, size_t len, void *out, size_t out_len)
{
    uLongf room = (uLongf)out_len;
    return uncompress(out, &room, stream, (uLong)len) == Z_OK && room == out_len;
}

struct model_inflater {
    z_stream zlib;
    unsigned char chunk[8192];
    size_t at;
    size_t len;
};

struct model_inflater *model_inflater_new(unsigned char *stream, size_t len)
{
    struct model_inflater *made = malloc(sizeof *made);
    if (made == NULL)
        return NULL;
    made->zlib = (z_stream){.next_in = stream, .avail_in = (uInt)len};
    made->at = 0;
    made->len = 0;
    if (inflateInit(&made->zlib) == Z_OK)
        return made;
    free(made);
    return NULL;
}

int model_inflater_byte(struct model_inflater *inflater)
{
    if (inflater->at == inflater->len) {
        inflater->zlib.next_out = inflater->chunk;
        inflater->zlib.avail_out = sizeof inflater->chunk;
        (void)inflate(&inflater->zlib, Z_NO_FLUSH); /* damage shows as missing bytes */
        inflater->at = 0;
        inflater->len = sizeof inflater->chunk - inflater->zlib.avail_out;
        if (inflater->len == 0)
            return -1;
    }
    return inflater->chunk[inflater->at++];
}

bool model_inflater_done(struct model_inflater *inflater)
{
    unsigned char extra;
    if (inflater->at < inflater->len)
        return false;
    inflater->zlib.next_out = &extra;
    inflater->zlib.avail_out = 1;
    return inflate(&inflater->zlib, Z_FINISH) == Z_STREAM_END && inflater->zlib.avail_out == 1 &&
           inflater->zlib.avail_in == 0;
}

void model_inflater_free(struct model_inflater *inflater)
{
    (void)inflateEnd(&inflater->zlib);
    free(inflater);
}
