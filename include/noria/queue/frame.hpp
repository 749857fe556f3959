// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
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

// Tells the packet what the completion that ended its frame says of it.
inline void label(packet& made, const completion& last) noexcept {
    packet_info& info = made.info();
    info.hash = last.hash;
    info.vlan = last.vlan;
    constexpr std::uint32_t ok = completion::checksum_ok;
    constexpr std::uint32_t sum = completion::checksum_sum;
    if ((last.flags & (ok | sum)) != 0) {
        const bool verified = (last.flags & ok) != 0;
        info.checksum_state = verified ? checksum_state::unnecessary : checksum_state::complete;
        info.checksum = verified ? std::uint16_t{0} : last.checksum;
    }
    made.set_mac_header(0);
}

// A frame that one buffer holds whole, as nearly all are. It offers a builder what `frame` does, and since it
// is gathered nowhere the compiler keeps it in registers.
class whole_frame {
  public:
    explicit whole_frame(const piece& all) noexcept : all_(all) {}

    [[nodiscard]] std::span<piece, 1> pieces() noexcept { return std::span<piece, 1>(&all_, 1); }
    [[nodiscard]] std::span<const piece, 1> pieces() const noexcept {
        return std::span<const piece, 1>(&all_, 1);
    }
    [[nodiscard]] std::uint32_t length() const noexcept { return all_.length; } // bytes
    void copy_to(std::byte* to) const noexcept { std::memcpy(to, all_.data(), all_.length); }

  private:
    piece all_;
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
    // Nothing of it is here yet, good or bad.
    [[nodiscard]] bool blank() const noexcept { return (count_ | static_cast<std::uint32_t>(bad_)) == 0; }
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
    void label(packet& made) const noexcept { noria::label(made, last_); }

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

// Either of the two.
template <class Frame>
concept any_frame = std::same_as<Frame, frame> || std::same_as<Frame, whole_frame>;

// What a supply made of a completion.
enum class accepted : std::uint8_t {
    piece,  // the frame has grown
    filler, // nothing but used up strides
    refused // it names no buffer the device has: nothing was done
};

} // namespace noria::inline NORIA_ABI
