// SPDX-License-Identifier: BSL-1.0
// A backend that does not say where its device puts frames.
// expect: a backend says where its device puts frames and in what order: add
#include "noria/backend/contract.hpp"

struct my_nic {
    noria::result<noria::mapping> attach(noria::region&) noexcept;
    noria::result<noria::receive_setup> configure(const noria::receive_setup&) noexcept;
    std::uint32_t post(std::span<const noria::buffer_post>) noexcept;
    std::uint32_t reap(std::span<noria::completion>) noexcept;
};

static_assert(noria::check_backend<my_nic>());
