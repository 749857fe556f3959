// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "noria/core/contract.hpp"
#include "noria/ring/index.hpp"

// What reserve() and peek() hand out: a stretch of slots as two spans, until it is finished or dropped. One
// token at most is open on a side, its handle stays where it is meanwhile, and the handle's thread owns it.
// The handle supplies finish(k), which moves its index on by k, and drop(), which changes nothing.

namespace noria::inline NORIA_ABI {

namespace detail {

template <class Handle>
class burst_token {
  public:
    using slot_type = typename Handle::slot_type;

    burst_token(Handle* handle, slot_type* slots, slot_run run) noexcept
        : handle_(handle), slots_(slots), run_(run) {}
    burst_token(burst_token&& other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)), slots_(other.slots_), run_(other.run_) {}
    ~burst_token() {
        if (handle_)
            handle_->drop();
    }

    [[nodiscard]] std::span<slot_type> first() const noexcept { return {slots_ + run_.offset, run_.first}; }
    [[nodiscard]] std::span<slot_type> second() const noexcept { return {slots_, run_.second}; }
    [[nodiscard]] std::uint32_t size() const noexcept { return run_.first + run_.second; }

    void finish(std::uint32_t count) noexcept {
        NORIA_EXPECTS(handle_, "a token is finished once: reserve or peek again for what is left");
        NORIA_EXPECTS(count <= size(), "no more can be finished than size()");
        std::exchange(handle_, nullptr)->finish(count);
    }

  private:
    Handle* handle_;
    slot_type* slots_;
    slot_run run_;
};

} // namespace detail

// Slots to be filled in order. Dropped without a commit, nothing has happened.
template <class Producer>
class [[nodiscard("a reservation that is dropped publishes nothing")]] reserve_token {
  public:
    using slot_type = typename Producer::slot_type;

    reserve_token(Producer* producer, slot_type* slots, slot_run run) noexcept
        : burst_(producer, slots, run) {}

    // The slots up to the end of the ring, and those that go on at its beginning.
    [[nodiscard]] std::span<slot_type> first() const noexcept { return burst_.first(); }
    [[nodiscard]] std::span<slot_type> second() const noexcept { return burst_.second(); }
    [[nodiscard]] std::uint32_t size() const noexcept { return burst_.size(); }

    // Publishes the first `count` slots and gives the rest back; the token is spent.
    // Precondition: count <= size(), those slots are written (raw slots: constructed, and no others are).
    void commit(std::uint32_t count) noexcept { burst_.finish(count); }

  private:
    detail::burst_token<Producer> burst_;
};

// Items to be read, changed or moved out of in place. Dropped without a release, all of them stay in the
// ring.
template <class Consumer>
class [[nodiscard("items that are not released stay in the ring")]] peek_token {
  public:
    using slot_type = typename Consumer::slot_type;

    peek_token(Consumer* consumer, slot_type* slots, slot_run run) noexcept : burst_(consumer, slots, run) {}

    // The items up to the end of the ring, and those that go on at its beginning.
    [[nodiscard]] std::span<slot_type> first() const noexcept { return burst_.first(); }
    [[nodiscard]] std::span<slot_type> second() const noexcept { return burst_.second(); }
    [[nodiscard]] std::uint32_t size() const noexcept { return burst_.size(); }

    // Takes the first `count` items out (raw slots: they are destroyed), the rest stays; the token is spent.
    // Precondition: count <= size().
    void release(std::uint32_t count) noexcept { burst_.finish(count); }

  private:
    detail::burst_token<Consumer> burst_;
};

} // namespace noria::inline NORIA_ABI
