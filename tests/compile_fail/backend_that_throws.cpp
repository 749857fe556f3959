// SPDX-License-Identifier: BSL-1.0
// A backend whose reap may throw: the data path has no place for it.
// expect: a backend reports what is filled: add
#include "noria/backend/null.hpp"

struct my_nic : noria::backend::null {
    using null::null;
    std::uint32_t reap(std::span<noria::completion>);
};

static_assert(noria::check_backend<my_nic>());
