// SPDX-License-Identifier: BSL-1.0
// The incident "squeezed": a quiet queue and a noisy one share a thread. The third column of softnet_stat
// climbs, the quiet queue's packets are late, and none is lost. What budget, weight, time limit and a
// background thread do about it, on a simulated clock. No root.
//
//   g++ -std=c++20 -O2 -Iinclude examples/12_squeezed.cpp -o squeezed && ./squeezed [--seed N]

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <utility>
#include <vector>

#include "noria/poll.hpp"
#include "noria/ring.hpp"
#include "noria/stats.hpp"
#include "support/chart.hpp"
#include "support/incident.hpp"

namespace {

using incident::claim;
using noria::nanoseconds;
using loop_type = noria::basic_poller<noria::manual_clock&>;

constexpr nanoseconds us = 1'000, ms = 1'000'000;
constexpr nanoseconds flood = 500 * ms;     // how long packets come, of which the noisy queue has too many
constexpr nanoseconds per_packet = 1 * us;  // what a packet costs the thread
constexpr nanoseconds per_piece = 100 * us; // the program's own work comes in pieces of this
constexpr nanoseconds slice = 3 * ms;       // two threads that share a core take turns of this

struct receive_queue;

// A core: the clock that moves when it works, the poller, and the queues that interrupt it meanwhile.
struct core {
    explicit core(const noria::poll_budget& budget) : loop(budget, clock) {}
    void spend(nanoseconds time) noexcept;

    noria::manual_clock clock;
    loop_type loop;
    std::vector<receive_queue*> queues;
};

// A receive queue of the device: packets come at random, a mean gap apart, and wait in its ring. It raises
// its interrupt when one has come and it is armed. Of a packet only the time when it came matters here.
struct receive_queue {
    using ring_type = noria::spsc_ring<nanoseconds, {.capacity = 1024}>;

    receive_queue(core& of, nanoseconds gap, std::uint64_t seed) : on(of), mean_gap(gap), random(seed) {
        on.queues.push_back(this);
        waited.reserve(std::size_t{2 * flood / gap});
    }

    // [source]
    // What came until now.
    void arrive() noexcept {
        for (; next <= on.clock.now() && next < flood; next += 1 + random() % (2 * mean_gap)) {
            ++offered;
            missed += in_out.producer.try_push(next) ? 0 : 1;
        }
        if (armed && !empty()) {
            armed = false;
            interrupt.schedule();
        }
    }

    std::uint32_t poll(std::uint32_t budget) noexcept {
        return noria::consume(in_out.consumer, budget, [this](nanoseconds came) noexcept {
            on.spend(per_packet); // more may come meanwhile, here and in other queues
            waited.push_back(on.clock.now() - came);
        });
    }
    bool rearm() noexcept { return armed = empty(); }
    bool empty() noexcept { return in_out.consumer.peek(1).size() == 0; }
    // [/source]

    core& on;
    nanoseconds mean_gap, next = 0;
    std::mt19937_64 random;
    ring_type ring;
    ring_type::roles in_out = ring.split();
    noria::poll_instance interrupt{on.loop, *this};
    bool armed = true;
    std::uint64_t offered = 0, missed = 0;
    std::vector<nanoseconds> waited; // of each packet that was delivered
};

void core::spend(nanoseconds time) noexcept {
    clock.advance(time);
    for (receive_queue* const each : queues)
        each->arrive();
}

enum class background : unsigned char { none, own_core, same_core };

struct outcome {
    std::uint64_t cycles = 0, squeezed = 0, by_time = 0;
    double noisy = 0, quiet = 0;     // packets a cycle
    std::vector<nanoseconds> waited; // of the quiet queue, sorted
    nanoseconds own_work = 0;        // per cent of the time
    std::uint64_t missed = 0;        // of the noisy queue, per cent
    std::uint64_t hand_offs = 0;
    bool books_close = false;
    noria::softnet_row row;

    [[nodiscard]] nanoseconds percentile(std::size_t p) const {
        return waited[(waited.size() - 1) * p / 100] / us;
    }
};

outcome run(const noria::poll_budget& budget, background has, std::uint32_t number, std::uint64_t seed) {
    core on(budget);
    receive_queue noisy(on, 800, seed), quiet(on, 50 * us, seed + 1);
    const std::uint32_t patience = has == background::none ? ~0u : 10; // ~0: it is never handed over
    noria::basic_poll_background<loop_type> shared(on.loop, patience);
    auto front = shared.foreground(), back = shared.background();
    outcome seen;

    const auto cycle = [&](auto& side) {
        const noria::poll_report report = side.cycle();
        if (report.polls == 0)
            on.spend(per_packet); // a look that finds nothing takes time, too
        seen.cycles += report.polls != 0;
        seen.squeezed += report.squeezed;
        seen.by_time += report.squeezed && report.work_done < budget.packets;
    };
    // [turn]
    // A turn of the program: packets, if there are some, and a piece of its own work. While the background
    // has the poller there is own work all the time on a core of its own, and in turns on the same one.
    const auto turn = [&] {
        const nanoseconds start = on.clock.now();
        if (front.drives()) {
            cycle(front);
            on.spend(per_piece);
            return per_piece;
        }
        while (back.drives() && on.clock.now() - start < slice)
            cycle(back);
        if (has == background::own_core)
            return on.clock.now() - start;
        on.spend(slice);
        return slice;
    };
    while (on.clock.now() < flood || (on.loop.pending() && on.clock.now() < 2 * flood))
        seen.own_work += turn();
    // [/turn]

    noria::softnet_counters counted;
    counted.processed.add(on.loop.work_done());
    counted.time_squeeze.add(on.loop.time_squeeze());
    seen.row = noria::to_softnet_row(counted, {.cpu = number});
    seen.own_work = 100 * seen.own_work / on.clock.now();
    seen.noisy = double(noisy.waited.size()) / double(seen.cycles);
    seen.quiet = double(quiet.waited.size()) / double(seen.cycles);
    seen.missed = 100 * noisy.missed / noisy.offered;
    seen.hand_offs = shared.hand_offs();
    seen.books_close = seen.squeezed == on.loop.time_squeeze() && front.drives() && quiet.missed == 0 &&
                       quiet.offered == quiet.waited.size() &&
                       noisy.offered == noisy.waited.size() + noisy.missed;
    seen.waited = std::move(quiet.waited);
    std::ranges::sort(seen.waited);
    return seen;
}

} // namespace

int main(int argc, char** argv) {
    const chart::arguments told = chart::read_arguments(argc, argv);
    struct act {
        const char* what;
        noria::poll_budget budget;
        background has = background::none;
    };
    // [acts]
    const std::array<act, 9> acts{{{"as Linux has it: 300, 64, 2 ms", {}},
                                   {"weight 300, all of the budget", {.weight = 300}},
                                   {"weight 8", {.weight = 8}},
                                   {"budget 3000, 20 ms", {.packets = 3000, .time = 20 * ms}},
                                   {"budget 3000, 2 ms", {.packets = 3000}},
                                   {"time limit 100 us", {.time = 100 * us}},
                                   {"background, same core", {}, background::same_core},
                                   {"background, own core", {}, background::own_core},
                                   {"own core, weight 8", {.weight = 8}, background::own_core}}};
    // [/acts]
    std::printf("Two queues, %ju ms, 1 us a packet. Waits in us, of the quiet queue.\n\n"
                "  %-32s %8s %8s %13s %13s %5s %5s %5s %6s %9s\n",
                flood / ms, "", "squeezed", "by time", "noisy a cycle", "quiet a cycle", "p50", "p99", "max",
                "missed", "own work");
    std::array<outcome, acts.size()> all;
    std::array<noria::softnet_row, acts.size()> rows;
    for (std::uint32_t i = 0; i != all.size(); ++i) {
        all[i] = run(acts[i].budget, acts[i].has, i, told.seed);
        rows[i] = all[i].row;
        const outcome& seen = all[i];
        std::printf("  %-32s %8ju %8ju %13.1f %13.1f %5ju %5ju %5ju %5ju%% %8ju%%\n", acts[i].what,
                    seen.squeezed, seen.by_time, seen.noisy, seen.quiet, seen.percentile(50),
                    seen.percentile(99), seen.percentile(100), seen.missed, seen.own_work);
    }
    incident::print_softnet("softnet_stat, a row for each run", rows);

    const auto& [linux_has, heavy, light, large, cut, brief, same_core, own_core, both] = all;
    chart::panel waits{
        "How long the quiet queue's packets waited", "of so many packets (%)", "at most (us)", {}};
    for (const std::size_t i : {0u, 2u, 3u, 8u}) {
        chart::series& line = waits.shown.emplace_back(acts[i].what, std::vector<chart::point>{});
        for (std::size_t p = 0; p != 100; ++p)
            line.points.push_back({p, all[i].percentile(p)});
    }
    const chart::figure figure{"Waits of the quiet queue",
                               "A smaller weight lowers the line, all of it; a larger budget moves its end.",
                               {waits}};
    if (told.svg != nullptr && !chart::write_svg(told.svg, figure))
        return 1;

    // What the page says of it.
    for (const outcome& each : all) {
        claim(each.row.column[2] == each.squeezed, "the third column is the cut-offs");
        claim(each.books_close, "the quiet queue lost nothing, and every packet is accounted for");
    }
    claim(linux_has.squeezed + 10 > linux_has.cycles, "under the flood every cycle is cut off");
    claim(linux_has.noisy > 300 && linux_has.noisy <= 300 + 64, "by at most a weight after its budget");
    claim(heavy.percentile(50) > 4 * linux_has.percentile(50), "without turns, four times the wait");
    claim(light.percentile(50) * 5 < linux_has.percentile(50), "weight 8: a fifth of the wait");
    claim(light.squeezed > linux_has.squeezed * 9 / 10, "and the counter does not see it");
    claim(large.squeezed * 6 < linux_has.squeezed, "ten times the budget: a sixth of the count");
    claim(large.percentile(99) > linux_has.percentile(99) * 3 / 4, "and hardly less of the wait");
    claim(large.own_work < 5 && linux_has.own_work > 20, "which the program's own work pays for");
    claim(cut.by_time + 10 > cut.squeezed && linux_has.by_time < 10, "or the time limit cuts it first");
    claim(brief.squeezed > linux_has.squeezed * 3 / 2 && brief.own_work > 40, "a short limit: the opposite");
    claim(same_core.percentile(99) * us > slice, "a background that shares the core: its slice, as wait");
    claim(own_core.percentile(99) * 2 < linux_has.percentile(99), "one with its own core: the weight alone");
    claim(both.percentile(99) < 10 && both.own_work > 97, "both: under 10 us, and all of the own work");
    claim(own_core.hand_offs == 1 && linux_has.hand_offs == 0, "it is handed over once, and comes back");
}
