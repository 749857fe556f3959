#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
# clang-tidy 19 over all public headers, by way of the umbrella.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.."
command -v clang-tidy-19 >/dev/null || { echo "skipped: clang-tidy-19 is not installed"; exit 77; }

unit=$(mktemp --suffix=.cpp)
trap 'rm -f "$unit"' EXIT
echo '#include "noria/noria.hpp"' >"$unit"
clang-tidy-19 --quiet --config-file=.clang-tidy "$unit" -- -std=c++20 -Iinclude
