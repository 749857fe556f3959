// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "noria/core/owned.hpp"
#include "noria/ring/descriptor_ring.hpp"

namespace noria::inline NORIA_ABI::backend {

namespace detail {

// The memory of a ring; none when the system had none.
template <class Slot>
class card_slots {
  public:
    explicit card_slots(std::uint32_t capacity) noexcept
        : capacity_(capacity), slots_(new(std::nothrow) Slot[slots_for(capacity)]) {}
    card_slots(card_slots&& other) noexcept
        : capacity_(other.capacity_), slots_(std::exchange(other.slots_, nullptr)) {}
    card_slots& operator=(card_slots&&) = delete;
    ~card_slots() { delete[] slots_; }

    [[nodiscard]] explicit operator bool() const noexcept { return slots_ != nullptr; }
    [[nodiscard]] std::span<Slot> all() const noexcept { return {slots_, slots_for(capacity_)}; }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  private:
    std::uint32_t capacity_;
    Slot* slots_;
};

} // namespace detail

// The two rings between a driver and its card, posts one way and reports the other, and the memory they lie
// in. Stays where it is made.
template <class Post, class Report>
class card_rings {
    using post_ring = descriptor_ring<Post, {.capacity = dynamic}>;
    using report_ring = descriptor_ring<Report, {.capacity = dynamic}>;
    using post_slots = detail::card_slots<typename post_ring::slot_type>;
    using report_slots = detail::card_slots<typename report_ring::slot_type>;

  public:
    // Set-up. Empty when the system has no memory for them. Precondition: neither is 0 or above 2^31.
    [[nodiscard]] static owned<card_rings> make(std::uint32_t most_posts,
                                                std::uint32_t most_reports) noexcept {
        post_slots for_posts(most_posts);
        report_slots for_reports(most_reports);
        if (!for_posts || !for_reports)
            return {};
        return owned<card_rings>::make(std::move(for_posts), std::move(for_reports));
    }
    // For make(), which knows that there is memory.
    card_rings(post_slots for_posts, report_slots for_reports) noexcept
        : post_slots_(std::move(for_posts)), report_slots_(std::move(for_reports)) {}
    card_rings(const card_rings&) = delete;
    card_rings& operator=(const card_rings&) = delete;

  private:
    post_slots post_slots_;
    report_slots report_slots_;
    post_ring post_ring_{post_slots_.all(), post_slots_.capacity()};
    report_ring report_ring_{report_slots_.all(), report_slots_.capacity()};

  public:
    // Both ends of each.
    typename post_ring::roles posts = post_ring_.split();
    typename report_ring::roles reports = report_ring_.split();
};

} // namespace noria::inline NORIA_ABI::backend
