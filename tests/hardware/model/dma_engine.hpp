// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "faults.hpp"
#include "hardware/dma_space.hpp"

namespace model82599 {

// The memory that one card reaches, at addresses of its own, as behind an IOMMU. They begin above the first
// 64 GiB, so that both halves of an address register matter, and where no pointer of ours does: mixing the
// two up shows at once. Between two pieces lies a gap, so that running out of one does not lead into the
// next. Models hardware::dma_space. Set-up, while the card is at rest.
class dma_memory_map {
  public:
    dma_memory_map() { pieces_.reserve(most_pieces); }

    // Rings and such. Stays until the map goes.
    [[nodiscard]] noria::result<hardware::dma_memory> allocate(std::size_t bytes,
                                                               std::size_t alignment) noexcept {
        if (bytes == 0 || bytes > largest_piece || (alignment & (alignment - 1)) != 0)
            return noria::make_error(std::errc::invalid_argument,
                                     "memory for a card is 1 byte to 1 GiB, aligned to a power of two", bytes,
                                     alignment);
        if (pieces_.size() == most_pieces)
            return noria::make_error(std::errc::not_enough_memory,
                                     "the model's map is full: attach fewer regions, make fewer rings");
        const std::align_val_t aligned{alignment < 16 ? 16 : alignment};
        auto* memory = static_cast<std::byte*>(::operator new(bytes, aligned, std::nothrow));
        if (memory == nullptr)
            return noria::make_error(std::errc::not_enough_memory, "no memory for a ring: ask for less",
                                     bytes);
        std::memset(memory, 0, bytes);
        owned_.emplace_back(memory, frees{aligned});
        return hardware::dma_memory{.bytes = {memory, bytes}, .iova = add({memory, bytes}, alignment)};
    }

    // Packets. A region by the same address however often it is told of.
    [[nodiscard]] noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        const std::span<std::byte> bytes = memory.bytes();
        for (const piece& known : pieces_)
            if (known.bytes.data() == bytes.data() && known.bytes.size() == bytes.size())
                return noria::mapping(bytes, known.iova);
        if (pieces_.size() == most_pieces)
            return noria::make_error(std::errc::not_enough_memory,
                                     "the model's map is full: attach fewer regions, make fewer rings");
        return noria::mapping(bytes, add(bytes, noria::region::huge_page_bytes));
    }

    // At an address that somebody else chose: a driver that takes pointers for addresses of the card.
    void attach_at(std::span<std::byte> bytes, std::uint64_t iova) { pieces_.push_back({bytes, iova}); }

    // Our address of [iova, iova + length), or null where an IOMMU would stop the card.
    [[nodiscard]] std::byte* address_of(std::uint64_t iova, std::uint64_t length) noexcept {
        for (std::size_t i = 0; i != pieces_.size(); ++i) {
            const piece& here =
                pieces_[latest_ + i < pieces_.size() ? latest_ + i : latest_ + i - pieces_.size()];
            const std::uint64_t offset = iova - here.iova;
            if (iova >= here.iova && offset <= here.bytes.size() && length <= here.bytes.size() - offset) {
                latest_ = static_cast<std::size_t>(&here - pieces_.data());
                return here.bytes.data() + offset;
            }
        }
        return nullptr;
    }

  private:
    struct piece {
        std::span<std::byte> bytes;
        std::uint64_t iova;
    };
    struct frees {
        std::align_val_t alignment;
        void operator()(std::byte* memory) const noexcept { ::operator delete(memory, alignment); }
    };

    static constexpr std::size_t most_pieces = 1024;
    static constexpr std::uint64_t largest_piece = std::uint64_t{1} << 30;
    static constexpr std::uint64_t gap = std::uint64_t{1} << 16;

    [[nodiscard]] std::uint64_t add(std::span<std::byte> bytes, std::uint64_t alignment) {
        const std::uint64_t iova = (next_ + gap + alignment - 1) & ~(alignment - 1);
        next_ = iova + bytes.size();
        pieces_.push_back({bytes, iova});
        return iova;
    }

    std::vector<piece> pieces_;
    std::vector<std::unique_ptr<std::byte, frees>> owned_;
    std::size_t latest_ = 0; // where the last address was found: the next is near it
    std::uint64_t next_ = std::uint64_t{0x10} << 32;
};

static_assert(hardware::dma_space<dma_memory_map>);

// A descriptor of either direction: 16 bytes, as four little-endian words.
struct descriptor {
    std::array<std::uint32_t, 4> words;

    [[nodiscard]] std::uint64_t low() const noexcept { return words[0] | std::uint64_t{words[1]} << 32; }
    [[nodiscard]] std::uint64_t high() const noexcept { return words[2] | std::uint64_t{words[3]} << 32; }
    friend bool operator==(const descriptor&, const descriptor&) = default;
};

// All that the card does to memory goes through here. An address that is null or that nobody attached raises
// a fault, and nothing is touched.
class dma_engine {
  public:
    dma_engine(dma_memory_map& map, fault_log& faults, bool moves_bytes) noexcept
        : map_(map), faults_(faults), moves_bytes_(moves_bytes) {}

    // Frames. False where a fault stopped it.
    bool write(std::uint64_t iova, std::span<const std::byte> bytes) noexcept {
        std::byte* to = reach(iova, bytes.size());
        if (to != nullptr && moves_bytes_)
            std::memcpy(to, bytes.data(), bytes.size());
        return to != nullptr;
    }
    bool read(std::uint64_t iova, std::span<std::byte> bytes) noexcept {
        const std::byte* from = reach(iova, bytes.size());
        if (from != nullptr && moves_bytes_)
            std::memcpy(bytes.data(), from, bytes.size());
        return from != nullptr;
    }

    // Whether so many bytes are there, if any are.
    [[nodiscard]] bool has_room(std::uint64_t iova, std::size_t bytes) noexcept {
        return map_.address_of(iova, 1) == nullptr || map_.address_of(iova, bytes) != nullptr;
    }

    [[nodiscard]] bool fetch(std::uint64_t iova, descriptor& into) noexcept {
        const std::byte* from = reach(iova, sizeof into);
        if (from != nullptr)
            std::memcpy(&into, from, sizeof into);
        return from != nullptr;
    }

    // Changes a receive descriptor on its way back.
    using liar = std::function<void(descriptor&)>;
    void tamper(liar with) { liar_ = std::move(with); }

    // A receive descriptor goes back to software: word 2 says so.
    void write_back(std::uint64_t iova, descriptor done) {
        if (liar_)
            liar_(done);
        auto* words = reinterpret_cast<std::uint32_t*>(reach(iova, sizeof done));
        if (words == nullptr)
            return;
        words[0] = done.words[0];
        words[1] = done.words[1];
        words[3] = done.words[3];
        // Pairs with hardware::read_from_device.
        std::atomic_ref(words[2]).store(done.words[2], std::memory_order_release);
    }

    // A transmit descriptor's report: DD, bit 0 of word 3.
    void write_done(std::uint64_t iova) noexcept {
        auto* words = reinterpret_cast<std::uint32_t*>(reach(iova, sizeof(descriptor)));
        if (words != nullptr)
            // Pairs with hardware::read_from_device.
            std::atomic_ref(words[3]).store(words[3] | 1, std::memory_order_release);
    }

    // A head that software waits for.
    void write_word(std::uint64_t iova, std::uint32_t value) noexcept {
        auto* word = reinterpret_cast<std::uint32_t*>(reach(iova, sizeof value));
        if (word != nullptr)
            // Pairs with hardware::read_from_device.
            std::atomic_ref(*word).store(value, std::memory_order_release);
    }

    [[nodiscard]] bool moves_bytes() const noexcept { return moves_bytes_; }

  private:
    [[nodiscard]] std::byte* reach(std::uint64_t iova, std::uint64_t length) noexcept {
        std::byte* at = iova == 0 ? nullptr : map_.address_of(iova, length);
        if (at == nullptr)
            faults_.record(iova == 0 ? fault::null_iova : fault::outside_map, iova, length);
        return at;
    }

    dma_memory_map& map_;
    fault_log& faults_;
    liar liar_;
    bool moves_bytes_;
};

} // namespace model82599
