// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/clock.hpp"
#include "noria/wire/checksum.hpp"

namespace noria::inline NORIA_ABI {

// What has been found out about the checksum of a packet, in sk_buff's words.
enum class checksum_state : std::uint8_t {
    none,        // nobody looked
    unnecessary, // verified: `checksum_level` more than one of nested ones
    complete,    // `checksum` is the one's complement sum of all bytes from data()
    partial,     // still to be filled in before it leaves: see `checksum_start`
    per_segment  // partial, and the packet is TCP that is first cut into frames: see segment_bytes()
};

// What came with the packet beside its bytes. `complete`, `partial` and `per_segment` are kept true by every
// operation that changes which bytes there are; who writes into bytes that are there already changes them
// behind its back. packet/checksum.hpp sets and settles them.
struct packet_info {
    nanoseconds timestamp = 0;
    std::uint32_t hash = 0;
    std::uint16_t vlan = 0; // tag control information; 0: no tag was taken out of the bytes
    std::uint16_t port = 0;
    std::uint16_t queue = 0;
    // complete: the sum; partial: the field, in bytes from `checksum_start`; per_segment: segment_bytes(),
    // for where TCP has its field is known.
    std::uint16_t checksum = 0;
    std::uint16_t checksum_start = 0; // is_partial(): where the summed bytes begin, counted from the head
                                      // like header offsets
    enum checksum_state checksum_state = checksum_state::none;
    std::uint8_t checksum_level = 0;

    [[nodiscard]] bool has_sum() const noexcept { return checksum_state == noria::checksum_state::complete; }
    // Precondition: has_sum().
    [[nodiscard]] internet_sum sum() const noexcept { return internet_sum(checksum); }
    void set_sum(internet_sum of_all_bytes) noexcept {
        checksum_state = noria::checksum_state::complete;
        checksum = of_all_bytes.value();
        checksum_start = 0;
    }
    // For bytes that changed in a way that nobody summed.
    void forget_sum() noexcept {
        if (has_sum())
            checksum_state = noria::checksum_state::none;
    }
    // Nothing is known. No start is left behind either, which would move along and hold up expand_head, and
    // no level, which who sets `unnecessary` next would inherit.
    void forget_checksum() noexcept {
        checksum_state = noria::checksum_state::none;
        checksum_start = 0;
        checksum_level = 0;
    }
    // Is a checksum still to be filled in, or one for each segment? One comparison.
    [[nodiscard]] bool is_partial() const noexcept {
        static_assert(noria::checksum_state::complete < noria::checksum_state::partial &&
                      noria::checksum_state::partial < noria::checksum_state::per_segment);
        return checksum_state >= noria::checksum_state::partial;
    }
    // How many bytes of payload each frame gets that the packet is cut into on its way out (the kernel's
    // gso_size, the data sheet's MSS). 0: it leaves as it is.
    [[nodiscard]] std::uint16_t segment_bytes() const noexcept {
        return checksum_state == noria::checksum_state::per_segment ? checksum : std::uint16_t{0};
    }
    // Precondition: is_partial(). The field to be filled in, in bytes from `checksum_start`.
    [[nodiscard]] std::uint16_t checksum_field() const noexcept {
        constexpr std::uint16_t of_tcp = 16; // RFC 9293 section 3.1
        return checksum_state == noria::checksum_state::per_segment ? of_tcp : checksum;
    }
    // The same. Where it ends, counted from the head.
    [[nodiscard]] std::uint32_t field_end() const noexcept {
        return std::uint32_t{checksum_start} + checksum_field() + 2;
    }

    // What packet tells when its bytes change. These `bytes` are now the end of `size` in all, or the
    // beginning.
    void follow_put(std::span<const std::byte> bytes, std::uint32_t size) noexcept {
        if (has_sum())
            set_sum(sum() + sum_of(bytes).at_offset(size - bytes.size()));
    }
    void follow_push(std::span<const std::byte> bytes) noexcept {
        if (has_sum())
            set_sum(sum_of(bytes) + sum().at_offset(bytes.size()));
    }
    // Is there anything to be done when bytes go? One comparison.
    [[nodiscard]] bool follows() const noexcept {
        static_assert(noria::checksum_state::unnecessary < noria::checksum_state::complete &&
                      noria::checksum_state::complete < noria::checksum_state::partial);
        return checksum_state >= noria::checksum_state::complete;
    }
    // Precondition: follows(). These `bytes`, which began at `front` from the head, are no longer the
    // beginning.
    void follow_pull(std::span<const std::byte> bytes, std::uint32_t front) noexcept {
        if (has_sum())
            set_sum((sum() - sum_of(bytes)).at_offset(bytes.size()));
        else if (front + bytes.size() > checksum_start)
            forget_checksum();
    }

    friend bool operator==(const packet_info&, const packet_info&) = default;
};

static_assert(sizeof(packet_info) == 24, "it shares two cache lines with all else that is hot in a packet");

} // namespace noria::inline NORIA_ABI
