// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/receive_counters.hpp"

#include <array>
#include <cstdint>
#include <optional>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t whole = completion::end_of_packet;

// All that a queue counts while it receives, less what building costs.
std::array<std::uint64_t, 11> all_of(const receive_counters& seen) {
    return {seen.frames,  seen.delivered, seen.bytes,     seen.fillers, seen.filler_strides, seen.refused,
            seen.wqe_err, seen.oversize,  seen.held_back, seen.holes,   seen.buff_alloc_err};
}

// A queue of two work buffers of 16 strides of 256 bytes, and a device that reports what it is told to.
struct queue_of_strides : testing::Test {
    using device_type = scripted_device<buffer_model::striding>;
    using queue_type = rx_queue<device_type, stride_around>;
    static constexpr rx_options options{
        .packets = 8,
        .frame_bytes = 1514,
        .geometry = {
            .page_bytes = 4096, .strides = {256, 16}, .work_buffers = 2, .headroom = 64, .tail_overhead = 0}};

    queue_of_strides()
        : memory(region::map({.bytes = queue_type::region_bytes(options), .best = backing::plain_pages})) {
        queue.emplace(queue_type::create(device, *memory, options).value());
        EXPECT_EQ(queue->poll(64, [](packet_ptr) noexcept {}), 0u);
    }

    // What is counted for one completion at the beginning of the first work buffer.
    [[nodiscard]] std::array<std::uint64_t, 11> counted_for(completion done) {
        done.id += device.posted[0].id;
        device.reports.push_back(done);
        static_cast<void>(queue->poll(64, [](packet_ptr) noexcept {}));
        return all_of(queue->counters());
    }

    result<region> memory;
    device_type device;
    std::optional<queue_type> queue;
};

TEST_F(queue_of_strides, counts_a_frame) {
    const auto seen = counted_for({.length = 100, .strides = 1, .flags = whole});
    EXPECT_EQ(seen, all_of({.frames = 1, .delivered = 1, .bytes = 100, .built = {}}));
    EXPECT_EQ(queue->counters().built.descriptors, 1u);
}
TEST_F(queue_of_strides, counts_a_filler_and_its_strides) {
    EXPECT_EQ(counted_for({.strides = 5, .flags = completion::filler}),
              all_of({.fillers = 1, .filler_strides = 5, .built = {}}));
}
TEST_F(queue_of_strides, counts_what_is_refused) {
    EXPECT_EQ(counted_for({.id = 2, .length = 100, .strides = 1, .flags = whole}),
              all_of({.refused = 1, .built = {}}));
}
TEST_F(queue_of_strides, counts_a_damaged_frame) {
    EXPECT_EQ(counted_for({.length = 100, .strides = 1, .flags = whole | completion::error}),
              all_of({.frames = 1, .wqe_err = 1, .built = {}}));
}
TEST_F(queue_of_strides, counts_a_damaged_filler) {
    EXPECT_EQ(counted_for({.strides = 5, .flags = completion::filler | completion::error}),
              all_of({.fillers = 1, .filler_strides = 5, .wqe_err = 1, .built = {}}));
}
TEST_F(queue_of_strides, counts_a_frame_that_is_too_long) {
    EXPECT_EQ(counted_for({.length = 1515, .strides = 7, .flags = whole}),
              all_of({.frames = 1, .oversize = 1, .built = {}}));
}

} // namespace
