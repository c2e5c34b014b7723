#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How exactly packets are delayed: by the agent's queues on this kernel, and by tc netem inside Debian's
user-mode-linux, since this kernel may have none; the same program measures both. One row for each delay that is
asked for. The rows for 0 ms, without any rule, say what each of the two kernels takes by itself."""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import uml  # noqa: E402

ROW = re.compile(r"asked +(\d+) ms: median +([\d.]+) ms, p99 +([\d.]+) ms, least +([\d.]+) ms, (\d+) of (\d+) came")


def rows(text):
    found = {int(m[1]): f"{m[2]:>8} {m[3]:>8} {m[5]:>5}/{m[6]}" for m in ROW.finditer(text)}
    if not found:
        sys.exit(f"delay_side_by_side: nothing was measured: {text.strip()}")
    return found


def main(build):
    for missing, why in uml.MISSING:
        if missing:
            print(f"skipped: {why}")
            return
    program = pathlib.Path(build).resolve() / "bench/bench_network"
    here = subprocess.run([program, "nfqueue", "delays"], check=True, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        said = uml.run(f"{program} netem delays > {folder}/rows 2>&1", folder)
        inside = folder / "rows"
        there = inside.read_text() if inside.exists() else said
    ours, theirs = rows(here), rows(there)
    print("asked ms | nfqueue, this kernel: median p99 came | netem, user-mode-linux: median p99 came")
    for asked in sorted(ours):
        print(f"{asked:8} | {ours[asked]:39} | {theirs.get(asked, 'not measured')}")


main(sys.argv[1])
