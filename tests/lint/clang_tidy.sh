#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy with the checks of .clang-tidy over every source file.
set -u
cd "$(dirname "$0")/../.."
mapfile -t sources < <(git ls-files -co --exclude-standard 'common/*.c' 'loadgen/*.c' 'chaos/*.c' \
    'scenarios/*.c' 'reports/*.c' 'target-app/*.c' 'cli/*.c')
printf '%s\0' "${sources[@]}" |
    xargs -0 -P 2 -n 8 clang-tidy -p build/fuzz --quiet --warnings-as-errors='*' 2>/dev/null
