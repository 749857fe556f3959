// SPDX-License-Identifier: BSL-1.0
// Receiving with the driver of the 82599, on the model of the card: each mode, each strategy, any frames.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/faulty.hpp"
#include "hardware/ixgbe_rig.hpp"
#include "hardware/model/by_hand.hpp"

namespace {

using namespace ixgbe_test;
using model82599::arrival;
using model82599::fault;

using strategies =
    testing::Types<noria::per_packet, noria::per_packet_copybreak, noria::page_attach, noria::build_around>;
struct strategy_name {
    template <class Strategy>
    static std::string GetName(int n) {
        static constexpr std::array names{"per_packet", "per_packet_copybreak", "page_attach",
                                          "build_around"};
        return names[static_cast<std::size_t>(n)];
    }
};

// What a frame may be laid out like.
struct layout {
    const char* name;
    std::uint32_t longest;    // frame
    std::uint32_t buffer_kib; // 1 for many buffers a frame
    ixgbe::receive_mode mode;
};
constexpr layout layouts[] = {
    {"one buffer", 1514, 2, ixgbe::receive_mode::buffers},
    {"several buffers", 1514, 1, ixgbe::receive_mode::buffers},
    {"jumbo", 9018, 2, ixgbe::receive_mode::buffers},
    {"headers split off", 1514, 2, ixgbe::receive_mode::header_split},
    {"headers split off jumbo", 9018, 1, ixgbe::receive_mode::header_split},
};

ixgbe::options card_options(const layout& as, bool drops = false) {
    ixgbe::options wanted;
    wanted.card.longest_frame = as.longest + 4;
    wanted.receive.mode = as.mode;
    wanted.receive.drop_when_dry = drops;
    return wanted;
}
noria::rx_options queue_options(const layout& as, std::uint32_t packets = 300) {
    // Whole buffers are as long as a frame: in whole KiB, so that the card uses all of it.
    const std::uint32_t frame_bytes = std::max(noria::round_up(as.longest, 1024u), as.buffer_kib * 1024u);
    return {.descriptors = 64,
            .packets = packets,
            .frame_bytes = frame_bytes,
            .geometry = ixgbe::geometry(as.buffer_kib)};
}

bytes any_frame(random_steps& random, std::uint32_t longest) {
    const std::uint32_t size = random.one_in(3) ? 60 + random.below(140) : 60 + random.below(longest - 59);
    if (random.one_in(2))
        return plain_frame(random, size);
    by_hand::frame_shape shape{.protocol = random.one_in(2) ? 6u : 17u,
                               .payload = size > 74 ? size - 74 : 10,
                               .ipv6 = random.one_in(2),
                               .source_port = random.below(65536)};
    bytes made = by_hand::make_frame(shape);
    made.resize(std::max<std::size_t>(made.size(), 60));
    return made;
}

template <class Strategy>
class ixgbe_receive : public testing::Test {
  protected:
    // Anything at any time, with a consumer that keeps up to `most_held` packets and frees them in any order.
    void run(rig<Strategy>& r, std::uint32_t longest, std::uint64_t steps, std::uint32_t most_held) {
        std::vector<bytes> frames;
        for (int i = 0; i != 200; ++i)
            frames.push_back(any_frame(random, longest));
        for (std::uint64_t i = 0; i != steps && !this->HasFailure(); ++i) {
            const std::uint32_t burst = random.one_in(40) ? 600 : random.below(60);
            for (std::uint32_t n = 0; n != burst; ++n)
                r.offer(random.pick(frames));
            r.step(random.one_in(4) ? random.below(20) : ~0u);
            r.poll(random.one_in(8) ? random.below(3) : random.below(100),
                   [&](noria::packet_ptr packet, bytes expected) noexcept {
                       if (r.held.size() < most_held && random.one_in(2))
                           r.hold(std::move(packet), std::move(expected));
                       else
                           packet.free(noria::drop_reason::consumed);
                   });
            for (std::uint32_t n = random.below(60); n != 0 && !r.held.empty(); --n)
                r.free_one(random);
        }
        r.free_all(random);
        r.settle();
        r.expect_nothing_held();
        r.expect_right_statistics();
        r.expect_no_faults();
    }

    random_steps random;
};
TYPED_TEST_SUITE(ixgbe_receive, strategies, strategy_name);

TYPED_TEST(ixgbe_receive, delivers_every_frame_once_in_order_and_unchanged) {
    for (const layout& as : layouts) {
        SCOPED_TRACE(as.name);
        rig<TypeParam> r(queue_options(as), card_options(as));
        this->run(r, as.longest, random_steps::count(300, 80), 150);
        EXPECT_GT(r.delivered(), 500u); // the ring has gone round several times
        EXPECT_EQ(r.dropped(), 0u);
    }
}

// The card's memory fills up, or the queue may drop: two counters, and the ledger closes with both.
TYPED_TEST(ixgbe_receive, what_finds_no_buffer_is_missed_or_dropped_and_counted_apart) {
    for (const bool drops : {false, true})
        for (const layout& as : layouts) {
            SCOPED_TRACE(as.name);
            rig<TypeParam> r(queue_options(as), card_options(as, drops));
            std::vector<bytes> frames;
            for (int i = 0; i != 50; ++i)
                frames.push_back(any_frame(this->random, as.longest));
            // Nobody polls: 512 KiB of frames wait in the card, unless they are dropped.
            for (int i = 0; i != 9000; ++i) {
                r.offer(this->random.pick(frames));
                r.step();
            }
            EXPECT_EQ(r.dry() != 0, drops);
            EXPECT_EQ(r.missed() != 0, !drops);
            EXPECT_EQ(r.in_fifo() != 0, !drops);
            r.settle();
            r.expect_nothing_held();
            r.expect_right_statistics();
            r.expect_no_faults();
        }
}

TYPED_TEST(ixgbe_receive, goes_on_after_stops_and_resets_at_any_time) {
    for (const layout& as : layouts) {
        SCOPED_TRACE(as.name);
        rig<TypeParam> r(queue_options(as), card_options(as));
        std::vector<bytes> frames;
        for (int i = 0; i != 50; ++i)
            frames.push_back(any_frame(this->random, as.longest));
        for (std::uint64_t round = random_steps::count(30, 6); round != 0 && !this->HasFailure(); --round) {
            for (std::uint32_t n = this->random.below(200); n != 0; --n) {
                r.offer(this->random.pick(frames));
                r.step(this->random.below(4));
                if (this->random.one_in(10))
                    r.poll(this->random.below(40), [](noria::packet_ptr, const bytes&) noexcept {});
            }
            r.reset();
            EXPECT_LE(r.dropped(), random_steps::count(30, 6)) << "at most one, for each frame cut in two";
        }
        r.settle();
        r.expect_nothing_held();
        EXPECT_GT(r.delivered(), 50u);
        r.expect_no_faults();
    }
}

constexpr layout plain = layouts[0];
using plain_rig = rig<noria::build_around>;

TEST(ixgbe_receive_queue, rings_once_for_a_batch) {
    plain_rig r(queue_options(plain), card_options(plain));
    r.poll(64, [](noria::packet_ptr, const bytes&) noexcept {});
    const std::uint64_t first = r.card.receive_doorbells();
    random_steps random;
    for (int i = 0; i != 16; ++i)
        r.offer(plain_frame(random, 60));
    r.step();
    r.poll(64, [](noria::packet_ptr, const bytes&) noexcept {});
    r.poll(64, [](noria::packet_ptr, const bytes&) noexcept {});
    EXPECT_EQ(r.card.receive_doorbells() - first, 1u) << "16 buffers went back";
}

// What the card says of a frame reaches the packet: hash, checksums, tag.
TEST(ixgbe_receive_queue, labels_packets_with_what_the_card_found_out) {
    plain_rig r(queue_options(plain), card_options(plain));
    const noria::toeplitz_hasher hasher;
    const auto receive = [&](const bytes& frame) {
        EXPECT_EQ(r.card.wire_in(frame), arrival::queued);
        static_cast<void>(r.rx().poll(64, [](noria::packet_ptr) noexcept {})); // there is a buffer for it
        r.card.step();
        noria::packet_info info;
        std::uint32_t size = 0;
        static_cast<void>(r.rx().poll(64, [&](noria::packet_ptr packet) noexcept {
            info = packet->info();
            size = packet->size();
        }));
        EXPECT_NE(size, 0u);
        return info;
    };
    for (const bool ipv6 : {false, true})
        for (const unsigned protocol : {6u, 17u})
            for (const bool tagged : {false, true})
                for (const bool good : {true, false}) {
                    bytes frame = by_hand::make_frame(
                        {.protocol = protocol, .payload = 100, .ipv6 = ipv6, .tagged = tagged});
                    if (!good)
                        frame.back() ^= std::byte{1};
                    const noria::packet_info info = receive(frame);
                    EXPECT_EQ(info.hash, noria::rss_hash(hasher, frame, noria::parse_headers(frame)));
                    EXPECT_EQ(info.vlan, tagged ? 0x6123u : 0u);
                    EXPECT_EQ(info.checksum_state,
                              good ? noria::checksum_state::unnecessary : noria::checksum_state::none);
                }
    random_steps random;
    const noria::packet_info info = receive(plain_frame(random, 200));
    EXPECT_EQ(info.hash, 0u);
    EXPECT_EQ(info.checksum_state, noria::checksum_state::none);
    r.expect_no_faults();
}

TEST(ixgbe_receive_queue, a_tag_stays_in_the_frame_when_it_was_not_to_be_stripped) {
    ixgbe::options wanted = card_options(plain);
    wanted.receive.strip_vlan = false;
    plain_rig r(queue_options(plain), wanted);
    r.poll(64, [](noria::packet_ptr, const bytes&) noexcept {});
    r.offer(by_hand::make_frame({.tagged = true}));
    r.step();
    r.poll(64, [](noria::packet_ptr packet, const bytes&) noexcept { EXPECT_EQ(packet->info().vlan, 0u); });
    EXPECT_EQ(r.delivered(), 1u);
}

// The headers are alone in the packet's head, and the payload begins at the start of another buffer.
TEST(ixgbe_receive_queue, splits_headers_off) {
    const layout& as = layouts[3];
    plain_rig r(queue_options(as), card_options(as));
    r.poll(64, [](noria::packet_ptr, const bytes&) noexcept {});
    const bytes tcp = by_hand::make_frame({.protocol = 6, .payload = 1000});
    const bytes bare = by_hand::make_frame({.protocol = 6, .payload = 6}); // all but six bytes of headers
    random_steps random;
    const bytes none = plain_frame(random, 500);
    for (const bytes& each : {tcp, none, bare, tcp})
        r.offer(each);
    r.step();
    std::vector<std::pair<std::uint32_t, std::size_t>> shapes;
    // One at a time: the two halves of a frame come in two polls.
    while (r.poll(1, [&](noria::packet_ptr packet, const bytes&) noexcept {
        shapes.emplace_back(packet->headlen(), packet->fragments().size());
    }) != 0) {
    }
    EXPECT_EQ(shapes,
              (std::vector<std::pair<std::uint32_t, std::size_t>>{{54, 1}, {500, 0}, {54, 1}, {54, 1}}));
    r.settle();
    r.expect_nothing_held();
    r.expect_no_faults();
}

TEST(ixgbe_receive_queue, says_what_it_cannot_do) {
    opened_card c;
    receive_backend& queue = c.driver->receive(0);
    const noria::receive_setup good{.descriptors = 64, .buffer_bytes = 2048};
    noria::receive_setup bad = good;
    bad.buffer_bytes = 1023;
    EXPECT_EQ(queue.configure(bad).error().found, 1023u);
    bad = good;
    bad.descriptors = 0;
    EXPECT_FALSE(queue.configure(bad));
    bad.descriptors = 8192;
    EXPECT_FALSE(queue.configure(bad));
    bad.descriptors = 8191;
    EXPECT_TRUE(queue.configure(bad));
    EXPECT_TRUE(queue.configure(good));
    for (const std::uint32_t header_bytes : {0u, 63u, 1088u}) {
        opened_card split(
            {.receive = {.mode = ixgbe::receive_mode::header_split, .header_bytes = header_bytes}});
        EXPECT_EQ(split.driver->receive(0).configure(good).error().found, header_bytes);
    }
    c.expect_no_faults();
}

// A ring of n buffers takes n and no more, whatever is left of the ring.
TEST(ixgbe_receive_queue, takes_as_many_buffers_as_was_said) {
    for (const auto mode : {ixgbe::receive_mode::buffers, ixgbe::receive_mode::header_split})
        for (const std::uint32_t n : {1u, 2u, 6u, 7u, 8u, 63u, 64u}) {
            opened_card c({.receive = {.mode = mode}});
            receive_backend& queue = c.driver->receive(0);
            const auto made = queue.configure({.descriptors = n, .buffer_bytes = 1024});
            if (n == 1 && mode == ixgbe::receive_mode::header_split) {
                EXPECT_EQ(made.error().wanted, 2u) << "a frame takes two";
                continue;
            }
            ASSERT_TRUE(made);
            const noria::buffer_post one{.iova = 0x10'0000'0000, .id = 0, .length = 1024};
            std::uint32_t taken = 0;
            while (queue.post({&one, 1}) == 1)
                ++taken;
            EXPECT_GE(taken, n);
            EXPECT_LE(taken, n + 2 * 8);
        }
}

// What is not split needs no header buffer: that must not hold up the buffers of a short ring until all of
// them wait as headers for a body.
TEST(ixgbe_receive_queue, a_short_ring_goes_on_with_frames_that_are_not_split) {
    constexpr std::uint32_t buffer_bytes = 2048;
    for (const std::uint32_t n : {2u, 7u, 8u, 16u})
        for (const bool some_split : {false, true}) {
            SCOPED_TRACE(testing::Message() << n << " buffers" << (some_split ? ", some frames split" : ""));
            random_steps random;
            opened_card c({.receive = {.mode = ixgbe::receive_mode::header_split}});
            receive_backend& queue = c.driver->receive(0);
            auto memory =
                need(noria::region::map({.bytes = n * buffer_bytes, .best = noria::backing::plain_pages}));
            const noria::mapping dma = need(queue.attach(memory));
            ASSERT_TRUE(queue.configure({.descriptors = n, .buffer_bytes = buffer_bytes}));
            c.start();
            const auto buffer = [&](std::uint32_t id) {
                return memory.bytes().subspan(std::size_t{id} * buffer_bytes, buffer_bytes);
            };
            std::vector<noria::buffer_post> free_ones;
            const auto give_back = [&](std::uint32_t id) {
                free_ones.push_back(
                    {.iova = dma.iova_of(buffer(id).data()), .id = id, .length = buffer_bytes});
            };
            for (std::uint32_t id = 0; id != n; ++id)
                give_back(id);
            for (std::uint64_t i = random_steps::count(1000, 100); i != 0; --i) {
                const std::uint32_t taken = queue.post(free_ones);
                free_ones.erase(free_ones.begin(), free_ones.begin() + taken);
                bytes frame = plain_frame(random, 60);
                frame[12] = std::byte{0x08}; // ARP
                frame[13] = std::byte{0x06};
                if (some_split && random.one_in(3))
                    frame = by_hand::make_frame({.protocol = 6, .payload = 300});
                ASSERT_EQ(c.card.wire_in(frame), arrival::queued);
                c.card.step();
                std::array<noria::completion, 2> done;
                const std::uint32_t pieces = queue.reap(done);
                ASSERT_NE(pieces, 0u) << "nothing came out, and " << i << " frames were to come";
                bytes got;
                for (const noria::completion& each : std::span(done).first(pieces)) {
                    ASSERT_LT(each.id, n);
                    ASSERT_LE(each.length, buffer_bytes);
                    const auto piece = buffer(each.id).first(each.length);
                    got.insert(got.end(), piece.begin(), piece.end());
                    give_back(each.id);
                }
                ASSERT_EQ(got, frame);
                ASSERT_LE(free_ones.size(), n) << "a buffer came back twice";
            }
            c.expect_no_faults();
        }
}

// A queue that does not stop, or start, when it is told to: the card may still write to its ring and to its
// buffers, so that neither is used anew before the card was reset.
TEST(ixgbe_receive_queue, is_not_used_again_before_a_reset_when_the_card_did_not_obey) {
    using registers_type = hardware::faulty<model82599::card::register_access>;
    using queue_type = ixgbe::receive_queue<registers_type, model82599::dma_memory_map, model82599::clock>;
    const noria::receive_setup setup{.descriptors = 8, .buffer_bytes = 2048};
    constexpr std::uint32_t control = ixgbe::reg::rxdctl::at(0);
    for (const bool stops : {true, false}) {
        opened_card c; // which has brought it up
        registers_type registers(c.registers);
        queue_type queue(registers, c.card.dma(), c.clock, 0, {});
        ASSERT_TRUE(queue.configure(setup));
        if (!stops)
            expect_ok(queue.stop());
        registers.stick(control, ixgbe::reg::rxdctl::enable, stops ? ~0u : 0);
        EXPECT_EQ((stops ? queue.stop() : queue.start()).code, std::errc::timed_out);
        EXPECT_TRUE(queue.running()) << "for all that anybody knows";
        const noria::buffer_post one{.iova = 0x10'0000'0000, .id = 0, .length = 2048};
        EXPECT_EQ(queue.post({&one, 1}), 0u);
        EXPECT_EQ(queue.start().code, std::errc::device_or_resource_busy);
        EXPECT_EQ(queue.stop().code, stops ? std::errc::timed_out : std::errc{});
        if (stops) {
            EXPECT_EQ(queue.configure(setup).error().code, std::errc::timed_out);
            EXPECT_EQ(queue.start().code, std::errc::device_or_resource_busy);
        }
        registers.let_go();
        expect_ok(c.driver->reset());
        queue.lost();
        EXPECT_TRUE(queue.configure(setup));
        EXPECT_TRUE(queue.running());
        expect_ok(queue.stop());
    }
}

} // namespace
