#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles by itself, with either compiler.
set -u
cd "$(dirname "$0")/../.."
includes=$(find common loadgen chaos scenarios reports target-app -type d -name include -printf '-I%p ')
includes+=$(pkg-config --cflags libpq) # io/pg_late.h
export includes

check() {
    local bad=0
    for header; do
        for cc in gcc clang; do
            # shellcheck disable=SC2086
            "$cc" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wno-unused-function -Werror $includes \
                "-I$(dirname "$header")" -x c -fsyntax-only "$header" || {
                echo "$header does not compile alone with $cc"
                bad=1
            }
        done
    done
    return $bad
}
export -f check

git ls-files -co --exclude-standard '*.h' | grep -v '^tests/' | xargs -P 2 -n 8 bash -c 'check "$@"' check
