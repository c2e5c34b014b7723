#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/../.."
includes=()
for dir in $(find common loadgen chaos scenarios reports target-app -type d \( -name include -o -name src \)); do
    includes+=("-I$dir")
done
exec cppcheck --quiet --std=c11 -j 2 --error-exitcode=1 --inline-suppr \
    --enable=warning,performance,portability \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    -D_GNU_SOURCE -D__linux__ "-DSQUALL_VERSION=\"0\"" "${includes[@]}" \
    common loadgen chaos scenarios reports target-app cli
