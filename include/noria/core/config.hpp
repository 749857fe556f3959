// SPDX-License-Identifier: BSL-1.0
#pragma once

// The version, the numbers a user may set before including anything, and the namespace they end up in.

// The one place of the version: meson.build, the pkg-config file and the CMake package read this line.
#define NORIA_VERSION "0.1.0"
#define NORIA_VERSION_MAJOR 0
#define NORIA_VERSION_MINOR 1
#define NORIA_VERSION_PATCH 0

// What a broken contract does: 0 nothing (the check is not compiled), 1 trap, 2 a message and abort
// ("checked mode", which also looks for overlapping calls in one role and stale views).
#ifndef NORIA_CONTRACT
#ifdef NDEBUG
#define NORIA_CONTRACT 0
#else
#define NORIA_CONTRACT 2
#endif
#endif

// Bytes in a cache line. Two threads' data are kept two lines apart, since x86 fetches lines in pairs.
#ifndef NORIA_CACHE_LINE
#define NORIA_CACHE_LINE 64
#endif

// Both numbers change layouts or inline code, so they are part of every symbol: two translation units built
// with different answers fail to link instead of corrupting each other's memory.
#define NORIA_DETAIL_PASTE(major, minor, contract, line) v##major##_##minor##_contract##contract##_line##line
#define NORIA_DETAIL_ABI(major, minor, contract, line) NORIA_DETAIL_PASTE(major, minor, contract, line)
#define NORIA_ABI NORIA_DETAIL_ABI(NORIA_VERSION_MAJOR, NORIA_VERSION_MINOR, NORIA_CONTRACT, NORIA_CACHE_LINE)

namespace noria::inline NORIA_ABI {

// True where broken contracts are looked for at all; checked mode adds the checks that cost memory or time.
inline constexpr bool contracts_on = NORIA_CONTRACT != 0;
inline constexpr bool checked_mode = NORIA_CONTRACT == 2;

} // namespace noria::inline NORIA_ABI
