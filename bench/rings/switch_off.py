#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes a copy of spsc_ring.hpp and space.hpp in one file with one thing switched off, for `bench/run rings --explain`.

  switch_off.py SPSC_RING SPACE COPY FINDING

Each change must find its lines exactly once: where the headers have moved on, the build stops here and not at a wrong figure. The
types of the copy get names of their own, so that a program may hold both.
"""

import re
import sys
from pathlib import Path

# finding: (what stands there, what is put in its place)
FINDINGS = {
    "silent_polls": [  # a poll stores what it has seen, be it news or not; and a push counts before it publishes
        ("""            const std::uint32_t tail = look();
""", """            const std::uint32_t tail = look();
            seen_ = tail;
"""),
        ("""        core_.tail.store(next, std::memory_order_release);
        if (!Options.same_core)
            next_ = next; // after the publication, which the other side waits for
""", """        next_ = next;
        core_.tail.store(next, std::memory_order_release);
""")],
    "own_constants": [  # the consumer reads the mask where the producer writes its index
        ("""    alignas(thread_gap) word tail; // written by the producer
""", """    alignas(thread_gap) word tail; // written by the producer
    std::uint32_t mask_beside_tail = storage.mask();
"""),
        ("""return slots()[index & view_.mask()]; }

    // The items known""", """return slots()[index & core_.mask_beside_tail]; }

    // The items known""")],
}
OWN_NAMES = ["basic_spsc_ring", "spsc_ring", "spsc_options", "ring_core", "space_options", "lookahead", "free_space", "used_space"]


def main():
    ring, space, copy, finding = *map(Path, sys.argv[1:4]), sys.argv[4]
    text = space.read_text(encoding="utf-8") + ring.read_text(encoding="utf-8").replace('#include "noria/ring/space.hpp"\n', "")
    for old, new in FINDINGS[finding]:
        if text.count(old) != 1:
            sys.exit(f"switch_off.py: {ring} and {space} have {text.count(old)} times, not once, what '{finding}' switches off:\n{old}")
        text = text.replace(old, new)
    text = re.sub(rf"\b({'|'.join(OWN_NAMES)})\b(?!\.hpp)", rf"\1_without_{finding}", text)
    copy.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
