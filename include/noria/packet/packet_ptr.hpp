// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

#include "noria/core/contract.hpp"
#include "noria/stats/drop_reason.hpp"

namespace noria::inline NORIA_ABI {

class packet;

// The one owner of a packet. Moving it hands the packet on; letting go of it frees the packet.
// Any one thread at a time. Freeing: wait-free, O(fragments).
class [[nodiscard]] packet_ptr {
  public:
    packet_ptr() noexcept = default;
    explicit packet_ptr(packet* owned) noexcept : owned_(owned) {}
    packet_ptr(packet_ptr&& other) noexcept : owned_(std::exchange(other.owned_, nullptr)) {}
    packet_ptr& operator=(packet_ptr&& other) noexcept {
        packet* const taken = std::exchange(other.owned_, nullptr); // first, for it may be this one
        const packet_ptr before(std::exchange(owned_, taken));
        return *this;
    }
    ~packet_ptr() {
        if (owned_ != nullptr) // here, where the compiler can see that what was moved away is null
            drop(owned_);
    }

    // Gives the packet back and says why: `consumed` when it did what it came for. Without a call the
    // destructor frees it as `not_specified`, which counts as a drop.
    void free(drop_reason reason) noexcept; // defined in packet/packet.hpp

    [[nodiscard]] packet& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] packet* operator->() const noexcept {
        NORIA_EXPECTS(owned_ != nullptr,
                      "this packet_ptr is empty: it was moved from, freed, or nothing could be made");
        return owned_;
    }
    [[nodiscard]] packet* get() const noexcept { return owned_; }
    [[nodiscard]] packet* release() noexcept { return std::exchange(owned_, nullptr); }
    [[nodiscard]] explicit operator bool() const noexcept { return owned_ != nullptr; }
    void swap(packet_ptr& other) noexcept { std::swap(owned_, other.owned_); }

  private:
    // A call that gets the packet, and not this: a packet_ptr whose address nobody has stays in a register.
    [[gnu::noinline]] static void drop(packet* forgotten) noexcept {
        packet_ptr(forgotten).free(drop_reason::not_specified);
    }

    packet* owned_ = nullptr;
};

} // namespace noria::inline NORIA_ABI
