# SPDX-License-Identifier: Apache-2.0
"""A run judged a second time from its raw files, without squall's code: HdrHistogram V2 decoded
from its description, quantiles by rank, increases of counters sample by sample. What verdict.json
says must be the same."""

import base64
import json
import math
import struct
import zlib


# --- latency.hlog ---

def _leb128(data, at):
    """One ZigZag LEB128 number of HdrHistogram: at most nine bytes, the ninth carries eight bits."""
    value = shift = 0
    for n in range(9):
        byte = data[at]
        at += 1
        if n == 8:
            value |= byte << shift
            break
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return (value >> 1) ^ -(value & 1), at


def hdr_counts(text):
    """Base64 of a compressed V2 histogram -> {highest equivalent value: count}."""
    packed = base64.b64decode(text)
    cookie, length = struct.unpack(">Ii", packed[:8])
    assert cookie & ~0xF0 == 0x1C849304, hex(cookie)
    plain = zlib.decompress(packed[8:8 + length])
    cookie, payload, _, figures, lowest, _, _ = struct.unpack(">Iiiiqqd", plain[:40])
    assert cookie & ~0xF0 == 0x1C849303, hex(cookie)
    unit = lowest.bit_length() - 1
    half = math.ceil(math.log2(2 * 10**figures)) - 1      # log2 of half a bucket's slots
    counts, index, at, end = {}, 0, 40, 40 + payload
    while at < end:
        number, at = _leb128(plain, at)
        if number < 0:
            index -= number
            continue
        if number > 0:
            bucket = (index >> half) - 1
            slot = (index & (2**half - 1)) + 2**half
            if bucket < 0:
                bucket, slot = 0, slot - 2**half
            value = slot << (bucket + unit)
            counts[value + (1 << (bucket + unit)) - 1] = number
        index += 1
    return counts


def hlog(path):
    """[(phase, route, kind, {value: count})] of every line."""
    lines = []
    for line in path.read_text().splitlines():
        if line.startswith("Tag="):
            tag, _, _, _, text = line.split(",", 4)
            phase, rest = tag[4:].split("/", 1)
            route, kind = rest.rsplit("/", 1)
            lines.append((phase, route, kind, hdr_counts(text)))
    return lines


def merged(lines, phase=None, route=None, kind="response"):
    total = {}
    for a, b, c, counts in lines:
        if c == kind and phase in (None, a) and route in (None, b):
            for value, n in counts.items():
                total[value] = total.get(value, 0) + n
    return total


def at_quantile(counts, q):
    """The smallest recorded value with at least q of all at or below it."""
    need = max(1, math.ceil(q * sum(counts.values()) - 1e-9))
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= need:
            return value
    return None


# --- thresholds ---

def threshold(folder, wanted):
    """The number that a threshold of plan.json is judged by."""
    plan = json.loads((folder / "plan.json").read_text())
    load = json.loads((folder / "load.json").read_text())
    stat = wanted["expect"].split()[0]
    phase, route = wanted["phase"], wanted["route"]
    if stat in ("mean", "max") or stat[0] == "p" and stat[1:2].isdigit():
        counts = merged(hlog(folder / "latency.hlog"), phase, route)
        if stat == "max":
            return max(counts)
        if stat == "mean":  # of the middle of each slot, within the histogram's precision
            return sum(v * n for v, n in counts.items()) / sum(counts.values())
        return at_quantile(counts, float(stat[1:]) / 100)
    parts = [p["counts"] for p in load["parts"]
             if phase in (None, p["phase"]) and route in (None, p["route"])]
    total = {key: sum(p[key] for p in parts) for key in ("intended", "sent", "ok", "missed")}
    failed = sum(sum(p["failed"].values()) for p in parts)
    if stat == "errors":
        return (failed + total["missed"]) / total["intended"]
    if stat == "achieved_rate":
        return total["sent"] / total["intended"]
    if stat == "count":
        return total["ok"]
    assert stat == "rate", stat
    seconds = load["scheduledNs"] / 1e9
    if phase is not None:
        starts = [p["startNs"] / 1e9 for p in plan["phases"]] + [seconds]
        at = [p["name"] for p in plan["phases"]].index(phase)
        seconds = starts[at + 1] - starts[at]
    return total["ok"] / seconds


# --- service levels ---

def _series(queries, slo, role):
    found = {}
    for query in queries:
        if (query["slo"], query["role"]) == (slo, role):
            data = query["result"].get("data", query["result"])
            for one in data["result"]:
                key = json.dumps(one["metric"], sort_keys=True)
                found.setdefault(key, {}).update((t, float(v)) for t, v in one["values"])
    return [(json.loads(key), sorted(samples.items())) for key, samples in found.items()]


def _increase(series, scrapes, start, end, scrape):
    """Increase inside the window, nothing extrapolated; a new series counts from zero when its
    target was known before without it, and a falling counter began anew."""
    total = 0
    for labels, samples in series:
        inside = [(t, v) for t, v in samples if start <= t <= end]
        if not inside:
            continue
        first = inside[0]
        if samples[0] == first:
            known = [v for other, points in scrapes for t, v in points
                     if all(other.get(k, "") == labels.get(k, "") for k in ("instance", "job"))
                     and t < first[0] - scrape / 2]
            if any(v >= 1 for v in known) or (not known and first[0] > start + 1.5 * scrape):
                total += first[1]
        for (_, a), (_, b) in zip(inside, inside[1:]):
            total += b if b < a else b - a
    return total


def service_level(folder, slo):
    """{total, bad, sli, budget, budgetSpent, coverage} of an SLO of plan.json."""
    plan = json.loads((folder / "plan.json").read_text())
    load = json.loads((folder / "load.json").read_text())
    queries = json.loads((folder / "queries.json").read_text())["queries"]
    scrape = plan["scrapeIntervalNs"] / 1e9
    start, end = load["startNs"] / 1e9 - 2 * scrape, load["endNs"] / 1e9 + 2 * scrape
    up = _series(queries, slo["name"], "up")

    def increase(role):
        return _increase(_series(queries, slo["name"], role), up, start, end, scrape)

    total = increase("total")
    bad = increase("bad") if slo["kind"] == "availability" else total - increase("good")
    each = math.floor((end - start) / scrape + 1e-9)
    present = sum(min(each, sum(1 for t, v in points if start <= t <= end and v >= 1))
                  for _, points in up)
    budget = (1 - slo["objective"]) * total
    return {"total": total, "bad": bad, "sli": (total - bad) / total, "budget": budget,
            "budgetSpent": bad / budget, "coverage": present / (each * slo["instances"])}


# --- the whole ---

def check(folder):
    """Asserts that verdict.json says of each threshold and SLO what the raw files say."""
    plan = json.loads((folder / "plan.json").read_text())
    verdict = json.loads((folder / "verdict.json").read_text())
    values = {(o["source"], o["name"]): o["value"] for o in verdict["objectives"]}
    for one in plan["thresholds"]:
        ours, theirs = threshold(folder, one), values["threshold", one["name"]]
        exact = one["expect"].split()[0] != "mean"   # a slot is a thousandth of its value wide
        assert math.isclose(ours, theirs, rel_tol=1e-12 if exact else 1e-3), (one, ours, theirs)
    shown = {s["name"]: s for s in verdict["slos"]}
    for one in plan["slos"]:
        for key, ours in service_level(folder, one).items():
            theirs = shown[one["name"]][key]
            assert math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12), (one, key, ours, theirs)
    return len(plan["thresholds"]), len(plan["slos"])
