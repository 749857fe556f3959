// SPDX-License-Identifier: BSL-1.0
// What the driver of the 82574 writes where, bit by bit.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "e1000e/driver.hpp"
#include "e1000e/interrupts.hpp"
#include "hardware/e1000e_quiet_card.hpp"
#include "hardware/faulty.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;
using namespace e1000e_test;

struct no_vectors {
    error open(std::uint32_t wanted) noexcept {
        count = wanted;
        return {};
    }
    int fd(std::uint32_t) noexcept { return -1; }
    std::uint32_t vectors() noexcept { return count; }

    std::uint32_t count = 0;
};

using words = std::array<std::uint32_t, 4>;
words words_of(const e1000e::descriptor& of) {
    words all;
    std::memcpy(all.data(), of.words, sizeof all);
    return all;
}
constexpr std::uint32_t data = 1u << 20 | 1u << 25 | 1u << 29; // type, IFCS, DEXT
constexpr std::uint32_t end = 1u << 24 | 1u << 27;             // EOP, RS

struct sending_rings {
    explicit sending_rings(std::uint32_t descriptors = 64)
        : queue(card, memory, transmit_post::insert_checksum | transmit_post::insert_vlan) {
        EXPECT_TRUE(queue.configure_transmit({.descriptors = descriptors, .most_pieces = 18}));
        card.writes.clear();
    }
    e1000e::descriptor* ring() { return memory.ring(0); }

    quiet_card card;
    plain_memory memory;
    e1000e::transmit_queue<quiet_card, plain_memory> queue;
};
constexpr transmit_post piece(std::uint32_t id, std::uint32_t bytes,
                              std::uint32_t flags = transmit_post::end_of_packet) {
    return {.iova = (std::uint64_t{id} << 32) + 7,
            .id = id,
            .length = bytes,
            .packet_bytes = bytes,
            .flags = flags};
}

TEST(e1000e_rings, the_last_descriptor_of_a_packet_ends_it) {
    sending_rings s;
    const std::array posts{piece(1, 100, 0), piece(1, 200, 0), piece(1, 300), piece(2, 60)};
    ASSERT_EQ(s.queue.transmit(posts), 4u);
    EXPECT_EQ(words_of(s.ring()[0]), (words{7, 1, 100 | data, 0}));
    EXPECT_EQ(words_of(s.ring()[1]), (words{7, 1, 200 | data, 0}));
    EXPECT_EQ(words_of(s.ring()[2]), (words{7, 1, 300 | data | end, 0}));
    EXPECT_EQ(words_of(s.ring()[3]), (words{7, 2, 60 | data | end, 0}));
    EXPECT_EQ(s.card.writes, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{reg::tdt, 4}}))
        << "one doorbell, and nothing else";

    std::array<transmit_report, 4> reports;
    EXPECT_EQ(s.queue.reap_sent(reports), 0u);
    s.ring()[3].words[3] |= 1;
    EXPECT_EQ(s.queue.reap_sent(reports), 0u) << "the first is not done";
    s.ring()[2].words[3] |= 1;
    EXPECT_EQ(s.queue.reap_sent(reports), 2u);
    EXPECT_EQ(s.queue.reap_sent(reports), 0u) << "each once";
}

TEST(e1000e_rings, a_packet_without_an_end_is_not_taken) {
    sending_rings s;
    EXPECT_EQ(s.queue.transmit(std::array{piece(1, 60), piece(2, 60, 0)}), 1u);
    EXPECT_EQ(s.queue.transmit(std::array{piece(2, 60, 0)}), 0u);
    EXPECT_EQ(s.card.doorbells, 1u);
}

TEST(e1000e_rings, too_short_packets_are_padded_with_zeros) {
    sending_rings s;
    ASSERT_EQ(s.queue.transmit(std::array{piece(1, 14), piece(2, 16), piece(3, 17)}), 3u);
    EXPECT_EQ(words_of(s.ring()[0]), (words{7, 1, 14 | data, 0}));
    EXPECT_EQ(s.ring()[1].words[2], 3 | data | end);
    EXPECT_EQ(s.ring()[3].words[2], 1 | data | end);
    EXPECT_EQ(words_of(s.ring()[4]), (words{7, 3, 17 | data | end, 0}));
    const std::uint64_t zeros = s.ring()[1].words[0] | std::uint64_t{s.ring()[1].words[1]} << 32;
    const auto* const at = reinterpret_cast<const std::byte*>(zeros - plain_memory::base);
    EXPECT_TRUE(std::all_of(at, at + 3, [](std::byte each) { return each == std::byte{}; }));
}

// The card remembers one context. The same again is not told again, another is, and after a reset all are.
TEST(e1000e_rings, a_context_goes_before_the_packets_it_is_for) {
    sending_rings s;
    std::fill_n(s.ring(), 16, e1000e::descriptor{{~0u, ~0u, ~0u, ~0u}}); // what was there before
    const auto wants = [](std::uint32_t id, std::uint16_t transport, std::uint16_t checksum) {
        transmit_post post = piece(id, 100, transmit_post::end_of_packet | transmit_post::insert_checksum);
        post.transport_header = transport;
        post.checksum_field = checksum;
        return post;
    };
    const auto context = [](std::uint32_t start, std::uint32_t at) {
        return words{0, start | at << 8, 1u << 29, 0};
    };
    const words sum{7, 1, 100 | data | end, 1u << 9};
    const std::array posts{wants(1, 34, 16), wants(1, 34, 16), piece(1, 100),
                           wants(1, 34, 16), wants(1, 34, 6),  wants(1, 54, 6)};
    ASSERT_EQ(s.queue.transmit(posts), 6u);
    const std::array expected{
        context(34, 50), sum, sum, words{7, 1, 100 | data | end, 0}, sum, context(34, 40), sum,
        context(54, 60), sum};
    for (std::size_t i = 0; i != expected.size(); ++i)
        EXPECT_EQ(words_of(s.ring()[i]), expected[i]) << i;
    EXPECT_EQ(s.card.written_to(reg::tdt), (std::vector<std::uint32_t>{9}));

    s.queue.lost();
    EXPECT_EQ(s.queue.transmit(posts), 0u) << "not before it is started again";
    s.queue.start();
    ASSERT_EQ(s.queue.transmit(std::array{wants(1, 54, 6)}), 1u);
    EXPECT_EQ(words_of(s.ring()[0]), context(54, 60));
    EXPECT_EQ(words_of(s.ring()[1]), sum);
}

TEST(e1000e_rings, a_tag_is_in_every_descriptor_of_its_packet) {
    sending_rings s;
    transmit_post first = piece(1, 100, transmit_post::insert_vlan);
    first.vlan = 0x602a;
    ASSERT_EQ(s.queue.transmit(std::array{first, piece(1, 50)}), 2u);
    EXPECT_EQ(words_of(s.ring()[0]), (words{7, 1, 100 | data | 1u << 30, 0x602au << 16}));
    EXPECT_EQ(words_of(s.ring()[1]), (words{7, 1, 50 | data | end | 1u << 30, 0x602au << 16}));
}

// A frame has an end: what is longer is reported as an error, and the card never hears of it.
TEST(e1000e_rings, a_packet_longer_than_a_frame_is_an_error) {
    constexpr std::uint32_t longest = e1000e::longest_jumbo - 4; // and a CRC
    const auto halves = [](std::uint32_t id, std::uint32_t bytes) {
        std::array posts{piece(id, bytes / 2, 0), piece(id, bytes - bytes / 2)};
        for (transmit_post& each : posts)
            each.packet_bytes = bytes;
        return posts;
    };
    for (const std::uint32_t bytes : {longest + 1, 2 * longest}) {
        sending_rings s;
        ASSERT_EQ(s.queue.transmit(halves(1, bytes)), 2u);
        EXPECT_EQ(s.card.doorbells, 0u);
        std::array<transmit_report, 2> reports;
        ASSERT_EQ(s.queue.reap_sent(reports), 1u);
        EXPECT_EQ(reports[0].id, 1u);
        EXPECT_EQ(reports[0].flags, transmit_report::error | transmit_report::memory_free);
        ASSERT_EQ(s.queue.transmit(halves(2, longest)), 2u);
        EXPECT_EQ(s.card.values[reg::tdt], 2u);
    }
}

// A transmit queue sends from when it is made: a stop ends that too, and so does the driver's end.
TEST(e1000e_rings, what_was_never_started_is_stopped_when_it_sends) {
    using driver_type = e1000e::driver<quiet_card, plain_memory, fast_clock>;
    for (const bool by_hand : {true, false}) {
        quiet_card card;
        plain_memory memory;
        fast_clock clock;
        {
            auto driver = driver_type::open(card, memory, clock);
            ASSERT_TRUE(driver) << driver.error().advice;
            ASSERT_TRUE((*driver)->transmit().configure_transmit({.descriptors = 64, .most_pieces = 18}));
            ASSERT_NE(card.values[reg::tctl::at] & reg::tctl::enable, 0u);
            if (by_hand) {
                EXPECT_FALSE((*driver)->stop().code);
                EXPECT_FALSE((*driver)->transmit().running());
                EXPECT_EQ(card.values[reg::tctl::at] & reg::tctl::enable, 0u);
            }
        }
        EXPECT_EQ(card.values[reg::tctl::at] & reg::tctl::enable, 0u);
    }
}

// The driver of a quiet card whose registers can be stuck.
struct on_a_faulty_card {
    using registers_type = hardware::faulty<quiet_card>;
    using driver_type = e1000e::driver<registers_type, plain_memory, fast_clock>;

    quiet_card card;
    registers_type registers{card};
    plain_memory memory;
    fast_clock clock;
    noria::result<noria::owned<driver_type>> driver = driver_type::open(registers, memory, clock);
};

// What the card may still read is not let go of. After a reset it is.
TEST(e1000e_rings, a_card_whose_reset_does_not_end_is_not_taken_as_stopped) {
    for (const bool sends : {true, false}) {
        on_a_faulty_card on;
        auto& [card, registers, memory, clock, driver] = on;
        ASSERT_TRUE(driver) << driver.error().advice;
        auto& queue = (*driver)->transmit();
        if (sends) {
            ASSERT_TRUE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
        } else {
            ASSERT_FALSE((*driver)->start().code);
        }
        registers.stick(reg::ctrl::at, reg::ctrl::device_reset, ~0u);
        EXPECT_EQ((*driver)->reset().code, std::errc::timed_out);
        EXPECT_EQ((*driver)->stop().code, std::errc::timed_out);
        EXPECT_EQ((*driver)->stop().code, std::errc::timed_out) << "it is tried again";
        EXPECT_EQ((*driver)->start().code, std::errc::timed_out);
        EXPECT_EQ(queue.running(), sends);
        if (sends) {
            EXPECT_EQ(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}).error().code,
                      std::errc::device_or_resource_busy);
        }
        registers.let_go();
        EXPECT_FALSE((*driver)->stop().code);
        EXPECT_FALSE(queue.running());
    }
}

// The same of a receive queue; and a card that says once more that it is in a reset, behind the end of it, or
// that has lost its EEPROM in it, has let go of everything all the same.
TEST(e1000e_rings, a_receive_queue_is_kept_until_the_reset_has_ended) {
    on_a_faulty_card on;
    auto& [card, registers, memory, clock, driver] = on;
    ASSERT_TRUE(driver) << driver.error().advice;
    auto& queue = (*driver)->receive();
    const receive_setup setup{.descriptors = 8, .buffer_bytes = 2048};
    ASSERT_TRUE(queue.configure(setup));
    registers.stick(reg::ctrl::at, reg::ctrl::device_reset, ~0u);
    EXPECT_EQ((*driver)->reset().code, std::errc::timed_out);
    EXPECT_TRUE(queue.running());
    EXPECT_EQ(queue.configure(setup).error().code, std::errc::device_or_resource_busy);
    card.values[0x4074] = 5; // frames received
    EXPECT_EQ((*driver)->reset().code, std::errc::timed_out);
    EXPECT_EQ((*driver)->counts().of(e1000e::count::good_received), 0u) << "a card in reset has no counters";
    card.values[0x4074] = 0;
    registers.let_go();
    registers.stick(reg::eecd::at, reg::eecd::auto_read_done, 0);
    EXPECT_EQ((*driver)->reset().code, std::errc::timed_out);
    EXPECT_FALSE(queue.running());
    EXPECT_EQ((*driver)->start().code, std::errc::timed_out);
    registers.let_go();
    EXPECT_FALSE((*driver)->reset().code);
    EXPECT_TRUE(queue.configure(setup));
    EXPECT_FALSE((*driver)->start().code);
}

// However the ring is filled and emptied, the tail never catches up with what is not reported, nothing is
// reported that the card has not come to the end of, and a ring with nothing in it takes something.
TEST(e1000e_rings, the_transmit_ring_never_overflows) {
    random_steps random;
    sending_rings s(20);
    const std::uint32_t size = s.card.values[reg::tdlen] / 16;
    std::uint64_t head = 0; // the card's: these two count on
    std::uint64_t tail = 0;
    std::uint64_t begin = 0;        // of what is not reported
    std::deque<std::uint64_t> ends; // where the tail was behind each packet that is not reported
    std::uint64_t taken = 0;
    std::uint64_t reported = 0;
    std::uint32_t id = 1;
    std::uint64_t refused = 0;
    for (std::uint64_t step = random_steps::count(100'000, 3000); step != 0; --step) {
        std::vector<transmit_post> posts(1 + random.below(6), piece(id, 1 + random.below(40), 0));
        for (transmit_post& each : posts)
            each.packet_bytes = 100;
        const bool hopeless = step / 64 % 8 == 0; // packets that take no descriptor, and nobody asks for them
        if (random.one_in(3) || hopeless) {
            posts[0].flags |= transmit_post::insert_checksum;
            posts[0].transport_header = hopeless ? 0 : static_cast<std::uint16_t>(random.below(300));
            posts[0].checksum_field = 6;
        }
        if (random.one_in(3))
            posts[0].packet_bytes = 14;
        posts.back().flags |= transmit_post::end_of_packet;
        const bool empty = ends.empty();
        const std::uint32_t got = s.queue.transmit(posts);
        ASSERT_TRUE(got == 0 || got == posts.size());
        ASSERT_TRUE(got != 0 || !empty);
        taken += got != 0;
        refused += got == 0;
        id += got != 0;
        ASSERT_LT(s.card.values[reg::tdt], size);
        tail += (s.card.values[reg::tdt] + size - tail % size) % size;
        if (got != 0)
            ends.push_back(tail);
        ASSERT_LT(tail - begin, size) << "the ring has overflown";
        for (std::uint32_t most = random.below(7); most != 0 && head != tail; --most, ++head)
            if ((s.ring()[head % size].words[2] & 1u << 27) != 0)
                s.ring()[head % size].words[3] |= 1;
        std::array<transmit_report, 4> reports;
        const std::uint32_t budget = hopeless ? 0 : 1 + random.below(4);
        const std::uint32_t seen = s.queue.reap_sent(std::span(reports).first(budget));
        for (std::uint32_t i = 0; i != seen; ++i) {
            ASSERT_EQ(reports[i].id, ++reported) << "in order, each once";
            ASSERT_LE(ends.front(), head);
            begin = ends.front();
            ends.pop_front();
        }
    }
    EXPECT_GT(refused, 0u);
    EXPECT_GT(reported, 0u);
    EXPECT_GE(taken, reported);
}

TEST(e1000e_rings, vectors_and_what_is_asked_of_them) {
    quiet_card card;
    no_vectors source;
    e1000e::interrupts calls(card, source);
    ASSERT_FALSE(calls.open().code);
    EXPECT_EQ(source.count, 2u);
    EXPECT_EQ(card.values[reg::ivar::at], 0x8009'0808u) << "RXQ0 and TXQ0 to 0, OTHER to 1";
    EXPECT_EQ(card.values[reg::eiac], 1u << 20 | 1u << 22);
    card.writes.clear();
    card.values[reg::icr] = 1u << 20 | 1u << 2 | 1u << 24;
    EXPECT_TRUE(calls.link_changed());
    EXPECT_EQ(card.writes, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{
                               {reg::icr, 1u << 2 | 1u << 24}, // the rest is taken back,
                               {reg::ics, 1u << 20},           // the queue's is set again,
                               {reg::ims, 1u << 2 | 1u << 24}}));
    calls.set_interval(0, 1000);
    EXPECT_EQ(card.values[reg::eitr::at(0)], 4u) << "of 256 ns, and no less than was asked";
    calls.set_interval(0, ~nanoseconds{0} >> 1);
    EXPECT_EQ(card.values[reg::eitr::at(0)], 0xffffu);
}

TEST(e1000e_rings, a_reset_takes_no_interval_away) {
    quiet_card card;
    no_vectors source;
    e1000e::interrupts calls(card, source);
    ASSERT_FALSE(calls.open().code);
    calls.set_interval(0, 1000);
    calls.set_interval(1, 2000);
    card.values[reg::eitr::at(0)] = card.values[reg::eitr::at(1)] = 0; // the card was reset
    calls.program();
    EXPECT_EQ(card.values[reg::eitr::at(0)], 4u);
    EXPECT_EQ(card.values[reg::eitr::at(1)], 8u);
}

// A frame whose end a reset has cut off does not become the beginning of the next.
TEST(e1000e_rings, a_frame_that_a_reset_cut_in_two_is_not_made_whole) {
    quiet_card card;
    plain_memory memory;
    e1000e::receive_queue queue(card, memory);
    ASSERT_TRUE(queue.configure({.descriptors = 8, .buffer_bytes = 2048}));
    std::array<buffer_post, 8> posts;
    for (std::uint32_t i = 0; i != 8; ++i)
        posts[i] = {.iova = 0x1000 * (i + 1), .id = i, .length = 2048};
    ASSERT_EQ(queue.post(posts), 8u);
    const auto fill = [&](std::uint32_t index, bool last) {
        memory.ring(0)[index].words[3] = 100;
        memory.ring(0)[index].words[2] = last ? 3 : 1;
    };
    std::array<completion, 8> done;
    fill(0, true);
    fill(1, false);
    ASSERT_EQ(queue.reap(done), 2u);
    queue.lost();
    ASSERT_FALSE(queue.start().code);
    EXPECT_EQ(card.values[reg::rdt], 6u) << "those that were not filled begin anew";
    for (std::uint32_t i = 0; i != 6; ++i)
        EXPECT_EQ(memory.ring(0)[i].words[0], 0x1000 * (i + 3)) << "in the order they were in";
    fill(0, true);
    fill(1, true);
    ASSERT_EQ(queue.reap(done), 2u);
    EXPECT_EQ(done[0].id, 2u);
    EXPECT_EQ(done[0].flags, completion::end_of_packet | completion::error);
    EXPECT_EQ(done[1].flags, completion::end_of_packet);
}

} // namespace
