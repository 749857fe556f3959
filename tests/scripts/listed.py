#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Nothing is forgotten: each source is named in the meson.build of its folder, or of the nearest one above."""

import tree


def check(root):
    for folder in ("tests", "examples", "bench"):
        for path in sorted((root / folder).glob("**/*.cpp")):
            # The consumers bring their own builds, as a user of Noria would.
            if path.relative_to(root / folder).parts[0] == "consumers":
                continue
            home = path.parent
            while home != root / folder and not (home / "meson.build").exists():
                home = home.parent
            build = home / "meson.build"
            name = path.relative_to(home).as_posix()
            if f"'{name}'" not in (build.read_text() if build.exists() else ""):
                yield (f"{path.relative_to(root).as_posix()}: is not built: "
                       f"name '{name}' in {build.relative_to(root).as_posix()}.")


tree.run(check)
