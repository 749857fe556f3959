#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Code in README.md and docs/ is code that compiles: each block is a snippet of a source that the tests build.

In the text, the line above the block names the snippet:      In the source, two comments mark it:
    <!-- from examples/01_ring.cpp:push -->                        // [push]
    ```cpp                                                         if (!ring.try_push(4)) ...
    if (!ring.try_push(4)) ...                                     // [/push]
    ```
A cpp block must have such a line; other languages may (in their sources the comments begin with #).
"""

import re
import textwrap

import tree

BLOCK = re.compile(r"^(?:<!-- from (?P<file>[\w./-]+):(?P<name>[\w-]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)


def snippet(source, name):
    """The lines between the two comments, moved to the left margin, without the comments of other snippets."""
    marked = re.search(rf"^ *(?://|#) \[{name}\]\n(.*?)^ *(?://|#) \[/{name}\]$", source, re.M | re.S)
    return marked and textwrap.dedent(re.sub(r"^ *(?://|#) \[/?[\w-]+\]\n", "", marked[1], flags=re.M))


def check(root):
    for page in [root / "README.md", *sorted(root.glob("docs/**/*.md"))]:
        text = page.read_text() if page.exists() else ""
        for block in BLOCK.finditer(text):
            where = f"{page.relative_to(root)}:{text[:block.start()].count(chr(10)) + 1}"
            if not block["file"]:
                if block["language"] == "cpp":
                    yield f"{where}: no line '<!-- from FILE:SNIPPET -->' above this block says which compiled source it is from."
            elif not re.match(r"(examples|tests|bench)/", block["file"]) or not (root / block["file"]).exists():
                yield f"{where}: {block['file']} is not a source that the tests build."
            elif (expected := snippet((root / block["file"]).read_text(), block["name"])) is None:
                yield f"{where}: {block['file']} has no snippet [{block['name']}]."
            elif expected != block["code"]:
                yield f"{where}: the block differs from snippet [{block['name']}] of {block['file']}, which is:\n{expected}"


tree.run(check)
