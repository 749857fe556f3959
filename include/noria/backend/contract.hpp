// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "noria/core/result.hpp"
#include "noria/memory/mapping.hpp"
#include "noria/memory/region.hpp"
#include "noria/memory/stride_pool.hpp"
#include "noria/ring/descriptor.hpp"

// What a device must offer to be received from. It is one struct with four calls; it never sees a packet.

namespace noria::inline NORIA_ABI {

// Where a device puts frames.
enum class buffer_model : std::uint8_t {
    per_packet,   // in the next posted buffer, or in several when one is too short
    striding,     // in whole strides of a work buffer, one frame behind the other
    fixed_chunks, // in equal chunks of one area that it names by address
    kernel_copy   // wherever the caller says, since a kernel copies them there
};

[[nodiscard]] constexpr const char* name(buffer_model model) noexcept {
    switch (model) {
    case buffer_model::per_packet:
        return "per_packet";
    case buffer_model::striding:
        return "striding";
    case buffer_model::fixed_chunks:
        return "fixed_chunks";
    case buffer_model::kernel_copy:
        return "kernel_copy";
    }
    return "?";
}

// A buffer for the device to fill. Striding: the pages of one work buffer are posted one after the other,
// with the same id.
struct buffer_post {
    std::uint64_t iova = 0;
    std::uint32_t id = 0;     // what its completions will call it
    std::uint32_t length = 0; // bytes
};

// What the device reports. Every field is the device's word and is not trusted.
struct completion {
    enum flag : std::uint32_t {
        end_of_packet = 1u << 0,
        filler = 1u << 1,      // striding: no frame, the rest of the work buffer is skipped
        error = 1u << 2,       // the frame is damaged
        checksum_ok = 1u << 3, // the device verified the checksums it knows
        checksum_sum = 1u << 4 // `checksum` is the one's complement sum of the whole frame
    };

    std::uint32_t id = 0;      // of the buffer or work buffer
    std::uint32_t offset = 0;  // striding: of the first stride in the work buffer, bytes; else 0
    std::uint32_t length = 0;  // bytes of frame in this buffer
    std::uint32_t strides = 0; // striding: how many it takes
    std::uint32_t hash = 0;
    std::uint16_t checksum = 0;
    std::uint16_t vlan = 0;
    std::uint32_t flags = 0; // the top bit belongs to the ring it comes through
};

// Both travel through descriptor rings; these are the words whose top bit says whose turn it is.
template <>
struct descriptor_traits<buffer_post> {
    static constexpr std::size_t word_offset = offsetof(buffer_post, length);
};
template <>
struct descriptor_traits<completion> {
    static constexpr std::size_t word_offset = offsetof(completion, flags);
};

// What a receive queue asks of its device before it starts.
struct receive_setup {
    std::uint32_t descriptors = 0; // how many buffers can be posted and not completed at once
    stride_geometry strides{};     // striding only
    std::uint32_t posts_per_work_buffer = 1;
    std::uint32_t frame_offset = 0; // striding only: bytes left free in front of each frame
    // How many can be written before any is read: a device with room for fewer would have to stop or lose
    // some. It answers with what it has room for.
    std::uint64_t completions = 0;
    // per_packet: no post is shorter. For devices that are told once, and not with each post, how far they
    // may write.
    std::uint32_t buffer_bytes = 0;
};

// Says with static member constants what kind of device it is:
// `model`, where frames go, and `in_order`, whether completions come in the order of the posts.
template <class Backend>
concept states_its_model = requires {
    { Backend::model } -> std::convertible_to<buffer_model>;
    { Backend::in_order } -> std::convertible_to<bool>;
};

// Makes a region known to the device. Requires: attach(region&) -> result<mapping>, noexcept.
template <class Backend>
concept attaches = requires(Backend& backend, region& memory) {
    { backend.attach(memory) } noexcept -> std::same_as<result<mapping>>;
};

// Takes up its sizes. Requires: configure(const receive_setup&) -> result<receive_setup>, noexcept, with what
// it will really do.
template <class Backend>
concept configures = requires(Backend& backend, const receive_setup& setup) {
    { backend.configure(setup) } noexcept -> std::same_as<result<receive_setup>>;
};

// Takes buffers to fill. Requires: post(span<const buffer_post>) -> how many from the front it took; one
// doorbell for all of them.
template <class Backend>
concept takes_posts = requires(Backend& backend, std::span<const buffer_post> posts) {
    { backend.post(posts) } noexcept -> std::same_as<std::uint32_t>;
};

// Reports what is filled. Requires: reap(span<completion>) -> how many it wrote; 0 when there is nothing.
template <class Backend>
concept reports_completions = requires(Backend& backend, std::span<completion> completions) {
    { backend.reap(completions) } noexcept -> std::same_as<std::uint32_t>;
};

// A device that can be received from. All calls come from the queue's thread.
template <class Backend>
concept receive_backend = states_its_model<Backend> && attaches<Backend> && configures<Backend> &&
                          takes_posts<Backend> && reports_completions<Backend>;

// For the author of a backend: put `static_assert(noria::check_backend<my_nic>());` behind it, and the
// compiler says in a sentence a leaf what is missing.
template <class Backend>
[[nodiscard]] consteval bool check_backend() noexcept {
    static_assert(states_its_model<Backend>, "a backend says where its device puts frames and in what order: "
                                             "add `static constexpr noria::buffer_model "
                                             "model = ...;` and `static constexpr bool in_order = ...;`");
    static_assert(attaches<Backend>,
                  "a backend makes memory known to its device: add `noria::result<noria::mapping> "
                  "attach(noria::region&) noexcept;`");
    static_assert(
        configures<Backend>,
        "a backend takes up the queue's sizes: add `noria::result<noria::receive_setup> configure(const "
        "noria::receive_setup&) noexcept;` and return what it will really do");
    static_assert(takes_posts<Backend>,
                  "a backend takes buffers to fill: add `std::uint32_t post(std::span<const "
                  "noria::buffer_post>) noexcept;` and return how many it took");
    static_assert(reports_completions<Backend>,
                  "a backend reports what is filled: add `std::uint32_t "
                  "reap(std::span<noria::completion>) noexcept;` and return how many it wrote");
    return receive_backend<Backend>;
}

} // namespace noria::inline NORIA_ABI
