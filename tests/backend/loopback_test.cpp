// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/loopback.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "noria/memory/region.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

static_assert(!std::is_copy_constructible_v<backend::loopback<buffer_model::striding>>);

// A card and a driver that does by hand what a queue would.
template <buffer_model Model>
struct driven_card {
    using card_type = backend::loopback<Model>;

    explicit driven_card(const receive_setup& setup, const backend::loopback_faults& faults = {})
        : card(std::make_unique<card_type>(faults)) {
        EXPECT_TRUE(card->configure(setup));
        dma.emplace(*card->attach(*memory));
    }

    void post(std::uint64_t offset, std::uint32_t id, std::uint32_t length) {
        const buffer_post one{.iova = dma->iova_of(at(offset)), .id = id, .length = length};
        EXPECT_EQ(card->post({&one, 1}), 1u);
    }
    std::vector<completion> reap() {
        std::vector<completion> all(1000);
        all.resize(card->reap(all));
        return all;
    }
    void offer(const std::vector<std::byte>& bytes) { EXPECT_TRUE(card->offer({.bytes = bytes})); }
    std::byte* at(std::uint64_t offset) { return memory->bytes().data() + offset; }
    bool holds(std::uint64_t offset, frame_bytes bytes) {
        return std::equal(bytes.begin(), bytes.end(), at(offset));
    }

    result<region> memory = region::map({.bytes = 1 << 20, .best = backing::plain_pages});
    std::unique_ptr<card_type> card;
    std::optional<mapping> dma;
};
using packet_card = driven_card<buffer_model::per_packet>;
using stride_card = driven_card<buffer_model::striding>;

constexpr receive_setup eight_buffers{.descriptors = 8};

TEST(loopback, an_iova_is_no_pointer) {
    packet_card c(eight_buffers);
    EXPECT_NE(c.dma->iova_of(c.at(0)), reinterpret_cast<std::uintptr_t>(c.at(0)));
    EXPECT_EQ(c.dma->address_of(reinterpret_cast<std::uintptr_t>(c.at(0)), 1), nullptr);
}

TEST(loopback, puts_each_frame_in_the_next_buffer) {
    random_steps random;
    packet_card c(eight_buffers);
    for (std::uint32_t i = 0; i != 8; ++i)
        c.post(i * 2048, 100 + i, 2048);
    std::vector<std::vector<std::byte>> frames;
    for (std::uint32_t i = 0; i != 8; ++i)
        frames.push_back(random_bytes(random, i == 0 ? 0 : i * 200));
    for (std::uint32_t i = 0; i != 8; ++i)
        EXPECT_TRUE(c.card->offer(
            {.bytes = frames[i], .hash = i, .checksum = 5, .vlan = 6, .flags = completion::checksum_sum}));
    EXPECT_TRUE(c.reap().empty()) << "nothing happens before the card is run";
    EXPECT_EQ(c.card->step(), 8u);
    const std::vector<completion> seen = c.reap();
    ASSERT_EQ(seen.size(), 8u);
    for (std::uint32_t i = 0; i != 8; ++i) {
        EXPECT_EQ(seen[i].id, 100 + i);
        EXPECT_EQ(seen[i].offset, 0u);
        EXPECT_EQ(seen[i].length, frames[i].size());
        EXPECT_EQ(seen[i].hash, i);
        EXPECT_EQ(seen[i].checksum, 5u);
        EXPECT_EQ(seen[i].vlan, 6u);
        EXPECT_EQ(seen[i].flags, completion::end_of_packet | completion::checksum_sum);
        EXPECT_TRUE(c.holds(i * 2048, frames[i]));
        EXPECT_EQ(*c.at(i * 2048 + frames[i].size()), std::byte{}) << "not one byte more";
    }
}

TEST(loopback, spreads_a_long_frame_over_several_buffers) {
    random_steps random;
    packet_card c(eight_buffers);
    const auto frame = random_bytes(random, 2500);
    c.offer(frame);
    c.post(0, 1, 1000);
    c.post(4096, 2, 1000);
    EXPECT_EQ(c.card->step(), 0u) << "two are too few, and none is used";
    EXPECT_EQ(c.card->fifo_waiting(), 1u);
    EXPECT_TRUE(c.reap().empty());
    c.post(8192, 3, 1000);
    EXPECT_EQ(c.card->step(), 1u);
    const std::vector<completion> seen = c.reap();
    ASSERT_EQ(seen.size(), 3u);
    EXPECT_EQ(seen[0].length + seen[1].length + seen[2].length, 2500u);
    EXPECT_EQ(seen[0].flags, 0u);
    EXPECT_EQ(seen[1].flags, 0u);
    EXPECT_EQ(seen[2].flags, completion::end_of_packet);
    EXPECT_TRUE(c.holds(0, frame_bytes(frame).first(1000)));
    EXPECT_TRUE(c.holds(4096, frame_bytes(frame).subspan(1000, 1000)));
    EXPECT_TRUE(c.holds(8192, frame_bytes(frame).subspan(2000)));
}

TEST(loopback, a_frame_longer_than_64_buffers_is_lost) {
    random_steps random;
    packet_card c({.descriptors = 100});
    for (std::uint32_t i = 0; i != 100; ++i)
        c.post(i * 64, i, 64);
    const auto too_long = random_bytes(random, 64 * 64 + 1);
    const auto just_fits = random_bytes(random, 64 * 64);
    c.offer(too_long);
    c.offer(just_fits);
    EXPECT_EQ(c.card->step(), 2u);
    EXPECT_EQ(c.card->lost(), 1u);
    EXPECT_EQ(c.reap().size(), 64u);
    EXPECT_TRUE(c.holds(0, just_fits));
}

TEST(loopback, believes_no_iova_outside_its_region) {
    random_steps random;
    packet_card c(eight_buffers);
    const auto frame = random_bytes(random, 100);
    const std::uint64_t first = c.dma->iova_of(c.at(0));
    const std::uint64_t last = first + c.memory->bytes().size();
    for (const std::uint64_t iova : {std::uint64_t{0}, first - 1, last - 99, last, ~std::uint64_t{0}}) {
        const buffer_post bad{.iova = iova, .id = 9, .length = 2048};
        ASSERT_EQ(c.card->post({&bad, 1}), 1u);
        c.offer(frame);
        EXPECT_EQ(c.card->step(), 1u);
        EXPECT_EQ(c.reap().size(), 1u) << "the bytes go nowhere, the completion comes";
    }
    EXPECT_EQ(*c.at(0), std::byte{});
    EXPECT_TRUE(
        std::ranges::all_of(c.memory->bytes().last(100), [](std::byte b) { return b == std::byte{}; }));
}

TEST(loopback, misses_frames_when_its_fifo_is_full) {
    random_steps random;
    packet_card c(eight_buffers);
    const auto frame = random_bytes(random, 60);
    for (std::uint32_t i = 0; i != 512; ++i) {
        EXPECT_EQ(c.card->fifo_room(), 512 - i);
        c.offer(frame);
    }
    EXPECT_FALSE(c.card->offer({.bytes = frame}));
    EXPECT_EQ(c.card->offered(), 513u);
    EXPECT_EQ(c.card->missed(), 1u);
    EXPECT_EQ(c.card->fifo_waiting(), 512u);
    c.post(0, 0, 2048);
    EXPECT_EQ(c.card->step(), 1u);
    EXPECT_TRUE(c.card->offer({.bytes = frame}));
    c.post(0, 0, 2048);
    c.post(0, 0, 2048);
    EXPECT_EQ(c.card->step(1), 1u) << "no more than it is told";
}

TEST(loopback, takes_no_more_posts_than_it_has_descriptors) {
    packet_card c(eight_buffers);
    const std::vector<buffer_post> posts(20, {.iova = 0, .id = 0, .length = 64});
    EXPECT_EQ(c.card->post(posts), 8u);
    EXPECT_EQ(c.card->post(posts), 0u);
}

// Two pages of four strides are one work buffer.
constexpr receive_setup two_work_buffers{
    .descriptors = 4, .strides = {256, 8}, .posts_per_work_buffer = 2, .frame_offset = 0};

TEST(loopback, lays_frame_behind_frame_in_whole_strides) {
    random_steps random;
    stride_card c(two_work_buffers);
    const auto short_one = random_bytes(random, 60);
    const auto empty = random_bytes(random, 0);
    const auto over_the_edge = random_bytes(random, 1000);
    c.post(0, 77, 1024);
    for (const auto* each : {&short_one, &empty, &over_the_edge})
        c.offer(*each);
    EXPECT_EQ(c.card->step(), 0u) << "half a work buffer is none";
    c.post(8192, 77, 1024);
    EXPECT_EQ(c.card->step(), 3u);
    const std::vector<completion> seen = c.reap();
    ASSERT_EQ(seen.size(), 3u);
    constexpr std::array<std::uint32_t, 3> offsets{0, 256, 512}, strides{1, 1, 4}, lengths{60, 0, 1000};
    for (std::size_t i = 0; i != 3; ++i) {
        EXPECT_EQ(seen[i].id, 77u);
        EXPECT_EQ(seen[i].offset, offsets[i]);
        EXPECT_EQ(seen[i].strides, strides[i]);
        EXPECT_EQ(seen[i].length, lengths[i]);
        EXPECT_EQ(seen[i].flags, completion::end_of_packet);
    }
    EXPECT_TRUE(c.holds(0, short_one));
    EXPECT_TRUE(c.holds(512, frame_bytes(over_the_edge).first(512)));
    EXPECT_TRUE(c.holds(8192, frame_bytes(over_the_edge).subspan(512))) << "it goes on on the next page";
}

TEST(loopback, fills_up_a_work_buffer_that_a_frame_does_not_fit_in) {
    random_steps random;
    stride_card c(two_work_buffers);
    const auto five = random_bytes(random, 5 * 256);
    c.post(0, 1, 1024);
    c.post(1024, 1, 1024);
    c.offer(five);
    c.offer(five);
    EXPECT_EQ(c.card->step(), 1u);
    std::vector<completion> seen = c.reap();
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[1].flags, completion::filler);
    EXPECT_EQ(seen[1].offset, 5u * 256);
    EXPECT_EQ(seen[1].strides, 3u);
    EXPECT_EQ(c.card->step(), 0u);
    EXPECT_TRUE(c.reap().empty()) << "one filler is enough, however long the next buffer takes";
    c.post(4096, 2, 1024);
    c.post(5120, 2, 1024);
    EXPECT_EQ(c.card->step(), 1u);
    seen = c.reap();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].id, 2u);
    EXPECT_EQ(seen[0].offset, 0u);
    EXPECT_TRUE(c.holds(4096, five));
}

TEST(loopback, leaves_room_in_front_of_each_frame_where_it_is_told_to) {
    random_steps random;
    stride_card c({.descriptors = 2, .strides = {256, 8}, .posts_per_work_buffer = 1, .frame_offset = 64});
    const auto fits = random_bytes(random, 192);
    const auto one_more = random_bytes(random, 193);
    const auto whole = random_bytes(random, 2048 - 64);
    const auto too_long = random_bytes(random, 2048 - 63);
    c.post(0, 1, 2048);
    c.post(4096, 2, 2048);
    for (const auto* each : {&fits, &one_more, &too_long, &whole})
        c.offer(*each);
    EXPECT_EQ(c.card->step(), 4u);
    EXPECT_EQ(c.card->lost(), 1u) << "longer than a work buffer";
    const std::vector<completion> seen = c.reap();
    ASSERT_EQ(seen.size(), 4u);
    EXPECT_EQ(seen[0].strides, 1u);
    EXPECT_EQ(seen[1].strides, 2u);
    EXPECT_EQ(seen[2].flags, completion::filler);
    EXPECT_EQ(seen[3].strides, 8u);
    EXPECT_TRUE(c.holds(64, fits));
    EXPECT_TRUE(c.holds(256 + 64, one_more));
    EXPECT_TRUE(c.holds(4096 + 64, whole));
}

TEST(loopback, says_what_cannot_be_set_up) {
    const auto refused = [](auto model, const receive_setup& setup) {
        const auto card = std::make_unique<backend::loopback<decltype(model)::value>>();
        return !card->configure(setup);
    };
    constexpr std::integral_constant<buffer_model, buffer_model::per_packet> packets;
    constexpr std::integral_constant<buffer_model, buffer_model::striding> strides;
    EXPECT_TRUE(refused(packets, {.descriptors = 0}));
    EXPECT_TRUE(refused(packets, {.descriptors = (1u << 20) + 1}));
    EXPECT_FALSE(refused(packets, eight_buffers));
    EXPECT_FALSE(refused(strides, two_work_buffers));
    receive_setup bad = two_work_buffers;
    bad.descriptors = 5;
    EXPECT_TRUE(refused(strides, bad)) << "half a work buffer";
    bad = two_work_buffers;
    bad.posts_per_work_buffer = 0;
    EXPECT_TRUE(refused(strides, bad));
    bad = two_work_buffers;
    bad.strides = {100, 8};
    EXPECT_TRUE(refused(strides, bad));
    EXPECT_TRUE(refused(strides, {.descriptors = 1024, .strides = {64, 1u << 16}})) << "2^26 completions";
}

TEST(loopback, has_room_for_all_completions_that_can_be_under_way) {
    packet_card packets(eight_buffers);
    EXPECT_EQ(packets.card->configure(eight_buffers)->completions, 8u);
    stride_card strides(two_work_buffers);
    EXPECT_EQ(strides.card->configure(two_work_buffers)->completions, 16u);
    for (std::uint32_t n = 0; n != 4; ++n)
        strides.post(n * 1024, n / 2, 1024);
    const std::vector<std::byte> shortest(1);
    for (std::uint32_t n = 0; n != 20; ++n)
        strides.offer(shortest);
    EXPECT_EQ(strides.card->step(), 16u) << "one a stride, and nobody has read one";
    EXPECT_EQ(strides.reap().size(), 16u);
}

// A card that was a queue's before has forgotten all of it.
TEST(loopback, begins_anew_when_it_is_set_up_again) {
    random_steps random;
    packet_card c(eight_buffers);
    const auto frame = random_bytes(random, 1500);
    c.post(0, 1, 1000);
    c.offer(frame);
    EXPECT_EQ(c.card->step(), 0u) << "now it has taken a buffer over and waits for a second";
    ASSERT_TRUE(c.card->configure(eight_buffers));
    c.post(4096, 2, 2048);
    EXPECT_EQ(c.card->step(), 1u);
    const std::vector<completion> seen = c.reap();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].id, 2u);
    EXPECT_EQ(*c.at(0), std::byte{});

    stride_card s(two_work_buffers);
    s.post(0, 1, 1024);
    s.post(1024, 1, 1024);
    s.offer(frame);
    EXPECT_EQ(s.card->step(), 1u);
    ASSERT_TRUE(s.card->configure(two_work_buffers));
    s.post(4096, 2, 1024);
    s.post(5120, 2, 1024);
    s.offer(frame);
    EXPECT_EQ(s.card->step(), 1u);
    const std::vector<completion> again = s.reap();
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].offset, 0u);
    EXPECT_TRUE(s.holds(4096, frame));
}

TEST(loopback, does_nothing_before_it_is_set_up) {
    const auto card = std::make_unique<backend::loopback<buffer_model::per_packet>>();
    EXPECT_TRUE(card->offer({}));
    EXPECT_EQ(card->step(), 0u);
}

// One fault at a time, every time.
struct faulty : packet_card {
    explicit faulty(const backend::loopback_faults& faults) : packet_card({.descriptors = 64}, faults) {
        for (std::uint32_t i = 0; i != 64; ++i)
            post(i * 2048, i, 2048);
    }
    random_steps random;
    std::vector<std::byte> frame = random_bytes(random, 101);
};
TEST(loopback, drops_on_the_wire) {
    faulty c({.drop = 1});
    c.offer(c.frame);
    EXPECT_EQ(c.card->step(), 1u);
    EXPECT_EQ(c.card->lost(), 1u);
    EXPECT_TRUE(c.reap().empty());
    EXPECT_EQ(*c.at(0), std::byte{});
}
TEST(loopback, truncates) {
    faulty c({.truncate = 1});
    c.offer(c.frame);
    EXPECT_EQ(c.card->step(), 1u);
    EXPECT_EQ(c.reap().at(0).length, 50u);
    EXPECT_TRUE(c.holds(0, frame_bytes(c.frame).first(50)));
    EXPECT_EQ(*c.at(50), std::byte{});
}
TEST(loopback, damages) {
    faulty c({.error = 1});
    c.offer(c.frame);
    EXPECT_EQ(c.card->step(), 1u);
    EXPECT_EQ(c.reap().at(0).flags, completion::end_of_packet | completion::error);
}
TEST(loopback, duplicates) {
    faulty c({.duplicate = 1});
    c.offer(c.frame);
    EXPECT_EQ(c.card->step(), 1u);
    const std::vector<completion> seen = c.reap();
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].id, seen[1].id);
}
TEST(loopback, is_late) {
    faulty c({.late = 1});
    for (int i = 0; i != 3; ++i) {
        c.offer(c.frame);
        EXPECT_EQ(c.card->step(), 1u);
        EXPECT_EQ(c.reap().size(), i == 0 ? 0u : 1u) << "each comes with the next step";
    }
    EXPECT_EQ(c.card->step(), 0u);
    EXPECT_EQ(c.reap().size(), 1u);
}
// What came before a late one is not late, and what comes behind it is.
TEST(loopback, is_late_from_the_first_late_frame_on) {
    for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u}) {
        const backend::loopback_faults faults{.late = 20, .seed = seed};
        faulty c(faults);
        fault_model model(faults);
        std::size_t on_time = 0;
        while (on_time != 50 && !model.strikes(20))
            ++on_time;
        for (int i = 0; i != 50; ++i)
            c.offer(c.frame);
        EXPECT_EQ(c.card->step(), 50u);
        EXPECT_EQ(c.reap().size(), on_time) << "seed " << seed;
        EXPECT_EQ(c.card->step(), 0u);
        EXPECT_EQ(c.reap().size(), 50 - on_time);
    }
}

} // namespace
