#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles by itself, with either compiler.
set -u
cd "$(dirname "$0")/../.."
bad=0
includes=()
for dir in $(find common loadgen chaos scenarios reports target-app -type d -name include); do
    includes+=("-I$dir")
done
while read -r header; do
    for cc in gcc clang; do
        "$cc" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wno-unused-function -Werror "${includes[@]}" \
            "-I$(dirname "$header")" -x c -fsyntax-only "$header" || {
            echo "$header does not compile alone with $cc"
            bad=1
        }
    done
done < <(git ls-files -co --exclude-standard '*.h' | grep -v '^tests/')
exit $bad
