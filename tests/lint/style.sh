#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formatting, licence lines and banned functions.
set -u
cd "$(dirname "$0")/../.."
bad=0
mapfile -t sources < <(git ls-files -co --exclude-standard '*.[ch]')

clang-format --dry-run --Werror "${sources[@]}" || bad=1

mapfile -t licensed < <(git ls-files -co --exclude-standard '*.[ch]' '*.py' '*.sh' '*.js' '*.mjs' \
    'tools/*' '*CMakeLists.txt' '*.cmake' Makefile .ci/run)
for file in "${licensed[@]}"; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || {
        echo "$file: no SPDX line among its first three"
        bad=1
    }
done

banned='\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|alloca|strtol|strtoul|strtoll|strtoull)\('
if grep -nE "$banned" "${sources[@]}"; then
    echo "the functions above are banned (docs in ARCHITECTURE.md)"
    bad=1
fi
exit $bad
