// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "costs/harness.hpp"
#include "noria/poll/poller.hpp"
#include "noria/stats/counter.hpp"
#include "noria/stats/published.hpp"
#include "poll/subjects.hpp"

namespace bench::costs::poll {
namespace {

// Packets that are nothing but a number, so that what is left is the poller.
class source {
  public:
    void arrive(std::uint32_t packets) noexcept { waiting_ += packets; }

    [[nodiscard]] std::uint32_t poll(std::uint32_t budget) noexcept {
        const std::uint32_t done = std::min(waiting_, budget);
        waiting_ -= done;
        return done;
    }
    [[nodiscard]] bool rearm() noexcept { return waiting_ == 0; }

  private:
    std::uint32_t waiting_ = 0;
};

// Always has more, and counts what was taken.
class spring {
  public:
    explicit spring(std::uint32_t each_turn = ~0u) noexcept : each_turn_(each_turn) {}

    [[nodiscard]] std::uint32_t poll(std::uint32_t budget) noexcept {
        const std::uint32_t done = std::min(each_turn_, budget);
        packets_ += done;
        ++turns_;
        return done;
    }
    [[nodiscard]] bool rearm() noexcept { return false; }
    [[nodiscard]] std::uint64_t packets() const noexcept { return packets_; }
    [[nodiscard]] std::uint64_t turns() const noexcept { return turns_; }

  private:
    std::uint32_t each_turn_;
    std::uint64_t packets_ = 0;
    std::uint64_t turns_ = 0;
};

// ---- one turn ----

std::uint64_t nothing_scheduled(std::uint64_t times) {
    noria::poller loop;
    return repeat(times, [&] {
        const auto report = loop.cycle();
        keep(&report);
        keep(&loop);
    });
}

// A poll that is called by hand, through a reference without a type, and nothing else.
template <std::uint32_t Packets>
std::uint64_t bare_poll(std::uint64_t times) {
    source from;
    const noria::poll_ref reference(from);
    return repeat(times, [&] {
        from.arrive(Packets);
        const std::uint32_t done = unknown(&reference)->poll(64);
        keep(&done);
    });
}

// Called, polled until it is empty, and armed again.
template <std::uint32_t Packets, class Clock = noria::monotonic_clock>
std::uint64_t one_turn(std::uint64_t times) {
    noria::basic_poller<Clock> loop;
    source from;
    noria::poll_instance instance(loop, from);
    return repeat(times, [&] {
        from.arrive(Packets);
        instance.schedule();
        const auto report = loop.cycle();
        keep(&report);
    });
}

// In the middle of a long run: cycles of 320 packets, which is the budget.
std::uint64_t busy_turns(std::uint64_t times) {
    noria::poller loop;
    spring from;
    noria::poll_instance instance(loop, from);
    instance.schedule();
    const std::uint64_t ticks = repeat(times, [&] {
        const auto report = loop.cycle();
        keep(&report);
    });
    loop.disable(instance);
    return ticks;
}

// ---- many instances ----

template <class Source>
struct crowd {
    explicit crowd(std::size_t how_many) : sources(how_many) {
        for (Source& each : sources)
            instances.push_back(std::make_unique<noria::poll_instance>(loop, each));
    }
    ~crowd() {
        for (const auto& each : instances)
            loop.disable(*each);
    }
    crowd(const crowd&) = delete;
    crowd& operator=(const crowd&) = delete;

    noria::poller loop;
    std::vector<Source> sources;
    std::vector<std::unique_ptr<noria::poll_instance>> instances;
};

// One has a packet, the others are idle.
template <std::size_t Instances>
std::uint64_t among_idle(std::uint64_t times) {
    crowd<source> all(Instances);
    const std::size_t busy = Instances / 2;
    return repeat(times, [&] {
        all.sources[busy].arrive(1);
        all.instances[busy]->schedule();
        const auto report = all.loop.cycle();
        keep(&report);
    });
}
// What a loop costs that asks each of them in turn.
template <std::size_t Instances>
std::uint64_t asked_in_turn(std::uint64_t times) {
    std::vector<source> sources(Instances);
    std::vector<noria::poll_ref> references(sources.begin(), sources.end());
    return repeat(times, [&] {
        sources[Instances / 2].arrive(1);
        std::uint32_t done = 0;
        for (const noria::poll_ref& each : references)
            done += each.poll(64);
        keep(&done);
    });
}

// What each of 1000 instances that always want more got in a run that stops in the middle of a round. When
// they are uneven, each takes another number of packets in a turn, and turns are what is to be equal.
[[nodiscard]] std::vector<double> shares(bool uneven) {
    constexpr std::size_t count = 1000;
    crowd<spring> all(count);
    for (std::size_t i = 0; i != count; ++i) {
        all.sources[i] = uneven ? spring(static_cast<std::uint32_t>(1 + i % 64)) : spring();
        all.instances[i]->schedule();
    }
    while (all.loop.polls() < count * 40 + count / 3)
        static_cast<void>(all.loop.cycle());
    std::vector<double> got;
    for (const spring& each : all.sources)
        got.push_back(static_cast<double>(uneven ? each.turns() : each.packets()));
    return got;
}
double least_by_most(const std::vector<double>& got) {
    const auto [least, most] = std::minmax_element(got.begin(), got.end());
    return *least / *most;
}
// (sum x)^2 / (n sum x^2): 1 when all are equal, 1/n when one has everything.
double jain(const std::vector<double>& got) {
    double sum = 0;
    double squares = 0;
    for (const double each : got) {
        sum += each;
        squares += each * each;
    }
    return sum * sum / (static_cast<double>(got.size()) * squares);
}

// ---- counters ----

// Of many that are written here and read elsewhere, one after the other. If it were one again and again, what
// is timed would be the way of its value from each store to the next load, which no two runs find equally
// long.
template <class Counter, class Add>
std::uint64_t count_up(std::uint64_t times, Add add) {
    constexpr std::size_t counters = 64;
    std::array<Counter, counters> counts{};
    std::size_t next = 0;
    keep(&counts);
    return repeat(times, [&] {
        add(counts[next]);
        next = (next + 1) % counters;
        keep(&counts);
    });
}

constexpr unsigned between_publications = 32;
struct eight_counts {
    std::uint64_t of[8];
};
// Counted one by one in memory of one's own, and published together, once a burst.
std::uint64_t count_and_publish(std::uint64_t times) {
    eight_counts counts{};
    noria::published<eight_counts> shared;
    return repeat(times, [&] {
        for (unsigned i = 0; i != between_publications; ++i) {
            ++counts.of[i % 8];
            keep(&counts);
        }
        shared.publish(counts);
    });
}

} // namespace

void add_turns(std::vector<subject>& all) {
    const auto add = [&](const char* what, const char* name, const char* type, auto run,
                         unsigned objects = 1) {
        all.push_back({"poll", what, name, type, origin::noria, objects, false, false, run});
    };
    const auto limit = [&](const char* what, const char* name, const char* type, auto run,
                           unsigned objects = 1) {
        all.push_back({"poll", what, name, type, origin::limit, objects, false, false, run});
    };
    add("nothing", "noria", "poller::cycle, nothing scheduled", nothing_scheduled);
    add("in_vain", "noria", "schedule, cycle: polled, nothing found, armed", one_turn<0>);
    limit("in_vain", "bare", "poll_ref::poll alone", bare_poll<0>);
    add("turn_1", "noria", "schedule, cycle: 1 packet, armed", one_turn<1>);
    add("turn_1", "clock stands", "the same with a clock that costs nothing",
        one_turn<1, noria::manual_clock>);
    limit("turn_1", "bare", "poll_ref::poll alone", bare_poll<1>);
    add("turn_8", "noria", "schedule, cycle: 8 packets, armed", one_turn<8>, 8);
    limit("turn_8", "bare", "poll_ref::poll alone", bare_poll<8>, 8);
    add("turn_32", "noria", "schedule, cycle: 32 packets, armed", one_turn<32>, 32);
    limit("turn_32", "bare", "poll_ref::poll alone", bare_poll<32>, 32);
    add("turn_64", "noria", "schedule, cycle: 64 packets, which is the weight; again: none, armed",
        one_turn<64>, 64);
    add("turn_64", "busy", "cycle: five turns of 64 packets", busy_turns, 320);
    limit("turn_64", "bare", "poll_ref::poll alone", bare_poll<64>, 64);

    const auto among = [&](const char* what, auto ours, auto by_turns, bool uncounted) {
        add(what, "noria", "schedule, cycle: one has a packet, the others are idle", ours);
        limit(what, "all asked", "poll_ref::poll of each, in turn", by_turns);
        all.back().uncounted = uncounted;
    };
    among("among_1", among_idle<1>, asked_in_turn<1>, false);
    among("among_10", among_idle<10>, asked_in_turn<10>, false);
    among("among_100", among_idle<100>, asked_in_turn<100>, false);
    among("among_1000", among_idle<1000>, asked_in_turn<1000>, true);
    among("among_10000", among_idle<10000>, asked_in_turn<10000>, true);

    const auto figure = [&](const char* what, const char* name, const char* type, const char* unit,
                            auto value) {
        all.push_back({"poll", what, name, type, origin::noria, 1, false, true, {}, value, unit});
    };
    figure("fair_share", "noria", "1000 that always want more: packets", "least / most",
           [] { return least_by_most(shares(false)); });
    figure("fair_share", "uneven", "the same, 1 to 64 packets a turn: turns", "least / most",
           [] { return least_by_most(shares(true)); });
    figure("fair_jain", "noria", "1000 that always want more: packets", "Jain's index",
           [] { return jain(shares(false)); });
    figure("fair_jain", "uneven", "the same, 1 to 64 packets a turn: turns", "Jain's index",
           [] { return jain(shares(true)); });

    add("count", "noria", "counter::add", [](std::uint64_t times) {
        return count_up<noria::counter>(times, [](auto& count) { count.add(); });
    });
    add("count", "together", "++ of 8, published::publish once in 32", count_and_publish,
        between_publications);
    limit("count", "plain", "++ of a number in memory",
          [](std::uint64_t times) { return count_up<std::uint64_t>(times, [](auto& count) { ++count; }); });
    limit("count", "atomic", "std::atomic::fetch_add, relaxed", [](std::uint64_t times) {
        return count_up<std::atomic<std::uint64_t>>(
            times, [](auto& count) { count.fetch_add(1, std::memory_order_relaxed); });
    });
}

} // namespace bench::costs::poll
