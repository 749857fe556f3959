// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/build.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/fresh_buffers.hpp"
#include "noria/queue/strategy.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"
#include "support/supplies.hpp"

namespace {

using namespace noria;

enum class part { none, constructor, attaches, needs_head, on_shortage, heads, reads, build };

// A builder that lacks one part.
template <part Without, bool Throws = false>
struct build_without {
    explicit build_without(const rx_options&) noexcept
        requires(Without != part::constructor);
    static constexpr std::conditional_t<Without == part::attaches, part, bool> attaches{};
    static constexpr std::conditional_t<Without == part::needs_head, part, bool> needs_head{};
    static constexpr std::conditional_t<Without == part::on_shortage, part, shortage> on_shortage{};
    static head_plan heads(const rx_options&) noexcept
        requires(Without != part::heads);
    std::uint32_t reads(std::uint32_t) noexcept
        requires(Without != part::reads);
    packet_ptr build(frame&, hand_supply&, packet_pool&, build_counters&) noexcept(!Throws)
        requires(Without != part::build);
};
static_assert(receive_build<build_without<part::none>, hand_supply>);
static_assert(!receive_build<build_without<part::none, true>, hand_supply>, "a data path does not throw");
static_assert(!receive_build<build_without<part::constructor>, hand_supply> &&
              !receive_build<build_without<part::attaches>, hand_supply> &&
              !receive_build<build_without<part::needs_head>, hand_supply> &&
              !receive_build<build_without<part::on_shortage>, hand_supply> &&
              !receive_build<build_without<part::heads>, hand_supply> &&
              !receive_build<build_without<part::reads>, hand_supply> &&
              !receive_build<build_without<part::build>, hand_supply>);
static_assert(!receive_build<build_without<part::none>, fresh_buffers>, "it was written for one supply only");

template <class Build>
constexpr std::array<bool, 3> says{Build::attaches, Build::needs_head,
                                   Build::on_shortage == shortage::leave_in_ring};
static_assert(says<wrap> == std::array{true, false, true} &&
              says<copy_all> == std::array{false, true, false});
static_assert(says<copy_short> == std::array{true, false, true});
static_assert(says<copy_head> == std::array{true, true, false});
static_assert(says<pull_headers> == std::array{true, true, true});

constexpr std::uint32_t page_bytes = 2048;

// Pages for frames, two sizes of head for copies, packets, and a builder over the archetype of a supply.
template <class Build>
struct bench {
    explicit bench(std::uint32_t packet_count = 8, std::uint32_t head_count = 8)
        : memory(64 * page_bytes), small_memory(head_count * 640), large_memory(head_count * 9472),
          small(*page_pool::create(small_memory.bytes(), 640)),
          large(*page_pool::create(large_memory.bytes(), 9472)),
          packets(*packet_pool::create(
              {.packets = packet_count, .heads = classes, .tail_overhead = options.geometry.tail_overhead})) {
    }

    // Cuts `bytes` in `pieces` and builds a packet of them.
    packet_ptr build(const std::vector<std::byte>& bytes, std::uint32_t pieces = 1) {
        for (std::uint32_t i = 0; i != pieces; ++i) {
            const std::size_t from = bytes.size() * i / pieces;
            const std::size_t to = bytes.size() * (i + 1) / pieces;
            EXPECT_TRUE(supply.lay(gathered, std::span(bytes).subspan(from, to - from)));
        }
        packet_ptr made = builder.build(gathered, supply, packets, counters);
        if (made) {
            EXPECT_TRUE(holds(*made, bytes));
            EXPECT_GE(made->truesize(), made->size());
            EXPECT_EQ(counters.references, supply.taken);
        }
        return made;
    }

    std::uint32_t heads_in_use() {
        return small.in_flight() - packets.heads_kept(0) + large.in_flight() - packets.heads_kept(1);
    }

    rx_options options{.packets = 8, .frame_bytes = 9018};
    memory_block memory, small_memory, large_memory;
    page_pool pages = *page_pool::create(memory.bytes(), page_bytes);
    page_pool small, large;
    std::array<page_pool*, 2> classes{&small, &large};
    packet_pool packets;
    hand_supply supply = *hand_supply::create(pages, options);
    Build builder{options};
    frame gathered;
    build_counters counters;
};

template <class Build>
class builder : public testing::Test {};
using all_builders = testing::Types<wrap, copy_all, copy_short, copy_head, pull_headers, adaptive_build>;
TYPED_TEST_SUITE(builder, all_builders);

TYPED_TEST(builder, makes_a_packet_of_any_frame) {
    random_steps random;
    bench<TypeParam> b;
    for (int i = 0; i != 500; ++i) {
        std::vector<std::byte> bytes = random_bytes(random, random.below(1537));
        if (random.one_in(2))
            make_udp(bytes);
        packet_ptr made = b.build(bytes, 1 + random.below(17));
        ASSERT_TRUE(made);
        EXPECT_EQ(b.counters.descriptors, static_cast<std::uint64_t>(i) + 1);
        EXPECT_GE(made->headroom(), made->is_linear() && b.supply.taken == 0 ? 64u : 0u);
        made.free(drop_reason::consumed);
        b.supply.settle(b.gathered);
        ASSERT_EQ(b.pages.in_flight(), 0u);
        ASSERT_EQ(b.heads_in_use(), 0u);
    }
}

TYPED_TEST(builder, an_empty_frame_becomes_an_empty_packet) {
    bench<TypeParam> b;
    b.gathered.describe({});
    for (int i = 0; i != 3; ++i) {
        packet_ptr made = b.builder.build(b.gathered, b.supply, b.packets, b.counters);
        ASSERT_TRUE(made) << "a work buffer gives an empty frame no piece";
        EXPECT_EQ(made->size(), 0u);
        EXPECT_TRUE(made->is_linear());
        made.free(drop_reason::consumed);
    }
    EXPECT_EQ(b.supply.taken, 0u);
}

TYPED_TEST(builder, what_could_not_be_built_is_untouched_and_can_be_built_later) {
    random_steps random;
    bench<TypeParam> b(1);
    for (const std::uint32_t length : {60u, 256u, 257u, 1514u}) {
        const auto bytes = random_bytes(random, length);
        packet_ptr in_the_way = b.packets.allocate(0);
        ASSERT_TRUE(in_the_way);
        const build_counters before = b.counters;
        EXPECT_FALSE(b.build(bytes, 3));
        EXPECT_EQ(b.gathered.length(), length);
        for (const piece& each : b.gathered.pieces()) {
            EXPECT_FALSE(each.taken);
            EXPECT_EQ(each.under->references(), 1u);
        }
        EXPECT_EQ(b.counters.copied_bytes, before.copied_bytes);
        EXPECT_EQ(b.counters.references, before.references);
        EXPECT_EQ(b.counters.heads, before.heads);
        in_the_way.free(drop_reason::consumed);
        EXPECT_EQ(b.heads_in_use(), 0u);
        packet_ptr made = b.builder.build(b.gathered, b.supply, b.packets, b.counters);
        ASSERT_TRUE(made);
        EXPECT_TRUE(holds(*made, bytes));
        made.free(drop_reason::consumed);
        b.supply.settle(b.gathered);
        EXPECT_EQ(b.pages.in_flight(), 0u);
    }
}

TEST(wrap, puts_the_packet_where_the_frame_lies) {
    random_steps random;
    bench<wrap> b;
    packet_ptr made = b.build(random_bytes(random, 1000), 2);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->data(), b.memory.bytes().data() + hand_supply::headroom);
    EXPECT_EQ(made->headlen(), 500u);
    EXPECT_EQ(made->headroom(), hand_supply::headroom);
    EXPECT_EQ(made->room_behind_tail(), page_bytes - 32 - 500);
    EXPECT_EQ(made->fragments().size(), 1u);
    EXPECT_EQ(made->truesize(), sizeof(packet) + 2 * page_bytes);
    EXPECT_EQ(b.counters.copied_bytes, 0u);
    EXPECT_EQ(b.counters.heads, 0u);
    EXPECT_EQ(b.counters.references, 2u);
}

TEST(copy_all, leaves_nothing_where_the_frame_lay) {
    random_steps random;
    bench<copy_all> b;
    packet_ptr short_one = b.build(random_bytes(random, 256));
    ASSERT_TRUE(short_one);
    b.supply.settle(b.gathered);
    EXPECT_EQ(b.pages.in_flight(), 0u);
    EXPECT_EQ(short_one->truesize(), sizeof(packet) + 640);
    EXPECT_EQ(short_one->headroom(), 64u);
    packet_ptr long_one = b.build(random_bytes(random, 257), 4);
    ASSERT_TRUE(long_one);
    EXPECT_EQ(long_one->truesize(), sizeof(packet) + 9472);
    EXPECT_EQ(b.counters.copied_bytes, 513u);
    EXPECT_EQ(b.counters.heads, 2u);
    EXPECT_EQ(b.counters.references, 0u);
    b.supply.settle(b.gathered);
}

TEST(copy_short, copies_up_to_the_copybreak_and_wraps_above) {
    random_steps random;
    bench<copy_short> b;
    packet_ptr copied = b.build(random_bytes(random, 256), 2);
    ASSERT_TRUE(copied);
    EXPECT_EQ(b.supply.taken, 0u);
    b.supply.settle(b.gathered);
    packet_ptr wrapped = b.build(random_bytes(random, 257));
    ASSERT_TRUE(wrapped);
    EXPECT_EQ(b.supply.taken, 1u);
    EXPECT_EQ(b.counters.copied_bytes, 256u);
    b.gathered.clear();
}

TEST(copy_short, wraps_after_all_when_there_is_no_head) {
    random_steps random;
    bench<copy_short> b(40, 1);
    std::vector<packet_ptr> held;
    while (packet_ptr each = b.packets.allocate(0))
        held.push_back(std::move(each));
    packet_ptr made = b.build(random_bytes(random, 60));
    ASSERT_TRUE(made);
    EXPECT_EQ(b.supply.taken, 1u);
    EXPECT_EQ(b.counters.heads, 0u);
    b.gathered.clear();
}

TEST(copy_head, copies_the_first_bytes_blindly) {
    random_steps random;
    bench<copy_head> b;
    packet_ptr made = b.build(random_bytes(random, 900), 3); // 300 bytes each
    ASSERT_TRUE(made);
    EXPECT_EQ(made->headlen(), 256u);
    ASSERT_EQ(made->fragments().size(), 3u);
    EXPECT_EQ(made->fragments()[0].length, 44u);
    EXPECT_EQ(made->fragments()[0].truesize, page_bytes) << "a short rest still pins all of it";
    EXPECT_EQ(made->fragments()[1].length, 300u);
    EXPECT_EQ(b.counters.copied_bytes, 256u);
    b.gathered.clear();
    // Pieces that the head swallowed whole are not kept.
    packet_ptr other = b.build(random_bytes(random, 1280), 10); // 128 bytes each
    ASSERT_TRUE(other);
    EXPECT_EQ(other->fragments().size(), 8u);
    EXPECT_EQ(b.supply.taken, 3u + 8u);
    b.supply.settle(b.gathered);
    EXPECT_EQ(b.pages.in_flight(), 3u + 8u);
}

TEST(pull_headers, pulls_ethernet_to_transport_and_no_more) {
    random_steps random;
    bench<pull_headers> b;
    std::vector<std::byte> udp = random_bytes(random, 900);
    make_udp(udp);
    packet_ptr made = b.build(udp, 2);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->headlen(), udp_headers);
    EXPECT_EQ(made->fragments().size(), 2u);
    EXPECT_EQ(b.counters.copied_bytes, udp_headers);
    b.gathered.clear();
    // What is no IP has just its Ethernet header pulled.
    std::vector<std::byte> other = random_bytes(random, 900);
    std::ranges::fill(std::span(other).subspan(12, 2), std::byte{0xff});
    packet_ptr second = b.build(other);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->headlen(), 14u);
    b.gathered.clear();
    // Headers that go on and on are pulled as far as the head has room for.
    noria::ethernet_header ethernet{};
    ethernet.type = ethertype::ipv6;
    noria::ipv6_header ip{};
    ip.version_class_flow = 0x6000'0000;
    ip.payload_length = 846;
    ip.next_header = ip_protocol::hop_by_hop;
    const noria::ipv6_extension extension{ip_protocol::udp, 99}; // 800 bytes
    std::memcpy(other.data(), &ethernet, sizeof ethernet);
    std::memcpy(other.data() + 14, &ip, sizeof ip);
    std::memcpy(other.data() + 54, &extension, sizeof extension);
    ASSERT_GT(parse_headers(other).header_length, 800);
    packet_ptr long_headers = b.build(other);
    ASSERT_TRUE(long_headers);
    EXPECT_EQ(long_headers->headlen(), 256u);
    b.gathered.clear();
    // A header that a piece ends in is pulled as far as it goes.
    packet_ptr third = b.build(udp, 17); // 52 or 53 bytes each
    ASSERT_TRUE(third);
    EXPECT_EQ(third->headlen(), udp_headers);
    b.gathered.clear();
}

// What is fetched ahead is what will be read: never more than there is to copy.
TEST(build, says_what_it_will_read) {
    const rx_options options{};
    const auto reads = [&](auto tag) {
        const typename decltype(tag)::type builder(options);
        return std::array{builder.reads(60), builder.reads(256), builder.reads(257), builder.reads(1514)};
    };
    using bytes = std::array<std::uint32_t, 4>;
    EXPECT_EQ(reads(std::type_identity<wrap>{}), (bytes{0, 0, 0, 0}));
    EXPECT_EQ(reads(std::type_identity<copy_all>{}), (bytes{60, 256, 257, 1514}));
    EXPECT_EQ(reads(std::type_identity<copy_short>{}), (bytes{60, 256, 0, 0}));
    EXPECT_EQ(reads(std::type_identity<copy_head>{}), (bytes{256, 256, 256, 256}));
    EXPECT_EQ(reads(std::type_identity<pull_headers>{}), (bytes{60, 256, 128, 128}));
    EXPECT_EQ(reads(std::type_identity<adaptive_build>{}), (bytes{60, 256, 0, 0}));
}

// A head for each packet that is copied, headroom and overhead included, smallest first; and some that hold
// the longest frame, a stride more since it may not begin where its stride does.
TEST(head_plan, has_the_sizes_that_are_needed) {
    struct expected {
        std::uint32_t bytes, heads;
    };
    const auto check = [](std::uint32_t longest, auto tag, std::vector<expected> sizes) {
        const head_plan plan = decltype(tag)::type::heads({.packets = 160, .frame_bytes = longest});
        sizes.resize(plan.sizes.size());
        for (std::size_t i = 0; i != sizes.size(); ++i) {
            EXPECT_EQ(plan.sizes[i].bytes, sizes[i].bytes);
            EXPECT_EQ(plan.sizes[i].heads, sizes[i].heads);
        }
    };
    check(200, std::type_identity<copy_all>{}, {{640, 160}, {896, 26}});
    check(1514, std::type_identity<copy_all>{}, {{640, 160}, {1920, 160}, {2176, 26}});
    check(9018, std::type_identity<copy_all>{}, {{640, 160}, {1920, 160}, {9664, 160}});
    check(9018, std::type_identity<adaptive_build>{}, {{640, 160}, {1920, 160}, {9664, 160}});
    check(9018, std::type_identity<wrap>{}, {{9664, 26}});
    check(9018, std::type_identity<copy_short>{}, {{640, 160}, {9664, 26}});
    check(9018, std::type_identity<copy_head>{}, {{640, 160}, {9664, 26}});
    check(9018, std::type_identity<pull_headers>{}, {{640, 160}, {9664, 26}});
    // Two that come out the same when they are rounded up are one: a packet pool takes no size twice.
    const head_plan plan =
        copy_all::heads({.packets = 160, .frame_bytes = 270, .geometry = {.headroom = 66}});
    EXPECT_EQ(plan.sizes[0].bytes, 704u);
    EXPECT_EQ(plan.sizes[0].heads, 160u);
    EXPECT_EQ(plan.sizes[1].bytes, 960u);
    EXPECT_EQ(plan.sizes[2].bytes, 0u);
}

// A copybreak beyond Ethernet has a size of its own, between that of most frames and that of the longest.
TEST(build, plans_a_head_for_what_is_copied_and_some_for_the_longest) {
    rx_options options{.packets = 32, .frame_bytes = 9018};
    const std::uint32_t spare = options.geometry.headroom + options.geometry.tail_overhead;
    const auto expect = [&](std::uint32_t copybreak,
                            std::vector<std::pair<std::uint32_t, std::uint32_t>> wanted) {
        options.geometry.copybreak = copybreak;
        const head_plan plan = copy_short::heads(options);
        wanted.resize(plan.sizes.size());
        for (std::size_t i = 0; i != plan.sizes.size(); ++i) {
            const std::uint32_t bytes =
                wanted[i].first == 0 ? 0 : round_up(wanted[i].first + spare, std::uint32_t{cache_line});
            EXPECT_EQ(plan.sizes[i].bytes, bytes) << copybreak << ", size " << i;
            EXPECT_EQ(plan.sizes[i].heads, wanted[i].second) << copybreak << ", size " << i;
        }
    };
    const std::uint32_t longest = 9018 + options.geometry.strides.stride_bytes;
    expect(0, {{longest, 18}});
    expect(128, {{128, 32}, {longest, 18}});
    expect(256, {{256, 32}, {longest, 18}});
    expect(1000, {{256, 32}, {1000, 32}, {longest, 18}});
    expect(4096, {{256, 32}, {1536, 32}, {4096, 32}, {longest, 18}});
    expect(9018, {{256, 32}, {1536, 32}, {longest, 32}});
    expect(~0u, {{256, 32}, {1536, 32}, {longest, 32}});
}

} // namespace
