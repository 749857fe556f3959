// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/receive_loop.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/tx_queue.hpp"
#include "support/every_strategy.hpp"
#include "support/packet_fixture.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

// The first byte of a frame says what shall become of it.
verdict verdict_of(std::span<const std::byte> bytes) {
    return bytes.empty() ? verdict::pass : static_cast<verdict>(static_cast<unsigned>(bytes[0]) % 4);
}

std::vector<std::byte> bytes_of_front(const packet& of) {
    std::vector<std::byte> first(of.size() == 0 ? 0 : 1);
    EXPECT_TRUE(of.copy_bits(0, first));
    return first;
}

struct all_stages {
    verdict early(std::span<std::byte> first, const frame& all) noexcept {
        ++asked;
        EXPECT_LE(first.size(), all.length());
        EXPECT_EQ(all.length() == 0, first.empty());
        return verdict_of(first);
    }
    bool send_back(packet_ptr& packet) noexcept {
        if (full)
            return false;
        EXPECT_EQ(verdict_of(bytes_of_front(*packet)), verdict::send_back);
        packet.free(drop_reason::consumed);
        ++sent_back;
        return true;
    }
    void redirect(packet_ptr packet) noexcept {
        EXPECT_EQ(verdict_of(bytes_of_front(*packet)), verdict::redirect);
        packet.free(drop_reason::consumed);
        ++redirected;
    }
    packet_ptr flow(packet_ptr packet) noexcept {
        if (packet->size() % 3 == 0) {
            packet.free(drop_reason::consumed);
            ++taken;
        }
        return packet;
    }
    void tap(packet_ptr twin) noexcept {
        EXPECT_TRUE(twin->head_shared());
        ++tapped;
        tapped_bytes = twin->size();
        twin.free(drop_reason::consumed);
    }
    void consume(packet_ptr packet) noexcept {
        EXPECT_EQ(packet->size(), tapped_bytes) << "the tap sees what the consumer gets, and first";
        packet.free(drop_reason::consumed);
        ++consumed;
    }

    bool full = false;
    std::uint64_t asked = 0, sent_back = 0, redirected = 0, taken = 0, tapped = 0, consumed = 0;
    std::uint32_t tapped_bytes = 0;
};

struct only_consume {
    void consume(packet_ptr packet) noexcept {
        packet.free(drop_reason::consumed);
        ++consumed;
    }
    std::uint64_t consumed = 0;
};
static_assert(receive_stages<all_stages> && receive_stages<only_consume>);
struct no_consume {};
static_assert(!receive_stages<no_consume>);

// A member that is no function is no stage; a template is one.
struct stages_in_disguise : only_consume {
    int tap = 0;
    std::uint32_t flow = 0;
    template <class First>
    verdict early(First, const frame&) noexcept {
        return verdict::pass;
    }
};
static_assert(!detail::has_tap<stages_in_disguise> && !detail::has_flow<stages_in_disguise>);
static_assert(detail::has_early<stages_in_disguise> && !detail::has_early<only_consume>);

template <class Loop>
concept is_asked_first = requires(Loop& loop, frame& arrived) { loop.admits(arrived); };
static_assert(is_asked_first<receive_loop<all_stages>>);
static_assert(!is_asked_first<receive_loop<only_consume>>);

template <class Strategy>
class receive_loop_with : public testing::Test {
  protected:
    using card_type = backend::loopback<Strategy::supply::model>;
    using queue_type = rx_queue<card_type, Strategy>;

    random_steps random;
    card_type card;
    rx_options options = options_for(1514);
    result<region> memory = memory_for(queue_type::region_bytes(options));
    result<queue_type> queue = queue_type::create(card, *memory, options);
};
TYPED_TEST_SUITE(receive_loop_with, all_strategies, strategy_name);

TYPED_TEST(receive_loop_with, takes_every_frame_where_its_verdict_says) {
    all_stages stages;
    receive_loop loop(stages);
    const traffic frames(this->random, 1514);
    std::uint64_t offered = 0, dropped = 0;
    for (std::uint64_t i = random_steps::count(300, 300); i != 0; --i) {
        for (std::uint32_t n = this->random.below(40); n != 0; --n) {
            const frame_bytes bytes = frames.any(this->random);
            if (this->card.offer({.bytes = bytes})) {
                ++offered;
                dropped += verdict_of(bytes) == verdict::drop;
            }
        }
        stages.full = this->random.one_in(4);
        this->card.step();
        while (this->queue->poll(64, loop) == 64)
            ;
        const stage_counters& seen = loop.counters();
        ASSERT_EQ(this->queue->counters().delivered,
                  stages.consumed + seen.taken + seen.sent_back + seen.redirected + seen.full_ring);
    }
    for (int i = 0; i != 8; ++i) { // what had to wait for buffers
        this->card.step();
        while (this->queue->poll(64, loop) == 64)
            ;
    }
    const stage_counters& seen = loop.counters();
    EXPECT_EQ(stages.asked, offered) << "once for each frame";
    EXPECT_EQ(this->queue->drops().of(drop_reason::filter), dropped);
    EXPECT_EQ(this->queue->counters().delivered + dropped, offered);
    EXPECT_EQ(seen.taken, stages.taken);
    EXPECT_EQ(seen.sent_back, stages.sent_back);
    EXPECT_EQ(seen.redirected, stages.redirected);
    EXPECT_EQ(seen.tapped, stages.tapped);
    EXPECT_EQ(seen.tapped + seen.not_tapped, stages.consumed);
    EXPECT_GT(dropped, 20u);
    EXPECT_GT(seen.full_ring, 20u);
    EXPECT_GT(seen.sent_back, 20u);
    EXPECT_EQ(this->queue->packets_out(), 0u);
}

TYPED_TEST(receive_loop_with, is_the_consumer_when_no_other_stage_is_there) {
    only_consume stages;
    receive_loop loop(stages);
    const traffic frames(this->random, 1514);
    for (int i = 0; i != 100; ++i)
        EXPECT_TRUE(this->card.offer({.bytes = frames.any(this->random)}));
    for (int i = 0; i != 10; ++i) {
        static_cast<void>(this->queue->poll(64, loop));
        this->card.step();
    }
    EXPECT_EQ(stages.consumed, 100u);
    EXPECT_EQ(this->queue->counters().delivered, 100u);
    EXPECT_EQ(this->queue->drops().dropped(), 0u);
}

// A frame that waits for memory was asked about once, and its verdict holds when there is some.
TEST(receive_loop, a_frame_that_waits_for_memory_keeps_its_verdict) {
    struct hoarder : all_stages {
        verdict early(std::span<std::byte>, const frame&) noexcept {
            ++asked;
            return asked % 2 != 0 ? verdict::redirect : verdict::pass;
        }
        void redirect(packet_ptr packet) noexcept { redirected.push_back(std::move(packet)); }
        void consume(packet_ptr packet) noexcept { passed.push_back(std::move(packet)); }
        packet_ptr flow(packet_ptr packet) noexcept { return packet; }
        void tap(packet_ptr) noexcept {}
        std::vector<packet_ptr> redirected;
        std::vector<packet_ptr> passed;
    };
    using card_type = backend::loopback<build_around::supply::model>;
    using queue_type = rx_queue<card_type, build_around>;
    static_assert(build_around::on_shortage == noria::shortage::leave_in_ring);
    const rx_options options = options_for(1514, 8);
    auto memory = memory_for(queue_type::region_bytes(options));
    card_type card;
    auto queue = queue_type::create(card, *memory, options);
    hoarder stages;
    receive_loop loop(stages);
    const std::vector<std::byte> bytes(100);
    for (std::uint64_t i = 0; i != 40; ++i) {
        EXPECT_TRUE(card.offer({.bytes = bytes}));
        for (int n = 0; n != 4; ++n) {
            card.step();
            static_cast<void>(queue->poll(64, loop));
        }
        if (i % 10 == 9) {
            EXPECT_TRUE(queue->holds_back());
            stages.redirected.clear();
            stages.passed.clear();
        }
    }
    for (int n = 0; n != 8; ++n) {
        static_cast<void>(queue->poll(64, loop));
        card.step();
        stages.redirected.clear();
        stages.passed.clear();
    }
    EXPECT_EQ(stages.asked, 40u);
    EXPECT_EQ(loop.counters().redirected, 20u);
    EXPECT_EQ(queue->counters().delivered, 40u);
    EXPECT_GT(loop.counters().not_tapped, 0u) << "the last packet leaves none for a clone";
}

TEST(receive_loop, what_is_not_sent_back_is_dropped_with_a_reason) {
    struct refusing : only_consume {
        verdict early(std::span<std::byte>, const frame&) noexcept { return verdict::send_back; }
        bool send_back(packet_ptr&) noexcept { return false; }
    } stages;
    packet_fixture all;
    receive_loop loop(stages);
    frame arrived;
    ASSERT_TRUE(loop.admits(arrived));
    loop(all.make(0, 10));
    EXPECT_EQ(loop.counters().full_ring, 1u);
    EXPECT_EQ(all.packets().dropped(drop_reason::full_ring), 1u);
    EXPECT_EQ(stages.consumed, 0u);
}

// What comes in goes out again, through a transmit queue on the same card and out of the same memory.
TEST(receive_loop, sends_back_what_came_in) {
    using card_type = backend::loopback<buffer_model::striding>;
    using queue_type = rx_queue<card_type, stride_attach>;
    random_steps random;
    const rx_options options = options_for(9018);
    auto memory = memory_for(queue_type::region_bytes(options));
    card_type card({}, {.late = 3}, 2);
    auto queue = queue_type::create(card, *memory, options);
    auto out = tx_queue<card_type>::create(card, *memory);
    ASSERT_TRUE(queue && out);
    // [reflect]
    struct reflect {
        verdict early(std::span<std::byte>, const frame&) noexcept { return verdict::send_back; }
        bool send_back(packet_ptr& packet) noexcept { return to.send(packet); }
        void consume(packet_ptr) noexcept { ADD_FAILURE(); }
        tx_queue<card_type>& to;
    } stages{*out};
    receive_loop loop(stages); // and then queue->poll(64, loop)
    // [/reflect]
    const traffic frames(random, 9018);
    std::deque<frame_bytes> expected;
    for (int i = 0; i != 400; ++i) {
        const frame_bytes bytes = frames.any(random);
        if (!bytes.empty() && card.offer({.bytes = bytes}))
            expected.push_back(bytes);
        card.step();
        static_cast<void>(queue->poll(64, loop));
        card.sending().step(64, [&](std::span<const backend::transmitter::piece_bytes> pieces) noexcept {
            std::vector<std::byte> sent;
            for (const auto& each : pieces)
                sent.insert(sent.end(), each.begin(), each.end());
            EXPECT_TRUE(std::ranges::equal(sent, expected.front()));
            expected.pop_front();
        });
        out->complete(64);
        ASSERT_TRUE(out->ledger().closes());
    }
    EXPECT_GT(loop.counters().sent_back, 300u);
    EXPECT_EQ(out->counters().offered, loop.counters().sent_back);
    EXPECT_GT(out->counters().linearized, 0u);
    out->purge();
}

} // namespace
