// SPDX-License-Identifier: BSL-1.0
// A translation unit of contract_test whose contracts trap.
#undef NORIA_CONTRACT
#define NORIA_CONTRACT 1
#include "noria/core/contract.hpp"

static_assert(noria::contracts_on && !noria::checked_mode);

void trap_unless(bool kept) {
    NORIA_EXPECTS(kept, "not printed");
}
