# SPDX-License-Identifier: Apache-2.0
"""The fault network where the kernel has netem and no queues for us: inside Debian's
user-mode-linux, which boots on this machine's own files in seconds. Its kernel has no nf_tables for
IP, so that the agent takes its second backend."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import BIN, ROOT

SANITIZED = any(name in subprocess.run(["ldd", BIN / "squall-agent"], capture_output=True, text=True,
                                       check=False).stdout for name in ("libasan", "libtsan"))
UML = shutil.which("linux.uml")
MODULES = pathlib.Path("/usr/lib/uml/modules")
MODPROBE = shutil.which("modprobe", path="/usr/sbin:/sbin:/usr/bin:/bin")

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs run /run
mkdir -p /run/modules/lib/modules /run/tmp
ln -s {modules}/$(uname -r) /run/modules/lib/modules/$(uname -r)
for module in veth bridge ifb sch_netem sch_prio sch_ingress cls_bpf act_mirred nf_tables; do
    modprobe -d /run/modules $module || echo "no module $module"
done
ip link set lo up
export TMPDIR=/run/tmp HOME=/run SQUALL_BIN={bin}
cd {root}
{python} -m pytest -q --tb=short -p no:cacheprovider --durations=5 --junitxml={folder}/inside.xml {tests} \\
    > {folder}/inside.log 2>&1
echo $? > {folder}/status
sync
echo o > /proc/sysrq-trigger
sleep 10
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a kernel on this machine's own files needs root")
@pytest.mark.skipif(UML is None or not MODULES.is_dir(),
                    reason="no kernel with netem here: Debian's user-mode-linux is not installed")
@pytest.mark.skipif(SANITIZED, reason="the sanitizers' shadow memory does not fit into the address "
                    "space that user-mode-linux gives to a process")
@pytest.mark.skipif(MODPROBE is None, reason="Debian's kmod, which loads netem, is not installed")
def test_netem_inside_user_mode_linux(tmp_path):
    init = tmp_path / "init"
    init.write_text(INIT.format(modules=MODULES, bin=BIN, root=ROOT, folder=tmp_path,
                                python=sys.executable, tests=ROOT / "tests/e2e/netem_inside.py"))
    init.chmod(0o755)
    console = tmp_path / "console"
    with open(console, "wb") as out:
        # A session of its own: its kernel is several processes, which end together.
        kernel = subprocess.Popen([UML, "mem=512M", "rootfstype=hostfs", "rootflags=/", "rw",
                                   f"init={init}", "con=null", "con0=null,fd:1", "quiet",
                                   f"uml_dir={tmp_path}/"], stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=out, start_new_session=True)
        try:
            kernel.wait(180)
        finally:
            if kernel.poll() is None:
                os.killpg(kernel.pid, signal.SIGKILL)
                kernel.wait(10)
    said = console.read_text(errors="replace")
    log = tmp_path / "inside.log"
    assert log.exists(), said
    print(log.read_text())
    assert (tmp_path / "status").read_text().strip() == "0", log.read_text() + said
