// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "noria/core/sync.hpp"

namespace noria::inline NORIA_ABI {

// A plain value without padding, of whole 64-bit words: a set of counts. (Copies are asked for since atomics,
// too, call themselves trivially copyable.)
template <class T>
concept publishable = std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T> &&
                      std::is_default_constructible_v<T> && std::has_unique_object_representations_v<T> &&
                      sizeof(T) % sizeof(std::uint64_t) == 0;

// Many numbers that belong together, published by one thread and read by any, all of one moment. Counters
// that are read one after the other are each right and together are not: packets that move on between two
// readings are seen twice, or not at all. Here the writer copies its numbers, once a poll, and a reader gets
// one such copy, whole.
//
// A reader who has seen a publication also sees all that its writer had seen before. So who reads two of
// these, of threads that hand packets on to each other, reads the receiver's first and the giver's after it:
// what was received was given then, if the giver publishes before it hands over.
//
// Slots copies are kept, and the writer goes round; a reader is disturbed only by Slots - 1 publications
// during its one read. (Not a sequence lock: there a reader fails whenever the writer is inside, which for a
// busy one is always.)
//
// Thread: one writer, any readers. Progress: wait-free, both; a reader may be told to try again. Cost:
// publish is a plain store for each number and one more, on x86-64; on arm64 they are store-releases.
template <publishable T, std::size_t Slots = 4, class Sync = std_sync>
class basic_published {
    static_assert(Slots >= 2, "one copy cannot be read while it is written");

  public:
    // Thread: the writer. Not worth a call when nothing has changed, as after a poll that found nothing.
    void publish(const T& value) noexcept {
        const auto from = std::bit_cast<numbers>(value);
        // relaxed: only this thread stores it.
        const std::uint64_t next = count_.load(std::memory_order_relaxed) + 1;
        slot& to = slots_[next % Slots];
        for (std::size_t i = 0; i != from.size(); ++i)
            // release: pairs with the load of this number in try_read. Who sees the new number sees the count
            // of the publication before it as well, and so that the copy it reads is being overwritten.
            to[i].value.store(from[i], std::memory_order_release);
        // release: pairs with the first load of the count in try_read, which sees the whole copy then.
        count_.store(next, std::memory_order_release);
    }

    // Thread: any. The newest copy; before the first publication, all zeros. False: the writer came round
    // meanwhile; `value` is as it was, and another try will do.
    [[nodiscard]] bool try_read(T& value) const noexcept {
        // acquire: pairs with the store of the count in publish.
        const std::uint64_t seen = count_.load(std::memory_order_acquire);
        const slot& from = slots_[seen % Slots];
        numbers now;
        for (std::size_t i = 0; i != now.size(); ++i)
            // acquire: pairs with the store of this number in publish.
            now[i] = from[i].value.load(std::memory_order_acquire);
        // relaxed: the loads above keep it behind them, and bring what it has to see.
        if (count_.load(std::memory_order_relaxed) - seen > Slots - 2)
            return false;
        value = std::bit_cast<T>(now);
        return true;
    }

  private:
    using numbers = std::array<std::uint64_t, sizeof(T) / sizeof(std::uint64_t)>;
    struct number {
        typename Sync::template atomic<std::uint64_t> value{0};
    };
    using slot = std::array<number, sizeof(T) / sizeof(std::uint64_t)>;

    typename Sync::template atomic<std::uint64_t> count_{0}; // publications so far
    std::array<slot, Slots> slots_;
};

template <publishable T>
using published = basic_published<T>;

} // namespace noria::inline NORIA_ABI
