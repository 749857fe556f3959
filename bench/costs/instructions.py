#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Counts the instructions of each operation with callgrind: instructions.py PROGRAM RESULT.json SUITE [OPTIONS]

The program toggles the counting round its timed sections and asks for a dump after each subject, so that one run under
valgrind serves all. Writes {"case/subject": instructions an operation}; says in a sentence why it cannot, and exits 1.
"""
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OPERATIONS = 3200


def counts(folder):
    found = {}
    for dump in Path(folder).glob("out.*"):
        text = dump.read_text(errors="replace")
        label = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.M)
        total = re.search(r"^(?:totals|summary): (\d+)$", text, re.M)
        if label and total:
            found[label[1]] = int(total[1]) / OPERATIONS
    return found


def main():
    program, result, *options = sys.argv[1:]
    if not shutil.which("valgrind"):
        sys.exit("Instructions are not counted: valgrind is not installed.")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={folder}/out",
                               program, *options, "--count", str(OPERATIONS)], capture_output=True, text=True, check=False)
        found = counts(folder)
    if done.returncode != 0 or not found:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        sys.exit("Instructions are not counted: " + ("the program was built before valgrind was installed." if done.returncode == 0 else
                                                     f"the run under valgrind failed ({reason})."))
    Path(result).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
