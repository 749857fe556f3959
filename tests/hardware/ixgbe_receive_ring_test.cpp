// SPDX-License-Identifier: BSL-1.0
// The receive ring of the 82599 with a card that is played by hand: what is left over when it begins anew,
// and what is not.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"

namespace {

using ixgbe::descriptor;
using noria::buffer_post;
using noria::completion;
namespace rx = ixgbe::rx;

// Memory for rings, and the card that has them.
struct hand_card {
    noria::result<hardware::dma_memory> allocate(std::size_t bytes, std::size_t) noexcept {
        ring.resize(bytes / sizeof(descriptor));
        return hardware::dma_memory{.bytes = std::as_writable_bytes(std::span(ring)), .iova = 0x1000};
    }
    noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        return noria::mapping(memory.bytes(), 0x10'0000);
    }

    // A frame, or a part of one that has no end. `header_bytes` are split off.
    void fill(std::size_t index, std::uint32_t length, std::uint32_t status = rx::end_of_packet,
              std::uint32_t header_bytes = 0) {
        ring.at(index) = {
            {header_bytes != 0 ? rx::split | header_bytes << 21 : 0, 0, rx::done | status, length}};
    }
    bool was_given(std::size_t index, std::uint64_t packet_iova, std::uint64_t header_iova) const {
        descriptor expected;
        ixgbe::write_receive(expected, packet_iova, header_iova);
        return std::ranges::equal(ring.at(index).words, expected.words);
    }

    std::vector<descriptor> ring;
};

constexpr std::uint64_t iova_of(std::uint32_t id) {
    return 0x10'0000 + std::uint64_t{id} * 2048;
}

class ixgbe_receive_ring : public testing::TestWithParam<bool> {
  protected:
    static constexpr std::uint32_t size = 16;

    ixgbe_receive_ring() { EXPECT_FALSE(ring.make(card, size).code); }

    std::uint32_t give(std::uint32_t how_many) {
        std::vector<buffer_post> posts;
        for (; how_many != 0; --how_many, ++next_)
            posts.push_back({.iova = iova_of(next_), .id = next_, .length = 2048});
        return ring.give(posts);
    }
    std::vector<completion> read(std::size_t most = 64) {
        std::vector<completion> got(most);
        got.resize(ring.read(got));
        return got;
    }

    const bool splits = GetParam();
    hand_card card;
    ixgbe::receive_ring ring{splits};

  private:
    std::uint32_t next_ = 0; // id
};
INSTANTIATE_TEST_SUITE_P(headers, ixgbe_receive_ring, testing::Bool(),
                         [](const auto& of) { return of.param ? "split_off" : "in_place"; });

// Whatever state an earlier queue has left it in.
TEST_P(ixgbe_receive_ring, made_anew_it_is_as_new) {
    const std::uint32_t each = splits ? 2 : 1; // buffers a descriptor
    using leave = std::function<void()>;
    const std::vector<leave> leftovers = {
        [&] { give(3 * each + 1); }, // where headers are split one waits for its body
        [&] {                        // filled and not read
            give(4 * each);
            card.fill(0, 60);
        },
        [&] { // a frame without its end
            give(4 * each);
            card.fill(0, 2048, 0);
            EXPECT_EQ(read().size(), 1u);
        },
        [&] { // and the next one is marked for it
            give(4 * each);
            card.fill(0, 2048, 0);
            EXPECT_EQ(read().size(), 1u);
            ring.begin_at_zero();
        },
        [&] { // a frame of two completions, and room for one
            give(4 * each);
            card.fill(0, 500, rx::end_of_packet, splits ? 54 : 0);
            EXPECT_EQ(read(1).size(), 1u);
            EXPECT_EQ(ring.has_unread(), splits);
        },
        [&] { // header buffers that were not needed
            give(4 * each);
            card.fill(0, 60);
            card.fill(1, 60);
            EXPECT_EQ(read().size(), 2u);
        },
    };
    for (std::size_t i = 0; i != leftovers.size(); ++i)
        for (const std::uint32_t descriptors : {8u, size}) {
            SCOPED_TRACE(testing::Message() << "leftover " << i << ", " << descriptors << " descriptors");
            EXPECT_FALSE(ring.make(card, size).code);
            leftovers[i]();
            EXPECT_FALSE(ring.make(card, descriptors).code);
            EXPECT_EQ(ring.size(), descriptors);
            EXPECT_EQ(ring.tail(), 0u);
            EXPECT_FALSE(ring.has_unread());
            for (std::size_t n = 0; n != descriptors; ++n)
                EXPECT_TRUE(card.was_given(n, 0, 0)) << n;
            EXPECT_TRUE(read().empty());
            for (std::uint32_t n = 1; n <= each; ++n) {
                EXPECT_EQ(give(1), 1u);
                EXPECT_EQ(ring.tail(), n / each) << "buffers from before are in the ring";
            }
            card.fill(0, 60);
            const std::vector<completion> got = read();
            ASSERT_EQ(got.size(), 1u);
            EXPECT_EQ(got[0].length, 60u);
            EXPECT_EQ(got[0].flags, completion::end_of_packet);
        }
    // The same where the frame comes after the start that follows.
    give(2 * each);
    card.fill(1, 2048, 0);
    static_cast<void>(read());
    EXPECT_FALSE(ring.make(card, size).code);
    ring.begin_at_zero();
    give(each);
    card.fill(0, 60);
    ASSERT_EQ(read().size(), 1u);
}

// Stopped and started, wherever it stood: the buffers that are still to be filled are in front, each with its
// headers' one.
TEST_P(ixgbe_receive_ring, begins_at_zero_with_the_buffers_it_has) {
    const std::uint32_t each = splits ? 2 : 1;
    std::uint32_t next = 0; // id
    std::uint32_t out = 0;  // descriptors that the card has
    for (int round = 0; round != 40; ++round) {
        const std::uint32_t first = ring.tail() >= out ? ring.tail() - out : ring.tail() + size - out;
        const std::uint32_t filled = std::min(out, static_cast<std::uint32_t>(round) % 7);
        for (std::uint32_t i = 0; i != filled; ++i)
            card.fill((first + i) % size, 500, rx::end_of_packet, splits ? 54 : 0);
        for (const completion& got : read())
            EXPECT_EQ(got.id, next++);
        out -= filled;
        if (round % 3 == 2) {
            ring.begin_at_zero();
            EXPECT_EQ(ring.tail(), out);
            EXPECT_FALSE(ring.has_unread());
            for (std::uint32_t i = 0; i != out; ++i) {
                const std::uint32_t id = next + i * each;
                EXPECT_TRUE(splits ? card.was_given(i, iova_of(id + 1), iova_of(id))
                                   : card.was_given(i, iova_of(id), 0))
                    << i;
            }
        }
        const std::uint32_t more = std::min(size - 1 - out, static_cast<std::uint32_t>(round) % 5 + 2);
        EXPECT_EQ(give(more * each), more * each);
        out += more;
    }
    EXPECT_GT(next, 3 * size);
}

// Its end was lost with the stop, so the next end is not to be trusted: that one, and no other.
TEST_P(ixgbe_receive_ring, a_frame_that_a_stop_has_cut_in_two_spoils_one_end) {
    const std::uint32_t each = splits ? 2 : 1;
    give(8 * each);
    card.fill(0, 2048, 0);
    EXPECT_EQ(read().size(), 1u);
    ring.begin_at_zero();
    card.fill(0, 2048, 0);
    card.fill(1, 60);
    card.fill(2, 60);
    const std::vector<completion> got = read();
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[0].flags, 0u);
    EXPECT_EQ(got[1].flags, completion::end_of_packet | completion::error);
    EXPECT_EQ(got[2].flags, completion::end_of_packet);
    ring.begin_at_zero();
    card.fill(0, 60);
    EXPECT_EQ(read().at(0).flags, completion::end_of_packet) << "that one was whole";
}

// One more than a ring of n descriptors says "full" and "empty" alike: it takes n - 1.
TEST_P(ixgbe_receive_ring, never_gives_all_descriptors_away) {
    const std::uint32_t each = splits ? 2 : 1;
    EXPECT_EQ(give(100), (size - 1) * each);
    EXPECT_EQ(ring.tail(), size - 1);
    EXPECT_EQ(give(1), 0u);
}

// One comparison tells the plain ones from the others: all that a status can say, against the data sheet's
// words for it (7.1.6.2, 7.1.11).
TEST_P(ixgbe_receive_ring, says_what_the_status_says) {
    constexpr std::array bits = {rx::end_of_packet, rx::vlan,     rx::l4_checked, rx::ip_checked,
                                 rx::damaged,       rx::l4_error, rx::ip_error};
    constexpr std::uint32_t tag = 0xabc;
    for (std::uint32_t which = 0; which != 1u << bits.size(); ++which) {
        std::uint32_t status = 0;
        for (std::size_t i = 0; i != bits.size(); ++i)
            status |= (which >> i & 1) != 0 ? bits[i] : 0;
        const auto says = [&](std::uint32_t bit) { return (status & bit) != 0; };
        for (const std::uint32_t hash_type : {0u, 5u}) {
            SCOPED_TRACE(testing::Message() << std::hex << "status " << status << ", hash " << hash_type);
            ASSERT_FALSE(ring.make(card, size).code);
            give(splits ? 4 : 2);
            card.ring[0] = {{hash_type, 0x1234'5678, rx::done | status, 60 | tag << 16}};
            const std::vector<completion> got = read();
            ASSERT_EQ(got.size(), 1u);
            EXPECT_EQ(got[0].length, 60u);
            const bool end = says(rx::end_of_packet);
            const bool good =
                says(rx::l4_checked) && !says(rx::l4_error) && !(says(rx::ip_checked) && says(rx::ip_error));
            std::uint32_t flags = 0;
            if (end)
                flags |= completion::end_of_packet;
            if (end && good)
                flags |= completion::checksum_ok;
            if (end && says(rx::damaged))
                flags |= completion::error;
            EXPECT_EQ(got[0].flags, flags);
            EXPECT_EQ(got[0].hash, end && hash_type != 0 ? 0x1234'5678u : 0u);
            EXPECT_EQ(got[0].vlan, end && says(rx::vlan) ? tag : 0u);
        }
    }
}

// Headers that are longer than the buffer for them: all of the frame is in the other one, and the first is
// for the next descriptor.
TEST(ixgbe_receive_ring_of_twos, headers_that_did_not_fit_are_not_split_off) {
    hand_card card;
    ixgbe::receive_ring ring(true);
    ASSERT_FALSE(ring.make(card, 8).code);
    const std::array<buffer_post, 3> posts{{{.iova = iova_of(0), .id = 0, .length = 2048},
                                            {.iova = iova_of(1), .id = 1, .length = 2048},
                                            {.iova = iova_of(2), .id = 2, .length = 2048}}};
    ASSERT_EQ(ring.give(std::span(posts).first(2)), 2u);
    card.fill(0, 700, rx::end_of_packet | rx::header_overflow, 256);
    std::array<completion, 4> got;
    ASSERT_EQ(ring.read(got), 1u);
    EXPECT_EQ(got[0].id, 1u);
    EXPECT_EQ(got[0].length, 700u);
    ASSERT_EQ(ring.give(std::span(posts).last(1)), 1u);
    EXPECT_EQ(ring.tail(), 2u);
    EXPECT_TRUE(card.was_given(1, iova_of(2), iova_of(0)));
}

// There is no room for the second half: it is the first of the next read, and nothing can begin anew before.
TEST(ixgbe_receive_ring_of_twos, the_second_half_of_a_frame_waits_for_room) {
    hand_card card;
    ixgbe::receive_ring ring(true);
    ASSERT_FALSE(ring.make(card, 8).code);
    const std::array<buffer_post, 2> posts{
        {{.iova = iova_of(0), .id = 0, .length = 2048}, {.iova = iova_of(1), .id = 1, .length = 2048}}};
    ASSERT_EQ(ring.give(posts), 2u);
    card.fill(0, 500, rx::end_of_packet, 54);
    EXPECT_TRUE(ring.has_unread());
    std::array<completion, 1> got;
    ASSERT_EQ(ring.read(got), 1u);
    EXPECT_EQ(got[0].id, 0u);
    EXPECT_EQ(got[0].length, 54u);
    EXPECT_EQ(got[0].flags, 0u);
    EXPECT_TRUE(ring.has_unread());
    EXPECT_EQ(ring.read({}), 0u);
    ASSERT_EQ(ring.read(got), 1u);
    EXPECT_EQ(got[0].id, 1u);
    EXPECT_EQ(got[0].length, 500u);
    EXPECT_EQ(got[0].flags, completion::end_of_packet);
    EXPECT_FALSE(ring.has_unread());
}

#if NORIA_CONTRACT == 2
// The address of a header buffer lies over the status: an odd one would say that the card is done with it.
TEST(ixgbe_receive_ring_death_test, a_header_buffer_at_an_odd_address) {
    for (const auto mode : {ixgbe::receive_mode::buffers, ixgbe::receive_mode::header_split}) {
        ixgbe_test::opened_card c({.receive = {.mode = mode}});
        ixgbe_test::receive_backend& queue = c.driver->receive(0);
        ASSERT_TRUE(queue.configure({.descriptors = 64, .buffer_bytes = 2048}));
        const buffer_post odd{.iova = iova_of(0) + 65, .id = 0, .length = 2048};
        if (mode == ixgbe::receive_mode::buffers)
            EXPECT_EQ(queue.post({&odd, 1}), 1u) << "here it is no header's";
        else
            EXPECT_DEATH(static_cast<void>(queue.post({&odd, 1})), "headroom is even");
    }
}
#endif

} // namespace
