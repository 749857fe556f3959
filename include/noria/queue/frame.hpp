// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/backend/contract.hpp"
#include "noria/memory/page.hpp"
#include "noria/packet/packet.hpp"

namespace noria::inline NORIA_ABI {

// A stretch of a received frame, still in the memory it was posted in. It belongs to the supply until a
// builder takes it; what is not taken can be posted again.
struct piece {
    page* under = nullptr;
    std::uint32_t offset = 0;   // of the first byte of frame in the page
    std::uint32_t length = 0;   // bytes of frame
    std::uint32_t headroom = 0; // free bytes in front
    std::uint32_t room = 0;     // free bytes behind
    std::uint32_t truesize = 0; // what a packet that keeps it pins
    std::uint32_t slot = 0;     // how the supply finds it again: slot or work buffer,
    std::uint32_t number = 0;   // and page of the work buffer
    bool taken = false;

    [[nodiscard]] std::byte* data() const noexcept { return under->data() + offset; }
};

// A frame as it is gathered from its completions.
class frame {
  public:
    static constexpr std::uint32_t most_pieces = packet::most_fragments;

    // False when the frame has more pieces than a packet could carry; the piece was not added.
    [[nodiscard]] bool add(const piece& next) noexcept {
        if (count_ == most_pieces)
            return false;
        pieces_[count_++] = next;
        length_ += next.length;
        return true;
    }
    void clear() noexcept {
        count_ = 0;
        length_ = 0;
        bad_ = {};
    }
    // It will not be delivered: the first reason stays.
    void spoil(drop_reason why) noexcept {
        if (bad_ == drop_reason{})
            bad_ = why;
    }

    [[nodiscard]] std::span<piece> pieces() noexcept { return {pieces_.data(), count_}; }
    [[nodiscard]] std::span<const piece> pieces() const noexcept { return {pieces_.data(), count_}; }
    [[nodiscard]] std::uint32_t length() const noexcept { return length_; } // bytes
    [[nodiscard]] bool spoiled() const noexcept { return bad_ != drop_reason{}; }
    [[nodiscard]] drop_reason why() const noexcept { return bad_; }

    // What the completion that ended the frame says of it, and how that reaches the packet.
    void describe(const completion& last) noexcept { last_ = last; }
    void label(packet& made) const noexcept {
        packet_info& info = made.info();
        info.hash = last_.hash;
        info.vlan = last_.vlan;
        if ((last_.flags & completion::checksum_ok) != 0) {
            info.checksum_state = checksum_state::unnecessary;
        } else if ((last_.flags & completion::checksum_sum) != 0) {
            info.checksum_state = checksum_state::complete;
            info.checksum = last_.checksum;
        }
        made.set_mac_header(0);
    }

    // Copies the whole frame to `to`, which has room for length() bytes.
    void copy_to(std::byte* to) const noexcept {
        for (const piece& part : pieces()) {
            std::memcpy(to, part.data(), part.length);
            to += part.length;
        }
    }

  private:
    std::array<piece, most_pieces> pieces_;
    std::uint32_t count_ = 0;
    std::uint32_t length_ = 0;
    drop_reason bad_{};
    completion last_;
};

// What a supply made of a completion.
enum class accepted : std::uint8_t {
    piece,  // the frame has grown
    filler, // nothing but used up strides
    refused // it names no buffer the device has: nothing was done
};

} // namespace noria::inline NORIA_ABI
