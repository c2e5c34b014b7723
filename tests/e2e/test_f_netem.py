# SPDX-License-Identifier: Apache-2.0
"""What this kernel lacks, inside Debian's user-mode-linux (uml.py), booted once: the fault network
where there are netem and no queues for us, for its kernel has no nf_tables for IP, so that the agent
takes its second backend; and ioThrottle where cgroup v2 has io.max."""

import sys

import pytest

import uml
from conftest import BIN, ROOT, SANITIZED

pytestmark = [pytest.mark.skipif(missing, reason=why) for missing, why in uml.MISSING]

INSIDE = ["netem_inside.py", "throttle_inside.py"]
COMMANDS = """export SQUALL_BIN={bin}
cd {root}
{python} -m pytest -q --tb=short -p no:cacheprovider --durations=5 --junitxml={folder}/inside.xml {tests} \\
    > {folder}/inside.log 2>&1
echo $? > {folder}/status"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' shadow memory does not fit into the address "
                    "space that user-mode-linux gives to a process")
def test_inside_user_mode_linux(tmp_path):
    said = uml.run(COMMANDS.format(bin=BIN, root=ROOT, folder=tmp_path, python=sys.executable,
                                   tests=" ".join(str(ROOT / "tests/e2e" / name) for name in INSIDE)),
                   tmp_path, patience_s=600)
    log = tmp_path / "inside.log"
    assert log.exists(), said
    print(log.read_text())
    assert (tmp_path / "status").read_text().strip() == "0", log.read_text() + said
