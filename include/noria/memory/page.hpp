// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/config.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"

namespace noria::inline NORIA_ABI {

template <class Sync>
class basic_page;

// To whom a page goes when its last reference is gone. A page does not know the type of its pool, so that
// fragments from different pools can sit in one packet and each find its own way home.
template <class Sync>
struct basic_page_owner {
    void* pool;
    void (*take_back)(void* pool, basic_page<Sync>& returned) noexcept;
    // Many at once; null when the owner takes them one by one.
    void (*take_back_burst)(void* pool, std::span<basic_page<Sync>* const> returned) noexcept = nullptr;
};

// One piece of mapped memory and the count of those who hold it. It says nothing of how the bytes are cut:
// a page of many strides, two halves or one buffer are all the same here.
//
// Counting with a bias: whoever fills the page takes many references at once with one plain store, hands
// them out by counting in an integer of its own, and settles the difference when it is done with the page.
// So no packet costs the receiving side an atomic operation; the price is one release per reference.
template <class Sync = std_sync>
class basic_page {
    using count = typename Sync::template atomic<std::uint32_t>;

  public:
    // What the count of a page says that nobody holds. It keeps one reference, so that taking the page from
    // its pool touches no memory of the page. Where contracts are watched it keeps none, at the price of that
    // touch: a page released twice then has too few references, and not one that looks like its last.
    static constexpr std::uint32_t at_home = contracts_on ? 0 : 1;

    basic_page(std::byte* data, std::uint32_t size, const basic_page_owner<Sync>& owner) noexcept
        : data_(data), owner_(&owner), size_(size) {}
    basic_page(const basic_page&) = delete;
    basic_page& operator=(const basic_page&) = delete;

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; } // bytes

    // The page's pool, while nobody holds it: where it goes when its last reference is gone.
    [[nodiscard]] const basic_page_owner<Sync>& owner() const noexcept { return *owner_; }
    void set_owner(const basic_page_owner<Sync>& owner) noexcept { owner_ = &owner; }

    // The one who has just taken the page from its pool, before anybody else knows it.
    void start(std::uint32_t references) noexcept {
        references_.store(references, std::memory_order_relaxed);
    }

    // Any thread that holds a reference already. Relaxed: the holder keeps the page alive meanwhile.
    void hold(std::uint32_t more = 1) noexcept { references_.fetch_add(more, std::memory_order_relaxed); }

    // Any thread; gives back `fewer` of its references. The last one sends the page home. Wait-free.
    void release(std::uint32_t fewer = 1) noexcept {
        if (drop(fewer))
            owner_->take_back(owner_->pool, *this);
    }

    // Any thread; gives back one reference to each. Those that were the last ones of pages of one pool go
    // home together, up to 32 of them: with one claim where each would make its own. Wait-free.
    friend void release_burst(std::span<basic_page* const> pages) noexcept {
        std::array<basic_page*, 32> done;
        const basic_page_owner<Sync>* owner = nullptr;
        std::size_t count = 0;
        for (basic_page* const each : pages) {
            if (!each->drop(1))
                continue;
            if (count == done.size() || (count != 0 && each->owner_ != owner)) {
                send_home(*owner, {done.data(), count});
                count = 0;
            }
            owner = each->owner_;
            done[count++] = each;
        }
        if (count != 0)
            send_home(*owner, {done.data(), count});
    }

    // Any thread that holds a reference. Acquire: whoever sees the others gone also sees what they did.
    [[nodiscard]] std::uint32_t references() const noexcept {
        return references_.load(std::memory_order_acquire);
    }

  private:
    // True when these were the last ones: the page is as it should be at home, and not there yet.
    [[nodiscard]] bool drop(std::uint32_t fewer) noexcept {
        // acquire: partner is the fetch_sub of those who left before; a sole holder needs no locked
        // operation.
        const std::uint32_t now = references_.load(std::memory_order_acquire);
        NORIA_EXPECTS(now >= fewer,
                      "this page was released twice, or more references were given back than were taken: "
                      "one release for each reference");
        if (now != fewer) {
            // acq_rel: release what this holder did to the bytes, acquire what the others did if it is the
            // last.
            const std::uint32_t before = references_.fetch_sub(fewer, std::memory_order_acq_rel);
            if (before != fewer)
                return false;
        } else if (fewer == at_home) {
            return true;
        }
        references_.store(at_home, std::memory_order_relaxed);
        return true;
    }

    static void send_home(const basic_page_owner<Sync>& owner, std::span<basic_page* const> done) noexcept {
        if (owner.take_back_burst != nullptr) {
            owner.take_back_burst(owner.pool, done);
            return;
        }
        for (basic_page* const each : done)
            owner.take_back(owner.pool, *each);
    }

    std::byte* data_;
    const basic_page_owner<Sync>* owner_;
    count references_{at_home};
    std::uint32_t size_;
};

using page = basic_page<>;

} // namespace noria::inline NORIA_ABI
