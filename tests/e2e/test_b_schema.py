# SPDX-License-Identifier: Apache-2.0
"""`squall schema` and `squall check` come from one table: an independent validator of JSON Schema
and the parser must agree about every scenario file."""

import copy
import json
import re

import jsonschema
import pytest
import yaml
from conftest import ROOT, run

CATALOG = sorted((ROOT / "scenarios" / "catalog").glob("*.yaml"))
FIRST = ROOT / "scenarios" / "catalog" / "first.yaml"
STAIRS = ROOT / "scenarios" / "catalog" / "stairs.yaml"
LIFE = ROOT / "scenarios" / "catalog" / "user-life.yaml"

# What a schema cannot say: ranges of values with units, and rules between fields.
BEYOND_SCHEMA = re.compile(
    r"is out of range, expected|a percentage is 0% to 100%|a rate is more than 0|at character \d+"
    r"|no phase \"|no route \"|is taken by element|is the phase |the fault ends at"
    r"|does nothing, expected|is the target itself|ends before the checks|threads for"
    r"|makes sense only beside|the stages last|needs \"over\"|is never full|there is never a user|is less than \"(min|median)\"|beside \"burst\""
    r"|not a bound of the platform's|expected both or neither|selects nothing"
    r"|expected a list, or flows|no variable \"|no feeder \"|is no JSON pointer|is no field"
    r"|is no regular expression|cannot be a variable|makes no sense here|is no header's name"
    r"|the targets are|sense only where routes|wants a password with it|to consume, the default|expected text that is not empty"
    r"|at most one of equals|does not start with '/'"
    r"|no whole number of bytes|expected the name of one of the sandbox's services")


@pytest.fixture(scope="module")
def validator():
    done = run("squall", "schema")
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check(paths):
    """Runs one `squall check` over many files; returns what it says about each."""
    done = run("squall", "check", *paths)
    said = {str(path): [] for path in paths}
    for line in (done.stdout + done.stderr).splitlines():
        owner = next((path for path in said if line.startswith(path + ":")), None)
        assert owner is not None, f"a line about no file: {line}"
        said[owner].append(line[len(owner) + 1:])
    assert done.returncode == (0 if all(accepted(lines) for lines in said.values()) else 2)
    return said


def accepted(lines):
    lines = [line for line in lines if ": warning: " not in line]
    return len(lines) == 1 and lines[0].startswith(" ok:")


@pytest.mark.parametrize("path", CATALOG, ids=lambda path: path.name)
def test_catalog_is_valid(path, validator):
    validator.validate(yaml.safe_load(path.read_text()))
    assert accepted(check([path])[str(path)])


BAD = {
    "no_unit": ("rate: 300/s", "rate: 300", r"the bare number 300 needs a unit"),
    "unknown_key": ("arrivals:", "arrival:", r"unknown key \"arrival\", did you mean \"arrivals\""),
    "unknown_word": ("action: drop", "action: dorp", r"did you mean \"drop\"\?"),
    "no_end": ("      for: 5s\n", "", r"spec\.faults\[0\]\.for: this key is missing"),
    "two_kinds": ("kill: {", "app: {errorRate: 1%}\n      kill: {", r"exactly one kind of fault"),
    "wrong_type": ("duration: 36s", "duration: [36s]", r"expected a duration .*, found a list"),
    "not_a_name": ("name: first", "name: First!", r"expected a name of lower-case letters"),
    "clock": ("kill: {", "clock: {offset: 1h}\n      kill: {", r"there is no clock skew: .* libfaketime"),
    "node": ("kill: {", "node: {reboot: {}}\n      kill: {", r"journal would go down .* kubelet\.service"),
    "pod": ("kill: {", "kill: {by: drain, ", r"kill\.by: expected one of signal, delete, evict"),
    "version": ("squall/v1", "squall/v9", r"expected squall/v1, found \"squall/v9\""),
    "other_target": ("kind: sandbox", "kind: external", r"\"name\" makes sense only with kind"),
    "header": ("path: /api/data,", "path: /api/data, headers: {Host: x},",
               r"Host is set by the load generator"),
}
PARSER_ONLY = {"header"}  # reserved headers are no matter of form


@pytest.mark.parametrize("name", BAD)
def test_both_refuse(name, validator, tmp_path):
    old, new, expected = BAD[name]
    text = FIRST.read_text()
    assert old in text
    path = tmp_path / "bad.yaml"
    path.write_text(text.replace(old, new, 1))
    lines = check([path])[str(path)]
    assert re.search(expected, "\n".join(lines))
    place = re.match(r"(\d+):(\d+): ", lines[0])
    assert place, f"no line and column: {lines[0]}"
    changed = text[:text.index(old)].count("\n") + 1
    assert abs(int(place[1]) - changed) <= 2
    if name not in PARSER_ONLY:
        assert not validator.is_valid(yaml.safe_load(path.read_text()))


def places(value, path=()):
    """Every place inside of a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, path + (key,))


REPLACEMENTS = [None, True, 5, 0.5, "text", "5s", "5/s", "5%", "/path", [], ["text"], {},
                {"count": 1}]


def mutations(document, *only):
    """The document with each place removed, replaced by something else, or given a key more."""
    for path in places(document):
        if only and not any(path[:len(place)] == place for place in only):
            continue
        for replacement in [KeyError, *REPLACEMENTS]:
            mutant = copy.deepcopy(document)
            parent = mutant
            for key in path[:-1]:
                parent = parent[key]
            if replacement is KeyError:
                del parent[path[-1]]
            else:
                parent[path[-1]] = copy.deepcopy(replacement)
            yield f"{path} -> {replacement}", mutant


CLOSED = {"users": {"stages": [{"for": "24s", "to": 5, "from": 1}], "iterationsEach": 5,
                    "think": {"lognormal": {"median": "1s", "p95": "2s"}}},
          "service": "gateway", "routes": [{"name": "a", "path": "/"}]}


def spoken(url, login, *routes):
    return {"apiVersion": "squall/v1", "kind": "Scenario", "metadata": {"name": "spoken"},
            "spec": {"target": {"kind": "external", "urls": [url]}, "duration": "20s",
                     "load": {"rate": "1/s", "pipeline": 2, "login": login, "routes": list(routes)}}}


SQL = spoken("postgres://127.0.0.1:7/", {"user": "a", "passwordFile": "f", "database": "d"},
             {"name": "a", "sql": "SELECT $1, $2", "params": ["x", "x"], "weight": 2})
RABBIT = spoken("amqps://[::1]", {"user": "a", "passwordEnv": "WORD", "virtualHost": "/v"},
                {"name": "a", "publish": "", "exchange": "e", "body": "b", "persistent": True},
                {"name": "b", "get": "q"},
                {"name": "c", "consume": {"key": "k"}, "exchange": "e", "body": "x"})


def test_parser_and_schema_agree_on_every_mutation(validator, tmp_path):
    stairs = yaml.safe_load(STAIRS.read_text())
    closed = copy.deepcopy(stairs)
    closed["spec"]["load"] = CLOSED
    mutants = [*mutations(yaml.safe_load(FIRST.read_text())),
               *mutations(stairs, ("spec", "load", "stages"), ("spec", "thresholds", 2)),
               *mutations(closed, ("spec", "load", "users")),
               *mutations(yaml.safe_load(LIFE.read_text()), ("spec", "load", "flows", 0, "name"),
                          ("spec", "load", "flows", 0, "steps", 0),
                          ("spec", "load", "feeders"), ("spec", "load", "flows", 0, "setup")),
               *mutations(SQL, ("spec", "load"), ("spec", "target", "urls")),
               *mutations(RABBIT, ("spec", "load", "routes"), ("spec", "load", "login"))]
    names = {}
    for number, (name, mutant) in enumerate(mutants):
        path = tmp_path / f"{number:05}.yaml"
        # JSON is YAML, and leaves no doubt about what is a number and what is text.
        path.write_text(json.dumps(mutant, indent=1))
        names[str(path)] = (name, mutant)
    said = {}
    paths = list(names)
    for start in range(0, len(paths), 500):
        said.update(check(paths[start:start + 500]))
    both = 0
    for path, (name, mutant) in names.items():
        valid = validator.is_valid(mutant)
        if accepted(said[path]):
            assert valid, f"{name}: only the parser accepts it"
        elif valid:
            assert any(BEYOND_SCHEMA.search(line) for line in said[path]), \
                f"{name}: only the schema accepts it: {said[path]}"
        both += valid == accepted(said[path])
    assert both > 0.8 * len(names)


def test_keys_are_explained():
    done = run("squall", "schema", "--keys")
    assert done.returncode == 0
    assert re.search(r"^spec\.faults\[\]\.for\n    .+\n    a duration .*; required$", done.stdout,
                     re.MULTILINE)


def test_ten_megabytes_are_refused_at_once(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(10 << 20)
    assert check([path])[str(path)] == [
        " larger than 1 MiB, the most that a scenario file may have"]
