#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The rings, broken one small way at a time: logic_mutants.py [--every N] [--list] [--judges FILE...] [HEADER...]

Each mutant is a copy of include/ with one change to one ring header, out of a fixed list of operators. The programs
of tests/mutants that use the header are compiled against it and run; one that fails, or does not end, has killed it.
A mutant that survives must be explained in tests/mutants/survivors.txt, and an explanation whose mutant does not exist
or is killed must go. A mutant that does not compile does not count.

--every N   only each N-th mutant     --list   only say which there are     HEADER   only those of, say, spsc_ring
--judges    the programs that somebody else believes to be the judges
"""

import argparse
import concurrent.futures
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tree

ROOT = Path(__file__).parents[2]
MUTANTS = ROOT / "tests/mutants"
SURVIVORS = MUTANTS / "survivors.txt"
COMPILER = ["g++-12", "-std=c++20", "-O0", "-w", "-fsanitize=bounds-strict", "-fsanitize-undefined-trap-on-error"]
SECONDS = 1  # of processor time, for a program that takes a few hundredths
GOAL = 95

# Which programs judge the mutants of a header, in this order: the first that fails is enough.
JUDGES = {
    "index": ["spsc_ring", "mpsc_ring", "device_ring"],
    "space": ["spsc_ring", "hybrid_ring"],
    "spsc_ring": ["spsc_ring"],
    "hybrid_ring": ["hybrid_ring", "hybrid_ring_explored"],
    "mpsc_ring": ["mpsc_ring", "mpsc_ring_explored"],
    "fan_in": ["fan_in"],
    "descriptor": ["descriptor_ring", "device_ring", "hybrid_ring"],
    "descriptor_ring": ["descriptor_ring"],
    "device_ring": ["device_ring"],
    "foreign_ring": ["foreign_ring"],
    "burst": ["spsc_ring", "mpsc_ring", "fan_in"],
    "token": ["spsc_ring", "mpsc_ring"],
    "storage": ["spsc_ring", "mpsc_ring"],
    "role": ["spsc_ring", "mpsc_ring"],
}

# What is not mutated, with the reason. Each pattern is searched in the code, comments and strings blanked out.
EXCLUDED = [
    # The compiler judges these before any program runs: concepts_test.cpp and tests/compile_fail ask it.
    r"\bstatic_assert\s*\([^;]*;",
    r"\bconcept\s+\w+\s*=[^;]*;",
    r"^\s*requires\b[^\n{]*(?=\n)",
    r"^\s*(?:template|using)\b[^;{]*[;\n]",
    r"\bexplicit operator\b",
    r"\[\[no_unique_address\]\]",
    r"\balignas\([^\n]*",
    # A contract's wording and what watches over it, which programs that keep to the contract never see: the
    # death tests of tests/ring break it on purpose.
    r"\bNORIA_EXPECTS\s*\([^;]*;",
    r"\bwatch_\.\w+\(\);",
    r"^class role_watch(?:.*\n)*?\};\n",
    # Where counting begins when nobody says so.
    r"\bstart = 0\b",
    # Hints: which lines are asked for ahead changes how long a call takes, and nothing else. The `window` only
    # ever adds to what is looked up.
    r"^template <class Slot>\ninline constexpr std::uint32_t slots_per_line(?:.*\n)*?.*;\n",
    r"^class lookahead \{(?:.*\n)*?\};\n",
    r"^[^\n]*\bat_new_line\(\) const[^\n]*\n",
    r"^[^\n]*\b(?:ahead_|look_ahead|prefetch_\w+|lines_to_\w+|at_new_line|write_prefetch_lines|read_prefetch_lines|"
    r"same_core)\b[^;{]*[;{]",
]

# (name, pattern, replacement). clang-format puts spaces around operators and none inside <> of templates.
OPERATORS = [
    ("bound", r" < ", " <= "),
    ("bound", r" <= ", " < "),
    ("bound", r" > ", " >= "),
    ("bound", r" >= ", " > "),
    ("equality", r" == ", " != "),
    ("equality", r" != ", " == "),
    ("and-or", r" && ", " || "),
    ("and-or", r" \|\| ", " && "),
    ("sign", r" \+ (?=\S)", " - "),
    ("sign", r" - (?=\S)", " + "),
    ("step", r"\+\+(?=\w)", "--"),
    ("step", r"--(?=\w)", "++"),
    ("step", r" \+= ", " -= "),
    ("constant", r"(?<![\w.'])0(?![\w.'])", "1"),
    ("constant", r"(?<![\w.'])1(?![\w.'])", "2"),
    ("constant", r"(?<![\w.'])1(?![\w.'])", "0"),
    ("constant", r"(?<![\w.'])([2-9]|[1-9]\d)(?![\w.'])", lambda m: str(int(m[0]) + 1)),
    ("mask", r"& (mask_?|(?:storage_|space_)\.mask\(\))(?!\w)", r"& (\1 >> 1)"),
    ("bits", r" \^ ", " | "),
    ("bits", r" \|= ", " = "),
    ("bits", r" & ~", " & "),
]

# The smaller of two: which of them makes no difference where they are equal.
SMALLER = re.compile(r"([\w.\[\]()]+?) <=? ([\w.\[\]()]+?)\s+\? (?:static_cast<[\w:]+>\()?\1\)?\s+: \2(?!\w)")


def excluded(code):
    """One flag for each character: whether it is left alone."""
    flags = bytearray(len(code))
    for pattern in EXCLUDED:
        for found in re.finditer(pattern, code, flags=re.M):
            flags[found.start():found.end()] = b"\1" * (found.end() - found.start())
    return flags


def closing(code, start):
    """Where the parenthesis at `start` is closed."""
    depth = 0
    for at in range(start, len(code)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return len(code)


def condition_mutants(code):
    """if (c) and while (c): the opposite, where a turned comparison does not do the same."""
    for found in re.finditer(r"\b(?:if|while) \(", code):
        end = closing(code, found.end() - 1)
        condition = code[found.end():end]
        if not re.search(r" [=!]= ", condition) or re.search(r" && | \|\| ", condition):
            yield "negation", found.end(), end, f"!({code[found.end():end]})"


def choice_mutants(code):
    """c ? a : b becomes c ? b : a: the smaller is taken for the larger."""
    for found in re.finditer(r" \? ", code):
        depth, at, colon = 0, found.end(), None
        while depth >= 0 and code[at] not in ";{" and not (depth == 0 and code[at] == ","):
            depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(code[at], 0)
            if depth == 0 and code[at:at + 3] == " : " and colon is None:
                colon = at
            if depth >= 0:
                at += 1
        if colon is not None and " ? " not in code[found.end():colon]:
            first, second = code[found.end():colon], code[colon + 3:at]
            yield "choice", found.end(), at, f"({second}) : ({first})"


def statement_mutants(code):
    """A statement that is a call, an assignment or a jump, dropped."""
    for found in re.finditer(r"(?<=[;{})])\s*\n\s*|(?<=\belse)\s*\n\s*", code):
        start = found.end()
        end, depth = start, 0
        while end < len(code) and (depth or code[end] not in ";{}:") and depth >= 0:
            depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(code[end], 0)
            end += 1
            if code[end:end + 2] == "::":
                end += 2
        text = code[start:end]
        if code[end:end + 1] != ";" or not text:
            continue
        if re.match(r"(?:return|using|friend|const\b|constexpr|static|template|explicit|auto\b|typename|\[\[|if\b|for\b|"
                    r"while\b|.*= (?:delete|default)$|case\b|enum\b|struct\b|class\b|do\b|else\b|private|public|~)", text):
            continue
        call = re.match(r"(?:\(void\))?[\w.:>\-\[\]()*&+^ ~,]*?\(", text)
        if re.search(r" [|+&-]?= |\+\+|--", text) and not re.match(r"[\w:<>]+[ &*]+\w+ = ", text) \
                or call and not re.match(r"[\w:<>]+ [&*]?\w+\(", text) or text in ("break", "continue"):
            yield "drop", start, end, ""


def mutants(name, text):
    """(name, operator, start, end, replacement, what it is, line) for each mutant of the header."""
    code = tree.code_only(text)
    spared = excluded(code)
    found = [(kind, place.start(), place.end(), place.expand(by) if isinstance(by, str) else by(place))
             for kind, pattern, by in OPERATORS for place in re.finditer(pattern, code)]
    found += [*condition_mutants(code), *choice_mutants(code), *statement_mutants(code)]
    seen = {}
    for kind, start, end, by in sorted(found, key=lambda each: (each[1], each[2], each[0], each[3])):
        if any(spared[start:end]) or (kind == "bound" and SMALLER.search(code, code.rfind("\n", 0, start), end + 90)):
            continue
        begin, stop = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        line = " ".join(code[begin:stop].split())
        changed = " ".join((code[begin:start] + by + code[end:stop]).split())
        label = f"{name}.hpp: {line} -> {changed or '(nothing)'}"
        seen[label] = seen.get(label, 0) + 1
        if seen[label] > 1:
            label += f" #{seen[label]}"
        yield name, kind, start, end, by, label, text.count("\n", 0, start) + 1


def limited():
    """For the program about to start: no endless loop, no core file."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class workshop:
    """A place where mutants are made and judged, one at a time."""

    def __init__(self, folder, prelude, headers):
        self.folder, self.prelude, self.headers = folder, prelude, headers
        shutil.copytree(ROOT / "include", folder / "include")
        for name, text in headers.items():
            self.header(name).write_text(text)

    def header(self, name):
        return self.folder / f"include/noria/ring/{name}.hpp"

    def judge(self, mutant):
        """'killed', 'survived', or 'refused' by the compiler; and what each program said."""
        name, _, start, end, by, *_ = mutant
        original = self.headers[name]
        self.header(name).write_text(original[:start] + by + original[end:])
        try:
            for program in JUDGES[name]:
                said = self.runs(program)
                if said is not None:
                    return said
            return "survived"
        finally:
            self.header(name).write_text(original)

    def runs(self, program):
        """None if the program finds nothing."""
        binary = self.folder / program
        made = subprocess.run([*COMPILER, f"-I{self.folder / 'include'}", f"-I{ROOT / 'tests'}",
                               "-include", self.prelude, MUTANTS / f"{program}.cpp", "-o", binary],
                              capture_output=True, text=True)
        if made.returncode != 0:
            self.said = made.stderr
            return "refused"
        run = subprocess.run([binary], capture_output=True, text=True, preexec_fn=limited)
        self.said = run.stdout + run.stderr
        return "killed" if run.returncode != 0 else None


def explanations():
    """What is known to survive: label to reason."""
    known, label = {}, None
    for row in SURVIVORS.read_text().splitlines() if SURVIVORS.exists() else []:
        if row.startswith("    ") and label:
            known[label] = (known[label] + " " + row.strip()).strip()
        elif row and not row.startswith("#"):
            label = row
            known[label] = ""
    return known


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("headers", nargs="*")
    asked.add_argument("--every", type=int, default=1)
    asked.add_argument("--list", action="store_true")
    asked.add_argument("--jobs", type=int, default=2)
    asked.add_argument("--judges", type=Path, nargs="*")
    asked = asked.parse_args()
    names = asked.headers or list(JUDGES)
    headers = {name: (ROOT / f"include/noria/ring/{name}.hpp").read_text() for name in JUDGES}
    everything = [mutant for name in names for mutant in mutants(name, headers[name])]
    chosen = everything[::asked.every]
    if asked.list:
        for mutant in chosen:
            print(f"{mutant[6]:4} {mutant[1]:9} {mutant[5]}")
        print(len(chosen))
        return 0
    tree.need("g++-12")

    known = explanations()
    complaints = [f"{label}: give a reason" for label, reason in known.items() if not reason]
    if asked.judges and {path.stem for path in asked.judges} != {program for judges in JUDGES.values() for program in judges}:
        complaints.append("tests/meson.build lists other programs than those that judge here")
    complaints += [f"{label}: there is no such mutant any more, so no explanation is needed" for label in known
                   if label.split(".hpp")[0] in names and label not in {mutant[5] for mutant in everything}]
    results = {}
    with tempfile.TemporaryDirectory(prefix="noria-mutants-") as place:
        place = Path(place)
        (place / "prelude.hpp").write_text('#include "mutants/check.hpp"\n')
        subprocess.run([*COMPILER, f"-I{ROOT / 'include'}", f"-I{ROOT / 'tests'}", "-x", "c++-header",
                        place / "prelude.hpp", "-o", place / "prelude.hpp.gch"], check=True)
        free = []
        for number in range(asked.jobs):
            (place / str(number)).mkdir()
            free.append(workshop(place / str(number), place / "prelude.hpp", headers))
        for program in sorted({program for name in names for program in JUDGES[name]}):
            if (found := free[0].runs(program)) is not None:
                print(f"tests/mutants/{program}.cpp: {found} without a mutant\n{free[0].said}")
                return 1

        def judged(mutant):
            shop = free.pop()
            try:
                return shop.judge(mutant)
            finally:
                free.append(shop)

        with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
            for mutant, result in zip(chosen, pool.map(judged, chosen)):
                results[mutant[5]] = result
                label = mutant[5]
                if result == "survived" and label not in known:
                    print(f"line {mutant[6]}: {label}", flush=True)
                    complaints.append(f"{label}: survives unexplained")
                elif result != "survived" and label in known:
                    complaints.append(f"{label}: {result}, so its explanation is wrong")

    for name in [*names, ""]:
        of_it = [result for label, result in results.items() if label.startswith(f"{name}.hpp" if name else "")]
        killed, survived = of_it.count("killed"), of_it.count("survived")
        if killed + survived:
            score = 100 * killed / (killed + survived)
            print(f"{name or 'all':16} {killed:4} of {killed + survived:4} killed: {score:5.1f} %   "
                  f"({of_it.count('refused')} do not compile)")
    if asked.every == 1 and not asked.headers and score < GOAL:
        complaints.append(f"the score is below {GOAL} %")
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


sys.exit(main())
