#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What tools/check adds up: nothing passes that was not seen to pass.
set -u
cd "$(dirname "$0")/../.."
bad=0
file=$(mktemp)
trap 'rm -f "$file"' EXIT

# expect "PASSED FAILED" STATUS XML
expect() {
    local found
    printf '%s' "$3" >"$file"
    found=$(tools/count "$file" "$2" 2>/dev/null)
    [ "$found" = "$1" ] && return
    echo "exit status $2 and $3: counted \"$found\", expected \"$1\""
    bad=1
}

ok='<testcase name="a"/>'
no='<testcase name="b"><failure message="x"/></testcase>'
error='<testcase name="c"><error message="x"/></testcase>'
skip='<testcase name="d"><skipped message="x"/></testcase>'
expect '1 0' 0 "<testsuite>$ok</testsuite>"
expect '2 0' 0 "<testsuites><testsuite>$ok$skip</testsuite><testsuite>$ok</testsuite></testsuites>"
expect '1 2' 1 "<testsuite>$ok$no$error</testsuite>"
expect '1 1' 0 "<testsuite>$ok$no</testsuite>"
expect '0 0' 0 "<testsuite>$skip</testsuite>"
expect '0 1' 0 '<testsuite/>'
expect '0 1' 5 '<testsuite/>'
expect '1 1' 3 "<testsuite>$ok</testsuite>"
expect '0 1' 124 ''
expect '0 1' 0 '<testsuite><testcase'
rm "$file"
[ "$(tools/count "$file" 0 2>/dev/null)" = '0 1' ] || { echo "no file is no failure" && bad=1; }
exit $bad
