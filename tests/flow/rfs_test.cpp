// SPDX-License-Identifier: BSL-1.0
#include "noria/flow/rfs.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "noria/flow/parse_packet.hpp"
#include "noria/flow/rss.hpp"
#include "noria/poll/backlog.hpp"
#include "noria/poll/poller.hpp"
#include "support/packet_fixture.hpp"
#include "support/random.hpp"

namespace {

using noria::no_cpu;

TEST(ConsumerTable, KnowsTheLastCpuThatAskedAndIsSilentAboutOtherFlows) {
    std::vector<noria::consumer_table::entry> entries(16);
    noria::consumer_table table(entries, 7);
    for (std::uint32_t hash = 0; hash != 100; ++hash) {
        EXPECT_EQ(table.cpu(hash << 20 | hash), no_cpu);
        EXPECT_EQ(table.cpu(~hash), no_cpu);
    }
    table.record(0xabcd'0003, 6);
    EXPECT_EQ(table.cpu(0xabcd'0003), 6u);
    EXPECT_EQ(table.cpu(0xabce'0003), no_cpu) << "the same entry, another flow";
    table.record(0xabcd'0003, 0);
    EXPECT_EQ(table.cpu(0xabcd'0003), 0u);
    table.record(0x1234'0013, 2);
    EXPECT_EQ(table.cpu(0xabcd'0003), no_cpu) << "overwritten";
    EXPECT_EQ(table.cpu(0x1234'0013), 2u);
}

struct counting_sync {
    template <class T>
    struct atomic {
        T load(std::memory_order) const noexcept { return value; }
        void store(T next, std::memory_order) noexcept {
            value = next;
            ++stores;
        }
        T value{};
        int stores = 0;
    };
};

// Consumers ask far more often than they move, and the line is everybody's.
TEST(ConsumerTable, WritesOnlyWhatChanges) {
    using counting_table = noria::basic_consumer_table<counting_sync>;
    std::vector<counting_table::entry> entries(1);
    counting_table table(entries, 4);
    for (const std::uint32_t cpu : {3u, 3u, 3u, 2u, 2u})
        table.record(0x77'0000, cpu);
    EXPECT_EQ(table.cpu(0x77'0000), 2u);
    EXPECT_EQ(entries[0].stores, 1 + 2);
}

#if NORIA_CONTRACT == 2
TEST(ConsumerTableDeathTest, RefusesTablesAndCpusItHasNoBitsFor) {
    std::vector<noria::consumer_table::entry> entries(4);
    std::vector<noria::steered_flow> flows(3);
    noria::consumer_table table(entries, 0xffff);
    EXPECT_DEATH(noria::consumer_table(std::span(entries).first(3), 2), "2\\^n entries");
    EXPECT_DEATH(noria::consumer_table(entries, 0x1'0000), "16 bits");
    EXPECT_DEATH(table.record(1, 0xffff), "fewer cpus");
    EXPECT_DEATH(noria::flow_steering(flows, table), "2\\^n entries");
}
#endif

// A receive queue and its cpus: random packets of many flows, random moves of consumers, random progress of
// cpus, cpus that come and go. Each packet of a flow has a number.
class many_flows {
  public:
    static constexpr std::uint32_t cpus = 5;

    random_steps random;
    std::uint64_t overtaken = 0, delivered = 0, dropped = 0, moves = 0, here = 0;

    // What the steering sees of us.
    [[nodiscard]] bool online(std::uint32_t cpu) const noexcept { return online_[cpu]; }
    [[nodiscard]] std::uint32_t dequeued(std::uint32_t cpu) const noexcept { return dequeued_[cpu]; }

    // `told`: whether the steering is told what was queued, as it must be.
    explicit many_flows(bool told) : told_(told) {
        for (std::uint32_t cpu = 0; cpu != cpus; ++cpu)
            dequeued_[cpu] = tail_[cpu] = 0u - random.below(300); // wraps soon
    }

    void step() {
        const std::uint32_t cpu = random.below(cpus);
        switch (random.below(16)) {
        case 0:
            table_.record(hash_of(random.below(flows)), cpu);
            break;
        case 1:
            if (random.one_in(20)) {
                while (!queue_[cpu].empty())
                    deliver_one(cpu);
                online_[cpu] = !online_[cpu];
            }
            break;
        case 2:
        case 3:
            for (std::uint32_t n = random.below(20); n != 0 && !queue_[cpu].empty(); --n)
                deliver_one(cpu);
            break;
        default:
            arrive(random.below(flows));
            break;
        }
    }

  private:
    static constexpr std::uint32_t flows = 60; // which share 32 entries, and 64 in the table of consumers
    struct packet {
        std::uint32_t flow;
        std::uint64_t number;
    };

    static std::uint32_t hash_of(std::uint32_t flow) { return (flow + 1) * 0x9e37'79b1u; }

    void arrive(std::uint32_t flow) {
        const packet arrived{flow, next_[flow]++};
        const std::uint32_t hash = hash_of(flow);
        const std::uint32_t cpu = steering_.steer(hash, *this);
        if (last_cpu_[flow] != cpu)
            ++moves;
        last_cpu_[flow] = cpu;
        if (cpu == no_cpu) {
            ++here;
            deliver(arrived);
        } else if (queue_[cpu].size() == 30) {
            ++dropped;
        } else {
            ASSERT_TRUE(online_[cpu]);
            queue_[cpu].push_back(arrived);
            ++tail_[cpu];
            if (told_)
                steering_.queued(hash, tail_[cpu]);
        }
    }
    void deliver_one(std::uint32_t cpu) {
        deliver(queue_[cpu].front());
        queue_[cpu].pop_front();
        ++dequeued_[cpu];
    }
    void deliver(const packet& arrived) {
        overtaken += arrived.number < seen_[arrived.flow];
        seen_[arrived.flow] = arrived.number + 1;
        ++delivered;
    }

    bool told_;
    std::array<bool, cpus> online_{true, true, true, true, true};
    std::array<std::uint32_t, cpus> dequeued_{}, tail_{};
    std::array<std::deque<packet>, cpus> queue_;
    std::array<std::uint64_t, flows> next_{}, seen_{};
    std::array<std::uint32_t, flows> last_cpu_{};
    std::vector<noria::consumer_table::entry> entries_ = std::vector<noria::consumer_table::entry>(64);
    std::vector<noria::steered_flow> flows_ = std::vector<noria::steered_flow>(32);
    std::vector<std::uint16_t> mapped_{0, 1, 2};
    noria::consumer_table table_{entries_, cpus};
    noria::flow_steering steering_{flows_, table_, noria::cpu_map(mapped_)};
};

TEST(FlowSteering, AFlowNeverOvertakesItself) {
    many_flows all(true);
    for (std::uint64_t step = random_steps::count(200'000, 20'000); step != 0; --step)
        all.step();
    EXPECT_EQ(all.overtaken, 0u);
    EXPECT_GT(all.moves, 500u);
    EXPECT_GT(all.here, 0u);
    EXPECT_GT(all.dropped, 0u);
}

// The test above sees what it looks for: here flows move without a look at what is still queued.
TEST(FlowSteering, FlowsThatMoveTooEarlyWouldBeSeen) {
    many_flows all(false);
    for (std::uint64_t step = random_steps::count(200'000, 20'000); step != 0; --step)
        all.step();
    EXPECT_GT(all.overtaken, 20u);
}

struct two_cpus {
    std::array<std::uint32_t, 2> delivered{};
    std::array<bool, 2> up{true, true};
    [[nodiscard]] bool online(std::uint32_t cpu) const noexcept { return up[cpu]; }
    [[nodiscard]] std::uint32_t dequeued(std::uint32_t cpu) const noexcept { return delivered[cpu]; }
};

TEST(FlowSteering, AFlowFollowsItsConsumerAsSoonAsAllOfItWasDelivered) {
    std::vector<noria::consumer_table::entry> entries(4);
    std::vector<noria::steered_flow> flows(4);
    noria::consumer_table table(entries, 2);
    noria::flow_steering steering(flows, table);
    two_cpus cpus{{0xffff'fffe, 0xffff'ff00}};
    constexpr std::uint32_t hash = 0x5555'5501;
    table.record(0, 1);
    EXPECT_EQ(steering.steer(0, cpus), no_cpu) << "no hash, no flow";
    EXPECT_EQ(steering.steer(hash, cpus), no_cpu) << "no consumer, no map";
    table.record(hash, 0);
    EXPECT_EQ(steering.steer(hash, cpus), 0u);
    steering.queued(hash, 1); // three later, over the wrap
    table.record(hash, 1);
    for (; cpus.delivered[0] != 1; ++cpus.delivered[0])
        EXPECT_EQ(steering.steer(hash, cpus), 0u);
    EXPECT_EQ(steering.steer(hash, cpus), 1u);
    table.record(hash, 0);
    EXPECT_EQ(steering.steer(hash, cpus), 0u) << "what was dropped on the way holds nothing back";
    steering.queued(hash, cpus.delivered[0] + 5);
    cpus.up[0] = false;
    EXPECT_EQ(steering.steer(hash, cpus), no_cpu) << "who is offline holds nothing back either";
    table.record(hash, 1);
    EXPECT_EQ(steering.steer(hash, cpus), 1u);
}

// The same with threads and real backlogs. What the last delivery of a flow wrote is not atomic: a flow that
// moved too early is a data race as well.
TEST(FlowSteering, OrderHoldsAcrossThreads) {
    constexpr std::uint32_t cpus = 3, flows = 16;
    struct state {
        std::array<std::uint32_t, flows> seen{};
        std::array<std::atomic<std::uint32_t>, cpus> wrong{};
    } all;
    struct deliver {
        state* to;
        std::uint32_t cpu;
        void operator()(std::uint64_t&& packet) noexcept {
            std::uint32_t& seen = to->seen[packet >> 32];
            const auto number = static_cast<std::uint32_t>(packet);
            if (number < seen)
                to->wrong[cpu].fetch_add(1, std::memory_order_relaxed);
            seen = number + 1;
        }
    };
    using queue = noria::backlog<std::uint64_t, deliver, noria::backlog_options{.max_backlog = 20}>;
    struct called {
        void schedule() noexcept {}
    } nobody; // the threads look by themselves
    std::array<std::unique_ptr<queue>, cpus> backlogs;
    for (std::uint32_t cpu = 0; cpu != cpus; ++cpu) {
        backlogs[cpu] = std::make_unique<queue>(deliver{&all, cpu});
        backlogs[cpu]->schedules(nobody);
    }
    struct view {
        const std::array<std::unique_ptr<queue>, cpus>& of;
        [[nodiscard]] static bool online(std::uint32_t) noexcept { return true; }
        [[nodiscard]] std::uint32_t dequeued(std::uint32_t cpu) const noexcept { return of[cpu]->dequeued(); }
    };
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (std::uint32_t cpu = 0; cpu != cpus; ++cpu)
        threads.emplace_back([&, cpu] {
            while (!over.load(std::memory_order_acquire) || backlogs[cpu]->input_length() != 0 ||
                   backlogs[cpu]->process_length() != 0)
                if (backlogs[cpu]->poll(4) == 0)
                    std::this_thread::yield();
        });
    std::vector<noria::consumer_table::entry> entries(64);
    std::vector<noria::steered_flow> entry_of(64);
    noria::consumer_table table(entries, cpus);
    noria::flow_steering steering(entry_of, table);
    random_steps random;
    std::array<std::uint32_t, flows> next{};
    {
        std::vector<queue::sender> to;
        for (auto& each : backlogs)
            to.push_back(each->from_another_cpu());
        for (std::uint64_t step = random_steps::count(60'000, 2'000); step != 0; --step) {
            const std::uint32_t flow = random.below(flows);
            const std::uint32_t hash = 0x1357'0000 + flow * 0x10'0001;
            if (next[flow] == 0 || random.one_in(10))
                table.record(hash, random.below(cpus));
            const std::uint32_t cpu = steering.steer(hash, view{backlogs});
            ASSERT_NE(cpu, no_cpu);
            const auto pushed = to[cpu].push(std::uint64_t{flow} << 32 | next[flow]++);
            if (pushed)
                steering.queued(hash, pushed.tail);
            else
                std::this_thread::yield();
        }
    }
    over.store(true, std::memory_order_release);
    for (std::thread& thread : threads)
        thread.join();
    std::uint32_t delivered_flows = 0;
    for (std::uint32_t cpu = 0; cpu != cpus; ++cpu) {
        EXPECT_EQ(all.wrong[cpu].load(), 0u);
        EXPECT_GT(backlogs[cpu]->processed(), 0u);
    }
    for (const std::uint32_t seen : all.seen)
        delivered_flows += seen != 0;
    EXPECT_EQ(delivered_flows, flows);
}

// As docs/how-to/steer_flows.md has it.
// [cpu]
struct processing {
    std::vector<std::uint32_t>* seen;
    void operator()(noria::packet_ptr&& packet) noexcept {
        seen->push_back(packet->info().hash); // your protocol's work
        packet.free(noria::drop_reason::consumed);
    }
};
using cpu_backlog = noria::backlog<noria::packet_ptr, processing>;

// A cpu: its backlog, and the poller that its thread drives.
struct cpu_side {
    explicit cpu_side(processing consumer) : backlog(consumer) { backlog.schedules(instance); }

    cpu_backlog backlog;
    noria::poller loop;
    noria::poll_instance instance{loop, backlog};
};
// [/cpu]

// [receiver]
struct receiver {
    // What steering asks of the cpus.
    struct states {
        std::span<const std::unique_ptr<cpu_side>> of;
        [[nodiscard]] static bool online(std::uint32_t) noexcept { return true; }
        [[nodiscard]] std::uint32_t dequeued(std::uint32_t cpu) const noexcept {
            return of[cpu]->backlog.dequeued();
        }
    } cpus;
    noria::toeplitz_hasher hasher;
    noria::flow_steering steering;
    std::vector<cpu_backlog::sender> to; // a way into each backlog
    processing here;                     // for what is not steered

    // Each packet that the receive queue delivers.
    void receive(noria::packet_ptr packet) noexcept {
        const noria::parsed_packet found = noria::parse_packet(*packet);
        if (found.pulled != noria::pull_status::ok)
            return packet.free(noria::drop_reason::no_memory);
        const std::uint32_t hash = noria::rss_hash(hasher, packet->linear(), found.outer);
        packet->info().hash = hash;
        const std::uint32_t cpu = steering.steer(hash, cpus);
        if (cpu == noria::no_cpu)
            here(std::move(packet));
        else if (const auto pushed = to[cpu].push(std::move(packet), hash))
            steering.queued(hash, pushed.tail);
        else
            packet.free(noria::drop_reason::cpu_backlog); // what is not taken is still ours
    }

    // At the end of the poll: each cpu that got something is called once.
    void end_of_poll() noexcept {
        for (cpu_backlog::sender& each : to)
            each.wake();
    }
};
// [/receiver]

TEST(FlowSteering, SteersPacketsToTheirConsumers) {
    packet_fixture memory;
    // [set_up]
    std::array<std::vector<std::uint32_t>, 3> seen; // by the cpus 0 and 1, and by the one that receives
    std::vector<std::unique_ptr<cpu_side>> cpus;
    for (std::size_t i = 0; i != 2; ++i)
        cpus.push_back(std::make_unique<cpu_side>(processing{&seen[i]}));

    std::vector<noria::consumer_table::entry> entries(64); // 2^n; one table for all receive queues
    noria::consumer_table consumers(entries, 2);           // cpus 0 and 1
    std::vector<noria::steered_flow> flows(64);            // 2^n; for each receive queue its own
    const std::vector<std::uint16_t> otherwise;            // {0, 1}: both share what nobody asked for
    receiver rx{.cpus = {cpus},
                .hasher = noria::toeplitz_hasher(),
                .steering = noria::flow_steering(flows, consumers, noria::cpu_map(otherwise)),
                .to = {},
                .here = {&seen[2]}};
    for (auto& each : cpus)
        rx.to.push_back(each->backlog.from_another_cpu());
    // [/set_up]

    const auto packet = [&](bool ip) {
        const std::uint8_t start[] = {0x45, 0, 0, 28, 0,  0, 0, 0, 64, 17, 0, 0,
                                      10,   0, 0, 1,  10, 0, 0, 2, 7,  7,  8, 8};
        noria::packet_ptr made = memory.packets().allocate(60);
        std::byte* const bytes = made->put(60);
        std::memset(bytes, 0, 60);
        bytes[12] = std::byte{8};
        if (ip)
            std::memcpy(bytes + 14, start, sizeof start);
        return made;
    };
    rx.receive(packet(false));
    rx.receive(packet(true));
    EXPECT_EQ(seen[2].size(), 2u) << "nobody asked for it yet";
    const std::uint32_t hash = seen[2].back();
    EXPECT_NE(hash, 0u);
    consumers.record(hash, 1);
    rx.receive(packet(true));
    consumers.record(hash, 0);
    rx.receive(packet(true)); // behind the one before
    rx.end_of_poll();
    EXPECT_EQ(cpus[1]->backlog.received_rps(), 1u);
    EXPECT_EQ(cpus[1]->loop.cycle().work_done, 2u);
    rx.receive(packet(true));
    rx.end_of_poll();
    EXPECT_EQ(cpus[0]->loop.cycle().work_done, 1u);
    EXPECT_EQ(seen[1], (std::vector<std::uint32_t>{hash, hash}));
    EXPECT_EQ(seen[0], (std::vector<std::uint32_t>{hash}));
    EXPECT_EQ(memory.packets().consumed(), 5u);

    rx.receive(packet(true));
    rx.end_of_poll();
    const auto end = [](cpu_side& cpu) {
        // [drain]
        while (cpu.loop.pending())
            (void)cpu.loop.cycle();
        cpu.loop.disable(cpu.instance);
        // [/drain]
    };
    for (auto& each : cpus)
        end(*each);
    EXPECT_EQ(memory.packets().consumed(), 6u) << "nothing is left in a backlog";
}

} // namespace
