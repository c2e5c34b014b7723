#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills of pods, and nodes that are cordoned and drained, at a real API server, which
# tools/kubernetes builds: no part of `make check`, for that would add minutes to it. Takes a preset (release) and pytest's options.
#   tools/setup kubernetes && tools/kubernetes && tests/kubernetes/run.sh asan
set -euo pipefail
cd "$(dirname "$0")/../.."
preset=${1:-release}
shift || true
for program in etcd openssl "${KUBE_APISERVER:-build/kubernetes/kube-apiserver}" \
    "build/$preset/bin/squall-agent"; do
    command -v "$program" >/dev/null || {
        echo "kubernetes: there is no $program; see tools/setup kubernetes, tools/kubernetes, make" >&2
        exit 5
    }
done
# Its own loopback: the host's other services can neither be met nor meet it.
exec unshare --net -- sh -c 'ip link set lo up && exec "$@"' sh \
    env SQUALL_BIN="$PWD/build/$preset/bin" PYTHONPATH=tests/e2e \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/kubernetes "$@"
