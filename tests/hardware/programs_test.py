#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What a person does to rx_dump, forward and pktgen: mistyped options, and Ctrl-C, which goes to all processes of a terminal.

programs_test.py RX_DUMP FORWARD PKTGEN
"""

import os
import shutil
import signal
import subprocess
import sys

rx_dump, forward, pktgen = sys.argv[1:]
failed = 0


def expect(what, holds, seen):
    global failed
    if not holds:
        failed += 1
        print(f"{what}: not so\n{seen}")


for command, said in [
    ([rx_dump, "--seconds", "abc"], "--seconds takes a number"),
    ([rx_dump, "--seconds"], "--seconds takes a number"),
    ([rx_dump, "--seconds", "-1"], "--seconds takes a number"),
    ([forward, "--frames", "1e6"], "--frames takes a number"),
    ([forward, "--frames", "3", "--frames"], "--frames takes a number"),
    ([rx_dump, "--print", "x"], "--print takes a number"),
    ([pktgen, "--bytes", "59"], "from 60 to 1514"),
    ([pktgen, "--bytes", "1515"], "from 60 to 1514"),
    ([pktgen, "--bytes", "99999999999"], "from 60 to 1514"),
    ([pktgen, "--print", "3"], "[--device model"),
    ([forward, "--bytes", "60"], "[--device model"),
    ([forward, "--device"], "[--device model"),
]:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    expect(f"{command} ends with 2 and says so", ran.returncode == 2 and said in ran.stderr, ran)

for device in ["model"] + (["qtest"] if shutil.which("qemu-system-x86_64") else []):
    for program in rx_dump, forward, pktgen:
        # A group of its own, as a terminal gives it.
        running = subprocess.Popen([program, "--device", device], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)
        said = ""
        while "packets/s" not in said and running.poll() is None:
            said += running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)
        said += running.communicate(timeout=60)[0]
        expect(f"{program} on {device} draws up its books at Ctrl-C", running.returncode == 0 and "offered" in said,
               f"{running.returncode}\n{said}")

sys.exit(failed != 0)
