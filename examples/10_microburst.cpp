// SPDX-License-Identifier: BSL-1.0
// The incident "microburst": frames are lost for want of memory on a machine whose monitor shows plenty. A
// burst of a few milliseconds drains what is kept back for atomic allocations, faster than reclaim can fill
// it up.
//
//   g++ -std=c++20 -O2 -Iinclude examples/10_microburst.cpp -o microburst && ./microburst [--seed N] [--svg
//   FILE]

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "noria/backend/loopback.hpp"
#include "noria/memory.hpp"
#include "noria/packet.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/stats/ledger.hpp"
#include "support/chart.hpp"
#include "support/incident.hpp"

namespace {

using incident::claim;
using shown = unsigned long long; // what printf takes
using noria::allocation_class;

constexpr noria::nanoseconds step = 50'000; // of the simulation, which looks at no real clock
constexpr noria::nanoseconds millisecond = 1'000'000;
constexpr noria::nanoseconds second = 1000 * millisecond;

constexpr std::uint32_t calm = 1;   // frames a step: 20,000 a second,
constexpr std::uint32_t burst = 50; // a million a second,
constexpr std::uint32_t read = 15;  // and 300,000 that the program at the end can read
constexpr std::uint32_t page_bytes = 4096;
constexpr std::uint64_t machine_pages = 16'384; // 64 MiB

template <class T>
T or_exit(noria::result<T> made) {
    if (!made) {
        std::fprintf(stderr, "%s\n", made.error().advice);
        std::exit(1);
    }
    return *std::move(made);
}

struct settings {
    std::uint64_t min_pages;
    std::uint32_t ring;          // buffers, each on a page
    std::uint32_t log_lines = 0; // of the allocator's reports, to be printed
};

struct scene {
    std::uint64_t seed;
    noria::nanoseconds end;
    std::vector<noria::nanoseconds> bursts; // when they begin
    noria::nanoseconds length;              // and how long each lasts
};

struct outcome {
    noria::watermarks marks;
    noria::budget_counters memory{};
    noria::loss_ledger frames{};
    std::uint64_t least_free = machine_pages;
    std::uint64_t least_cached = machine_pages;
    std::vector<chart::point> free_each_second{}, free_each_ms{}, lost_each_ms{};

    [[nodiscard]] std::uint64_t no_memory() const { return memory.failed_by(allocation_class::atomic); }
};

// [report]
// What a kernel would write in its log, in our words: what the allocator knew at that moment.
struct kernel_log {
    const noria::manual_clock& clock;
    std::uint32_t lines_left;

    static void write(void* context, const noria::allocation_failure& failed) noexcept {
        auto& log = *static_cast<kernel_log*>(context);
        if (log.lines_left == 0)
            return;
        --log.lines_left;
        std::printf(
            "[%.5f] receive: no memory, order %u, %s: %llu free, mark %llu (min %llu, low %llu, high %llu)\n",
            1e-9 * static_cast<double>(log.clock.now()), failed.order, name(failed.who), shown{failed.free},
            shown{failed.mark}, shown{failed.marks.min}, shown{failed.marks.low}, shown{failed.marks.high});
    }
};
// [/report]

// Memory under watermarks, a card with a ring of pages, and a program that reads more slowly than a burst
// comes.
template <class Strategy>
class machine {
  public:
    machine(noria::region& memory, const settings& with) : with_(with), memory_(memory) {
        static_cast<void>(or_exit(card_.configure(supply::setup(options_))));
    }

    outcome run(const scene& of) {
        const auto own_buffers = buffers_.enter();
        const auto own_packets = packets_.enter();
        outcome seen{budget_.marks()};
        std::mt19937_64 random(of.seed);
        receive();
        budget_.fill_cache(budget_.free_pages() - seen.marks.high); // files were read until reclaim woke up
        for (; clock_.now() != of.end; clock_.advance(step)) {
            const auto is_on = [&](noria::nanoseconds begin) { return clock_.now() - begin < of.length; };
            const std::uint32_t arrive = std::ranges::any_of(of.bursts, is_on) ? burst : calm;
            for (std::uint32_t i = 0; i != arrive; ++i)
                card_.offer({.bytes = std::span(wire_).first(128 + random() % 384)});
            card_.step();
            receive();
            consume();
            look(seen);
            if (clock_.now() % millisecond == 0) {
                read_files();
                budget_.tick();
            }
        }
        seen.memory = budget_.counters();
        seen.frames = frames_;
        seen.frames.offered = card_.offered();
        seen.frames.drop(noria::drop_reason::rx_missed, card_.missed());
        seen.frames.held = backlog_.size() + card_.fifo_waiting();
        return seen;
    }

  private:
    using supply = typename Strategy::supply;
    using build = typename Strategy::build;

    // A poll as rx_queue has it, over a pool that asks the machine for each of its pages.
    void receive() noexcept {
        static_cast<void>(posted_.refill(card_, dma_)); // where there is no page, a hole stays in the ring
        std::array<noria::completion, 64> done;
        while (const std::uint32_t reaped = card_.reap(done))
            for (const noria::completion& each : std::span(done).first(reaped)) {
                if (posted_.accept(each, dma_, arrived_) != noria::accepted::piece)
                    continue;
                noria::packet_ptr made = build_.build(arrived_, posted_, packets_, built_);
                posted_.settle(arrived_);
                arrived_.clear();
                if (made)
                    backlog_.push_back(std::move(made));
                else
                    frames_.drop(noria::drop_reason::no_memory);
            }
    }

    void consume() noexcept {
        for (std::uint32_t i = 0; i != read && !backlog_.empty(); ++i) {
            backlog_.front().free(noria::drop_reason::consumed);
            backlog_.pop_front();
            ++frames_.delivered;
        }
        static_cast<void>(buffers_.free()); // the pool sees what came home, and gives it back
    }

    // Somebody else reads files: four pages a millisecond, without waiting for one. So the cache grows until
    // free memory is down at low, where reclaim wakes up and brings it back to high.
    void read_files() noexcept {
        for (int i = 0; i != 4; ++i)
            if (std::byte* const file = budget_.take(0, allocation_class::no_wait)) {
                budget_.give(file, 0);
                budget_.fill_cache(budget_.cached_pages() + 1);
            }
    }

    void look(outcome& seen) {
        const std::uint64_t free = budget_.free_pages();
        seen.least_free = std::min(seen.least_free, free);
        seen.least_cached = std::min(seen.least_cached, budget_.cached_pages());
        if (clock_.now() % millisecond == 0) {
            seen.free_each_ms.push_back({clock_.now() / millisecond, free});
            seen.lost_each_ms.push_back(
                {clock_.now() / millisecond, card_.missed() - std::exchange(missed_, card_.missed())});
        }
        if (clock_.now() % second == 0)
            seen.free_each_second.push_back({clock_.now() / second, free});
    }

    settings with_;
    noria::region& memory_;
    noria::manual_clock clock_;
    kernel_log log_{clock_, with_.log_lines};
    // [budget]
    using budget_type = noria::budget_allocator<noria::block_arena>;
    noria::block_arena arena_ = or_exit(noria::block_arena::create(memory_.bytes(), page_bytes));
    budget_type budget_ =
        or_exit(budget_type::create(arena_, {.marks = noria::watermarks::from(machine_pages, with_.min_pages),
                                             .pages_per_tick = 32, // reclaimed; a tick is a millisecond
                                             .reports_per_tick = 1,
                                             .report = &kernel_log::write,
                                             .report_context = &log_}));
    budget_type::class_view atomic_ = budget_.as(allocation_class::atomic);
    noria::page_pool buffers_ =
        or_exit(noria::page_pool::create(atomic_, 0, {.cache = 16, .refill = 16, .ring = 0}));
    // [/budget]
    noria::rx_options options_{.descriptors = with_.ring,
                               .frame_bytes = 512,
                               .geometry = {.page_bytes = page_bytes,
                                            .strides = {256, page_bytes / 256},
                                            .work_buffers = with_.ring,
                                            .tail_overhead = 0}};
    supply posted_ = or_exit(supply::create(buffers_, options_));
    build build_{options_};
    noria::build_counters built_;
    noria::packet_pool packets_ = or_exit(noria::packet_pool::create({.packets = machine_pages}));
    noria::backend::loopback<supply::model> card_;
    noria::mapping dma_ = or_exit(card_.attach(memory_));
    noria::frame arrived_;
    std::array<std::byte, 512> wire_{};
    std::deque<noria::packet_ptr> backlog_; // not read yet
    noria::loss_ledger frames_;
    std::uint64_t missed_ = 0; // when last looked at
};

struct act {
    const char* what;
    settings with;
    outcome (*play)(noria::region& memory, const settings& with, const scene& of);
};

template <class Strategy>
outcome play(noria::region& memory, const settings& with, const scene& of) {
    return machine<Strategy>(memory, with).run(of);
}

// The longest burst, in whole milliseconds, of which nothing is lost.
std::uint64_t survives(noria::region& memory, const act& how, std::uint64_t seed) {
    std::uint64_t length = 0;
    for (bool unharmed = true; unharmed && length != 100; ++length) {
        const scene one{seed, (length + 20) * millisecond, {10 * millisecond}, (length + 1) * millisecond};
        unharmed = how.play(memory, {how.with.min_pages, how.with.ring}, one).frames.dropped() == 0;
    }
    return length - 1;
}

chart::figure draw(const outcome& seen, noria::nanoseconds burst_begins) {
    const auto around = [&](const std::vector<chart::point>& all) {
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(burst_begins / millisecond) - 4;
        return std::vector<chart::point>(first, first + 20);
    };
    using chart::shape;
    const chart::level mark{"atomic allocations fail", mark_of(allocation_class::atomic, seen.marks.min)};
    const chart::series free{"free", around(seen.free_each_ms)};
    const chart::series lost{"frames lost", around(seen.lost_each_ms), shape::bars};
    const chart::series monitor{"free", seen.free_each_second, shape::dots};
    return {
        "Free memory, looked at once a second and once a millisecond",
        "Left, ten seconds: every sample lies between the marks low and high. Right, 20 milliseconds of the "
        "same run: free memory falls to the mark of atomic allocations, and soon frames are lost.",
        {{"Once a second", "time (s)", "pages", {monitor}, {mark}, 700},
         {"Once a millisecond", "time (ms)", "pages, frames", {free, lost}, {mark}, 700}}};
}

// What the page says, whatever the seed.
void check(const std::vector<outcome>& all, const std::vector<std::uint64_t>& longest) {
    const outcome& was = all[0];
    for (const outcome& each : all) {
        claim(each.frames.closes(), "every frame is accounted for");
        claim(each.memory.direct_reclaims == 0 && each.memory.out_of_memory == 0,
              "nobody waits, or is killed");
        claim(each.memory.reports + each.memory.reports_suppressed == each.no_memory(),
              "no failure is silent");
    }
    claim(was.frames.dropped(noria::drop_reason::rx_missed) == was.frames.dropped(),
          "what is lost the card missed");
    claim(was.least_free == mark_of(allocation_class::atomic, was.marks.min),
          "free memory falls to the mark");
    claim(was.memory.background_reclaimed > 30'000, "reclaim is at work all the time");
    for (const chart::point& sample : was.free_each_second)
        claim(sample.y > was.marks.min && sample.y <= was.marks.high, "no sample shows it");
    for (std::size_t i = 1; i != all.size(); ++i)
        claim(all[i].frames.dropped() == 0 && longest[i] >= 2 * longest[0], "each cure cures");
    claim(was.frames.dropped() > 1000, "frames are lost");
    claim(all[1].no_memory() == 0, "with a larger min no allocation fails");
    claim(all[2].no_memory() > was.no_memory(), "with a larger ring more fail, and nothing is lost");
    claim(10 * all[3].no_memory() < was.no_memory(), "with strides few fail");
}

} // namespace

int main(int count, char** words) {
    const chart::arguments told = chart::read_arguments(count, words);
    auto memory = or_exit(noria::region::map({.bytes = machine_pages * page_bytes}));
    std::mt19937_64 random(told.seed);
    scene of{random(), 10 * second + step, {}, 4 * millisecond};
    for (const noria::nanoseconds at : {2u, 5u, 8u}) // three bursts, none of them while the monitor looks
        of.bursts.push_back(at * second + (100 + random() % 800) * millisecond);

    constexpr std::uint64_t usual = // what a kernel keeps free that has as much
        noria::watermarks::default_min_kb(machine_pages * page_bytes / 1024) * 1024 / page_bytes;
    const act acts[] = {{"as it was", {usual, 512, 3}, &play<noria::per_packet>},
                        {"min 16 MiB, not 1", {4096, 512}, &play<noria::per_packet>},
                        {"ring 2048, not 512", {usual, 2048}, &play<noria::per_packet>},
                        {"strides", {usual, 512}, &play<noria::stride_around>}};
    std::vector<outcome> all;
    for (const act& each : acts)
        all.push_back(each.play(memory, each.with, of));
    const outcome& was = all[0];
    std::printf(
        "and %llu more lines; %llu failures beyond one a millisecond were only counted. All the time\n"
        "%llu pages or more held files that could be read again.\n\n",
        shown{was.memory.reports - 3}, shown{was.memory.reports_suppressed}, shown{was.least_cached});

    const chart::figure figure = draw(was, of.bursts[1]);
    print(figure);
    if (told.svg != nullptr && !write_svg(told.svg, figure))
        return 1;

    std::printf("                     allocations  frames   of them  longest burst  in the ring  kept free\n"
                "                     that failed  offered  lost     unharmed (ms)  (MiB)        (MiB)\n");
    const auto mib = [](std::uint64_t pages) { return static_cast<double>(pages * page_bytes) / (1 << 20); };
    std::vector<std::uint64_t> longest;
    for (std::size_t i = 0; i != all.size(); ++i) {
        longest.push_back(survives(memory, acts[i], of.seed));
        std::printf("%-20s %11llu  %7llu  %7llu  %13llu  %11.1f  %9.1f\n", acts[i].what,
                    shown{all[i].no_memory()}, shown{all[i].frames.offered}, shown{all[i].frames.dropped()},
                    shown{longest[i]}, mib(acts[i].with.ring), mib(all[i].marks.high));
    }

    check(all, longest);
}
