#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Counts what meson test ran, case by case; shows the output of what failed and the reason of what was skipped.

verdict.py FOLDER BUILD...    reads FOLDER/BUILD/meson-logs/testlog.json, and FOLDER/BUILD.broken where a build failed
"""

import json
import re
import sys
from pathlib import Path

CASE = re.compile(r"^\[ RUN      \] (?P<name>\S+)\n(?P<output>.*?)^\[ *(?P<result>OK|FAILED|SKIPPED) *\] (?P=name)\b", re.M | re.S)
passed, failed, skipped = [], [], []


def last_lines(text, count=60):
    return "\n".join(text.rstrip().splitlines()[-count:])


def count(build, test):
    """Sorts one test program into cases: those of GoogleTest one by one, any other program as one case."""
    where = f"{build}: {test['name'].split(' / ')[-1]}"
    output = test.get("stdout", "") + test.get("stderr", "")
    cases = list(CASE.finditer(output))
    for case in cases:
        kind = {"OK": passed, "FAILED": failed, "SKIPPED": skipped}[case["result"]]
        kind.append((f"{where}: {case['name']}", case["output"]))
    if test["result"] in ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT"):
        if not any(case["result"] == "FAILED" for case in cases):  # a crash, or a sanitizer's finding
            failed.append((f"{where} ({test['result'].lower()}, exit code {test['returncode']})", output))
    elif test["result"] == "SKIP":
        skipped.append((where, output))
    elif not cases:
        passed.append((where, output))


folder = Path(sys.argv[1])
for build in sys.argv[2:]:
    broken = folder / f"{build}.broken"
    if broken.exists():
        failed.append((build, broken.read_text()))
    log = folder / build / "meson-logs" / "testlog.json"
    tests = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    if not tests and not broken.exists():
        failed.append((build, "no test ran"))
    for test in tests:
        count(build, test)

for name, output in failed:
    print(f"\nFAILED {name}\n{last_lines(output)}")
for name, output in skipped:
    print(f"SKIPPED {name}: {' '.join(output.split()).removeprefix('skipped: ')}")
print(f"{len(passed)} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
sys.exit(1 if failed else 0)
