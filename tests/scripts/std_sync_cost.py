#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""std_sync costs nothing: the rings' push and pop have the same instructions as under a policy of bare aliases.

std_sync_cost.py [ROOT [SOURCE]]    SOURCE has the calls to compare; the file beside this one if not stated
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tree

SOURCE = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).with_suffix(".cpp"))
COMPILERS = ["g++-12", "clang++-19"]
CONTRACTS = [0, 2]
POLICIES = ["std_sync", "bare_sync", "counting_sync"]
CALLS = re.findall(r"^\S+ (\w+)\(.*noexcept \{$", SOURCE.read_text(), re.M)
OBJDUMP = ["objdump", "--disassemble", "--reloc", "--no-show-raw-insn", "--no-addresses"]


def instructions(root, compiler, contract, policy):
    """Each function's name and its instructions, with one name for all policies."""
    with tempfile.TemporaryDirectory() as folder:
        made = f"{folder}/made.o"
        done = subprocess.run([compiler, "-std=c++20", "-O2", f"-DNORIA_CONTRACT={contract}", f"-DPOLICY={policy}",
                               f"-I{root / 'include'}", "-c", SOURCE, "-o", made], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{SOURCE.name} does not compile with {compiler}:\n{done.stderr[:2000]}")
        text = subprocess.run([*OBJDUMP, made], check=True, capture_output=True, text=True).stdout
    text = re.sub(rf"{len(policy)}{policy}", "POLICY", text)  # as it is in mangled names
    return dict(re.findall(r"^<(.*)>:\n((?:\t.*\n|\n(?=\t))*)", text, re.M))


def differences(one, other):
    """The functions that differ, by name and their first line that does."""
    for name in sorted(one.keys() | other.keys()):
        mine, its = one.get(name, "").splitlines(), other.get(name, "").splitlines()
        if mine != its:
            at = next((i for i, (a, b) in enumerate(zip(mine, its)) if a != b), min(len(mine), len(its)))
            yield name, f"instruction {at} is {' '.join(mine[at:at + 1]).strip()!r}, bare {' '.join(its[at:at + 1]).strip()!r}"


def check(root):
    tree.need(*COMPILERS, OBJDUMP[0])
    jobs = [(root, *job) for job in ((c, n, p) for c in COMPILERS for n in CONTRACTS for p in POLICIES)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = dict(zip(jobs, pool.map(lambda job: instructions(*job), jobs)))
    for compiler in COMPILERS:
        for contract in CONTRACTS:
            ours, bare, counting = (made[root, compiler, contract, policy] for policy in POLICIES)
            where = f"{compiler}, NORIA_CONTRACT={contract}"
            if missing := [call for call in CALLS if call not in ours] or not CALLS:
                yield f"{where}: objdump shows no {missing}."
            for name, difference in differences(ours, bare):
                yield f"{where}: {name} is not what it is under bare aliases: {difference}."
            if not list(differences(counting, bare)):
                yield f"{where}: a policy that counts what is written makes no difference, so this check sees nothing."


tree.run(check)
