#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gcc's -fanalyzer over every translation unit of the programs, its findings errors.
set -u
cd "$(dirname "$0")/../.."
cmake -S . -B build/analyzer -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSQUALL_ANALYZER=ON \
    -DSQUALL_WERROR=ON || exit 1
exec cmake --build build/analyzer \
    --target squall squall-load squall-agent squall-gateway squall-users -- -k 0
