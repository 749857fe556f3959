#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What a page of docs/incidents shows is what its example prints and draws, to the byte.

Usage: incidents.py ROOT PROGRAM... [--update]
Each PROGRAM is a built example: 10_microburst belongs to docs/incidents/microburst.md. On the page

    <!-- printed by 10_microburst -->      stands above a block of lines that the program prints, one after another;
    ![...](microburst.svg)                 shows what it writes when it is run with --svg FILE.

A page has one of them at least: what was seen can be seen again.
With --update pictures are written anew, and blocks whose first line is still printed are brought up to date.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import tree

BLOCK = re.compile(r"^<!-- printed by (?P<program>\w+) -->\n```\n(?P<lines>.*?)^```$", re.M | re.S)


def run(program, *arguments):
    """Exit code, and what it printed."""
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout if done.returncode == 0 else done.stdout[-2000:] + done.stderr


def brought_up_to_date(block, printed):
    """The block with the lines that are printed now where its first one is; None when that is not printed any more."""
    lines = printed.splitlines(keepends=True)
    first, count = block["lines"].split("\n", 1)[0] + "\n", block["lines"].count("\n")
    if first not in lines:
        return None
    now = "".join(lines[lines.index(first):][:count])
    return block[0].replace(block["lines"], now)


def check(root, programs, update):
    folder = root / "docs/incidents"
    for picture in sorted(folder.glob("*.svg")):
        page = picture.with_suffix(".md")
        if not page.exists() or f"]({picture.name})" not in page.read_text():
            yield f"{picture.relative_to(root)}: is not shown by {page.relative_to(root)}."
    for page in sorted(folder.glob("*.md")):
        text, where = page.read_text(), page.relative_to(root)
        picture = page.with_suffix(".svg")
        drawn = f"]({picture.name})" in text
        blocks = list(BLOCK.finditer(text))
        if not drawn and not blocks:
            yield f"{where}: shows nothing of its program: quote what it prints below '<!-- printed by NN_{page.stem} -->', or its picture."
            continue
        program = next((p for p in programs if re.sub(r"^\d+_", "", p.name) == page.stem and p.is_file()), None)
        if program is None:
            yield f"{where}: no program NN_{page.stem} is built."
            continue
        with tempfile.TemporaryDirectory() as scratch:
            svg = Path(scratch) / "now.svg"
            code, printed = run(program, *(["--svg", svg] if drawn else []))
            if code != 0:
                yield f"{where}: {program.name} ended with {code}:\n{printed}"
                continue
            if drawn and update:
                picture.write_bytes(svg.read_bytes())
            elif drawn and (not picture.exists() or picture.read_bytes() != svg.read_bytes()):
                yield f"{picture.relative_to(root)}: is not what {program.name} draws: run this script with --update."
        for block in blocks:
            if block["program"] != program.name:
                yield f"{where}: 'printed by {block['program']}' is to name this page's program, {program.name}."
            elif f"\n{block['lines']}" not in f"\n{printed}":
                now = brought_up_to_date(block, printed) if update else None
                if now is None:
                    yield f"{where}: {program.name} does not print this block:\n{block['lines']}It prints:\n{printed}"
                else:
                    text = text.replace(block[0], now)
                    page.write_text(text)


named = [Path(argument).absolute() for argument in sys.argv[2:] if argument != "--update"]
tree.run(check, named, "--update" in sys.argv)
