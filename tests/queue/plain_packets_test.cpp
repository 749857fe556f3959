// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/plain_packets.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/tx_queue.hpp"
#include "support/plain_transmitter.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t sent = transmit_report::sent;
constexpr std::uint32_t memory_free = transmit_report::memory_free;

// A queue's parts, and two regions, of which the last piece lay in the first.
struct parts {
    parts() {
        EXPECT_FALSE(regions.attach(device, near.memory()).code);
        EXPECT_FALSE(regions.attach(device, far.memory()).code);
    }
    // Packets of all kinds, most of them plain.
    std::vector<packet_ptr> some(random_steps& random) {
        std::vector<packet_ptr> packets;
        for (std::uint32_t n = random.below(20); n != 0; --n) {
            const std::uint32_t kind = random.one_in(8) ? random.below(5) : 5;
            packets.push_back(
                (kind == 0 ? far : near)
                    .make(kind == 1 ? 0 : 1 + random.below(250),
                          kind == 2 ? std::vector<std::uint32_t>{40} : std::vector<std::uint32_t>{}));
            if (kind == 3)
                packets.back()->info().vlan = 5;
            else if (kind == 4)
                set_partial(*packets.back());
        }
        return packets;
    }
    static void set_partial(packet& of) {
        of.info().checksum_state = checksum_state::partial;
        of.info().checksum_start = static_cast<std::uint16_t>(of.headroom());
    }
    // What makes a packet plain, looked at once more.
    bool plain(const packet& each) {
        const std::byte* const begin = near.memory().bytes().data();
        return each.size() != 0 && each.fragments().empty() && each.info().vlan == 0 &&
               each.info().checksum_state != checksum_state::partial && each.data() >= begin &&
               each.data() < begin + near.memory().bytes().size();
    }

    sending_memory near, far;
    plain_transmitter device;
    attached_regions regions;
    in_flight sending = *std::move(in_flight::create(64));
};

TEST(plain_packets, are_posted_from_the_front_up_to_the_first_other_one) {
    random_steps random;
    parts all;
    std::uint64_t posted = 0, stopped = 0, full = 0;
    for (std::uint64_t step = random_steps::count(2000, 300); step != 0; --step) {
        std::vector<packet_ptr> packets = all.some(random);
        std::vector<std::vector<std::byte>> bytes;
        for (const packet_ptr& each : packets)
            bytes.push_back(bytes_sent(*each));
        // Room for whoever finds no more than so many bytes before.
        const std::uint64_t before = random.below(500),
                            most = random.one_in(3) ? random.below(2000) : 1'000'000;
        byte_limit limit({.least = most, .most = most});
        std::uint32_t expected = 0;
        std::uint64_t sum = 0;
        for (; expected != packets.size() && all.plain(*packets[expected]) && before + sum <= most;
             ++expected)
            sum += bytes[expected].size();
        stopped += expected != packets.size();
        full += before + sum > most;

        std::vector<transmit_post> posts(packets.size());
        plain_posts to{posts.data()};
        const plain_run run = put_plain(packets, to, all.regions.last(), all.sending, limit, before);
        ASSERT_EQ(run.packets, expected);
        ASSERT_EQ(run.bytes, sum);
        ASSERT_EQ(to.next, posts.data() + expected);
        for (std::uint32_t i = 0; i != packets.size(); ++i) {
            ASSERT_EQ(!packets[i], i < expected);
            if (i >= expected) {
                ASSERT_EQ(bytes_sent(*packets[i]), bytes[i]);
                continue;
            }
            const transmit_post& post = posts[i];
            ASSERT_EQ(post.length, bytes[i].size());
            ASSERT_EQ(post.packet_bytes, post.length);
            ASSERT_EQ(post.flags, std::uint32_t{transmit_post::end_of_packet});
            const std::byte* const from = all.device.rest.address_of(post.iova, post.length);
            ASSERT_NE(from, nullptr);
            ASSERT_EQ(std::vector<std::byte>(from, from + post.length), bytes[i]);
            auto what = all.sending.settle({.id = post.id, .flags = sent | memory_free});
            ASSERT_TRUE(what.sent);
            ASSERT_EQ(what.bytes, post.length);
            ASSERT_EQ(what.descriptors, 1u);
            what.memory.free(drop_reason::consumed);
        }
        posted += expected;
        for (packet_ptr& each : packets)
            each.free(drop_reason::consumed);
    }
    EXPECT_EQ(all.sending.packets(), 0u);
    EXPECT_EQ(all.near.out(), sending_memory::nothing);
    EXPECT_GT(posted, 300u);
    EXPECT_GT(stopped, 50u);
    EXPECT_GT(full, 2u);
}

TEST(plain_packets, go_the_short_way_as_far_as_there_is_room_with_one_doorbell) {
    random_steps random;
    parts all;
    std::uint64_t taken = 0, rounds = 0, too_long = 0;
    for (std::uint64_t step = random_steps::count(2000, 300); step != 0; --step) {
        std::vector<packet_ptr> packets = all.some(random);
        std::vector<std::vector<std::byte>> bytes;
        for (const packet_ptr& each : packets)
            bytes.push_back(bytes_sent(*each));
        all.device.room = random.one_in(2) ? random.below(5) : 1000;
        all.device.longest = random.one_in(2) ? 200 : 1000;
        byte_limit limit({.least = 2000, .most = 2000});
        std::uint32_t expected = 0;
        std::uint64_t sum = 0;
        while (all.device.room != 0 && expected != packets.size() && all.plain(*packets[expected]) &&
               bytes[expected].size() <= all.device.longest && sum <= 2000)
            sum += bytes[expected++].size();
        too_long += expected != packets.size() && bytes[expected].size() > all.device.longest;

        all.device.rest.doorbells = 0;
        const plain_run run = send_plain(all.device, packets, all.regions.last(), all.sending, limit);
        ASSERT_EQ(run.packets, expected);
        ASSERT_EQ(run.bytes, sum);
        ASSERT_EQ(limit.on_the_way(), sum);
        ASSERT_EQ(all.device.rest.doorbells, expected != 0);
        ASSERT_FALSE(all.device.committed);
        ASSERT_EQ(all.device.rest.packets_taken.size(), expected);
        for (std::uint32_t i = 0; i != expected; ++i)
            ASSERT_EQ(all.device.rest.packets_taken[i].bytes, bytes[i]);
        for (std::uint32_t i = 0; i != packets.size(); ++i)
            ASSERT_EQ(!packets[i], i < expected);
        taken += expected;
        rounds += expected > all.device.room;
        for (std::uint32_t i = 0; i != expected; ++i) {
            auto what = all.sending.settle({.id = all.device.rest.finish(0).id, .flags = sent | memory_free});
            ASSERT_TRUE(what.sent);
            what.memory.free(drop_reason::consumed);
        }
    }
    EXPECT_EQ(all.sending.packets(), 0u);
    EXPECT_GT(taken, 300u);
    EXPECT_GT(rounds, 10u) << "the device had room again and again";
    EXPECT_GT(too_long, 5u);
}

// A queue on a device.
template <class Device, class Limit>
struct sending_on {
    explicit sending_on(Limit limit, const tx_options& options)
        : queue(*std::move(tx_queue<Device, Limit>::create(device, memory.memory(), options, limit))) {}

    sending_memory memory;
    Device device;
    tx_queue<Device, Limit> queue;
};

// Whatever a device offers, the queue does the same: two of them with the same packets and the same reports.
template <class Limit>
void same_either_way(random_steps& random, const Limit& limit) {
    const tx_options options{.descriptors = 40, .spare = random.below(4), .wake_free = 30};
    sending_on<scripted_transmitter, Limit> posted(limit, options);
    sending_on<plain_transmitter, Limit> direct(limit, options);
    std::uint64_t seen = 0, stops = 0;
    for (std::uint64_t step = random_steps::count(1000, 300); step != 0; --step) {
        std::vector<packet_ptr> a, b;
        for (std::uint32_t n = random.below(9); n != 0; --n) {
            const std::vector<std::uint32_t> lengths(random.one_in(5) ? 1 + random.below(4) : 0, 30);
            const std::uint32_t bytes = random.one_in(10) ? 0 : 1 + random.below(250);
            const auto first = static_cast<std::uint8_t>(random.below(256));
            for (auto [packets, memory] : {std::pair{&a, &posted.memory}, std::pair{&b, &direct.memory}}) {
                packets->push_back(memory->make(bytes, lengths, first));
                ASSERT_TRUE(packets->back());
            }
        }
        direct.device.room = random.one_in(3) ? random.below(3) : 1000;
        direct.device.shortest = random.one_in(3) ? 17 : 1;
        const std::uint32_t taken = posted.queue.send(a);
        ASSERT_EQ(direct.queue.send(b), taken);
        auto& first = posted.device.packets_taken;
        auto& second = direct.device.rest.packets_taken;
        ASSERT_EQ(first.size(), second.size());
        for (std::size_t i = 0; i != first.size(); ++i) {
            ASSERT_EQ(first[i].bytes, second[i].bytes);
            ASSERT_EQ(first[i].pieces, second[i].pieces);
        }
        seen += taken;
        for (std::uint32_t n = random.below(10); n != 0 && !first.empty(); --n) {
            const std::uint32_t which =
                random.one_in(4) ? random.below(static_cast<std::uint32_t>(first.size())) : 0;
            const std::uint32_t flags =
                (random.one_in(10) ? std::uint32_t{transmit_report::error} : sent) | memory_free;
            posted.device.finish(which, flags);
            direct.device.rest.finish(which, flags);
        }
        ASSERT_EQ(posted.queue.complete(20), direct.queue.complete(20));
        ASSERT_EQ(posted.queue.stopped(), direct.queue.stopped());
        ASSERT_EQ(posted.queue.free_descriptors(), direct.queue.free_descriptors());
        const transmit_counters &x = posted.queue.counters(), &y = direct.queue.counters();
        ASSERT_EQ(x.offered, y.offered);
        ASSERT_EQ(x.sent, y.sent);
        ASSERT_EQ(x.bytes, y.bytes);
        ASSERT_EQ(x.busy, y.busy);
        ASSERT_EQ(x.stops, y.stops);
        ASSERT_EQ(x.wakes, y.wakes);
        ASSERT_EQ(y.doorbells, direct.device.rest.doorbells);
        ASSERT_EQ(y.refused, 0u);
        ASSERT_TRUE(direct.queue.ledger().closes());
        stops = x.stops;
    }
    direct.queue.purge();
    posted.queue.purge();
    EXPECT_EQ(direct.memory.out(), sending_memory::nothing);
    EXPECT_GT(seen, 300u);
    EXPECT_GT(stops, 0u);
}

TEST(plain_packets, a_queue_does_the_same_on_either_kind_of_device) {
    random_steps random;
    same_either_way(random, unlimited());
    same_either_way(random, byte_limit({.least = 1500, .most = 1500}));
}

TEST(plain_packets, a_queue_that_has_stopped_takes_none_the_short_way) {
    sending_on<plain_transmitter, unlimited> s({}, {.descriptors = 20, .wake_free = 20});
    std::vector<packet_ptr> packets;
    for (int i = 0; i != 8; ++i)
        packets.push_back(s.memory.make(100));
    EXPECT_EQ(s.queue.send(packets), 3u) << "18 pieces are the longest packet";
    const std::span<packet_ptr> left = std::span(packets).subspan(3);
    for (int i = 0; i != 2; ++i) { // there would be room again
        s.device.rest.finish(0);
        s.queue.complete(64);
        EXPECT_TRUE(s.queue.stopped());
        EXPECT_EQ(s.queue.send(left), 0u);
    }
    s.device.rest.finish(0);
    s.queue.complete(64);
    EXPECT_EQ(s.queue.send(left), 3u);
    s.queue.purge();
}

TEST(plain_packets, none_overtakes_a_packet_that_is_kept) {
    plain_transmitter device;
    device.rest.most_pieces = 2;
    sending_memory memory;
    auto queue = *std::move(tx_queue<plain_transmitter>::create(device, memory.memory(), {.retries = 100}));
    packet_ptr many = memory.make(256, {400, 400, 400, 400});
    std::vector<packet_ptr> hog;
    while (packet_ptr one = memory.packets.allocate(8192))
        hog.push_back(std::move(one));
    ASSERT_TRUE(queue.send(many));
    ASSERT_TRUE(queue.keeps());
    packet_ptr plain = memory.make(100);
    EXPECT_FALSE(queue.send(plain));
    EXPECT_TRUE(device.rest.packets_taken.empty());
    hog.clear();
    queue.complete(64);
    EXPECT_TRUE(queue.send(plain));
    ASSERT_EQ(device.rest.packets_taken.size(), 2u);
    EXPECT_EQ(device.rest.packets_taken[1].bytes.size(), 100u);
    queue.purge();
}

} // namespace
