#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Makes a copy of spsc_ring.hpp with one thing switched off, for `bench/run rings --explain`.

  switch_off.py HEADER COPY FINDING

Each change must find its line exactly once: where the header has moved on, the build stops here and not at a wrong figure. The
types of the copy get names of their own, so that a program may hold both.
"""

import re
import sys
from pathlib import Path

# finding: (what stands there, what is put in its place)
FINDINGS = {
    "silent_polls": [  # a poll stores what it has seen, be it news or not; and a push counts before it publishes
        ("""            const std::uint32_t tail = tail_.load(std::memory_order_acquire);
""", """            const std::uint32_t tail = tail_.load(std::memory_order_acquire);
            seen_ = tail;
"""),
        ("""        tail_.store(next, std::memory_order_release);
        space_.advance_to(next);
""", """        space_.advance_to(next);
        tail_.store(next, std::memory_order_release);
""")],
    "own_constants": [  # the consumer reads the mask where the producer writes its index
        ("""tail_; // written by the producer
""", """tail_; // written by the producer
    std::uint32_t mask_beside_tail_ = storage_.mask();
"""),
        ("""& space_.mask()], item);""", """& mask_beside_tail_], item);"""),
        ("""          seen_(space_.next()) {}
""", """          seen_(space_.next()), mask_beside_tail_(ring.mask_beside_tail_) {}
"""),
        ("""    std::uint32_t seen_; // index up to which items have arrived, as far as we know
""", """    std::uint32_t seen_; // index up to which items have arrived, as far as we know
    const std::uint32_t& mask_beside_tail_;
""")],
}


def main():
    header, copy, finding = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    text = header.read_text(encoding="utf-8")
    for old, new in FINDINGS[finding]:
        if text.count(old) != 1:
            sys.exit(f"switch_off.py: {header} has {text.count(old)} times, not once, what '{finding}' switches off:\n{old}")
        text = text.replace(old, new)
    text = re.sub(r"\b(basic_spsc_ring|spsc_ring|spsc_options)\b(?!\.hpp)", rf"\1_without_{finding}", text)
    copy.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
