# SPDX-License-Identifier: Apache-2.0
"""Scenario files and surroundings that no experiment can begin with."""

import re
import time

from conftest import ROOT, run


def test_invalid_yaml_names_file_line_and_column(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("apiVersion: squall/v1\nkind: Scenario\nmetadata: {name: x\nspec: [\n")
    for command in ("check", "run"):
        answer = run("squall", command, file)
        assert answer.returncode == 2
        assert re.search(rf"{re.escape(str(file))}:\d+:\d+: ", answer.stdout + answer.stderr)


def test_all_mistakes_at_once_with_the_nearest_name(tmp_path):
    file = tmp_path / "typos.yaml"
    file.write_text((ROOT / "scenarios/catalog/first.yaml").read_text()
                    .replace("arrivals:", "arivals:").replace("thresholds:", "treshholds:"))
    answer = run("squall", "check", file)
    text = answer.stdout + answer.stderr
    assert answer.returncode == 2
    assert "arivals" in text and "arrivals" in text and "treshholds" in text and "thresholds" in text


def test_a_ten_megabyte_scenario_is_refused_at_once(tmp_path):
    file = tmp_path / "large.yaml"
    file.write_text("metadata:\n" + "  x: y\n" * (10 * 1024 * 1024 // 7))
    start = time.monotonic()
    answer = run("squall", "check", file)
    assert answer.returncode == 2
    assert "1 MiB" in answer.stdout + answer.stderr or "bytes" in answer.stdout + answer.stderr
    assert time.monotonic() - start < 5


def test_no_sandbox_says_what_to_do(tmp_path):
    answer = run("squall", "run", ROOT / "scenarios/catalog/first.yaml", "--out", tmp_path / "runs",
                 env={"SQUALL_STATE": str(tmp_path / "nothing")})
    assert answer.returncode == 5
    assert "squall up" in answer.stdout + answer.stderr
