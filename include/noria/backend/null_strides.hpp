// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <span>

#include "noria/backend/contract.hpp"

namespace noria::inline NORIA_ABI::backend {

// The null device of work buffers: it fills each, as soon as all its pages are posted, with frames of
// `frame_bytes` that it never writes. One thread.
class null_strides {
  public:
    static constexpr buffer_model model = buffer_model::striding;
    static constexpr bool in_order = true;

    explicit null_strides(std::uint32_t frame_bytes) noexcept : frame_bytes_(frame_bytes) {}

    [[nodiscard]] result<mapping> attach(region& memory) noexcept { return mapping(memory.bytes(), 0); }

    [[nodiscard]] result<receive_setup> configure(const receive_setup& wanted) noexcept {
        if (wanted.descriptors > most_pages)
            return make_error(std::errc::invalid_argument, "the null device of strides has room for 4096 "
                                                           "pages: ask for fewer or smaller work buffers");
        const std::uint64_t frame = std::uint64_t{wanted.frame_offset} + frame_bytes_;
        if (frame > wanted.strides.work_buffer_bytes())
            return make_error(std::errc::invalid_argument, "the null device's frames do not fit in a work "
                                                           "buffer: use more or longer strides");
        stride_bytes_ = wanted.strides.stride_bytes;
        strides_each_ = wanted.strides.strides;
        pages_each_ = wanted.posts_per_work_buffer;
        frame_strides_ = wanted.strides.strides_for(static_cast<std::uint32_t>(frame));
        posted_ = filled_ = used_ = 0; // what the last queue posted is gone with it
        return wanted;
    }

    [[nodiscard]] std::uint32_t post(std::span<const buffer_post> posts) noexcept {
        const std::uint32_t room = most_pages - (posted_ - filled_);
        const std::uint32_t taken = posts.size() < room ? static_cast<std::uint32_t>(posts.size()) : room;
        for (const buffer_post& post : posts.first(taken))
            ids_[posted_++ % most_pages] = post.id;
        return taken;
    }

    [[nodiscard]] std::uint32_t reap(std::span<completion> completions) noexcept {
        std::uint32_t written = 0;
        for (; written != completions.size() && posted_ - filled_ >= pages_each_; ++written) {
            const std::uint32_t left = strides_each_ - used_;
            completion& done = completions[written];
            done = {.id = ids_[filled_ % most_pages],
                    .offset = used_ * stride_bytes_,
                    .length = frame_bytes_,
                    .strides = frame_strides_,
                    .flags = completion::end_of_packet};
            if (left < frame_strides_) { // frames do not cross from one work buffer to the next
                done.length = 0;
                done.strides = left;
                done.flags = completion::filler;
            }
            used_ += done.strides;
            if (used_ == strides_each_) {
                used_ = 0;
                filled_ += pages_each_;
            }
        }
        return written;
    }

  private:
    static constexpr std::uint32_t most_pages = 4096;

    std::uint32_t frame_bytes_;
    std::uint32_t stride_bytes_ = 0;
    std::uint32_t strides_each_ = 0;
    std::uint32_t pages_each_ = 1;
    std::uint32_t frame_strides_ = 1;
    std::uint32_t used_ = 0;   // strides of the work buffer that is being filled
    std::uint32_t posted_ = 0; // pages; both count on and wrap
    std::uint32_t filled_ = 0; // with the last stride of their work buffer
    std::uint32_t ids_[most_pages];
};

static_assert(check_backend<null_strides>());

} // namespace noria::inline NORIA_ABI::backend
