// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <new>
#include <optional>
#include <span>

#include "noria/ring/descriptor_ring.hpp"

namespace noria::inline NORIA_ABI::backend {

// The two rings between a driver and its card, posts one way and reports the other, and the memory they lie
// in. Stays where it is made.
template <class Post, class Report>
class card_rings {
    using post_ring = descriptor_ring<Post, {.capacity = dynamic}>;
    using report_ring = descriptor_ring<Report, {.capacity = dynamic}>;

  public:
    // Set-up. Precondition: neither is 0 or above 2^31.
    card_rings(std::uint32_t posts_wanted, std::uint32_t reports_wanted) noexcept
        : post_capacity_(posts_wanted), report_capacity_(reports_wanted),
          post_slots_(new(std::nothrow) typename post_ring::slot_type[slots_for(posts_wanted)]),
          report_slots_(new(std::nothrow) typename report_ring::slot_type[slots_for(reports_wanted)]) {}
    card_rings(const card_rings&) = delete;
    card_rings& operator=(const card_rings&) = delete;
    ~card_rings() {
        reports.reset();
        posts.reset();
        report_memory_.reset();
        post_memory_.reset();
        delete[] report_slots_;
        delete[] post_slots_;
    }

    // False when the system had no memory for them; else the rings are there from now on.
    [[nodiscard]] bool open() noexcept {
        if (post_slots_ == nullptr || report_slots_ == nullptr)
            return false;
        post_memory_.emplace(std::span(post_slots_, slots_for(post_capacity_)), post_capacity_);
        report_memory_.emplace(std::span(report_slots_, slots_for(report_capacity_)), report_capacity_);
        posts.emplace(post_memory_->split());
        reports.emplace(report_memory_->split());
        return true;
    }

  private:
    std::uint32_t post_capacity_;
    std::uint32_t report_capacity_;
    typename post_ring::slot_type* post_slots_;
    typename report_ring::slot_type* report_slots_;
    std::optional<post_ring> post_memory_;
    std::optional<report_ring> report_memory_;

  public:
    // Both ends of each.
    std::optional<typename post_ring::roles> posts;
    std::optional<typename report_ring::roles> reports;
};

} // namespace noria::inline NORIA_ABI::backend
