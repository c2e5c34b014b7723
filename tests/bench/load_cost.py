#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a request and a connection cost the load generator, as figures that noise does not touch.

Instructions per request: user-space instructions (valgrind's callgrind) of two runs that differ in
their rate alone, subtracted, so that starting, connecting and closing intervals fall out. More than
a quarter above the figure in load_cost.json fails: that is a regression, or a decision to be
committed with the new figure (--accept). Over HTTP/1.1, and over HTTP/2 with ten streams on one
connection, libnghttp2's among them.

Bytes per idle connection over TLS: the resident memory of a run with 1,000 connections to nginx, less
that of a run with one. (Plain ones: idle_connections.py.)

Usage: load_cost.py [--accept] [BUILD_DIR]
"""

import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE / "load_cost.json"
SLACK = 1.25
MANY_TLS = 1_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nginx:
    def __init__(self, folder, backlog=4096):
        self.port, self.tls_port, self.http2_port = free_port(), free_port(), free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                        "-keyout", folder / "key", "-out", folder / "cert"], check=True,
                       capture_output=True)
        temps = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "conf").write_text(f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log crit;
worker_rlimit_nofile 120000;
events {{ worker_connections 110000; }}
http {{
    access_log off; keepalive_timeout 600s; keepalive_requests 1000000000; {temps}
    server {{
        listen 127.0.0.1:{self.port} backlog={backlog};
        listen 127.0.0.1:{self.tls_port} ssl backlog=4096;
        listen 127.0.0.1:{self.http2_port} http2;
        ssl_protocols TLSv1.3; ssl_certificate {folder}/cert; ssl_certificate_key {folder}/key;
        location / {{ default_type text/plain; return 200 "{'0' * 100}"; }}
    }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-c", folder / "conf"],
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (folder / "pid").exists() or not (folder / "pid").read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("load_cost: nginx does not start")
            time.sleep(0.02)

    def close(self):
        self.process.kill()
        self.process.wait()


def instructions(squall, port, folder, rate, ways):
    """Of a whole run, and how many requests it had answered."""
    out = folder / f"callgrind.{rate}"
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", squall, "load", "-q",
         "-t1", *ways, "-d2", "-r", str(rate), "--arrivals", "constant", "--seed", "7", "--json",
         f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None:
        sys.exit(f"load_cost: no figure from callgrind:\n{done.stderr[-2000:]}")
    return int(collected[1]), json.loads(done.stdout)["total"]["ok"]


def per_request(squall, port, folder, highest, *ways):
    """highest: a rate that valgrind can still follow."""
    low, few = instructions(squall, port, folder, highest // 4, ways)
    high, many = instructions(squall, port, folder, highest, ways)
    return (high - low) / (many - few)


def peak(squall, *args):
    """Resident memory of a run at its highest, in bytes, and its result."""
    done = subprocess.Popen([squall, "load", "-q", "--json", "-t1", "-r", "100", "-d", "1", *args],
                            stdout=subprocess.PIPE, text=True)
    text = done.stdout.read()
    _, _, usage = os.wait4(done.pid, 0)
    return usage.ru_maxrss * 1024, json.loads(text)


def per_connection(squall, url, connections, *more):
    one, _ = peak(squall, url, "-c1", *more)
    many, result = peak(squall, url, f"-c{connections}", *more)
    opened = result["latency"]["connect"]["count"]
    if opened < connections * 0.99:
        sys.exit(f"load_cost: only {opened} of {connections} connections came about: "
                 f"{result['notes']}")
    return (many - one) / connections


def raise_descriptors(wanted):
    """As far as we may; returns how far that was."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        return wanted
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard


def main():
    accept = "--accept" in sys.argv
    build = pathlib.Path(next((a for a in sys.argv[1:] if a != "--accept"), "build/release"))
    squall = build / "bin" / "squall"
    missing = [p for p in ("nginx", "valgrind", "openssl") if shutil.which(p) is None]
    if missing or not squall.exists():
        print(f"load_cost: skipped, missing: {', '.join(missing) or squall}")
        return 0
    raise_descriptors(10_000)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        nginx = Nginx(folder)
        try:
            costs = {"instructionsPerRequest": per_request(squall, nginx.port, folder, 8000,
                                                           "-c10"),
                     "instructionsPerRequestHttp2": per_request(
                         squall, nginx.http2_port, folder, 1200, "-c1", "--http2", "--streams",
                         "10")}
            tls = per_connection(squall, f"https://127.0.0.1:{nginx.tls_port}/", MANY_TLS, "-k")
        finally:
            nginx.close()
    if accept:
        FIGURES.write_text(json.dumps({key: round(cost) for key, cost in costs.items()}) + "\n")
    limits = {key: committed * SLACK for key, committed in json.loads(FIGURES.read_text()).items()}
    print("| what | figure | limit |")
    print("|---|---|---|")
    for key, label in (("instructionsPerRequest", ""), ("instructionsPerRequestHttp2", ", HTTP/2")):
        print(f"| instructions a request, user space{label} | {costs[key]:.0f} | {limits[key]:.0f} |")
    print(f"| bytes an idle connection over TLS, {MANY_TLS} of them | {tls:.0f} | - |")
    bad = any(costs[key] > limit for key, limit in limits.items())
    if bad:
        print("load_cost: a figure is above its limit", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
