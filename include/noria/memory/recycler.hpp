// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <new>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/return_ring.hpp"

namespace noria::inline NORIA_ABI {

// Where the objects of a pool are when nobody has them: on the owner's stack, so that the one freed last,
// still in the cache, goes out first; or in the return ring, when another thread freed them.
//
// The owner is whoever is inside an owner_section: one thread at a time, any thread in turn (a poller enters
// for the length of a poll). Freeing inside the section is a plain push; everywhere else it is one atomic
// claim. The question "is this the owner?" is one load and one compare, and cannot be answered wrongly: a
// thread reads its own identity there only if it wrote it and has not left since.
//
// Cost on the owner's thread: a few instructions for take and give, no atomic read-modify-write.
template <class T, class Sync = std_sync>
class basic_recycler {
    using owner_word = typename Sync::template atomic<const void*>;

  public:
    basic_recycler() = default;
    basic_recycler(const basic_recycler&) = delete;
    basic_recycler& operator=(const basic_recycler&) = delete;
    ~basic_recycler() { delete[] stack_; }

    // Set-up: room for `objects`. False when the system has no memory for it.
    [[nodiscard]] bool reserve(std::uint32_t objects) noexcept {
        stack_ = new (std::nothrow) T*[objects == 0 ? 1 : objects];
        return stack_ != nullptr && returned_.reserve(objects);
    }

    // While one lives, its thread is the owner. Sections of one thread may nest. Precondition: threads that
    // take turns synchronise in between (a join, a queue, a lock): the word only tells givers who the owner
    // is, and hands nothing on.
    class [[nodiscard]] owner_section {
      public:
        explicit owner_section(basic_recycler& recycler) noexcept
            : recycler_(recycler), before_(recycler.owner_.load(std::memory_order_relaxed)) {
            NORIA_EXPECTS(before_ == nullptr || before_ == Sync::self(),
                          "another thread is inside the owner's section of this pool: only one may be");
            recycler_.owner_.store(Sync::self(),
                                   std::memory_order_relaxed); // only this thread compares equal
        }
        owner_section(const owner_section&) = delete;
        owner_section& operator=(const owner_section&) = delete;
        ~owner_section() { recycler_.owner_.store(before_, std::memory_order_relaxed); }

      private:
        basic_recycler& recycler_;
        const void* before_;
    };

    // The owner. Null when dry.
    [[nodiscard]] T* take() noexcept {
        if (on_stack_ == 0 && collect() == 0)
            return nullptr;
        return stack_[--on_stack_];
    }

    // Any thread.
    void give(T& object) noexcept {
        if (owner_.load(std::memory_order_relaxed) == Sync::self())
            stack_[on_stack_++] = &object;
        else
            returned_.give(object);
    }

    // Set-up, before any other thread knows the pool.
    void put_first(T& object) noexcept { stack_[on_stack_++] = &object; }

    // The owner. How many are home for certain: collected, so that their givers are done with the pool as
    // well.
    [[nodiscard]] std::uint32_t home() noexcept {
        collect();
        return on_stack_;
    }

  private:
    std::uint32_t collect() noexcept {
        return returned_.collect(~0u, [this](T& object) noexcept { stack_[on_stack_++] = &object; });
    }

    T** stack_ = nullptr;
    std::uint32_t on_stack_ = 0;
    alignas(thread_gap) owner_word owner_{nullptr}; // every giver reads it: not beside what the owner writes
    basic_return_ring<T, Sync> returned_;
};

} // namespace noria::inline NORIA_ABI
