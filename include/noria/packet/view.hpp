// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <type_traits>

#include "noria/core/contract.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"

namespace noria::inline NORIA_ABI {

namespace detail {

// Notices that a packet's bytes have moved since it was made; outside checked mode nothing at all.
template <bool Checked>
class epoch_watch {
  public:
    epoch_watch() noexcept = default;
    explicit epoch_watch(const packet&) noexcept {}
    [[nodiscard]] bool fresh() const noexcept { return true; }
};
template <>
class epoch_watch<true> {
  public:
    epoch_watch() noexcept = default;
    explicit epoch_watch(const packet& watched) noexcept : watched_(&watched), epoch_(watched.epoch()) {}
    [[nodiscard]] bool fresh() const noexcept { return watched_ != nullptr && watched_->epoch() == epoch_; }

  private:
    const packet* watched_ = nullptr;
    std::uint32_t epoch_ = 0;
};

} // namespace detail

// A header of a packet, in place, as a `Header` (a wire layout: alignment 1, trivially copyable; `const`
// where a clone may share the bytes, since then they must not be written). In checked mode it stops the
// program when it is used after the packet's bytes have moved, which is the commonest mistake in this field;
// otherwise it is a pointer.
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
        : header_(reinterpret_cast<Header*>(from.data() + offset)), watch_(from) {}

    [[nodiscard]] Header* get() const noexcept {
        NORIA_EXPECTS(
            header_ != nullptr && watch_.fresh(),
            "this view is empty or stale: the packet's bytes moved after it was made; pull the header again");
        return header_;
    }

    Header* header_ = nullptr;
    [[no_unique_address]] detail::epoch_watch<checked_mode> watch_;
};

// The header at `offset`, made linear if it is not. An empty view when the packet is too short or no memory
// was to be had: may_pull tells which. The owner of the packet's pool.
template <class Header>
[[nodiscard]] header_view<Header> pull_header(packet& from, std::uint32_t offset) noexcept {
    constexpr std::uint32_t bytes = sizeof(Header);
    if (from.size() < bytes || offset > from.size() - bytes ||
        may_pull(from, offset + bytes) != pull_status::ok)
        return {};
    return header_view<Header>(from, offset);
}

} // namespace noria::inline NORIA_ABI
