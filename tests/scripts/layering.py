#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Who includes whom: the table of rooms, the forbidden standard headers, no cycles, complete umbrellas."""

import tree

MAY_INCLUDE = {
    "core": [],
    "wire": ["core"],
    "stats": ["core"],
    "ring": ["core"],
    "memory": ["core", "stats", "ring"],
    "packet": ["core", "wire", "stats", "memory"],
    "flow": ["core", "wire", "stats", "ring", "packet"],
    "poll": ["core", "stats", "ring"],
    "backend": ["core", "wire", "stats", "ring", "memory"],
    "queue": ["core", "wire", "stats", "ring", "memory", "packet", "flow", "poll", "backend"],
}

# Each costs every user tens of thousands of lines, or ties the header to one processor.
FORBIDDEN = {"iostream", "functional", "ranges", "thread", "chrono", "string", "vector", "memory", "algorithm",
             "immintrin.h", "emmintrin.h", "xmmintrin.h", "x86intrin.h", "arm_neon.h", "arm_acle.h"}

OPERATING_SYSTEM = "noria/backend/linux/"  # asked for by name, never through an umbrella


def includes_of_room(header, included):
    """Complaints about one header of a room."""
    own = tree.room(header)
    for number, target in included:
        where = f"{header}:{number}: includes {target}"
        if target in FORBIDDEN:
            yield f"{where}, which is forbidden in include/ (compile time)."
        elif target.startswith("noria/") and target != "noria/fwd.hpp":
            other = tree.room(target)
            if other is None:
                yield f"{where}, an umbrella: include the one thing that is needed."
            elif other != own and other not in MAY_INCLUDE[own]:
                yield f"{where}, but room '{own}' may include only: {', '.join(MAY_INCLUDE[own]) or 'the standard library'}."


def umbrella(header, every, included):
    """Complaints about noria.hpp (all rooms) or noria/<room>.hpp (all of the room)."""
    targets = {target for _, target in included}
    for number, target in included:
        if target.startswith(OPERATING_SYSTEM):
            yield f"{header}:{number}: includes {target}: headers for one operating system stay out of umbrellas."
    if header == "noria/noria.hpp":
        expected = {f"noria/{name}.hpp" for name in MAY_INCLUDE} & set(every)
    else:
        expected = {other for other in every if other.startswith(header[:-len(".hpp")] + "/")}
    for missing in sorted(expected - targets):
        if not missing.startswith(OPERATING_SYSTEM):
            yield f"{header}: does not include {missing}: an umbrella is complete."


def cycles(graph):
    """Complaints about headers that include themselves by a detour."""
    done = set()

    def walk(header, path):
        if header in path:
            yield f"{header}: includes itself: {' -> '.join(path[path.index(header):] + [header])}."
        elif header not in done:
            for target in graph.get(header, []):
                yield from walk(target, path + [header])
            done.add(header)

    for header in graph:
        yield from walk(header, [])


def check(root):
    every = tree.headers(root)
    graph = {}
    for header in every:
        included = list(tree.includes(root / "include" / header))
        graph[header] = [target for _, target in included if target.startswith("noria/")]
        own = tree.room(header)
        for number, target in included:
            if target.startswith("noria/") and target not in every:
                yield f"{header}:{number}: includes {target}, which does not exist."
        if own in MAY_INCLUDE:
            yield from includes_of_room(header, included)
        elif own is not None:
            yield f"{header}: '{own}' is not a room of the table in tests/scripts/layering.py."
        elif header != "noria/fwd.hpp":
            yield from umbrella(header, every, included)
    yield from cycles(graph)


tree.run(check)
