// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/flow/parse.hpp"
#include "noria/wire/toeplitz.hpp"

// Receive-side scaling in software: the same hash and the same table as in a network device, so that a queue
// is found for packets a device did not hash, and a device's choice can be foretold. Microsoft, "RSS Hashing
// Types".

namespace noria::inline NORIA_ABI {

// The bytes a flow is hashed by: source and destination address, and both ports where TCP or UDP is there.
struct flow_tuple {
    std::array<std::uint8_t, toeplitz_max_input> bytes{};
    std::uint8_t size = 0; // 0 not IP; 8 or 32 addresses; 12 or 36 addresses and ports

    [[nodiscard]] constexpr std::span<const std::uint8_t> view() const noexcept {
        return {bytes.data(), size};
    }
    friend bool operator==(const flow_tuple&, const flow_tuple&) noexcept = default;
};

// Fragments leave the ports out, the first one too: all pieces of a datagram must go to one queue.
// Precondition: `headers` is parse_headers(frame). Thread: any. Cost: two small copies.
[[nodiscard]] inline flow_tuple make_flow_tuple(std::span<const std::byte> frame,
                                                const parsed_headers& headers) noexcept {
    flow_tuple tuple;
    if (!headers.has_network())
        return tuple;
    const auto append = [&](std::size_t offset, std::size_t size) {
        NORIA_EXPECTS(offset + size <= frame.size(), "these headers were parsed from another frame");
        std::memcpy(tuple.bytes.data() + tuple.size, frame.data() + offset, size);
        tuple.size = static_cast<std::uint8_t>(tuple.size + size);
    };
    // Source comes right before destination in both address pairs, and in the ports of TCP and UDP alike.
    if (headers.network == ethertype::ipv4)
        append(headers.network_offset + offsetof(ipv4_header, source), 2 * sizeof(ipv4_address));
    else
        append(headers.network_offset + offsetof(ipv6_header, source), 2 * sizeof(ipv6_address));
    const bool ports = headers.transport == ip_protocol::tcp || headers.transport == ip_protocol::udp;
    if (ports && headers.has_transport() && !headers.fragment)
        append(headers.transport_offset, 2 * sizeof(big16));
    return tuple;
}

// Zero for what is not IP, as devices report it. Precondition: `headers` is parse_headers(frame).
// Thread: any. Cost: the hasher's, for at most 36 bytes.
[[nodiscard]] inline std::uint32_t rss_hash(const toeplitz_hasher& hasher, std::span<const std::byte> frame,
                                            const parsed_headers& headers) noexcept {
    return hasher(make_flow_tuple(frame, headers).view());
}

// The hashes of many tuples, faster than one by one where four of one size follow each other.
// Precondition: hashes.size() == tuples.size(). Thread: any.
inline void rss_hash_burst(const toeplitz_hasher& hasher, std::span<const flow_tuple> tuples,
                           std::span<std::uint32_t> hashes) noexcept {
    NORIA_EXPECTS(hashes.size() == tuples.size(), "a burst of hashes has a place for each tuple");
    std::size_t i = 0;
    if constexpr (toeplitz_hasher::multiplies)
        for (; i != tuples.size(); ++i)
            hashes[i] = hasher(tuples[i].view());
    while (i < tuples.size()) {
        const std::size_t size = tuples[i].size;
        if (tuples.size() - i >= 4 && tuples[i + 1].size == size && tuples[i + 2].size == size &&
            tuples[i + 3].size == size) {
            const auto four = hasher.together<4>({tuples[i].bytes.data(), tuples[i + 1].bytes.data(),
                                                  tuples[i + 2].bytes.data(), tuples[i + 3].bytes.data()},
                                                 size);
            for (const std::uint32_t hash : four)
                hashes[i++] = hash;
        } else {
            hashes[i] = hasher(tuples[i].view());
            ++i;
        }
    }
}

// Which queue a hash goes to: the low bits of the hash choose an entry, the entry names a queue. 128 entries,
// as the Intel 82599 has them (data sheet section 7.1.2.8). Thread: one, or any number while nobody calls
// set. Cost: one load.
class indirection_table {
  public:
    static constexpr std::size_t size = 128;

    // Deals the entries out to the queues in turn. Precondition: queues is not zero.
    constexpr explicit indirection_table(std::uint16_t queues) noexcept {
        NORIA_EXPECTS(queues != 0, "an indirection table needs a queue to point at");
        for (std::size_t i = 0; i < size; ++i)
            entries_[i] = static_cast<std::uint16_t>(i % queues);
    }

    [[nodiscard]] constexpr std::uint16_t queue(std::uint32_t hash) const noexcept {
        return entries_[hash & (size - 1)];
    }
    // Precondition: entry < size.
    constexpr void set(std::size_t entry, std::uint16_t queue) noexcept {
        NORIA_EXPECTS(entry < size, "the table has 128 entries");
        entries_[entry] = queue;
    }

  private:
    std::array<std::uint16_t, size> entries_{};
};

} // namespace noria::inline NORIA_ABI
