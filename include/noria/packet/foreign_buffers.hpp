// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/sync.hpp"
#include "noria/memory/foreign_page.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/recycler.hpp"

namespace noria::inline NORIA_ABI {

// Pages over buffers of others, as many at once as were reserved: what packet_pool::wrap takes them from, so
// that wrapping a buffer allocates nothing.
class foreign_buffers {
    // With a page in it or not: by hand, since std::optional is a thousand lines to every user of packets.
    struct loan {
        loan() noexcept {}
        loan(const loan&) = delete;
        loan& operator=(const loan&) = delete;
        ~loan() {
            if (is_out)
                lent.~foreign_page(); // which knows what to say to that
        }

        foreign_buffers* stock = nullptr;
        void* context = nullptr;
        foreign_page::release_function* release = nullptr;
        bool is_out = false;
        union {
            foreign_page lent; // when it is out
        };
    };

  public:
    foreign_buffers() = default;
    foreign_buffers(const foreign_buffers&) = delete;
    foreign_buffers& operator=(const foreign_buffers&) = delete;
    ~foreign_buffers() { delete[] loans_; }

    // Set-up, once. False when the system has no memory for so many (about 100 bytes each).
    [[nodiscard]] bool reserve(std::uint32_t buffers) noexcept {
        loans_ = new (std::nothrow) loan[buffers];
        if (loans_ == nullptr || !idle_.reserve(buffers))
            return false;
        count_ = buffers;
        for (std::uint32_t i = 0; i != buffers; ++i) {
            loans_[i].stock = this;
            idle_.put_first(loans_[i]);
        }
        return true;
    }

    // While one lives, its thread takes pages, and gives them back without atomics.
    using owner_section = basic_recycler<loan>::owner_section;
    [[nodiscard]] owner_section enter() noexcept { return owner_section(idle_); }

    // The owner. A page over `bytes`, with one reference; null when as many are lent as were reserved, and
    // the bytes stay the caller's. When the last reference goes, on whatever thread, `release(context,
    // bytes)` is called, once, and may take a page anew. O(1).
    [[nodiscard]] page* take(std::span<std::byte> bytes, void* context,
                             foreign_page::release_function* release) noexcept {
        loan* const taken = idle_.take();
        if (taken == nullptr)
            return nullptr;
        taken->context = context;
        taken->release = release;
        ::new (static_cast<void*>(&taken->lent)) foreign_page(bytes, taken, &came_back);
        taken->is_out = true;
        return &taken->lent.under();
    }

    // The owner. How many are lent.
    [[nodiscard]] std::uint32_t in_flight() noexcept { return count_ - idle_.home(); }

  private:
    // The lender is told last: from then on there may be neither buffer nor stock.
    static void came_back(void* context, std::span<std::byte> bytes) noexcept {
        loan& over = *static_cast<loan*>(context);
        void* const lender = over.context;
        foreign_page::release_function* const release = over.release;
        over.is_out = false;
        over.lent.~foreign_page();
        static_cast<void>(over.stock->idle_.give(over));
        release(lender, bytes);
    }

    loan* loans_ = nullptr;
    std::uint32_t count_ = 0;
    basic_recycler<loan> idle_;
};

} // namespace noria::inline NORIA_ABI
