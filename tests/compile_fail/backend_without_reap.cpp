// SPDX-License-Identifier: BSL-1.0
// A backend that never says what it has filled.
// expect: a backend reports what is filled: add
#include "noria/backend/contract.hpp"

struct my_nic {
    static constexpr noria::buffer_model model = noria::buffer_model::per_packet;
    static constexpr bool in_order = true;
    noria::result<noria::mapping> attach(noria::region&) noexcept;
    noria::result<noria::receive_setup> configure(const noria::receive_setup&) noexcept;
    std::uint32_t post(std::span<const noria::buffer_post>) noexcept;
};

static_assert(noria::check_backend<my_nic>());
