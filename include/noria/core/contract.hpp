// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdio>
#include <cstdlib>

#include "noria/core/config.hpp"

// NORIA_EXPECTS(condition, "what was expected, and what to do about it")
// A precondition the caller must keep. It is not an error path: shortage (full, empty, dry) is a return
// value, set-up failures are a result<T>. What happens when it is broken is NORIA_CONTRACT's choice.

namespace noria::inline NORIA_ABI::detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void broken_contract(const char* condition, const char* advice,
                                                                   const char* file, int line) noexcept {
    std::fprintf(stderr, "noria: broken contract at %s:%d\n  expected: %s\n  %s\n", file, line, condition,
                 advice);
    std::abort();
}

} // namespace noria::inline NORIA_ABI::detail

#if NORIA_CONTRACT == 2
#define NORIA_EXPECTS(condition, advice)                                                                     \
    (static_cast<bool>(condition)                                                                            \
         ? static_cast<void>(0)                                                                              \
         : ::noria::detail::broken_contract(#condition, advice, __FILE__, __LINE__))
#elif NORIA_CONTRACT == 1
#define NORIA_EXPECTS(condition, advice)                                                                     \
    (static_cast<bool>(condition) ? static_cast<void>(0) : __builtin_trap())
#elif NORIA_CONTRACT == 0
#define NORIA_EXPECTS(condition, advice) static_cast<void>(0)
#else
#error "NORIA_CONTRACT must be 0 (off), 1 (trap) or 2 (abort with a message)"
#endif
