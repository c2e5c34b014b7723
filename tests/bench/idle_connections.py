#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What 50,000 idle connections of one `squall load` cost: its resident memory, less that of a run with
one connection, and the memory of the kernel for them (slab and socket buffers). Both ends of each
connection are on this machine, and the server is not told apart, so that the kernel's share of one end
is half of the figure. Above 16 KiB a connection, for the client and both ends in the kernel together,
fails.

They go from several addresses of the loopback to several others, for one pair of addresses has 28,232
ports. One process with as many files needs a hard limit of as many; where that is lower and may not be
raised (CAP_SYS_RESOURCE), all of it runs in Debian's user-mode-linux, whose root may.

Usage: idle_connections.py [BUILD_DIR]      CONNECTIONS=50000
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from load_cost import Nginx

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import uml  # noqa: E402

CONNECTIONS = int(os.environ.get("CONNECTIONS", "50000"))
CONNECTION_MAX = 16 * 1024
SOURCES = ",".join(f"127.0.0.{i}" for i in range(2, 6))
PATIENCE_S = 300


def kernel_memory():
    """Slab, and what TCP's sockets hold, in bytes."""
    slab = int(re.search(r"Slab:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) * 1024
    tcp = int(re.search(r"TCP: .*mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text())[1])
    return slab + tcp * os.sysconf("SC_PAGE_SIZE")


def established():
    """Ends of connections in this namespace."""
    return int(re.search(r"TCP: inuse (\d+)", pathlib.Path("/proc/net/sockstat").read_text())[1])


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def hold(squall, port, connections):
    """Opens them and looks when all are there: resident memory, kernel memory."""
    before = established(), kernel_memory()
    client = subprocess.Popen(
        [squall, "load", "-q", "--json", "-t1", "-r", "20", "-d", str(PATIENCE_S), "--timeout", "20",
         f"-c{connections}", f"--source={SOURCES}", f"http://127.0.0.1:{port}/"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE_S
    while established() - before[0] < 2 * connections:
        if client.poll() is not None or time.monotonic() > deadline:
            client.kill()
            sys.exit(f"idle_connections: {established()} ends of {connections} connections came "
                     f"about: {client.communicate()[1][-500:]}")
        time.sleep(0.2)
    time.sleep(1)  # what was used to open them is given back
    found = resident(client.pid), kernel_memory() - before[1]
    client.send_signal(signal.SIGINT)
    result = json.loads(client.communicate()[0])
    if result["latency"]["connect"]["count"] != connections or result["total"]["ok"] == 0:
        sys.exit(f"idle_connections: not as many connections as thought: {result['notes']}")
    return found


def measure(squall):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        nginx = Nginx(folder, backlog=65535)
        try:
            alone, _ = hold(squall, nginx.port, 1)
            many, kernel = hold(squall, nginx.port, CONNECTIONS)
        finally:
            nginx.close()
    return {"client": (many - alone) / CONNECTIONS, "kernel": kernel / CONNECTIONS}


def may_open(files):
    return subprocess.run(["prlimit", f"--nofile={files}:{files}", "true"], capture_output=True,
                          check=False).returncode == 0


def measure_inside(build):
    """In a kernel whose root may raise the limit; this program once more."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        said = uml.run(f"CONNECTIONS={CONNECTIONS} {pathlib.Path(__file__).resolve()} {build} --inside "
                       f"> {folder}/found 2>&1", folder, patience_s=3 * PATIENCE_S, memory="3G")
        text = (folder / "found").read_text() if (folder / "found").exists() else said
    found = re.search(r"^\{.*\}$", text, re.MULTILINE)
    if found is None:
        sys.exit(f"idle_connections: nothing was measured: {text[-1000:]}")
    return json.loads(found[0])


def main():
    build = pathlib.Path(next((a for a in sys.argv[1:] if a[0] != "-"), "build/release")).resolve()
    squall = build / "bin" / "squall"
    missing = [p for p in ("nginx", "openssl") if shutil.which(p) is None]
    if missing or not squall.exists():
        print(f"idle_connections: skipped, missing: {', '.join(missing) or squall}")
        return 0
    if "--inside" in sys.argv:
        # Its one CPU is the client's while that connects: what is not accepted yet must wait somewhere.
        for name in ("core/somaxconn", "ipv4/tcp_max_syn_backlog"):
            pathlib.Path("/proc/sys/net", name).write_text("65535")
        print(json.dumps(measure(squall)))
        return 0
    where = "this kernel"
    if may_open(2 * CONNECTIONS + 10000):
        found = measure(squall)
    elif any(missing for missing, _ in uml.MISSING):
        print("idle_connections: skipped, the limit of open files may not be raised here, and "
              + next(why for missing, why in uml.MISSING if missing))
        return 0
    else:
        where = "user-mode-linux"
        found = measure_inside(build)
    both = found["client"] + found["kernel"]
    print(f"| {CONNECTIONS} idle connections of one process, in {where} | bytes each | limit |")
    print("|---|---|---|")
    print(f"| resident memory of the client | {found['client']:.0f} | |")
    print(f"| kernel memory, both ends | {found['kernel']:.0f} | |")
    print(f"| together | {both:.0f} | {CONNECTION_MAX} |")
    if both > CONNECTION_MAX:
        print("idle_connections: above its limit", file=sys.stderr)
    return 1 if both > CONNECTION_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
