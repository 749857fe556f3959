#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What a header costs those who include it: preprocessed lines, against a table and against fixed limits.

include_cost.py [ROOT] [--update]     --update writes the table anew
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree

COMMAND = ["g++-12", "-std=c++20", "-E", "-P"]
TABLE = "tests/scripts/include_cost.txt"
GROWTH = 1.03
CHEAP_ROOMS = {"ring", "poll", "wire", "stats"}


def limit(header):
    if header == "noria/noria.hpp":
        return 40_000
    if header == "noria/queue.hpp":
        return 34_000  # the room where all others meet
    room, *header_in_room = header.removeprefix("noria/").split("/")
    return 27_000 if room in CHEAP_ROOMS and header_in_room else 32_000  # a whole room may cost more than one header of it


def cost(root, header):
    command = [*COMMAND, f"-I{root / 'include'}", str(root / "include" / header)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.count("\n")


def check(root, update):
    tree.need(COMMAND[0])
    every = tree.headers(root)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        lines = dict(zip(every, pool.map(lambda header: cost(root, header), every)))
    table = root / TABLE
    if update:
        title = f"# SPDX-License-Identifier: BSL-1.0\n# {' '.join(COMMAND)} -Iinclude HEADER | wc -l; written by include_cost.py --update\n"
        table.write_text(title + "".join(f"{lines[header]:6} {header}\n" for header in every))
    rows = [row.split() for row in table.read_text().splitlines() if not row.startswith("#")] if table.exists() else []
    known = {header: int(number) for number, header in rows}
    for header in every:
        if lines[header] > limit(header):
            yield f"{header}: costs {lines[header]} lines, above its limit of {limit(header)}."
        if header not in known:
            yield f"{header}: is not in {TABLE}: run tests/scripts/include_cost.py --update."
        elif lines[header] > known[header] * GROWTH:
            yield (f"{header}: costs {lines[header]} lines, more than 3 % above the {known[header]} in {TABLE}: "
                   "include less, or run tests/scripts/include_cost.py --update and say why in the commit.")
    for header in sorted(known.keys() - lines.keys()):
        yield f"{header}: is in {TABLE} but does not exist: run tests/scripts/include_cost.py --update."


tree.run(check, "--update" in sys.argv)
