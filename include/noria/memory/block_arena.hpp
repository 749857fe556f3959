// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/source.hpp"

namespace noria::inline NORIA_ABI {

// Blocks of 2^order pages cut from one span by the buddy system: a block is halved until it is as small as
// asked for, and a block that comes back joins its other half when that is free as well, and so on upwards.
// The two halves differ in one bit of their page number, so the other half (the buddy) is found by flipping
// it. What is known of a block lies beside the memory: free pages are never touched.
//
// Thread: one at a time. take and give: O(orders), no system call.
// Source: K. C. Knowlton, A Fast Storage Allocator, CACM 8 (1965); Knuth, TAOCP 1, 2.5.
class block_arena {
  public:
    static constexpr unsigned most_orders = 32;

    // Set-up. As many pages of `page_bytes` as fit in `memory`, which stays the caller's and outlives the
    // arena. Blocks are at most 2^max_order pages.
    [[nodiscard]] static result<block_arena> create(std::span<std::byte> memory, std::uint32_t page_bytes,
                                                    unsigned max_order = 10) noexcept {
        if (page_bytes == 0 || max_order >= most_orders)
            return make_error(std::errc::invalid_argument,
                              "an arena's page is not empty and its largest order is at most 31: 10 makes "
                              "blocks of 1024 pages");
        const std::size_t pages = memory.size() / page_bytes;
        if (pages == 0 || pages > (1u << 31))
            return make_error(
                std::errc::invalid_argument,
                "an arena holds between 1 and 2^31 pages: give it at least page_bytes of memory");
        block_arena made(memory.first(pages * page_bytes), page_bytes, max_order);
        made.pages_ = new (std::nothrow) page_state[pages];
        if (made.pages_ == nullptr)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the arena's bookkeeping (12 bytes a page)");
        made.count_ = static_cast<std::uint32_t>(pages);
        made.cut();
        return made;
    }

    block_arena(block_arena&& other) noexcept
        : memory_(other.memory_), page_bytes_(other.page_bytes_), max_order_(other.max_order_),
          count_(other.count_), free_(other.free_), not_empty_(other.not_empty_),
          pages_(std::exchange(other.pages_, nullptr)) {
        for (unsigned order = 0; order != most_orders; ++order)
            lists_[order] = other.lists_[order];
    }
    block_arena& operator=(block_arena&&) = delete;
    ~block_arena() { delete[] pages_; }

    // A block of 2^order pages, or null when no free block is as large.
    [[nodiscard]] std::byte* take(unsigned order) noexcept {
        if (!has_block(order))
            return nullptr;
        unsigned found = order + static_cast<unsigned>(std::countr_zero(not_empty_ >> order));
        const std::uint32_t first = lists_[found].head;
        unlink(first, found);
        while (found != order) {
            --found;
            link(first + (1u << found), found);
        }
        pages_[first].order = static_cast<unsigned char>(order);
        pages_[first].is = use::taken;
        free_ -= 1u << order;
        return memory_.data() + std::size_t{first} * page_bytes_;
    }

    // Precondition: `block` was taken with this order and has not been given since.
    void give(std::byte* block, unsigned order) noexcept {
        NORIA_EXPECTS(block >= memory_.data() && block < memory_.data() + memory_.size(),
                      "this block is not of this arena: give it to the one it was taken from");
        const auto offset = static_cast<std::size_t>(block - memory_.data());
        auto first = static_cast<std::uint32_t>(offset / page_bytes_);
        NORIA_EXPECTS(offset % page_bytes_ == 0 && pages_[first].is == use::taken,
                      "this block is not out: it was given twice, or its address is not the one taken");
        NORIA_EXPECTS(pages_[first].order == order, "a block comes back with the order it was taken with");
        free_ += 1u << order;
        pages_[first].is = use::inside;
        for (; order != max_order_; ++order) {
            const std::uint32_t buddy = first ^ (1u << order);
            if (buddy >= count_ || pages_[buddy].is != use::free || pages_[buddy].order != order)
                break;
            unlink(buddy, order);
            first &= ~(1u << order);
        }
        link(first, order);
    }

    // Whether take(order) would get a block.
    [[nodiscard]] bool has_block(unsigned order) const noexcept {
        return order <= max_order_ && not_empty_ >> order != 0;
    }

    // Free blocks of exactly this order, as the kernel's /proc/buddyinfo has them.
    [[nodiscard]] std::uint32_t free_blocks(unsigned order) const noexcept {
        return order <= max_order_ ? lists_[order].blocks : 0;
    }
    [[nodiscard]] std::uint64_t free_pages() const noexcept { return free_; }
    [[nodiscard]] std::uint32_t pages() const noexcept { return count_; }
    [[nodiscard]] std::uint32_t page_bytes() const noexcept { return page_bytes_; }
    [[nodiscard]] unsigned max_order() const noexcept { return max_order_; }
    [[nodiscard]] std::span<std::byte> memory() const noexcept { return memory_; }

  private:
    enum class use : unsigned char { inside, free, taken }; // `inside`: not the first page of a block

    static constexpr std::uint32_t nobody = ~0u;

    // For the first page of a block; `before` and `behind` only while it is free.
    struct page_state {
        std::uint32_t before = nobody;
        std::uint32_t behind = nobody;
        unsigned char order = 0;
        use is = use::inside;
    };
    struct list {
        std::uint32_t head = nobody;
        std::uint32_t blocks = 0;
    };

    block_arena(std::span<std::byte> memory, std::uint32_t page_bytes, unsigned max_order) noexcept
        : memory_(memory), page_bytes_(page_bytes), max_order_(max_order) {}

    // The largest blocks that begin at a multiple of their size. Those of the lowest address go out first.
    void cut() noexcept {
        free_ = count_;
        for (std::uint32_t end = count_; end != 0;) {
            const auto order = static_cast<unsigned>(std::countr_zero(end));
            const unsigned fits = order < max_order_ ? order : max_order_;
            end -= 1u << fits;
            link(end, fits);
        }
    }

    void link(std::uint32_t first, unsigned order) noexcept {
        list& to = lists_[order];
        if (to.head != nobody)
            pages_[to.head].before = first;
        pages_[first] = {nobody, to.head, static_cast<unsigned char>(order), use::free};
        to.head = first;
        ++to.blocks;
        not_empty_ |= 1u << order;
    }

    void unlink(std::uint32_t first, unsigned order) noexcept {
        list& from = lists_[order];
        page_state& gone = pages_[first];
        (gone.before == nobody ? from.head : pages_[gone.before].behind) = gone.behind;
        if (gone.behind != nobody)
            pages_[gone.behind].before = gone.before;
        gone.is = use::inside;
        if (--from.blocks == 0)
            not_empty_ &= ~(1u << order);
    }

    std::span<std::byte> memory_;
    std::uint32_t page_bytes_;
    unsigned max_order_;
    std::uint32_t count_ = 0;
    std::uint32_t free_ = 0;
    std::uint32_t not_empty_ = 0; // one bit an order
    list lists_[most_orders];
    page_state* pages_ = nullptr;
};

static_assert(block_source<block_arena>);

} // namespace noria::inline NORIA_ABI
