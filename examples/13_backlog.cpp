// SPDX-License-Identifier: BSL-1.0
// The incident "backlog": one cpu receives, others process, and packets are lost between them while three of
// four cpus sleep. Then flows are spread (RPS), a flow floods, and the flow limit keeps it from the others.
// Four cpus in one thread, each in turn for 50 us of simulated time. No root.
//
//   g++ -std=c++20 -O2 -Iinclude examples/13_backlog.cpp -o backlog && ./backlog [--seed N] [--svg FILE]

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "noria/flow.hpp"
#include "noria/poll.hpp"
#include "noria/stats.hpp"
#include "support/chart.hpp"
#include "support/incident.hpp"

namespace {

using incident::claim;
using noria::nanoseconds;

constexpr nanoseconds us = 1'000, ms = 1'000'000;
constexpr nanoseconds tick = 50 * us;
constexpr nanoseconds lasts = 60 * ms, half = lasts / 2;
constexpr nanoseconds to_process = 1 * us, to_steer = us / 5; // what a packet costs a cpu
constexpr std::uint32_t cpus = 4;                             // 0 receives, the others process
constexpr std::uint32_t mice = 512, elephant = mice;          // flows, by number

// What of a packet matters here.
struct frame {
    std::uint32_t flow, number;
    nanoseconds came;
};

struct flow {
    std::uint32_t hash;
    std::uint32_t sent = 0;
    std::uint32_t expected = 0; // the number of its next packet, unless some are dropped
};

struct outcome {
    std::vector<flow> flows{};
    noria::loss_ledger books{};
    bool books_close = true; // at the end of every tick
    std::uint64_t over_limit = 0, mice_dropped = 0, out_of_order = 0;
    nanoseconds longest = 0;
    std::array<noria::softnet_row, cpus> rows{};
    std::vector<chart::point> dropped_so_far{};

    // A column of softnet_stat, 1 is the first, of all cpus together.
    [[nodiscard]] std::uint64_t column(std::size_t number) const noexcept {
        std::uint64_t sum = 0;
        for (const noria::softnet_row& row : rows)
            sum += row.column[number - 1];
        return sum;
    }
};

// [process]
// A cpu's work on a packet, and the check that its flow did not overtake itself.
struct processing {
    noria::manual_clock* clock;
    outcome* seen;

    void operator()(frame&& packet) noexcept {
        if (clock->now() < packet.came) // the cpu that received it is ahead of this one
            clock->advance(packet.came - clock->now());
        clock->advance(to_process);
        ++seen->books.delivered;
        seen->longest = std::max(seen->longest, clock->now() - packet.came);
        flow& of = seen->flows[packet.flow];
        seen->out_of_order += packet.number < of.expected;
        of.expected = std::max(of.expected, packet.number + 1);
    }
};
// [/process]

// A cpu: a clock that moves when it works, a poller, and a backlog that others fill.
template <std::uint32_t MaxBacklog>
struct cpu {
    using backlog_type = noria::backlog<frame, processing, {.max_backlog = MaxBacklog}>;

    explicit cpu(outcome& seen) : backlog(processing{&clock, &seen}) { backlog.schedules(instance); }

    // A cycle that takes longer goes on, at the cost of the next tick.
    void run_until(nanoseconds end_of_tick) {
        while (clock.now() < end_of_tick && loop.pending())
            static_cast<void>(loop.cycle());
        if (clock.now() < end_of_tick)
            clock.advance(end_of_tick - clock.now());
    }

    noria::manual_clock clock;
    noria::basic_poller<noria::manual_clock&> loop{{}, clock};
    backlog_type backlog;
    noria::poll_instance instance{loop, backlog};
};

// The wire: sixteen mice at a time send sixteen packets each. The elephant, where there is one, sends two of
// three packets.
struct traffic {
    frame take(std::vector<flow>& flows) noexcept {
        train& one = trains[random() % trains.size()];
        std::uint32_t from = elephant;
        if (!flood || random() % 3 == 0) {
            if (one.left == 0)
                one = {static_cast<std::uint32_t>(random() % mice), 16};
            --one.left;
            from = one.flow;
        }
        const nanoseconds gap = 1 + random() % (flood ? 1100 : 1300);
        return {from, flows[from].sent++, std::exchange(next, next + gap)};
    }

    struct train {
        std::uint32_t flow, left;
    };
    bool flood;
    std::mt19937_64 random;
    nanoseconds next = 0;
    std::array<train, 16> trains{};
};

struct act {
    const char* what;
    nanoseconds spread_from; // from then on the flows have three cpus, and one before
    bool by_flow = true;     // or by the map alone
    bool flood = false, limit = false;
};

// What the cpu that receives polls: it steers what has come, and calls the others at the end.
template <std::uint32_t MaxBacklog>
struct receiver {
    using cpu_type = cpu<MaxBacklog>;

    receiver(const act& plays, std::deque<cpu_type>& of, outcome& counts, std::uint64_t seed)
        : with(plays), all(of), seen(counts), wire{plays.flood, std::mt19937_64(seed)} {
        for (std::uint32_t i = 0; i != cpus; ++i)
            to.push_back(all[i].backlog.from_another_cpu(plays.limit ? &limits[i] : nullptr));
    }

    // [receive]
    std::uint32_t poll(std::uint32_t budget) noexcept {
        noria::manual_clock& clock = all[0].clock;
        std::uint32_t done = 0;
        for (; done != budget && wire.next <= clock.now() && wire.next < lasts - tick; ++done) {
            frame packet = wire.take(seen.flows);
            clock.advance(to_steer);
            ++seen.books.offered;
            const std::uint32_t hash = seen.flows[packet.flow].hash;
            const std::uint32_t chosen = with.by_flow ? steering.steer(hash, *this) : map.steer(hash, *this);
            const noria::backlog_push pushed = to[chosen].push(std::move(packet), hash);
            if (pushed)
                steering.queued(hash, pushed.tail);
            else
                drop(packet, pushed.what);
        }
        for (auto& each : to)
            each.wake();
        return done;
    }
    // [/receive]
    static bool rearm() noexcept { return true; } // the interrupt comes once a tick

    void drop(const frame& packet, noria::backlog_push::verdict why) noexcept {
        seen.books.drop(noria::drop_reason::cpu_backlog);
        seen.over_limit += why == noria::backlog_push::verdict::over_limit;
        seen.mice_dropped += packet.flow != elephant;
    }

    // What steering asks of the cpus.
    [[nodiscard]] static bool online(std::uint32_t) noexcept { return true; }
    [[nodiscard]] std::uint32_t dequeued(std::uint32_t which) const noexcept {
        return all[which].backlog.dequeued();
    }

    act with;
    std::deque<cpu_type>& all;
    outcome& seen;
    traffic wire;
    std::vector<typename cpu_type::backlog_type::sender> to;
    std::array<noria::flow_limiter, cpus> limits{};
    // [steering]
    std::array<std::uint16_t, 3> list{1, 1, 1}; // rps_cpus; spread out, 1, 2, 3
    noria::cpu_map map{list};
    std::array<noria::steered_flow, 4096> entries{};
    std::array<noria::consumer_table::entry, 1> nobody_asked{};
    noria::consumer_table consumers{nobody_asked, cpus};
    noria::flow_steering steering{entries, consumers, map};
    // [/steering]
};

template <std::uint32_t MaxBacklog = 1000>
outcome run(const act& plays, std::uint64_t seed) {
    outcome seen;
    const noria::toeplitz_hasher hasher;
    std::array<std::uint8_t, 12> tuple{10, 0, 0, 1, 10, 0, 0, 2, 0, 80};
    for (std::uint32_t i = 0; i != mice + 1; ++i) {
        tuple[10] = static_cast<std::uint8_t>(i >> 8); // each to a port of its own
        tuple[11] = static_cast<std::uint8_t>(i);
        seen.flows.push_back({hasher(tuple)});
    }
    std::deque<cpu<MaxBacklog>> all;
    for (std::uint32_t i = 0; i != cpus; ++i)
        all.emplace_back(seen);
    receiver<MaxBacklog> receives(plays, all, seen, seed);
    noria::poll_instance device(all[0].loop, receives);

    for (nanoseconds now = 0; now != lasts + 10 * ms; now += tick) {
        if (now == plays.spread_from)
            receives.list = {1, 2, 3};
        if (now % ms == 0 && now <= lasts)
            seen.dropped_so_far.push_back({now / ms, seen.books.dropped()});
        if (now == lasts) { // before the backlogs are worked off
            noria::softnet_counters of_receiver;
            of_receiver.processed.add(all[0].loop.work_done());
            seen.rows[0] = noria::to_softnet_row(of_receiver, {.cpu = 0});
            for (std::uint32_t i = 1; i != cpus; ++i)
                seen.rows[i] = all[i].backlog.row(i, all[i].loop.time_squeeze(), receives.limits[i].count());
        }
        device.schedule();
        seen.books.held = 0;
        for (cpu<MaxBacklog>& each : all) {
            each.run_until(now + tick);
            seen.books.held += each.backlog.input_length() + each.backlog.process_length();
        }
        seen.books_close = seen.books_close && seen.books.closes();
    }
    seen.books_close = seen.books_close && seen.books.held == 0;
    return seen;
}

} // namespace

int main(int argc, char** argv) {
    const chart::arguments told = chart::read_arguments(argc, argv);
    constexpr std::array<act, 7> acts{{{"all flows on one cpu", lasts},
                                       {"the same, max_backlog 4000", lasts},
                                       {"RPS: spread over three", 0},
                                       {"one, then three, by the map", half, false},
                                       {"one, then three, flow by flow", half},
                                       {"RPS and an elephant", 0, true, true},
                                       {"the same with a flow limit", 0, true, true, true}}};
    std::printf("1.5 packets a us, 1.8 with the elephant; a cpu does one a us. %ju ms.\n\n"
                "  %-30s %8s %9s %8s %10s %8s %12s %12s\n",
                lasts / ms, "", "offered", "delivered", "dropped", "over limit", "of mice", "longest wait",
                "out of order");
    std::array<outcome, acts.size()> all;
    for (std::size_t i = 0; i != acts.size(); ++i) {
        all[i] = i == 1 ? run<4000>(acts[i], told.seed) : run(acts[i], told.seed);
        const outcome& seen = all[i];
        std::printf("  %-30s %8ju %9ju %8ju %10ju %8ju %9ju us %12ju\n", acts[i].what, seen.books.offered,
                    seen.books.delivered, seen.books.dropped(), seen.over_limit, seen.mice_dropped,
                    seen.longest / us, seen.out_of_order);
    }
    for (const std::size_t i : {0u, 2u, 6u})
        incident::print_softnet("softnet_stat at the end of \"" + std::string(acts[i].what) + '"',
                                all[i].rows);

    const auto line = [&](std::size_t i) { return chart::series{acts[i].what, all[i].dropped_so_far}; };
    const chart::figure figure{
        "Backlog",
        "On one cpu the dropped packets climb without end; spread over three cpus, there are no more of "
        "them.",
        {{"Dropped since the beginning", "time (ms)", "packets", {line(0), line(1), line(4)}}}};
    if (told.svg != nullptr && !chart::write_svg(told.svg, figure))
        return 1;

    // What the page says of it.
    const auto& [one, longer, rps, by_map, by_flow, flood, limited] = all;
    for (const outcome& each : all) {
        claim(each.books_close, "every packet is accounted for, at the end of each tick");
        claim((each.out_of_order == 0) == (&each != &by_map), "no flow overtakes itself, but by the map");
        claim(each.column(2) == each.books.dropped(), "column 2 counts what is dropped");
        claim(each.column(11) == each.over_limit, "column 11, what the flow limit drops of that");
        claim(each.column(12) == each.column(14) + each.column(15), "column 12 is what waits, 14 and 15");
    }
    claim(one.books.dropped() * 4 > one.books.offered, "one cpu loses more than a quarter");
    claim(one.column(3) > 100 && rps.column(3) == 0, "its cycles are cut off, and those of three cpus never");
    claim(one.column(10) < 10 && rps.column(10) > 3000, "who never sleeps is hardly ever called");
    claim(one.column(12) > 500 && one.rows[1].column[11] == one.column(12), "what waits, waits for that cpu");
    claim(longer.books.dropped() * 4 > one.books.dropped() * 3, "a longer backlog loses hardly less");
    claim(longer.longest > 3 * one.longest, "and makes the rest wait longer");
    claim(rps.books.dropped() == 0 && rps.longest < 500 * us, "spread out, nothing is lost or late");
    claim(by_flow.dropped_so_far[32].y == by_flow.books.dropped(), "2 ms after, nothing is lost");
    claim(flood.mice_dropped > 1000, "beside an elephant, mice lose packets");
    claim(limited.mice_dropped == 0 && limited.over_limit > 0, "with a flow limit they do not");
}
