// SPDX-License-Identifier: BSL-1.0
// A contract mode that does not exist is refused, and the ones that do are named.
// flags: -DNORIA_CONTRACT=7
// expect: NORIA_CONTRACT must be 0 (off), 1 (trap) or 2 (abort with a message)
#include "noria/core/contract.hpp"
