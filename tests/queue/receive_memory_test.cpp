// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/receive_memory.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"

namespace {

using namespace noria;

result<region> memory_for(std::uint64_t bytes) {
    return region::map({.bytes = bytes, .best = backing::plain_pages, .prefault = false});
}

// Everything is there for the most that can be out at once, and the region is used up by it.
TEST(receive_memory, cuts_a_region_of_region_bytes_into_what_the_strategy_plans) {
    using memory_type = receive_memory<half_pages, pull_headers>;
    constexpr rx_options options{.descriptors = 16, .packets = 40, .frame_bytes = 1514};
    const page_plan plan = half_pages::plan(options, true);
    std::uint64_t bytes = plan.page_bytes * plan.pages;
    std::size_t sizes = 0;
    for (const head_plan::size& each : pull_headers::heads(options).sizes)
        if (each.bytes != 0) {
            ++sizes;
            bytes += std::uint64_t{each.bytes} * each.heads;
        }
    EXPECT_EQ(memory_type::region_bytes(options), bytes);
    auto from = memory_for(bytes);
    ASSERT_TRUE(from);
    memory_type made;
    ASSERT_FALSE(made.cut(*from, options).code);
    EXPECT_EQ(made.pages->pages(), plan.pages);
    EXPECT_EQ(made.packets->packets(), options.packets);
    for (std::size_t i = 0; i != made.heads.size(); ++i)
        EXPECT_EQ(made.heads[i].has_value(), i < sizes);
    EXPECT_EQ(made.pinned_bytes(), 0u);
}

TEST(receive_memory, pins_what_packets_keep_from_the_device) {
    using memory_type = receive_memory<half_pages, pull_headers>;
    constexpr rx_options options{.descriptors = 16, .packets = 40, .frame_bytes = 1514, .track_ages = true};
    auto from = memory_for(memory_type::region_bytes(options));
    ASSERT_TRUE(from);
    memory_type made;
    ASSERT_FALSE(made.cut(*from, options).code);
    scripted_device<buffer_model::per_packet> device;
    mapping dma(from->bytes(), 0);
    made.source->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 16u);
    EXPECT_EQ(made.pinned_bytes(), 0u) << "the device has all of it";
    {
        packet_ptr head = made.packets->allocate(60);
        EXPECT_EQ(made.pinned_bytes(), made.heads[0]->page_bytes());
        head.free(drop_reason::consumed);
        EXPECT_EQ(made.pinned_bytes(), 0u) << "the descriptor has kept its head";
    }
    page* const held = made.pages->allocate();
    made.pages->set_now(7);
    EXPECT_EQ(made.pinned_bytes(), made.pages->page_bytes());
    EXPECT_EQ(made.oldest_pin_age(), 7u);
    held->release();
    EXPECT_EQ(made.pinned_bytes(), 0u);
    EXPECT_EQ(made.oldest_pin_age(), 0u) << "what is posted is not pinned";
}

TEST(receive_memory, the_oldest_pin_counts_wherever_it_lies) {
    using memory_type = receive_memory<fresh_buffers, wrap>;
    constexpr rx_options options{.descriptors = 4, .packets = 4, .frame_bytes = 1514, .track_ages = true};
    auto from = memory_for(memory_type::region_bytes(options));
    ASSERT_TRUE(from);
    memory_type made;
    ASSERT_FALSE(made.cut(*from, options).code);
    std::vector<page*> held;
    for (const nanoseconds now : {50u, 10u, 30u}) {
        made.pages->set_now(now);
        held.push_back(made.pages->allocate());
    }
    made.pages->set_now(100);
    EXPECT_EQ(made.oldest_pin_age(), 90u);
    held[1]->release();
    EXPECT_EQ(made.oldest_pin_age(), 70u);
    held[2]->release();
    EXPECT_EQ(made.oldest_pin_age(), 50u);
    held[0]->release();
    EXPECT_EQ(made.oldest_pin_age(), 0u);
}

// Who forwards frees behind the poll: with a section round that, nothing goes through a ring.
TEST(receive_memory, in_its_section_a_thread_frees_without_atomics) {
    using memory_type = receive_memory<fresh_buffers, wrap>;
    constexpr rx_options options{.descriptors = 16, .packets = 8, .frame_bytes = 1514};
    auto from = memory_for(memory_type::region_bytes(options));
    ASSERT_TRUE(from);
    memory_type made;
    ASSERT_FALSE(made.cut(*from, options).code);
    const auto free_one = [&] {
        page* const under = made.pages->allocate();
        made.packets->build_around(*under, {.bytes = 60, .held = under->size()}).free(drop_reason::consumed);
    };
    free_one();
    static_cast<void>(made.pages->free()); // looks into the ring
    EXPECT_EQ(made.pages->counters().recycle_ring, 1u);
    EXPECT_EQ(made.pages->counters().recycle_cached, 0u);
    {
        const memory_type::owner_section own(made);
        free_one();
        const memory_type::owner_section again(made); // as a poll inside does
        free_one();
    }
    EXPECT_EQ(made.pages->counters().recycle_cached, 2u);
}

TEST(receive_memory, says_what_is_wrong_with_its_options) {
    using device_type = scripted_device<buffer_model::striding>;
    using queue_type = rx_queue<device_type, stride_copy>;
    device_type device;
    constexpr rx_options good{.descriptors = 8, .packets = 8, .frame_bytes = 1514};
    auto memory = memory_for(queue_type::region_bytes(good));
    ASSERT_TRUE(memory);
    EXPECT_TRUE(queue_type::create(device, *memory, good));
    const auto refused = [&](auto change, const char* why) {
        rx_options bad = good;
        change(bad);
        static_cast<void>(queue_type::region_bytes(bad)); // is asked first, and does not mind
        const auto made = queue_type::create(device, *memory, bad);
        return !made && std::strstr(made.error().advice, why) != nullptr;
    };
    EXPECT_TRUE(refused([](rx_options& o) { o.packets = 0; }, "at least one"));
    EXPECT_TRUE(refused([](rx_options& o) { o.descriptors = 0; }, "at least one"));
    EXPECT_TRUE(refused([](rx_options& o) { o.frame_bytes = 0; }, "at least one"));
    EXPECT_TRUE(refused([](rx_options& o) { o.frame_bytes = ~0u; }, "geometry"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.page_bytes = 0; }, "geometry"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.strides = {100, 16}; }, "geometry"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.strides = {0, 0}; }, "geometry"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.work_buffers = 0; }, "geometry"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.headroom = ~0u; }, "geometry"));
    EXPECT_TRUE(refused([](rx_options& o) { o.packets = 100'000; }, "region_bytes"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.strides = {256, 4}, o.geometry.page_bytes = 1024; },
                        "does not fit in a work buffer"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.page_bytes = 256, o.frame_bytes = 4097; },
                        "more pages than a packet has fragments"));
    EXPECT_TRUE(refused([](rx_options& o) { o.geometry.strides = {256, 8}; }, "whole number"));
}

// A device that cannot cut memory as it is told, and says so.
struct coarse_device : scripted_device<buffer_model::striding> {
    result<receive_setup> configure(const receive_setup& wanted) noexcept {
        receive_setup mine = wanted;
        mine.strides.stride_bytes *= 2;
        return mine;
    }
};
struct forgetful_device : scripted_device<buffer_model::striding> {
    result<receive_setup> configure(const receive_setup& wanted) noexcept {
        receive_setup mine = wanted;
        mine.completions -= missing;
        return mine;
    }
    std::uint64_t missing = 1;
};
struct refusing_device : scripted_device<buffer_model::striding> {
    result<receive_setup> configure(const receive_setup&) noexcept {
        return make_error(std::errc::no_such_device, "the cable is out");
    }
};
struct unreachable_device : scripted_device<buffer_model::striding> {
    result<mapping> attach(region&) noexcept {
        return make_error(std::errc::no_such_device, "the IOMMU is full");
    }
};
template <class Device>
std::string what_create_says() {
    using queue_type = rx_queue<Device, stride_copy>;
    constexpr rx_options options{.packets = 8};
    auto memory = memory_for(queue_type::region_bytes(options));
    Device device;
    const auto made = queue_type::create(device, *memory, options);
    return made ? "" : made.error().advice;
}
TEST(receive_memory, passes_on_what_the_device_says) {
    EXPECT_EQ(what_create_says<scripted_device<buffer_model::striding>>(), "");
    EXPECT_NE(what_create_says<coarse_device>().find("cannot cut memory"), std::string::npos);
    EXPECT_EQ(what_create_says<refusing_device>(), "the cable is out");
    EXPECT_EQ(what_create_says<unreachable_device>(), "the IOMMU is full");
}

// 8 work buffers of 1024 strides.
TEST(receive_memory, asks_for_as_many_completions_as_there_are_strides) {
    using queue_type = rx_queue<forgetful_device, stride_copy>;
    constexpr rx_options options{.packets = 8};
    auto memory = memory_for(queue_type::region_bytes(options));
    forgetful_device device;
    const auto made = queue_type::create(device, *memory, options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, std::errc::not_supported);
    EXPECT_NE(std::strstr(made.error().advice, "fewer completions"), nullptr);
    EXPECT_EQ(made.error().wanted, 8192u);
    EXPECT_EQ(made.error().found, 8191u);
    device.missing = 0;
    EXPECT_TRUE(queue_type::create(device, *memory, options));
}

} // namespace
