// SPDX-License-Identifier: BSL-1.0
#pragma once

// The program behind the queue: reads what the cell says, and holds packets for as long as it says.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "copy_or_not/cell.hpp"
#include "noria/packet/packet.hpp"
#include "noria/wire/checksum.hpp"

namespace bench {

class consumer {
  public:
    explicit consumer(const cell& where)
        : touch_(where.touch), held_(where.hold.packets), application_(application_bytes) {}

    void operator()(noria::packet_ptr packet) noexcept {
        read(*packet);
        ++packets_;
        bytes_ += packet->size();
        if (held_.empty()) {
            packet.free(noria::drop_reason::consumed);
            return;
        }
        noria::packet_ptr& place = held_[next_];
        next_ = next_ + 1 == held_.size() ? 0 : next_ + 1;
        // The one after this is let go with the next packet: its descriptor is cold by then.
        if (const noria::packet* after = held_[next_].get())
            noria::std_sync::prefetch_write(after);
        if (place)
            place.free(noria::drop_reason::consumed);
        place = std::move(packet);
    }

    void let_go_of_all() noexcept {
        for (noria::packet_ptr& packet : held_)
            packet.free(noria::drop_reason::consumed);
    }
    [[nodiscard]] std::uint64_t held() const noexcept {
        return packets_ < held_.size() ? packets_ : held_.size();
    }
    [[nodiscard]] bool full_handed() const noexcept { return packets_ >= held_.size(); }
    [[nodiscard]] std::uint64_t packets() const noexcept { return packets_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t copied_out() const noexcept { return touch_ == touch::copy_out ? bytes_ : 0; }
    [[nodiscard]] std::uint64_t sum() const noexcept {
        return sum_;
    } // keeps the reading from being optimised away

  private:
    static constexpr std::size_t application_bytes = std::size_t{1} << 20;
    static constexpr std::uint32_t header_bytes = 54; // Ethernet, IPv4, TCP

    void read(const noria::packet& packet) noexcept {
        switch (touch_) {
        case touch::none:
            return;
        case touch::headers: {
            std::byte scratch[header_bytes];
            const std::uint32_t length = packet.size() < header_bytes ? packet.size() : header_bytes;
            if (const std::byte* header = packet.header_pointer(0, {scratch, length}))
                sum_ += add_up({header, length});
            return;
        }
        case touch::bytes:
            sum_ += add_up(packet.linear());
            for (const noria::fragment& part : packet.fragments())
                sum_ += add_up({part.data(), part.length});
            return;
        case touch::checksum: {
            noria::checksum_accumulator all;
            all.add(packet.linear());
            for (const noria::fragment& part : packet.fragments())
                all.add({part.data(), part.length});
            sum_ += all.sum().value();
            return;
        }
        case touch::copy_out: {
            if (application_bytes - written_ < packet.size())
                written_ = 0;
            if (packet.copy_bits(0, {application_.data() + written_, packet.size()}))
                written_ += packet.size();
            return;
        }
        }
    }

    // Words, as a program that looks at every byte would at best.
    [[nodiscard]] static std::uint64_t add_up(std::span<const std::byte> bytes) noexcept {
        std::uint64_t sum = 0;
        std::size_t i = 0;
        for (std::uint64_t word; i + sizeof word <= bytes.size(); i += sizeof word) {
            std::memcpy(&word, bytes.data() + i, sizeof word);
            sum += word;
        }
        for (; i != bytes.size(); ++i)
            sum += std::to_integer<std::uint64_t>(bytes[i]);
        return sum;
    }

    enum touch touch_;
    std::vector<noria::packet_ptr> held_;
    std::size_t next_ = 0;
    std::uint64_t packets_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t sum_ = 0;
    std::vector<std::byte> application_;
    std::size_t written_ = 0;
};

} // namespace bench
