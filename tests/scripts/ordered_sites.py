#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Every atomic call in include/ that asks for an order can be weakened alone: ordered_sites.py [--list | ROOT]

With --list: one line for each order that is not relaxed: header, line, 0 or 1 (the second order of a compare-exchange),
the order, and the call. tests/explorer/order_mutants_test.cpp weakens them one by one. Left out are those that
tests/explorer/exempt_orders.txt names.
"""

import re
import sys
from pathlib import Path

import tree

EXEMPT = "tests/explorer/exempt_orders.txt"
ORDER = re.compile(r"\bmemory_order(?:_|::)(\w+)")


def arguments(code, start):
    """What is between the parenthesis before `start` and the one that closes it."""
    depth, end = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(code[end], 0)
        end += 1
    return code[start:end - 1]


def object_before(text):
    """The object of a call that `text` ends before: names, members, and what is in parentheses and brackets."""
    at, depth = len(text), 0
    while at and (depth or re.match(r"[\w.\])>-]", text[at - 1])) and not (text[at - 1] == ">" and text[at - 2] != "-"):
        depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(text[at - 1], 0)
        at -= 1
    return text[at:]


def sites(header, code):
    """(header, line, which order of the call, order, call) for each order of each atomic call."""
    for call in re.finditer(r"(?:\.|->)(?:load|store|exchange|fetch_\w+|compare_exchange_\w+)\s*(?=\()", code):
        line = code.count("\n", 0, call.start()) + 1
        before = code[code.rfind("\n", 0, call.start()) + 1:call.start()]
        for which, order in enumerate(ORDER.findall(arguments(code, call.end() + 1))):
            yield header, line, which, order, object_before(before).strip() + call[0].strip()


def all_sites(root):
    for header in tree.headers(root):
        code = tree.code_only((root / "include" / header).read_text())
        yield from (site for site in sites(header, code) if site[3] != "relaxed")


def exempt(root):
    """(header, call) of each order that nothing weakens."""
    listing = root / EXEMPT
    rows = listing.read_text().splitlines() if listing.exists() else []
    return {tuple(row.split()[:2]) for row in rows if row and not row.startswith("#")}


def check(root):
    ordered = list(all_sites(root))
    for header in tree.headers(root):
        code = tree.code_only((root / "include" / header).read_text())
        written = sum(order != "relaxed" for order in ORDER.findall(code))
        if written != sum(site[0] == header for site in ordered):
            yield f"{header}: names an order outside of an atomic call, where it cannot be weakened."
    places = [(header, line, which) for header, line, which, *_ in ordered]
    for header, line, which in sorted({place for place in places if places.count(place) > 1}):
        yield f"{header}:{line}: two ordered calls in one line cannot be weakened one by one."
    for header, line, _, _, call in ordered:
        if call.startswith((".", "->")):
            yield f"{header}:{line}: begin the call in the line of its object: compilers differ in which line it is."
    for header, call in sorted(exempt(root) - {(header, call) for header, *_, call in ordered}):
        yield f"{EXEMPT}: {header} has no ordered call {call}."


if "--list" in sys.argv:
    top = Path(__file__).parents[2]
    known = exempt(top)
    for site in all_sites(top):
        if (site[0], site[4]) not in known:
            print(*site)
else:
    tree.run(check)
