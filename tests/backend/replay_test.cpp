// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/replay.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

template <class Strategy>
struct playing_back : testing::Test {
    using card_type = backend::replay<Strategy::supply::model>;
    using queue_type = rx_queue<card_type, Strategy>;

    playing_back() {
        for (std::uint32_t i = 0; i != 3; ++i) {
            bytes.push_back(random_bytes(random, 60 + i));
            frames.push_back({.bytes = bytes.back(), .hash = i, .flags = completion::checksum_ok});
        }
    }

    random_steps random;
    std::vector<std::vector<std::byte>> bytes;
    std::vector<backend::wire_frame> frames;
    rx_options options{.descriptors = 64, .packets = 100};
    result<region> memory = region::map({.bytes = queue_type::region_bytes(options)});
};
using replayed = testing::Types<per_packet, stride_copy>;
TYPED_TEST_SUITE(playing_back, replayed);

TYPED_TEST(playing_back, gives_the_frames_over_and_over) {
    typename TestFixture::card_type card(this->frames);
    auto queue = TestFixture::queue_type::create(card, *this->memory, this->options);
    ASSERT_TRUE(queue) << queue.error().advice;
    EXPECT_EQ(card.step(10), this->options.descriptors == 0 ? 10u : 0u) << "no buffer was posted yet";
    std::size_t next = 0;
    for (int i = 0; i != 100; ++i) {
        static_cast<void>(queue->poll(64, [&](packet_ptr packet) noexcept {
            EXPECT_TRUE(holds(*packet, this->bytes[next % 3]));
            EXPECT_EQ(packet->info().hash, next % 3);
            EXPECT_EQ(packet->info().checksum_state, checksum_state::unnecessary);
            ++next;
            packet.free(drop_reason::consumed);
        }));
        EXPECT_LE(card.step(7), 20u);
    }
    EXPECT_GT(next, 600u);
    EXPECT_EQ(card.card().offered(), 10u + 100 * 7);
}

TYPED_TEST(playing_back, misses_nothing_when_stepped_and_all_too_much_when_sent) {
    typename TestFixture::card_type card(this->frames);
    for (int i = 0; i != 10; ++i)
        EXPECT_EQ(card.step(200), 0u) << "nobody listens";
    EXPECT_EQ(card.card().offered(), 512u) << "its FIFO is full: no more is put on the wire";
    EXPECT_EQ(card.card().missed(), 0u);
    card.send(100);
    EXPECT_EQ(card.card().offered(), 612u);
    EXPECT_EQ(card.card().missed(), 100u);
}

#if NORIA_CONTRACT == 2
TEST(replay_death_test, needs_a_frame) {
    EXPECT_DEATH(backend::replay<buffer_model::per_packet>({}), "at least one frame");
}
#endif

TEST(replay, sends_through_its_card) {
    const std::vector<std::byte> bytes(60);
    const std::array<backend::wire_frame, 1> frames{{{.bytes = bytes}}};
    backend::replay<buffer_model::per_packet> device(frames);
    ASSERT_TRUE(device.configure_transmit({.descriptors = 4, .most_pieces = 18}));
    auto memory = region::map({.bytes = 4096, .best = backing::plain_pages, .prefault = false});
    const std::uint64_t iova = device.attach(*memory)->iova_of(memory->bytes().data());
    const transmit_post post{
        .iova = iova, .id = 3, .length = 60, .packet_bytes = 60, .flags = transmit_post::end_of_packet};
    EXPECT_EQ(device.transmit({&post, 1}), 1u);
    std::uint32_t seen = 0;
    device.card().sending().step(1, [&](std::span<const backend::transmitter::piece_bytes> pieces) noexcept {
        EXPECT_EQ(pieces[0].data(), memory->bytes().data());
        ++seen;
    });
    transmit_report report;
    EXPECT_EQ(device.reap_sent({&report, 1}), 1u);
    EXPECT_EQ(report.id, 3u);
    EXPECT_EQ(seen, 1u);
}

} // namespace
