#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy with the checks of .clang-tidy over every source file.
#   tests/lint/clang_tidy.sh deep   clang's analyzer follows calls as far as it can: 10 times as long;
#                                   otherwise not, since gcc's does (analyzer.sh)
set -u
cd "$(dirname "$0")/../.."
config=(--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang)
config+=(--extra-arg="mode=$([ "${1:-}" = deep ] && echo deep || echo shallow)")
mapfile -t sources < <(git ls-files -co --exclude-standard 'common/*.c' 'loadgen/*.c' 'chaos/*.c' \
    'scenarios/*.c' 'reports/*.c' 'target-app/*.c' 'cli/*.c')
printf '%s\0' "${sources[@]}" | xargs -0 -P 2 -n 8 clang-tidy -p build/fuzz "${config[@]}" --quiet \
    --warnings-as-errors='*' 2>/dev/null
