// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <new>
#include <type_traits>

#include "noria/core/config.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"

namespace noria::inline NORIA_ABI {

// A header of a packet, read in place as a `Header` (a wire layout: alignment 1, trivially copyable). In
// checked mode it stops the program when it is used after the packet's bytes have moved, which is the
// commonest mistake in this field; otherwise it is a pointer.
template <class Header>
    requires(std::is_trivially_copyable_v<Header> && alignof(Header) == 1)
class header_view {
  public:
    header_view() noexcept = default;

    [[nodiscard]] explicit operator bool() const noexcept { return header_ != nullptr; }
    [[nodiscard]] Header& operator*() const noexcept { return *get(); }
    [[nodiscard]] Header* operator->() const noexcept { return get(); }

  private:
    template <class H>
    friend header_view<H> pull_header(packet& from, std::uint32_t offset) noexcept;

    header_view(packet& from, std::uint32_t offset) noexcept
        : header_(reinterpret_cast<Header*>(from.data() + offset)) {
        if constexpr (checked_mode) {
            packet_ = &from;
            epoch_ = from.epoch();
        }
    }

    [[nodiscard]] Header* get() const noexcept {
        if constexpr (checked_mode)
            NORIA_EXPECTS(packet_ != nullptr && packet_->epoch() == epoch_,
                          "this view is empty or stale: the packet's bytes moved after it was made; pull the "
                          "header again");
        return header_;
    }

    Header* header_ = nullptr;
    [[no_unique_address]] std::conditional_t<checked_mode, packet*, std::integral_constant<int, 0>> packet_{};
    [[no_unique_address]] std::conditional_t<checked_mode, std::uint32_t, std::integral_constant<int, 1>>
        epoch_{};
};

// The header at `offset`, made linear if it is not. An empty view when the packet is too short or no memory
// was to be had: may_pull tells which.
template <class Header>
[[nodiscard]] header_view<Header> pull_header(packet& from, std::uint32_t offset) noexcept {
    constexpr std::uint32_t bytes = sizeof(Header);
    if (from.size() < bytes || offset > from.size() - bytes ||
        may_pull(from, offset + bytes) != pull_status::ok)
        return {};
    return header_view<Header>(from, offset);
}

} // namespace noria::inline NORIA_ABI
