#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What is true of every file: an SPDX line; and of every header: names only in noria and NORIA_, one version."""

import re

import tree

UNMARKED = {".md", ".json", ".pcap", ".pcapng", ".svg", ".input"}  # no comments in them, or none that a reader wants
MAY_DEFINE = {"noria/core/config.hpp", "noria/core/contract.hpp"}


def files(root):
    """Every file that people wrote: not what git keeps, and not what a build made."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if path.is_file() and not any(p in (".git", "__pycache__") or p.startswith("build") for p in parts[:-1]):
            yield path


def licence(root):
    for path in files(root):
        if path.suffix in UNMARKED or path.name == "LICENSE":
            continue
        with path.open(errors="replace") as text:
            start = "".join(text.readline() for _ in range(3))
        if "SPDX-License-Identifier: BSL-1.0" not in start:
            yield f"{path.relative_to(root)}: none of the first three lines is 'SPDX-License-Identifier: BSL-1.0'."


def macros(header, text):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*#\s*define\s+(\w+)", line)
        if found and not found[1].startswith("NORIA_"):
            yield f"{header}:{number}: macro {found[1]} does not begin with NORIA_."
        elif found and header not in MAY_DEFINE:
            yield f"{header}:{number}: macro {found[1]}: macros live in core/config.hpp and core/contract.hpp only."


def global_names(header, text):
    """At the outermost level there is namespace noria, and specialisations of what std asks us to specialise."""
    depth, statement, line = 0, "", 1
    for character in tree.code_only(text):
        line += character == "\n"
        if depth == 0:
            if character in "{;" and statement.strip():
                opened = " ".join(statement.split())
                if not re.match(r"namespace noria\b|template ?<.*> ?(struct|class) std::|template <> .*\bstd::", opened):
                    yield f"{header}:{line}: '{opened[:60]}' is a global name: everything lives in namespace noria."
            statement = "" if character in "{};" else statement + character
        depth += (character == "{") - (character == "}")


def version(root):
    text = (root / "include/noria/core/config.hpp").read_text()
    parts = [re.search(rf"#define NORIA_VERSION_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH")]
    whole = re.search(r'#define NORIA_VERSION "(.*)"', text)[1]
    if whole != ".".join(parts):
        yield f"noria/core/config.hpp: NORIA_VERSION is {whole}, but its three parts say {'.'.join(parts)}."
    if f"[Unreleased] {whole}" not in (changes := (root / "CHANGELOG.md").read_text()) and f"[{whole}]" not in changes:
        yield f"CHANGELOG.md: has no section for version {whole}."


def check(root):
    yield from licence(root)
    yield from version(root)
    for header in tree.headers(root):
        text = (root / "include" / header).read_text()
        if not re.search(r"^#pragma once$", text, re.M):
            yield f"{header}: has no '#pragma once'."
        yield from macros(header, text)
        yield from global_names(header, text)


tree.run(check)
