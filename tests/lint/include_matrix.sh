#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who may include whom (ARCHITECTURE.md), and where third-party headers may appear.
set -u
cd "$(dirname "$0")/../.."
bad=0

# room -> the rooms whose public headers it may include, its own among them
declare -A allowed=(
    [common/base]="base"
    [common/model]="base model"
    [common/io]="base io"
    [loadgen]="base model io loadgen"
    [chaos]="base model io chaos"
    [scenarios]="base model io scenarios"
    [reports]="base model io reports"
    [target-app/kit]="base io kit"
    [target-app/gateway]="base io kit"
    [target-app/users]="base io kit"
    [target-app/sandbox]="base io sandbox"
    [cli]="base model io loadgen chaos scenarios reports sandbox"
)
rooms="base model io loadgen chaos scenarios reports kit sandbox cli"

for folder in "${!allowed[@]}"; do
    while IFS=: read -r file line text; do
        room=${text#*\"}
        room=${room%%/*}
        [[ " $rooms " == *" $room "* ]] || continue
        if [[ " ${allowed[$folder]} " != *" $room "* ]]; then
            echo "$file:$line: $folder may not include $room/ (it may: ${allowed[$folder]})"
            bad=1
        fi
    done < <(grep -rnE '#include "[a-z]+/' "$folder" --include='*.[ch]')
    # ../ would walk around the matrix
    if grep -rnE '#include "[^"]*\.\./' "$folder" --include='*.[ch]'; then
        echo "$folder: an include with .. walks around the matrix"
        bad=1
    fi
done

# third-party header -> the one file of each room that adapts it; libmnl carries the messages of
# several subsystems of the kernel, each of which has its own; nf_tables has three: transactions, objects, rules
declare -A adapter=(
    [ev.h]="common/io/src/loop.c"
    [curl/curl.h]="common/io/include/io/curl_late.h"
    [microhttpd.h]="common/io/src/http_server.c"
    [openssl/]="loadgen/src/tls.c"
    [nghttp2/]="loadgen/src/http2_session.c"
    [nettle/]="common/io/src/digest.c"
    [gnutls/]="common/io/src/tls_peer.c"
    [libpq-fe.h]="common/io/include/io/pg_late.h target-app/kit/src/pg_conn.c"
    [yaml.h]="scenarios/src/yaml.c"
    [libmnl/]="chaos/src/netqueue.c chaos/src/nft.c chaos/src/tc.c chaos/src/tc_devices.c chaos/src/tc_exchange.c chaos/src/tc_news.c"
    [libnftnl/]="chaos/src/nft.c chaos/src/nft_object.c chaos/src/nft_rule.c"
    [zlib.h]="common/model/src/deflate.c"
    [hiredis/]="chaos/src/redis_session.c loadgen/src/redis.c loadgen/src/redis_protocol.c scenarios/src/redis_ask.c"
    [amqp]="loadgen/src/amqp_codec.c"
    [pcre2.h]="common/model/src/pattern.c"
)
for header in "${!adapter[@]}"; do
    users=$(grep -rlF "#include <$header" common loadgen chaos scenarios reports target-app cli \
        --include='*.[ch]' | sort | xargs)
    if [ "$users" != "${adapter[$header]}" ]; then
        echo "<$header> belongs in ${adapter[$header]} alone; found in: ${users:-nowhere}"
        bad=1
    fi
done
exit $bad
