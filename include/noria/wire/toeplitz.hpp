// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/core/contract.hpp"
#include "noria/wire/toeplitz_product.hpp"

// The Toeplitz hash that network devices spread flows over queues with: Microsoft, "RSS Hashing Functions"
// (Windows driver documentation, NDIS), from H. Krawczyk, "LFSR-based Hashing and Authentication", CRYPTO
// '94.

namespace noria::inline NORIA_ABI {

// Enough for an input of 36 bytes: two IPv6 addresses and two ports.
inline constexpr std::size_t toeplitz_max_input = 36;
inline constexpr std::size_t toeplitz_key_size = toeplitz_max_input + 4;

using toeplitz_key = std::array<std::uint8_t, toeplitz_key_size>;

// The key of Microsoft's verification suite, which most drivers come with.
inline constexpr toeplitz_key microsoft_key = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

// A key of period 16 bits, with which both directions of a flow hash alike: swapping two fields that lie a
// multiple of 16 bits apart meets the same key bits. S. Woo, K. Park, "Scalable TCP Session Monitoring with
// Symmetric Receive-side Scaling", KAIST 2012. The price is a hash of two equal halves of 16 bits.
inline constexpr toeplitz_key symmetric_key = [] {
    toeplitz_key key{};
    for (std::size_t i = 0; i < key.size(); ++i)
        key[i] = i % 2 == 0 ? 0x6d : 0x5a;
    return key;
}();

// The definition: for every set bit of the input, the 32 bits of the key that start at that bit's position.
// Precondition: key.size() >= input.size() + 4. Thread: any. Cost: eight steps a byte; for reference and
// set-up.
[[nodiscard]] constexpr std::uint32_t toeplitz_bitwise(std::span<const std::uint8_t> key,
                                                       std::span<const std::uint8_t> input) noexcept {
    NORIA_EXPECTS(key.size() >= input.size() + 4, "a Toeplitz key is four bytes longer than what it hashes");
    std::uint32_t hash = 0;
    std::uint64_t window = 0; // the 32 key bits at the input bit, and behind them the next byte of the key
    for (std::size_t i = 0; i < 4; ++i)
        window = window << 8 | key[i];
    for (std::size_t i = 0; i < input.size(); ++i) {
        window = window << 8 | key[i + 4];
        for (unsigned bit = 0; bit < 8; ++bit)
            if ((input[i] >> (7 - bit) & 1) != 0)
                hash ^= static_cast<std::uint32_t>(window >> (8 - bit));
    }
    return hash;
}

// The same hash fast: from a table, since the hash is linear and each half byte of the input contributes a
// value that depends on its position alone; or, where the processor has it, by a multiplication without
// carry. Immutable once built: any thread. Memory: 4.7 KiB. Cost: two look-ups a byte; where there is PCLMUL,
// three multiplications for 12 bytes and nine for 36.
class toeplitz_hasher {
  public:
    // Whether the hash of one input is a product, and several at once gain nothing.
    static constexpr bool multiplies = detail::toeplitz_product::possible_for(12);

    // A longer key, as some devices have, is cut: the rest never meets an input of at most 36 bytes.
    // Precondition: key.size() >= toeplitz_key_size.
    constexpr explicit toeplitz_hasher(std::span<const std::uint8_t> key = microsoft_key) noexcept
        : product_(key) {
        for (std::size_t byte = 0; byte < toeplitz_max_input; ++byte)
            for (std::uint8_t half = 0; half < 16; ++half) {
                const std::uint8_t upper = static_cast<std::uint8_t>(half << 4);
                const auto here = key.subspan(byte, 5);
                table_[2 * byte][half] = toeplitz_bitwise(here, {&upper, 1});
                table_[2 * byte + 1][half] = toeplitz_bitwise(here, {&half, 1});
            }
    }

    // Precondition: input.size() <= toeplitz_max_input.
    [[nodiscard]] constexpr std::uint32_t operator()(std::span<const std::uint8_t> input) const noexcept {
        NORIA_EXPECTS(input.size() <= toeplitz_max_input,
                      "the table covers 36 bytes; hash the flow, not the packet");
        if (!std::is_constant_evaluated() && detail::toeplitz_product::possible_for(input.size()))
            return product_(input.data(), input.size());
        std::uint32_t hash = 0;
        for (std::size_t i = 0; i < input.size(); ++i)
            hash ^= table_[2 * i][input[i] >> 4] ^ table_[2 * i + 1][input[i] & 15];
        return hash;
    }

    // Several inputs of one size at once: the loads of one fill the time in which another waits for its own,
    // and the row of the table is found once for all. Precondition: size <= toeplitz_max_input, and each of
    // the inputs has so many bytes. Cost, for four: a fifth fewer instructions than one after the other.
    template <std::size_t N>
    [[nodiscard]] constexpr std::array<std::uint32_t, N>
    together(const std::array<const std::uint8_t*, N>& inputs, std::size_t size) const noexcept {
        NORIA_EXPECTS(size <= toeplitz_max_input, "the table covers 36 bytes; hash the flow, not the packet");
        std::array<std::uint32_t, N> hashes{};
        for (std::size_t i = 0; i < size; ++i) {
            const auto& upper = table_[2 * i];
            const auto& lower = table_[2 * i + 1];
            [&]<std::size_t... I>(std::index_sequence<I...>) { // written out: g++ keeps a loop, and its sums
                ((hashes[I] ^= upper[inputs[I][i] >> 4] ^ lower[inputs[I][i] & 15]), ...);
            }(std::make_index_sequence<N>{});
        }
        return hashes;
    }

  private:
    detail::toeplitz_product product_;
    std::array<std::array<std::uint32_t, 16>, 2 * toeplitz_max_input> table_{};
};

} // namespace noria::inline NORIA_ABI
