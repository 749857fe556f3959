// SPDX-License-Identifier: BSL-1.0
// A backend that can be received from, and cannot be sent through.
// expect: a backend with a transmit half takes packets to send: add
#include "noria/backend/transmit.hpp"

struct my_nic {
    static constexpr noria::buffer_model model = noria::buffer_model::per_packet;
    static constexpr bool in_order = true;
    noria::result<noria::mapping> attach(noria::region&) noexcept;
    noria::result<noria::receive_setup> configure(const noria::receive_setup&) noexcept;
    std::uint32_t post(std::span<const noria::buffer_post>) noexcept;
    std::uint32_t reap(std::span<noria::completion>) noexcept;
};
static_assert(noria::check_backend<my_nic>()); // as far as that goes

static_assert(noria::check_transmit<my_nic>());
