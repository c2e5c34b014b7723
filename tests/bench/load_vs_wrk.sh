#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Client CPU per request: squall load beside wrk, h2load, ab and hey, on the same nginx.
#
# nginx has one core, the client another, and the tools take turns, in an order of chance after the
# first round, so that what else the machine does, and what one leaves behind for the next, hits all
# of them. wrk, h2load, ab and hey send the next request when a response has come, and
# so does "squall, users": the same work. "squall load" follows a schedule at twice the rate that wrk
# got: all its connections are busy all the time, and those of its requests that never find a
# connection are work on top that the others do not have. "squall, paced" is what people run: 80 %
# of wrk's throughput, each request at its own time; the others have nothing to compare it with.
#
# A round is three seconds: the dynamic linker's work before the first request (some 13 ms, and wrk's
# 5) would be more than a hundredth of a round of one second, and is not what a request costs.
#
# "squall, libcurl connects" is what proxies and unix sockets get (--engine curl), with users, too.
# HTTP/2 is a table of its own, beside h2load: over TLS, ten streams on each connection, with users,
# also on connections that libcurl made, and with a schedule as above.
#
# Goals, in CPU time a request: "squall, users" 0.9 of wrk, where libcurl connects 2.2 of wrk, both
# kinds of HTTP/2 with users 1.3 of h2load. The script fails when one is missed, and says where.
#
# Then pacing: how late requests are sent, beside a loop of epoll_pwait2 that does nothing else.
#
# Usage: load_vs_wrk.sh [BUILD_DIR]
#   SECONDS_EACH=3 ROUNDS=5 CONNECTIONS="1 10 100 1000 10000" HTTP2="1 10 100"
#   RATES="1000 10000 50000"
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${1:-build/release}
each=${SECONDS_EACH:-3}
seconds=$each
rounds=${ROUNDS:-5}
connections=${CONNECTIONS:-1 10 100 1000 10000}
http2=${HTTP2:-1 10 100}
streams=10
rates=${RATES:-1000 10000 50000}
server_core=1
client_core=0

need() { # program, Debian package
    command -v "$1" >/dev/null || { echo "missing: $1 (Debian package $2)"; return 1; }
}

enough=true
need nginx nginx-light && need wrk wrk && need taskset util-linux || enough=false
[ "$(nproc)" -ge 2 ] || { echo "missing: a second core"; enough=false; }
[ -x "$build/bin/squall" ] || { echo "missing: $build/bin/squall, build it first"; enough=false; }
if ! $enough; then
    echo "load_vs_wrk: skipped"
    exit 0
fi
tools="wrk users squall paced curl"
if need h2load nghttp2-client; then tools="$tools h2load"; fi
if need ab apache2-utils; then tools="$tools ab"; fi
if need hey hey; then tools="$tools hey"; fi
need openssl openssl && [[ $tools == *h2load* ]] || http2=

work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; }
    rm -rf "$work"
}
trap finish EXIT
ulimit -n "$(ulimit -Hn)"

write_config() { # port
    cat >"$work/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/pid;
error_log $work/error.log crit;
events { worker_connections 20000; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$1 backlog=4096;
        $tls_lines
        location / {
            default_type text/plain;
            return 200 "$(printf '%0100d' 0)";
        }
    }
}
CONF
}

is_up() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The port over TLS is the next one.
make_certificate() { # port
    tls_lines=
    [ -n "$http2" ] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench \
        -keyout "$work/key" -out "$work/cert" 2>/dev/null
    tls_lines="listen 127.0.0.1:$(($1 + 1)) ssl http2 backlog=4096; ssl_protocols TLSv1.3;
        ssl_certificate $work/cert; ssl_certificate_key $work/key;"
}

start_server() {
    for port in 18931 28931 38931; do
        is_up "$port" && continue # somebody else's
        make_certificate "$port"
        write_config "$port"
        taskset -c $server_core nginx -c "$work/nginx.conf" 2>"$work/nginx.out" &
        server=$!
        for _ in $(seq 100); do
            is_up "$port" && return
            kill -0 "$server" 2>/dev/null || break
            sleep 0.05
        done
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    server=
    echo "nginx does not start:" >&2
    cat "$work/nginx.out" >&2
    exit 1
}

# Each prints the number of responses that were good; its output lies in $work/out.
count_wrk() { sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$work/out"; }
count_squall() { sed -n 's/^requests .* \([0-9]*\) ok,.*/\1/p' "$work/out"; }
count_users() { count_squall; }
count_paced() { count_squall; }
count_curl() { count_squall; }
count_h2squall() { count_squall; }
count_h2curl() { count_squall; }
count_h2open() { count_squall; }
count_h2() { count_h2load; }
count_h2load() { sed -n 's/^requests: .* \([0-9]*\) succeeded,.*/\1/p' "$work/out"; }
count_ab() { sed -n 's/^Complete requests: *\([0-9]*\)/\1/p' "$work/out"; }
count_hey() { sed -n 's/^ *\[200\][^0-9]*\([0-9]*\) responses/\1/p' "$work/out"; }

command_of() { # tool, connections, requests a second of wrk
    local url=http://127.0.0.1:$port/ secure=https://127.0.0.1:$((port + 1))/
    case $1 in
    wrk) echo "wrk -t1 -c$2 -d${seconds}s $url" ;;
    squall) echo "$build/bin/squall load -q -t1 -c$2 -d$seconds --timeout 1 -r $((2 * $3)) $url" ;;
    users) echo "$build/bin/squall load -q -t1 -c$2 --users $2 -d$seconds --timeout 1 $url" ;;
    paced) echo "$build/bin/squall load -q -t1 -c$2 -d$seconds --timeout 1 -r $(($3 * 8 / 10)) $url" ;;
    curl) echo "$build/bin/squall load -q --engine curl -t1 -c$2 --users $2 -d$seconds --timeout 1 $url" ;;
    h2) echo "h2load -t1 -c$2 -m$streams -D$seconds $secure" ;;
    h2squall) echo "$build/bin/squall load -q -k --http2 -t1 -c$2 --streams $streams -d$seconds --users $(($2 * streams)) $secure" ;;
    h2curl) echo "$build/bin/squall load -q -k --engine curl --http2 -t1 -c$2 --streams $streams -d$seconds --users $(($2 * streams)) $secure" ;;
    h2open) echo "$build/bin/squall load -q -k --http2 -t1 -c$2 --streams $streams -d$seconds --timeout 1 -r $((2 * $3)) $secure" ;;
    h2load) echo "h2load --h1 -t1 -c$2 -D$seconds $url" ;;
    ab) echo "ab -q -k -c$2 -t$seconds -n100000000 $url" ;;
    hey) echo "hey -cpus 1 -c $2 -z ${seconds}s $url" ;;
    esac
}

# One run; appends "connections tool requests cpu-seconds" to $work/runs.
run_one() { # tool, connections, requests a second of the first tool
    local cpu requests TIMEFORMAT='%U %S'
    # shellcheck disable=SC2046 # words are wanted
    cpu=$({ time taskset -c $client_core $(command_of "$@") >"$work/out" 2>&1 || true; } 2>&1)
    requests=$("count_$1")
    if [ "${requests:-0}" -eq 0 ]; then
        echo "$1 with $2 connections gave no result:" >&2
        tail -5 "$work/out" >&2
        return
    fi
    echo "$2 $1 $requests $cpu" >>"$work/runs"
    if { [ "$1" = wrk ] || [ "$1" = h2 ]; } && [ $((requests / seconds)) -ge "$wrk_rate" ]; then
        wrk_rate=$((requests / seconds + 1))
    fi
}

# The cheapest round of each tool: what else the machine does can only add to the cost. The requests
# are the median.
table() { # tools, of which the first is what the others are compared with
    awk -v wanted="$1" '
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
            }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    {
        if (!($1 in known)) { known[$1] = 1; order[++orders] = $1 }
        key = $1 " " $2
        cost = ($4 + $5) / $3 * 1e6
        if (!(key in least) || cost < least[key]) least[key] = cost
        requests[key, ++runs[key]] = $3
    }
    END {
        split(wanted, tools, " ")
        label["users"] = "squall, users"; label["squall"] = "squall load"; label["paced"] = "squall, paced"; label["ab"] = "ab -k"
        label["h2load"] = "h2load --h1"; label["curl"] = "squall, libcurl connects"
        label["h2"] = "h2load"; label["h2squall"] = "squall --http2, users"
        label["h2curl"] = "squall --http2, libcurl connects"
        label["h2open"] = "squall --http2, scheduled"
        first = tools[1] in label ? label[tools[1]] : tools[1]
        print "| connections | tool | requests | client CPU s per million | ratio to " first " |"
        print "|---|---|---|---|---|"
        for (o = 1; o <= orders; o++)
            for (t = 1; t in tools; t++) {
                key = order[o] " " tools[t]
                n = runs[key]
                if (n == 0) continue
                for (i = 1; i <= n; i++) a[i] = requests[key, i]
                name = tools[t] in label ? label[tools[t]] : tools[t]
                base = order[o] " " tools[1]
                printf "| %s | %s | %d | %.2f | %s |\n", order[o], name, median(a, n), least[key],
                       base in least ? sprintf("%.2f", least[key] / least[base]) : "-"
            }
    }' "$work/runs"
}

# Prints "p50 p99 max" in ns of the schedule errors in squall's JSON.
lateness() {
    sed -n '/"schedule": {/,/}/p' "$work/out" | tr -d '",:' | awk '
    $1 == "p50Ns" { a = $2 } $1 == "p99Ns" { b = $2 } $1 == "maxNs" { c = $2 } END { print a, b, c }'
}

pacing_row() { # label, rate, "p50 p99 max"
    echo "$3" | awk -v label="$1" -v rate="$2" '
    { printf "| %s | %s | %.1f | %.1f | %.0f |\n", rate, label, $1 / 1e3, $2 / 1e3, $3 / 1e3 }'
}

pacing() {
    local rate arrivals url=http://127.0.0.1:$port/
    echo "| rate /s | who | p50 us | p99 us | max us |"
    echo "|---|---|---|---|---|"
    for rate in $rates; do
        pacing_row "bare epoll_pwait2" "$rate" \
            "$(taskset -c $client_core "$build/bench/pace_bare" "$rate" "$seconds")"
        for arrivals in constant poisson; do
            taskset -c $client_core "$build/bin/squall" load -q --json -t1 -c1000 -d"$seconds" \
                --arrivals "$arrivals" -r "$rate" "$url" >"$work/out" || true
            pacing_row "squall load, $arrivals" "$rate" "$(lateness)"
        done
    done
}

compare() { # tools, connections
    local c tool order
    : >"$work/runs"
    for c in $2; do
        wrk_rate=1000 # the best so far
        order=$1 # the first tool's rate is what others are told
        seconds=$((c < 10000 ? each : each * 5)) # to be connected takes a second by itself
        for _ in $(seq "$rounds"); do
            for tool in $order; do
                run_one "$tool" "$c" "$wrk_rate"
            done
            order=$(tr ' ' '\n' <<<"$1" | shuf)
        done
    done
    table "$1"
}

# Whether no line of a table has a ratio above the goal; says where one has, or that there is none.
within() { # tool, goal, table
    awk -F' *[|] *' -v tool="$1" -v most="$2" '
    $3 == tool { n++; if ($6 + 0 > most) bad = bad " " $6 " with " $2 " connections;" }
    END {
        if (n == 0) bad = " no figure"
        if (bad) print "load_vs_wrk: goal missed: " tool ", at most " most ":" bad
        exit bad != ""
    }' "$3"
}

start_server
echo "$(nginx -v 2>&1), $(wrk -v 2>&1 | head -1 | cut -d' ' -f1,2), $rounds rounds of $each s," \
    "client on core $client_core, server on core $server_core"
compare "$tools" "$connections" | tee "$work/http1"
if [ -n "$http2" ]; then
    echo
    compare "h2 h2squall h2open h2curl" "$http2" | tee "$work/http2"
fi
echo
seconds=$each
pacing

missed=0
within "squall, users" 0.9 "$work/http1" || missed=1
within "squall, libcurl connects" 2.2 "$work/http1" || missed=1
for kind in users "libcurl connects"; do
    [ -z "$http2" ] || within "squall --http2, $kind" 1.3 "$work/http2" || missed=1
done
exit $missed
