// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <span>

#include "noria/backend/contract.hpp"

namespace noria::inline NORIA_ABI::backend {

// A device with no wire: it fills every posted buffer at once with a frame of `frame_bytes` that it never
// writes. What is left is the cost of the queue alone. One thread.
class null {
  public:
    static constexpr buffer_model model = buffer_model::per_packet;
    static constexpr bool in_order = true;

    explicit null(std::uint32_t frame_bytes) noexcept : frame_bytes_(frame_bytes) {}

    [[nodiscard]] result<mapping> attach(region& memory) noexcept { return mapping(memory.bytes(), 0); }

    [[nodiscard]] result<receive_setup> configure(const receive_setup& wanted) noexcept {
        if (wanted.descriptors > most_descriptors)
            return make_error(std::errc::invalid_argument,
                              "the null device has 4096 descriptors: ask for no more");
        filled_ = posted_; // what the last queue posted is gone with it
        return wanted;
    }

    [[nodiscard]] std::uint32_t post(std::span<const buffer_post> posts) noexcept {
        std::uint32_t taken = 0;
        for (; taken != posts.size() && posted_ - filled_ != most_descriptors; ++taken)
            ids_[posted_++ % most_descriptors] = posts[taken].id;
        return taken;
    }

    [[nodiscard]] std::uint32_t reap(std::span<completion> completions) noexcept {
        std::uint32_t written = 0;
        for (; written != completions.size() && filled_ != posted_; ++written)
            completions[written] = {.id = ids_[filled_++ % most_descriptors],
                                    .length = frame_bytes_,
                                    .flags = completion::end_of_packet};
        return written;
    }

  private:
    static constexpr std::uint32_t most_descriptors = 4096;

    std::uint32_t frame_bytes_;
    std::uint32_t posted_ = 0; // both count on and wrap
    std::uint32_t filled_ = 0;
    std::uint32_t ids_[most_descriptors];
};

static_assert(check_backend<null>());

} // namespace noria::inline NORIA_ABI::backend
