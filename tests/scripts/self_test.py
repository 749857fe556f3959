#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The check scripts, checked: a small tree that all accept, and one thing broken in it that one must report."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SPDX = "// SPDX-License-Identifier: BSL-1.0\n"
START = SPDX + "#pragma once\n\n"
CONFIG = START + """#define NORIA_VERSION "1.2.3"
#define NORIA_VERSION_MAJOR 1
#define NORIA_VERSION_MINOR 2
#define NORIA_VERSION_PATCH 3

namespace noria {
inline constexpr int lines = 2;
} // namespace noria
"""
RING = START + """#include "noria/core/config.hpp"

namespace noria {
inline int slots() noexcept {
    return lines;
}
} // namespace noria
"""
EXAMPLE = SPDX + """#include "noria/noria.hpp"

int main() {
    // [count]
    if (noria::slots() != 2)
        return 1;
    // [/count]
}
"""
PAGE = """# A page

<!-- from examples/01_a.cpp:count -->
```cpp
if (noria::slots() != 2)
    return 1;
```
"""
COSTS = """# SPDX-License-Identifier: BSL-1.0
  5 noria/core.hpp
  4 noria/core/config.hpp
 13 noria/noria.hpp
 11 noria/ring.hpp
 10 noria/ring/slots.hpp
"""

GOOD = {
    ".clang-format": (HERE / "../../.clang-format").read_text(),
    "CHANGELOG.md": "## [1.2.3]\n",
    "docs/page.md": PAGE,
    "run": "#!/usr/bin/env bash\n# SPDX-License-Identifier: BSL-1.0\necho \"$1\"\n",
    "include/noria/noria.hpp": START + '#include "noria/core.hpp"\n#include "noria/ring.hpp"\n',
    "include/noria/core.hpp": START + '#include "noria/core/config.hpp"\n',
    "include/noria/ring.hpp": START + '#include "noria/ring/slots.hpp"\n',
    "include/noria/core/config.hpp": CONFIG,
    "include/noria/ring/slots.hpp": RING,
    "tests/core/config_test.cpp": SPDX,
    "tests/ring/slots_test.cpp": SPDX,
    "tests/meson.build": "# SPDX-License-Identifier: BSL-1.0\nfiles('core/config_test.cpp', 'ring/slots_test.cpp')\n",
    "tests/scripts/include_cost.txt": COSTS,
    "examples/01_a.cpp": EXAMPLE,
    "examples/meson.build": "# SPDX-License-Identifier: BSL-1.0\nexecutable('a', '01_a.cpp')\n",
}
CONFIG_PATH, RING_PATH = "include/noria/core/config.hpp", "include/noria/ring/slots.hpp"


def with_line(text, line):
    return text.replace("\n\n", f"\n\n{line}\n", 1)


# script, the file that is broken, its broken text (None: deleted), words that the report must have
BROKEN = [
    ("layering.py", RING_PATH, with_line(RING, "#include <vector>"), "includes vector, which is forbidden"),
    ("layering.py", RING_PATH, with_line(RING, "#  include <immintrin.h>"), "includes immintrin.h, which is forbidden"),
    ("layering.py", RING_PATH, with_line(RING, '#include "noria/core.hpp"'), "an umbrella"),
    ("layering.py", RING_PATH, with_line(RING, '#include "noria/core/none.hpp"'), "does not exist"),
    ("layering.py", RING_PATH, with_line(RING, '#include "noria/ring/slots.hpp"'), "includes itself"),
    ("layering.py", CONFIG_PATH, with_line(CONFIG, '#include "noria/ring/slots.hpp"'), "may include only: the standard library"),
    ("layering.py", "include/noria/core/more.hpp", START, "does not include noria/core/more.hpp"),
    ("layering.py", "include/noria/noria.hpp", START + '#include "noria/core.hpp"\n', "does not include noria/ring.hpp"),
    ("layering.py", "include/noria/attic/x.hpp", START, "'attic' is not a room"),
    ("layering.py", "include/noria/ring.hpp", GOOD["include/noria/ring.hpp"] + '#include "noria/backend/linux/x.hpp"\n',
     "stay out of umbrellas"),
    ("house_rules.py", RING_PATH, RING.replace("SPDX", ""), "SPDX-License-Identifier"),
    ("house_rules.py", RING_PATH, RING.replace("#pragma once", ""), "#pragma once"),
    ("house_rules.py", RING_PATH, with_line(RING, "#define NORIA_SLOTS 3"), "macro NORIA_SLOTS: macros live in"),
    ("house_rules.py", CONFIG_PATH, with_line(CONFIG, "#define SLOTS 3"), "macro SLOTS does not begin"),
    ("house_rules.py", RING_PATH, RING + "int all;\n", "'int all' is a global name"),
    ("house_rules.py", RING_PATH, RING + "namespace noise { int slots; }\n", "'namespace noise' is a global name"),
    ("house_rules.py", CONFIG_PATH, CONFIG.replace("PATCH 3", "PATCH 4"), "its three parts say 1.2.4"),
    ("house_rules.py", "CHANGELOG.md", "", "no section for version 1.2.3"),
    ("headers_alone.py", RING_PATH, RING.replace('#include "noria/core/config.hpp"', ""), "does not compile alone with clang++-19"),
    ("headers_alone.py", RING_PATH, RING.replace("slots()", "slots(int lines)"), "alone with g++-12"),
    ("headers_alone.py", RING_PATH, RING.replace("return lines", "throw lines"), "alone with g++-12"),
    ("mirror.py", "tests/ring/slots_test.cpp", None, "write tests/ring/slots_test.cpp"),
    ("mirror.py", "tests/ring/more_test.cpp", SPDX, "does not exist: include/noria/ring/more.hpp"),
    ("listed.py", "tests/ring/more.cpp", SPDX, "name 'ring/more.cpp' in tests/meson.build"),
    ("listed.py", "examples/02_b.cpp", SPDX, "name '02_b.cpp' in examples/meson.build"),
    ("listed.py", "bench/rings/x.cpp", SPDX, "name 'rings/x.cpp' in bench/meson.build"),
    ("include_cost.py", RING_PATH, with_line(RING, "#include <span>"), "more than 3 % above the 10"),
    ("include_cost.py", RING_PATH, with_line(RING, "#include <memory>"), "above its limit of 27000"),
    ("include_cost.py", "include/noria/core/more.hpp", START, "noria/core/more.hpp: is not in"),
    ("include_cost.py", "tests/scripts/include_cost.txt", COSTS + "9 noria/old.hpp\n", "noria/old.hpp: is in tests/scripts"),
    ("ordered_sites.py", RING_PATH, RING.replace("return lines", "(void)a.load(std::memory_order_acquire); return b.load(std::memory_order_acquire)"),
     "two ordered calls in one line"),
    ("ordered_sites.py", RING_PATH, RING.replace("return lines", "return a\n.load(std::memory_order_acquire)"), "in the line of its object"),
    ("ordered_sites.py", RING_PATH, RING.replace("return lines", "return look(std::memory_order_acquire)"), "outside of an atomic call"),
    ("ordered_sites.py", "tests/explorer/exempt_orders.txt", "noria/ring/slots.hpp a.load why", "has no ordered call a.load"),
    ("code_blocks.py", "docs/page.md", PAGE.replace("<!--", "<!"), "no line '<!-- from FILE:SNIPPET -->'"),
    ("code_blocks.py", "docs/page.md", PAGE.replace("01_a", "01_b"), "is not a source that the tests build"),
    ("code_blocks.py", "docs/page.md", PAGE.replace(":count", ":counts"), "has no snippet [counts]"),
    ("code_blocks.py", "docs/page.md", PAGE.replace("!= 2", "!= 3"), "the block differs from snippet [count]"),
    ("format.sh", RING_PATH, RING.replace("int slots", "int  slots"), "is not formatted"),
    ("format.sh", "run", GOOD["run"].replace('"', ""), "shellcheck finds"),
    ("format.sh", "docs/page.md", "recie" "ve\n", "codespell finds"),
]


# An incident with its page and its picture; its program; and what incidents.py must say when one of them is changed.
INCIDENT = {
    "docs/incidents/seen.md": "# Seen\n\n![](seen.svg)\n\n<!-- printed by 01_seen -->\n```\na 1\nb 2\n```\n",
    "docs/incidents/seen.svg": "<svg/>\n",
    "01_seen": "#!/bin/sh\n# SPDX-License-Identifier: BSL-1.0\necho '<svg/>' >\"$2\"\nprintf 'first\\na 1\\nb 2\\n'\n",
}
STALE = [
    ("01_seen", INCIDENT["01_seen"].replace("b 2", "b 3"), "does not print this block"),
    ("01_seen", INCIDENT["01_seen"].replace("<svg/>", "<svg />"), "is not what 01_seen draws"),
    ("01_seen", INCIDENT["01_seen"] + "exit 1\n", "01_seen ended with 1"),
    ("docs/incidents/seen.svg", None, "is not what 01_seen draws"),
    ("docs/incidents/seen.md", INCIDENT["docs/incidents/seen.md"].replace("![]", "!["), "is not shown by"),
    ("docs/incidents/seen.md", INCIDENT["docs/incidents/seen.md"].replace("01_seen", "02_seen"), "is to name this page's program"),
    ("docs/incidents/more.md", INCIDENT["docs/incidents/seen.md"], "no program NN_more is built"),
    ("docs/incidents/more.md", "# More\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n", "shows nothing of its program"),
]

# What tests/compile_fail/check must say about programs that are no good as compile-fail cases.
NOT_FAILING = [
    ("// expect: a sentence\nint a;\n", "compiles with g++-12, and must not"),
    ("// expect: a sentence\nint\n", "does not say: a sentence"),
    ("int\n", "has no line '// expect: words'"),
]

# What meson test might write, and what tests/scripts/verdict.py must make of it.
CASES = "[ RUN      ] a.b\nwell\n[       OK ] a.b (0 ms)\n[ RUN      ] a.c\nwhy\n[  {}  ] a.c (0 ms)\n"
VERDICTS = [
    ({"result": "OK", "stdout": CASES.format("     OK")}, "2 passed, 0 failed"),
    ({"result": "OK", "stdout": CASES.format("SKIPPED")}, "SKIPPED gcc: t: a.c: why\n1 passed, 0 failed, 1 skipped"),
    ({"result": "FAIL", "stdout": CASES.format("FAILED")}, "FAILED gcc: t: a.c\nwhy\n1 passed, 1 failed"),
    ({"result": "FAIL", "stdout": CASES.format("     OK") + "data race"}, "data race\n2 passed, 1 failed"),
    ({"result": "TIMEOUT", "stdout": "[ RUN      ] a.b\n"}, "[ RUN      ] a.b\n0 passed, 1 failed"),
    ({"result": "SKIP", "stdout": "skipped: no cmake\n"}, "SKIPPED gcc: t: no cmake\n0 passed, 0 failed, 1 skipped"),
]


def report(files, *command):
    """Exit code and output of the command, with a folder of these files as its last argument."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            if text is not None:
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                path.chmod(0o755)
        command = [str(word).replace("FOLDER", folder) for word in command]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout


failures = 0


def expect(what, expected_code, words, code_and_output):
    global failures
    code, output = code_and_output
    if code != expected_code or words not in output:
        print(f"{what}: expected exit {expected_code} and '{words}', found exit {code} and:\n{output}")
        failures += 1


for script in sorted({script for script, *_ in BROKEN}):
    code, output = report(GOOD, HERE / script, "FOLDER")
    if code == 77:
        print(output, end="")
        sys.exit(code)
    expect(f"{script} on the good tree", 0, "", (code, output))
for script, name, text, words in BROKEN:
    expect(f"{script} with a broken {name}", 1, words, report({**GOOD, name: text}, HERE / script, "FOLDER"))
incidents = [HERE / "incidents.py", "FOLDER", "FOLDER/01_seen"]
expect("incidents.py", 0, "", report(INCIDENT, *incidents))
for name, text, words in STALE:
    expect(f"incidents.py with another {name}", 1, words, report({**INCIDENT, name: text}, *incidents))
changed = INCIDENT["01_seen"].replace("b 2", "b 3").replace("<svg/>", "<svg />")
expect("incidents.py --update", 0, "", report({**INCIDENT, "01_seen": changed}, *incidents, "--update"))
for text, words in NOT_FAILING:
    expect("compile_fail/check", 1, words, report({"a.cpp": text}, HERE / "../compile_fail/check", "g++-12", "FOLDER/a.cpp"))
for test, words in VERDICTS:
    log = json.dumps({"name": "t", "returncode": 0, **test})
    expect("verdict.py", 0 if " 0 failed" in words else 1, words,
           report({"gcc/meson-logs/testlog.json": log}, HERE / "verdict.py", "FOLDER", "gcc"))
expect("verdict.py", 1, "FAILED gcc\nno test ran\n0 passed, 1 failed", report({}, HERE / "verdict.py", "FOLDER", "gcc"))
print(f"{len(BROKEN) + len(STALE)} broken trees, {len(NOT_FAILING)} programs, {len(VERDICTS) + 1} logs: {failures} not reported as expected")
sys.exit(1 if failures else 0)
