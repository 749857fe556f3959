# SPDX-License-Identifier: BSL-1.0
"""What the check scripts share: the tree they look at, how they read code, how they complain.

A check is a function that takes the root of a tree and yields one sentence for each thing that is wrong.
"""

import re
import shutil
import sys
from pathlib import Path

SKIPPED = 77  # the exit code that Meson takes for "skipped"


def run(check, *arguments):
    """Runs the check on the tree named on the command line (default: the one this script is in)."""
    named = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    root = Path(named[0]) if named else Path(__file__).parents[2]
    complaints = list(check(root, *arguments))
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


def need(*programs):
    """Ends the script as skipped when one of the programs is not installed."""
    for program in programs:
        if not shutil.which(program):
            print(f"skipped: {program} is not installed")
            sys.exit(SKIPPED)


def headers(root):
    """Every public header, as the path a program includes it by."""
    include = root / "include"
    return sorted(path.relative_to(include).as_posix() for path in include.glob("noria/**/*.hpp"))


def room(header):
    """'ring' for noria/ring/spsc_ring.hpp; None for umbrellas and fwd.hpp, which belong to no room."""
    parts = header.split("/")
    return parts[1] if len(parts) > 2 else None


def includes(path):
    """(line number, what is included) for each include; <...> keeps its brackets off, "..." too."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if found:
            yield number, found[1]


def code_only(text):
    """The text with comments, string literals and preprocessor lines blanked out; line numbers stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)
