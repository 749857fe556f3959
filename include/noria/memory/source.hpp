// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI {

// Where blocks of 2^order equal pages come from. A block begins at a multiple of its own size, counted from
// the start of memory(). One thread at a time.
//   take(order)      a block, or null when none is free: shortage, and nothing else
//   give(block, o)   the block comes back, with the order it was taken with
//   has_block(order) whether a free block of this order or a larger one exists; false for an order too large
//   free_pages()     pages that nobody has
//   page_bytes()     bytes of a page
//   memory()         the memory all blocks lie in
template <class Source>
concept block_source = requires(Source& source, const Source& seen, std::byte* block, unsigned order) {
    { source.take(order) } noexcept -> std::same_as<std::byte*>;
    { source.give(block, order) } noexcept -> std::same_as<void>;
    { seen.has_block(order) } noexcept -> std::same_as<bool>;
    { seen.free_pages() } noexcept -> std::same_as<std::uint64_t>;
    { seen.page_bytes() } noexcept -> std::same_as<std::uint32_t>;
    { seen.memory() } noexcept -> std::same_as<std::span<std::byte>>;
};

// A source may say more of its memory:
//   node_of(address)     the NUMA node an address lies on
//   is_emergency(block)  whether a block that is out came out of an emergency reserve: to be given back soon
//   max_order()          the largest order it can ever have a block of
template <class Source>
concept knows_nodes = requires(const Source& source, const std::byte* address) {
    { source.node_of(address) } noexcept -> std::same_as<int>;
};
template <class Source>
concept knows_emergencies = requires(const Source& source, const std::byte* block) {
    { source.is_emergency(block) } noexcept -> std::same_as<bool>;
};
template <class Source>
concept knows_max_order = requires(const Source& source) {
    { source.max_order() } noexcept -> std::same_as<unsigned>;
};

// What was asked of a source. Blocks out: takes - gives.
struct source_counters {
    std::uint64_t takes = 0; // that got a block
    std::uint64_t gives = 0;
    std::uint64_t failures = 0;   // takes that got none
    std::uint64_t bytes = 0;      // out now
    std::uint64_t peak_bytes = 0; // the most that were out at once
};

// Any source, with a count of what goes through. The source stays the caller's and outlives this.
// Thread: as the source. Cost: a few additions a call.
template <block_source Backing>
class counting_source {
  public:
    explicit counting_source(Backing& backing) noexcept : backing_(&backing) {}

    [[nodiscard]] std::byte* take(unsigned order) noexcept {
        std::byte* const block = backing_->take(order);
        if (block == nullptr) {
            ++counters_.failures;
            return nullptr;
        }
        ++counters_.takes;
        counters_.bytes += bytes_of(order);
        if (counters_.bytes > counters_.peak_bytes)
            counters_.peak_bytes = counters_.bytes;
        return block;
    }

    void give(std::byte* block, unsigned order) noexcept {
        backing_->give(block, order);
        ++counters_.gives;
        counters_.bytes -= bytes_of(order);
    }

    [[nodiscard]] bool has_block(unsigned order) const noexcept { return backing_->has_block(order); }
    [[nodiscard]] std::uint64_t free_pages() const noexcept { return backing_->free_pages(); }
    [[nodiscard]] std::uint32_t page_bytes() const noexcept { return backing_->page_bytes(); }
    [[nodiscard]] std::span<std::byte> memory() const noexcept { return backing_->memory(); }
    [[nodiscard]] int node_of(const std::byte* address) const noexcept
        requires knows_nodes<Backing>
    {
        return backing_->node_of(address);
    }
    [[nodiscard]] bool is_emergency(const std::byte* block) const noexcept
        requires knows_emergencies<Backing>
    {
        return backing_->is_emergency(block);
    }
    [[nodiscard]] unsigned max_order() const noexcept
        requires knows_max_order<Backing>
    {
        return backing_->max_order();
    }

    [[nodiscard]] const source_counters& counters() const noexcept { return counters_; }

  private:
    [[nodiscard]] std::uint64_t bytes_of(unsigned order) const noexcept {
        return std::uint64_t{backing_->page_bytes()} << order;
    }

    Backing* backing_;
    source_counters counters_;
};

} // namespace noria::inline NORIA_ABI
