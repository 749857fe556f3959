// SPDX-License-Identifier: BSL-1.0
// A translation unit of contract_test whose contracts are not compiled.
#undef NORIA_CONTRACT
#define NORIA_CONTRACT 0
#include "noria/core/contract.hpp"

static_assert(!noria::contracts_on && !noria::checked_mode);

int evaluations_with_contracts_off() {
    int evaluations = 0;
    NORIA_EXPECTS(++evaluations < 0, "never looked at");
    return evaluations;
}
