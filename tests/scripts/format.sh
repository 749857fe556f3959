#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# C++ is formatted as .clang-format says, shell scripts have no shellcheck findings, words are spelled right.
# Usage: format.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname -- "${BASH_SOURCE[0]}")/../..}"

for tool in clang-format-19 shellcheck codespell; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done

files() { find . \( -name .git -o -name 'build*' -type d \) -prune -o -type f "$@" -print0; }

failed=0
files \( -name '*.hpp' -o -name '*.cpp' \) | xargs -0r clang-format-19 --dry-run -Werror ||
    { echo "Some C++ is not formatted: run clang-format-19 -i on the files above."; failed=1; }

grep -rlZ --exclude-dir=.git --exclude-dir='build*' --exclude='*.md' '^#!/usr/bin/env bash' . | xargs -0r shellcheck -x ||
    { echo "shellcheck finds something in the scripts above."; failed=1; }

files \( -name '*.hpp' -o -name '*.cpp' -o -name '*.md' -o -name '*.py' -o -name meson.build \) |
    xargs -0r codespell --ignore-words-list=crate,inout,nd ||
    { echo "codespell finds the misspellings above."; failed=1; }
exit $failed
