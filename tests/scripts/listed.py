#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Nothing is forgotten: each source of a folder is named in that folder's meson.build."""

import tree


def check(root):
    for folder in ("tests", "examples", "bench"):
        build = root / folder / "meson.build"
        text = build.read_text() if build.exists() else ""
        for path in sorted((root / folder).glob("**/*.cpp")):
            name = path.relative_to(root / folder).as_posix()
            # The consumers bring their own builds, as a user of Noria would.
            if f"'{name}'" not in text and not name.startswith("consumers/"):
                yield f"{folder}/{name}: is not built: name '{name}' in {folder}/meson.build."


tree.run(check)
