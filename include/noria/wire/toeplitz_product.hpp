// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/core/contract.hpp"

namespace noria::inline NORIA_ABI::detail {

// A Toeplitz hash as a product of polynomials over GF(2), for processors that multiply these: x86-64 with
// PCLMUL, as nearly all are, where the compiler may use it (-march=native, or -mpclmul -mssse3). A program of
// which some parts are compiled so and some are not holds together, and wants such a processor.
//
// Let the first bit of the input be its lowest coefficient, x^0, and the first bit of the key be the highest
// of 96. Bit i of the input then meets bit i + j of the key, which is what bit j of the hash sums up, at
// x^(95 - j): so the hash stands in coefficients 64 to 95 of the product, the right way round. Input comes in
// words of 64 bits, each with the 96 bits of key that begin where it does, and the products are added.
class toeplitz_product {
  public:
    // Bytes of key that any input meets: of a word at byte 32, four of input and 32 bits more.
    static constexpr std::size_t most_input = 36;

    // Precondition: the key has at least 40 bytes.
    constexpr explicit toeplitz_product(std::span<const std::uint8_t> key) noexcept {
        NORIA_EXPECTS(key.size() >= most_input + 4, "a receive hash needs a key of at least 40 bytes");
        const auto bits = [&](std::size_t from, std::size_t bytes) {
            std::uint64_t value = 0;
            for (std::size_t i = from; i != from + bytes; ++i)
                value = value << 8 | (i < most_input + 4 ? key[i] : 0);
            return value;
        };
        for (std::size_t word = 0; word != words; ++word) {
            keys_[word] = {bits(8 * word + 4, 8), bits(8 * word, 4)};
            half_keys_[word] = bits(8 * word, 8);
        }
    }

#if defined(__x86_64__) && defined(__PCLMUL__) && defined(__SSSE3__)
    // Precondition: possible_for(size).
    [[nodiscard]] std::uint32_t operator()(const std::uint8_t* input, std::size_t size) const noexcept {
        return size == 12   ? hash<12>(input)
               : size == 36 ? hash<36>(input)
               : size == 8  ? hash<8>(input)
                            : hash<32>(input);
    }
    // What flows are hashed by: two addresses, IPv4 or IPv6, with or without ports.
    [[nodiscard]] static constexpr bool possible_for(std::size_t size) noexcept {
        return size == 12 || size == 36 || size == 8 || size == 32;
    }

  private:
    using two_words [[gnu::vector_size(16)]] = long long;

    template <std::size_t Size>
    [[nodiscard]] std::uint32_t hash(const std::uint8_t* input) const noexcept {
        two_words low{};  // input by the lower 64 coefficients of the key: the hash is in 64 to 95
        two_words high{}; // input by the upper 32: there it is in 0 to 31
        std::size_t at = 0;
        for (; Size - at >= 16; at += 16) {
            two_words part;
            std::memcpy(&part, input + at, 16);
            part = reverse_bits(part);
            low ^= multiply<0x00>(part, key(at)) ^ multiply<0x01>(part, key(at + 8));
            high ^= multiply<0x10>(part, key(at)) ^ multiply<0x11>(part, key(at + 8));
        }
        // What is left is a word, half a one, or both. Half a word stands in the upper half of one, and so
        // meets its hash in the lower product alone.
        long long word = 0;
        std::uint32_t half = 0;
        if constexpr (Size % 16 >= 8)
            std::memcpy(&word, input + at, 8);
        if constexpr (Size % 8 != 0)
            std::memcpy(&half, input + Size - 4, 4);
        const two_words part =
            reverse_bits(two_words{word, static_cast<long long>(std::uint64_t{half} << 32)});
        if constexpr (Size % 16 >= 8) {
            low ^= multiply<0x00>(part, key(at));
            high ^= multiply<0x10>(part, key(at));
        }
        if constexpr (Size % 8 != 0)
            low ^= multiply<0x01>(part, two_words{static_cast<long long>(half_keys_[Size / 8]), 0});
        using quarters [[gnu::vector_size(16)]] = std::uint32_t;
        return std::bit_cast<quarters>(low)[2] ^ std::bit_cast<quarters>(high)[0];
    }

    // Of the word that begins at that byte.
    [[nodiscard]] two_words key(std::size_t at) const noexcept {
        two_words both;
        std::memcpy(&both, &keys_[at / 8], sizeof both);
        return both;
    }

    // The half of b that the first digit of `Halves` names, by that of a that the second does: 0 is the
    // lower.
    template <int Halves>
    [[nodiscard]] static two_words multiply(two_words a, two_words b) noexcept {
        return __builtin_ia32_pclmulqdq128(a, b, Halves);
    }

    // Bytes begin with their highest bit. A product with a matrix turns them round, or two look-ups of half a
    // byte each.
    [[nodiscard]] static two_words reverse_bits(two_words in) noexcept {
        using bytes [[gnu::vector_size(16)]] = char;
#if defined(__GFNI__)
        constexpr auto row = static_cast<long long>(0x8040'2010'0804'0201u);
        constexpr two_words mirror = {row, row};
        return std::bit_cast<two_words>(
            __builtin_ia32_vgf2p8affineqb_v16qi(std::bit_cast<bytes>(in), std::bit_cast<bytes>(mirror), 0));
#else
        using pairs [[gnu::vector_size(16)]] = unsigned short;
        constexpr bytes half = {15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15};
        constexpr bytes turned = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
        const bytes lower = std::bit_cast<bytes>(in) & half;
        const bytes upper = std::bit_cast<bytes>(std::bit_cast<pairs>(in) >> 4) & half;
        return std::bit_cast<two_words>(
            std::bit_cast<bytes>(std::bit_cast<pairs>(__builtin_ia32_pshufb128(turned, lower)) << 4) |
            __builtin_ia32_pshufb128(turned, upper));
#endif
    }
#else
    [[nodiscard]] static constexpr bool possible_for(std::size_t) noexcept { return false; }
    [[nodiscard]] std::uint32_t operator()(const std::uint8_t*, std::size_t) const noexcept { return 0; }

  private:
#endif
    static constexpr std::size_t words = 5;
    struct alignas(16) word_key {
        std::uint64_t lower = 0;
        std::uint64_t upper = 0;
    };
    std::array<word_key, words> keys_{};
    std::array<std::uint64_t, words> half_keys_{};
};

} // namespace noria::inline NORIA_ABI::detail
