#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests mirror headers: include/noria/ring/x.hpp has tests/ring/x_test.cpp, and the other way round."""

import tree


def check(root):
    # Umbrellas and fwd.hpp say nothing of their own; the consumers test them.
    tested = {header[len("noria/"):-len(".hpp")] for header in tree.headers(root) if tree.room(header)}
    # What is proved lies across headers: the folder of the explorer has an order of its own. What is in hardware tests
    # the drivers in examples/, and the model of a card.
    tests = {path.relative_to(root / "tests").as_posix()[:-len("_test.cpp")] for path in root.glob("tests/**/*_test.cpp")}
    tests = {name for name in tests if name.split("/")[0] not in ("explorer", "hardware")}
    for name in sorted(tested - tests):
        yield f"include/noria/{name}.hpp: has no test: write tests/{name}_test.cpp."
    for name in sorted(tests - tested):
        yield f"tests/{name}_test.cpp: tests a header that does not exist: include/noria/{name}.hpp."


tree.run(check)
