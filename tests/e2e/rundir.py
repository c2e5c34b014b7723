# SPDX-License-Identifier: Apache-2.0
"""Run directories written by hand, without squall's own code: so that a test's expectations do not
come from what it tests. Histograms are encoded here from the HdrHistogram V2 description."""

import base64
import json
import math
import struct
import zlib

START_S = 1_760_000_000          # the load's start, seconds since 1970
START_NS = START_S * 10**9
MONO_NS = 5 * 10**9
FAILURES = ["connect", "timeout", "reset", "protocol", "http_4xx", "http_5xx", "status", "dns", "error_reply"]


def zigzag_leb128(number):
    """ZigZag LEB128 of HdrHistogram: the ninth byte carries eight bits."""
    value = (number << 1) ^ (number >> 63)
    out = bytearray()
    while value >= 0x80 and len(out) < 8:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value & 0xFF)
    return bytes(out)


def hdr_text(values, lowest=1, highest=3_600_000_000_000, figures=3):
    """values: {value: count} -> V2 compressed histogram in base64."""
    sub_count = 2 ** math.ceil(math.log2(2 * 10**figures))
    half_mag = sub_count.bit_length() - 2
    unit_mag = lowest.bit_length() - 1
    mask = (sub_count - 1) << unit_mag
    counts = {}
    for value, count in values.items():
        bucket = (value | mask).bit_length() - unit_mag - (half_mag + 1)
        sub = value >> (bucket + unit_mag)
        index = ((bucket + 1) << half_mag) + sub - 2**half_mag
        counts[index] = counts.get(index, 0) + count
    payload = bytearray()
    position = 0
    for index in sorted(counts):
        if index > position:
            payload += zigzag_leb128(-(index - position))
        payload += zigzag_leb128(counts[index])
        position = index + 1
    head = struct.pack(">Iiiiqqd", 0x1C849313,
                       len(payload), 0, figures, lowest, highest, 1.0)
    packed = zlib.compress(head + bytes(payload))
    return base64.b64encode(struct.pack(">Ii", 0x1C849314, len(packed)) + packed).decode()


def hlog_text(entries):
    """entries: [(tag, start_s, length_s, {value_ns: count})]"""
    lines = ["#[Histogram log format version 1.3]",
             f"#[StartTime: {START_S}.000 (seconds since epoch), 2025-10-09T08:53:20Z]",
             '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"']
    for tag, start, length, values in entries:
        top = max(values) / 1e6
        lines.append(f"Tag={tag},{start:.3f},{length:.3f},{top:.3f},{hdr_text(values)}")
    return "\n".join(lines) + "\n"


def counts(ok, failed=None, missed=0):
    """Counts of load.json; failed: {class: n}."""
    by_class = {name: (failed or {}).get(name, 0) for name in FAILURES}
    sent = ok + sum(by_class.values())
    return {"intended": sent + missed, "sent": sent, "ok": ok, "failed": by_class,
            "missed": missed, "bytesIn": sent * 100, "bytesOut": sent * 50}


def matrix(series):
    """series: [(labels, [(time, value)])] -> what Prometheus calls "data"."""
    return {"resultType": "matrix",
            "result": [{"metric": labels,
                        "values": [[time, format(value, "g") if isinstance(value, float)
                                    else str(value)] for time, value in samples]}
                       for labels, samples in series]}


def query(slo, role, data, ok=True, error=None, warnings=()):
    return {"id": f"{slo}/{role}", "slo": slo, "role": role, "query": f"{role}[60s]",
            "at": START_S + 12.5, "url": "http://127.0.0.1:9090/api/v1/query", "ok": ok,
            "error": error, "warnings": list(warnings), "result": data}


def event(kind, at_s, **fields):
    return {"wallNs": START_NS + int(at_s * 1e9), "monoNs": MONO_NS + int(at_s * 1e9),
            "wall": "2025-10-09T08:53:20.000Z", "type": kind, **fields}


def wall(at_s):
    return START_NS + int(at_s * 1e9)


def fault_spec(name, number, run="r1"):
    return {"id": f"{run}-{number}", "run": run, "startedNs": START_NS, "name": name, "kind": "kill",
            "durationNs": 2 * 10**9, "leaseNs": 10**9, "maxAffected": 0.5, "service": "users",
            "targets": ["users-1"], "kill": {"signal": 9, "restartWithinNs": 5 * 10**9,
                                             "graceNs": 0, "everyNs": 0}}


def fault_record(name, number, run="r1", **changes):
    record = {"id": f"{run}-{number}", "run": run, "name": name, "kind": "kill",
              "targets": ["users-1"], "state": "gone", "end": "expired", "wasActive": True,
              "error": None, "requestedAtNs": wall(3.0), "appliedAtNs": wall(3.01),
              "verifiedAtNs": wall(3.03), "revertedAtNs": wall(5.0), "goneAtNs": wall(5.25),
              "expiresAtNs": wall(5.0),
              "evidence": [
                  {"target": "users-1", "when": when, "metric": "process alive", "value": value,
                   "expected": value, "ok": True, "atNs": wall(at)}
                  for when, value, at in (("before", "yes", 2.9), ("during", "no", 3.03),
                                          ("after", "yes", 5.2))]}
    record.update(changes)
    return record


def slo(name, kind="availability", objective=0.99, **changes):
    value = {"name": name, "kind": kind, "objective": objective, "service": "gateway",
             "withinNs": 250_000_000 if kind == "latency" else 0, "minCoverage": 0.9,
             "total": 'http_requests_total{service="gateway"}',
             "bad": 'http_requests_total{status=~"5.."}' if kind == "availability" else None,
             "good": None if kind == "availability" else 'bucket{le="0.25"}',
             "up": 'up{job="gateway"}', "instances": 1}
    value.update(changes)
    return value


class RunDir:
    """A run of 10 s at 200/s, steady, with one fault from 3 s to 5 s; everything passes."""

    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.plan = {
            "version": 1, "run": "r1", "scenario": "first", "description": "made by hand",
            "seed": 7, "targetName": "default", "targetMode": "netns", "durationNs": 10 * 10**9,
            "load": {"version": 1, "arrivals": "poisson", "rate": 200.0, "durationNs": 10 * 10**9,
                     "connections": 8, "threads": 1, "seed": 7, "timeoutNs": 10**9,
                     "intervalNs": 10**9, "maxLateNs": 10**7, "host": "gateway", "firstPhase": "steady",
                     "targets": [{"address": "10.0.0.2", "port": 3000}],
                     "routes": [{"name": "list", "method": "GET", "path": "/api/users",
                                 "body": None, "headers": [], "weight": 1}]},
            "maxMissed": 0.0, "steadyForNs": 0, "steadyDeadlineNs": 10**10,
            "checks": [{"name": "ready", "urls": ["http://10.0.0.2:3000/ready"], "status": 200,
                        "timeoutNs": 10**9}],
            "probes": [],
            "phases": [{"name": "steady", "startNs": 0, "fault": None},
                       {"name": "lose-one", "startNs": 3 * 10**9, "fault": "lose-one"},
                       {"name": "after-lose-one", "startNs": 5 * 10**9, "fault": None}],
            "faults": [{"atNs": 3 * 10**9, "after": None, "spec": fault_spec("lose-one", 1)}],
            "skipped": [],
            "thresholds": [{"name": "fast", "expect": "p99 < 250ms", "phase": None, "route": None},
                           {"name": "few-errors", "expect": "errors < 1%", "phase": None,
                            "route": None}],
            "slos": [slo("available")], "aborts": [],
            "agentUrl": "http://127.0.0.1:7070", "agentTokenFile": "/nowhere/token",
            "prometheusUrl": "http://127.0.0.1:9090", "scrapeIntervalNs": 10**9}
        phases = [("steady", 0, 3, 600), ("lose-one", 3, 2, 400), ("after-lose-one", 5, 5, 1000)]
        self.hlog = []
        parts = []
        for name, start, length, n in phases:
            self.hlog.append((f"{name}/list/response", START_S + start, length,
                              {2_000_000: n // 2, 5_000_000: n - n // 2 - 4, 40_000_000: 4}))
            self.hlog.append((f"{name}/-/schedule", START_S + start, length, {20_000: n}))
            parts.append({"phase": name, "route": "list", "counts": counts(n)})
        self.load = {
            "version": 1, "complete": True, "startNs": START_NS, "endNs": wall(10),
            "startMonoNs": MONO_NS, "endMonoNs": MONO_NS + 10 * 10**9,
            "scheduledNs": 10 * 10**9, "total": counts(2000), "parts": parts,
            "intervals": [{"startNs": wall(i), "startMonoNs": MONO_NS + i * 10**9,
                           "lengthNs": 10**9, "phase": "steady", "counts": counts(200),
                           "inFlight": 1, "p50Ns": 2_000_000 + i * 1000, "p99Ns": 40_000_000,
                           "maxNs": 41_000_000, "lateP99Ns": 20_000} for i in range(10)],
            "clientLimited": False, "clientLimitedWhy": None, "cpuNs": 10**9}
        self.faults = {"faults": [fault_record("lose-one", 1)]}
        self.probes = {"probes": [{"name": "ready", "at": "2025-10-09T08:53:19.000Z", "until": "2025-10-09T08:53:19.000Z", "times": 1, "ok": True,
                                   "detail": "200"}]}
        self.queries = {"queries": self.availability("available")}
        self.events = [event("run.started", -1), event("steady.checked", -0.5, ok=True),
                       event("load.started", 0), event("phase.changed", 3, phase="lose-one"),
                       event("fault.active", 3.03, id="r1-1", name="lose-one"),
                       event("fault.gone", 5.25, id="r1-1", name="lose-one"),
                       event("load.finished", 10, complete=True),
                       event("run.finished", 13, aborted="no", why=None, unclean=False)]
        self.scenario = "name: first\n"

    @staticmethod
    def up(value=1):
        return matrix([({"__name__": "up", "instance": "gateway-1", "job": "gateway"},
                        [(START_S + t, value) for t in range(-4, 14)])])

    @classmethod
    def availability(cls, name):
        """2000 good events in the load, none bad; a counter that stood at 500 before."""
        labels = {"__name__": "http_requests_total", "instance": "gateway-1", "job": "gateway",
                  "status": "200", "traffic": "load"}
        total = matrix([(labels, [(START_S + t, 500 + 200 * min(max(t, 0), 10))
                                  for t in range(-4, 14)])])
        return [query(name, "total", total), query(name, "bad", matrix([])),
                query(name, "up", cls.up())]

    def write(self):
        (self.path / "MANIFEST.sha256").unlink(missing_ok=True)  # another run, not a changed one
        documents = {"plan.json": self.plan, "load.json": self.load, "faults.json": self.faults,
                     "probes.json": self.probes, "queries.json": self.queries}
        for name, value in documents.items():
            if value is not None:
                (self.path / name).write_text(json.dumps(value, indent=1))
        if self.hlog is not None:
            (self.path / "latency.hlog").write_text(hlog_text(self.hlog))
        if self.events is not None:
            (self.path / "events.ndjson").write_text("".join(
                json.dumps({"seq": i, **line}) + "\n" for i, line in enumerate(self.events)))
        if self.scenario is not None:
            (self.path / "scenario.yaml").write_text(self.scenario)
        return self.path
