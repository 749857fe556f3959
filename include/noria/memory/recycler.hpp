// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/return_ring.hpp"

namespace noria::inline NORIA_ABI {

// Which way an object went that was given back.
enum class way_home : unsigned char {
    cached,   // onto the owner's stack
    returned, // into the return ring, or to a pool that is closed and waits for more
    last      // to a pool that is closed and waited for nothing else: whoever gets this answer frees it
};

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
    ~basic_recycler() { ::operator delete[](static_cast<void*>(stack_), std::align_val_t{cache_line}); }

    // Set-up: room for `objects`. False when the system has no memory for it.
    [[nodiscard]] bool reserve(std::uint32_t objects) noexcept {
        // On a line, so that bursts of whole lines stay on whole lines: a vector that lies across two is not
        // forwarded from where it was just put, and takes more than twice the time.
        stack_ = static_cast<T**>(::operator new[](sizeof(T*) * (objects == 0 ? 1 : std::size_t{objects}),
                                                   std::align_val_t{cache_line}, std::nothrow));
        top_ = stack_;
        return stack_ != nullptr && returned_.reserve(objects);
    }

    // While one lives, its thread is the owner. Sections of one thread may nest. Preconditions: they end on
    // their own thread, the last one first; threads that take turns synchronise in between (a join, a queue,
    // a lock): the word only tells givers who the owner is, and hands nothing on.
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
        ~owner_section() {
            NORIA_EXPECTS(recycler_.owner_.load(std::memory_order_relaxed) == Sync::self(),
                          "sections end on the thread they began on, the last one first");
            recycler_.owner_.store(before_, std::memory_order_relaxed);
        }

      private:
        basic_recycler& recycler_;
        const void* before_;
    };

    // The owner. Null when dry.
    [[nodiscard]] T* take() noexcept {
        if (top_ == stack_ && collect() == 0)
            return nullptr;
        return &take_cached();
    }

    // The owner. As many as there are, up to all that `to` has room for; says how many.
    [[nodiscard]] std::uint32_t take(std::span<T*> to) noexcept {
        if (on_stack() < to.size())
            collect();
        return take_cached(to);
    }

    // Any thread. What becomes of the object shows in the answer, which matters to those who close().
    way_home give(T& object) noexcept {
        if (entered()) {
            give_cached(object);
            return way_home::cached;
        }
        return send(object);
    }
    // Many, on the owner's thread in one copy, on another one with one claim.
    way_home give(std::span<T* const> objects) noexcept {
        if (entered()) {
            give_cached(objects);
            return way_home::cached;
        }
        return send(objects);
    }

    // Any thread, piece by piece: whether it is inside a section, and the way through the return ring, which
    // is open to the owner as well.
    [[nodiscard]] bool entered() const noexcept {
        return owner_.load(std::memory_order_relaxed) == Sync::self();
    }
    way_home send(T& object) noexcept { return returned_.give(object) ? way_home::returned : came_late(1); }
    way_home send(std::span<T* const> objects) noexcept {
        return returned_.give(objects) ? way_home::returned
                                       : came_late(static_cast<std::uint32_t>(objects.size()));
    }

    // The owner, piece by piece: what is on the stack, and moving the returns there, or handing each to
    // `to(object)` instead (says how many).
    [[nodiscard]] std::span<T* const> cached() const noexcept { return {stack_, on_stack()}; }
    std::uint32_t collect() noexcept { return collect(push()); }
    template <class To>
    std::uint32_t collect(To&& to) noexcept {
        expect_owner();
        return returned_.collect(~0u, to);
    }
    // There is one.
    [[nodiscard]] T& take_cached() noexcept {
        expect_owner();
        return **--top_;
    }
    // Plain loops here and below: for a copy of a length it does not know g++ takes `rep movs`, which costs
    // more than the burst. `to` is no part of the stack.
    [[nodiscard]] std::uint32_t take_cached(std::span<T*> to) noexcept {
        expect_owner();
        if (to.size() > on_stack()) [[unlikely]]
            to = to.first(on_stack());
        top_ -= to.size();
        T** __restrict const out = to.data();
        T* const* __restrict const from = top_;
        for (std::size_t i = 0; i != to.size(); ++i)
            out[i] = from[i];
        return static_cast<std::uint32_t>(to.size());
    }
    void give_cached(T& object) noexcept {
        expect_owner();
        *top_++ = &object;
    }
    void give_cached(std::span<T* const> objects) noexcept {
        expect_owner();
        T** __restrict const to = top_;
        T* const* __restrict const from = objects.data();
        for (std::size_t i = 0; i != objects.size(); ++i)
            to[i] = from[i];
        top_ += objects.size();
    }

    // In checked mode only: the owner and nobody else calls this. Who takes from a pool outside all sections
    // is its owner for the moment, as long as nobody is inside.
    void expect_owner() const noexcept {
        if constexpr (contracts_on) {
            [[maybe_unused]] const void* const inside = owner_.load(std::memory_order_relaxed);
            NORIA_EXPECTS(inside == nullptr || inside == Sync::self(),
                          "another thread is inside the owner's section of this pool: until it leaves, only "
                          "that thread takes, collects and looks; any other may give");
        }
    }

    // Set-up, before any other thread knows the pool.
    void put_first(T& object) noexcept { give_cached(object); }

    // The owner. How many are home for certain: collected, so that their givers are done with the pool as
    // well.
    [[nodiscard]] std::uint32_t home() noexcept {
        collect();
        return static_cast<std::uint32_t>(on_stack());
    }

    // Set-up: the owner, once, outside all sections, instead of anything else from here on but cached(),
    // take_cached() and leave(). What was given so far is on the stack, and no more gets there. Waits for
    // givers in the middle of a give.
    void close() noexcept {
        NORIA_EXPECTS(owner_.load(std::memory_order_relaxed) == nullptr,
                      "a thread is inside the owner's section of this pool: leave it before the pool goes");
        returned_.close(push());
    }
    // After close(), the last that its thread does here. `out` is how many objects are still out. True when
    // none is, so that the caller frees the pool. Otherwise the give that brings the last one home is told
    // so: exactly one of them all, and everything the others did with the pool comes before that.
    [[nodiscard]] bool leave(std::uint32_t out) noexcept {
        if (out == 0)
            return true;
        // acq_rel: partner is the fetch_sub in came_late: whoever comes last frees what the others used.
        const std::uint32_t before = out_.fetch_add(out, std::memory_order_acq_rel);
        return before + out == 0;
    }

  private:
    [[nodiscard]] std::size_t on_stack() const noexcept { return static_cast<std::size_t>(top_ - stack_); }

    [[nodiscard]] auto push() noexcept {
        return [this](T& object) noexcept { give_cached(object); };
    }

    // After close(). Until leave() has added what is out, the word lies below zero, and it cannot be zero
    // before all are home: no matter who comes first.
    [[nodiscard, gnu::cold]] way_home came_late(std::uint32_t objects) noexcept {
        // acq_rel: partner is its like, and the fetch_add in leave.
        const std::uint32_t before = out_.fetch_sub(objects, std::memory_order_acq_rel);
        return before == objects && objects != 0 ? way_home::last : way_home::returned;
    }

    T** stack_ = nullptr;
    T** top_ = nullptr;                             // behind the last one on it
    alignas(thread_gap) owner_word owner_{nullptr}; // every giver reads it: not beside what the owner writes
    typename Sync::template atomic<std::uint32_t> out_{0};
    basic_return_ring<T, Sync> returned_;
};

} // namespace noria::inline NORIA_ABI
