// SPDX-License-Identifier: BSL-1.0
// A backend whose device cannot be told of memory.
// expect: a backend makes memory known to its device: add
#include "noria/backend/contract.hpp"

struct my_nic {
    static constexpr noria::buffer_model model = noria::buffer_model::per_packet;
    static constexpr bool in_order = true;
    noria::result<noria::receive_setup> configure(const noria::receive_setup&) noexcept;
    std::uint32_t post(std::span<const noria::buffer_post>) noexcept;
    std::uint32_t reap(std::span<noria::completion>) noexcept;
};

static_assert(noria::check_backend<my_nic>());
