# SPDX-License-Identifier: Apache-2.0
"""Scenarios that are load on an external target and little else, and what became of their runs."""

import html
import json

from conftest import run


def write(folder, url, routes, load=(), target=(), **spec):
    """A scenario for 1 s of 100 requests a second. load, target: keys more, or others (None: without
    it); url None: target says all."""
    file = folder / "scenario.yaml"
    arrivals = {"arrivals": "constant", "rate": "100/s", "connections": 4, "maxLate": "2s",
                "routes": routes, **dict(load)}
    document = {
        "apiVersion": "squall/v1", "kind": "Scenario", "metadata": {"name": "load"},
        "spec": {"target": {**({"kind": "external", "urls": [url]} if url else {}), **dict(target)},
                 "duration": "1s",
                 "load": {key: value for key, value in arrivals.items() if value is not None},
                 "thresholds": [{"name": "answered", "expect": "errors < 1%"}], **spec}}
    file.write_text(json.dumps(document, indent=1))  # which is YAML
    return file


class Run:
    """Of `squall run`: .code, .output, .folder (None: it left none)."""

    def __init__(self, folder, *words, env=None, **what):
        file = write(folder, **what)
        out = folder / "runs"
        before = set(out.iterdir()) if out.exists() else set()
        done = run("squall", "run", file, "--out", out, *words, env=env)
        made = (set(out.iterdir()) if out.exists() else set()) - before
        assert len(made) <= 1
        self.code, self.output = done.returncode, done.stdout + done.stderr
        self.folder = made.pop() if made else None

    def expect(self, *codes):
        assert self.code in codes, self.output
        return self

    def expect_refused(self):
        """Nothing of it passes. Who asks again and again in vain on a busy machine may become the limit
        himself, and then says so instead of blaming the target."""
        self.expect(1, 3)
        assert set(self.judged().values()) == {"fail" if self.code == 1 else "insufficient"}
        return self

    def load(self):
        return json.loads((self.folder / "load.json").read_text())

    def routes(self):
        """The counts of each."""
        return {part["route"]: part["counts"] for part in self.load()["parts"]}

    def judged(self):
        """The thresholds, by name."""
        verdict = json.loads((self.folder / "verdict.json").read_text())
        return {one["name"]: one["status"] for one in verdict["objectives"]
                if one["source"] == "threshold"}

    def report(self):
        return html.unescape((self.folder / "report.md").read_text())

    def holds(self, secret):
        """Which of its files, and what was printed, have these bytes."""
        return [str(path) for path in self.folder.rglob("*")
                if path.is_file() and secret.encode() in path.read_bytes()] + (
                    ["output"] if secret in self.output else [])
