# SPDX-License-Identifier: Apache-2.0
"""Debian's user-mode-linux: a kernel with netem that boots on this machine's own files in seconds."""

import os
import pathlib
import shutil
import signal
import subprocess

KERNEL = shutil.which("linux.uml")
MODULES = pathlib.Path("/usr/lib/uml/modules")
MODPROBE = shutil.which("modprobe", path="/usr/sbin:/sbin:/usr/bin:/bin")
# Each with why there is nothing to boot.
MISSING = [(os.geteuid() != 0, "a kernel on this machine's own files needs root"),
           (KERNEL is None or not MODULES.is_dir(),
            "no kernel with netem here: Debian's user-mode-linux is not installed"),
           (MODPROBE is None, "Debian's kmod, which loads netem, is not installed")]

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs run /run
mkdir -p /run/modules/lib/modules /run/tmp
ln -s {modules}/$(uname -r) /run/modules/lib/modules/$(uname -r)
for module in veth bridge ifb sch_netem sch_prio sch_ingress cls_bpf act_mirred nf_tables; do
    modprobe -d /run/modules $module || echo "no module $module"
done
ip link set lo up
export TMPDIR=/run/tmp HOME=/run
{commands}
sync
echo o > /proc/sysrq-trigger
sleep 10
"""


def run(commands, folder, patience_s=300, memory="512M"):
    """Boots, runs the shell commands as root, and ends; returns what the console said."""
    init = folder / "init"
    init.write_text(INIT.format(modules=MODULES, commands=commands))
    init.chmod(0o755)
    console = folder / "console"
    with open(console, "wb") as out:
        # A session of its own: its kernel is several processes, which end together.
        kernel = subprocess.Popen([KERNEL, f"mem={memory}", "rootfstype=hostfs", "rootflags=/", "rw",
                                   f"init={init}", "con=null", "con0=null,fd:1", "quiet",
                                   f"uml_dir={folder}/"], stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=out, start_new_session=True)
        try:
            kernel.wait(patience_s)
        finally:
            if kernel.poll() is None:
                os.killpg(kernel.pid, signal.SIGKILL)
                kernel.wait(10)
    return console.read_text(errors="replace")
