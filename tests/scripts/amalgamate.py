#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Writes all of Noria as one header, for Compiler Explorer and the like: amalgamate.py OUTPUT"""

import re
import sys
from pathlib import Path

INCLUDE = Path(__file__).parents[2] / "include"
HEAD = "// SPDX-License-Identifier: BSL-1.0\n// All of Noria in one header, made by tests/scripts/amalgamate.py.\n#pragma once\n"
seen = set()


def flat(header):
    """The header with each of Noria's own includes replaced by what it includes, the first time it is met."""
    if header in seen:
        return ""
    seen.add(header)
    text = (INCLUDE / header).read_text()
    text = re.sub(r"\A// SPDX[^\n]*\n#pragma once\n", "", text)
    return re.sub(r'^#include "(noria/[^"]+)"\n', lambda found: flat(found[1]), text, flags=re.M)


Path(sys.argv[1]).write_text(HEAD + flat("noria/noria.hpp"))
