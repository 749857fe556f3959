// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/poll/backlog.hpp"

// A backlog between those who steer to it and its poller.

namespace bodies {

// Packets are numbers, 100 for each sender; each delivery leaves a mark of its own.
template <class Sync>
struct marks {
    void deliver(std::uint32_t packet) noexcept {
        const std::uint32_t who = packet / 100;
        explorer::check(packet % 100 == delivered[who]++, "packets of a sender come in order, each once");
        Sync::write(mark[who][packet % 100], packet);
    }
    void expect_delivered(std::uint32_t packet) noexcept {
        std::uint32_t seen = 0;
        Sync::read(mark[packet / 100][packet % 100], seen);
        explorer::check(seen == packet, "what has been passed has been delivered");
    }

    typename Sync::template cell<std::uint32_t> mark[2][4];
    std::uint32_t delivered[2]{}; // the poller's
};

template <class Sync>
struct marking {
    marks<Sync>* to;
    void operator()(std::uint32_t&& packet) noexcept { to->deliver(packet); }
};

template <class Sync, std::uint32_t MaxBacklog>
using model_backlog = noria::basic_backlog<std::uint32_t, marking<Sync>,
                                           noria::backlog_options{.max_backlog = MaxBacklog}, Sync>;

// Stands for the instance: called at most once for each time that it asked.
template <class Sync>
struct model_call {
    void schedule() noexcept {
        std::uint32_t before = 0;
        Sync::read(times, before);
        Sync::write(times, before + 1);
    }
    typename Sync::template cell<std::uint32_t> times;
};

// Two push while the poller polls and asks to be called: nothing lies there without a call.
template <class Sync>
struct backlog_rearmed {
    static constexpr unsigned threads = 3;

    backlog_rearmed() {
        to.schedules(call);
        Sync::write(call.times, 0u);
        explorer::check(static_cast<bool>(senders[0].push(made[0]++)), "there is room");
        senders[0].wake(); // the first call, which the poller answers
    }
    void thread(unsigned index) {
        if (index == 2) {
            taken = to.poll(2);
            armed = to.rearm();
        } else {
            explorer::check(static_cast<bool>(senders[index].push(100 * index + made[index])),
                            "there is room");
            ++made[index];
            senders[index].wake();
        }
    }
    void finish() {
        std::uint32_t times = 0;
        Sync::read(call.times, times);
        explorer::check(times == 1 || (armed && times == 2), "each arming is answered once");
        explorer::check(to.received_rps() == times, "each call is counted");
        taken += armed && times == 1 ? 0 : to.poll(8);
        explorer::check(taken == 3, "no call is lost");
        explorer::check(to.dequeued() == start + 3, "each delivery is counted");
    }

    static constexpr std::uint32_t start = 0xffff'ffff;
    marks<Sync> all;
    model_call<Sync> call;
    model_backlog<Sync, 2> to{marking<Sync>{&all}, start};
    typename model_backlog<Sync, 2>::sender senders[2]{to.from_another_cpu(), to.from_another_cpu()};
    std::uint32_t made[2]{}, taken = 0;
    bool armed = false;
};

// What dequeued() has passed is delivered, and what that wrote can be read; slots are used again, by one
// sender or two, and tails count on.
template <class Sync, std::uint32_t MaxBacklog, unsigned Senders>
struct backlog_passed {
    static constexpr unsigned threads = Senders + 1;

    backlog_passed() { explorer::check(static_cast<bool>(senders[0].push(made[0]++)), "there is room"); }
    void thread(unsigned index) {
        for (unsigned tries = 0; tries != 2; ++tries) {
            if (index == Senders)
                taken += to.poll(1);
            else
                put(index);
        }
    }
    void finish() {
        taken += to.poll(8);
        explorer::check(taken == made[0] + made[1], "nothing is lost");
        explorer::check(to.dequeued() == start + taken, "each delivery is counted");
        const auto pushed = senders[0].push(std::uint32_t{made[0]});
        explorer::check(pushed && pushed.tail == start + taken + 1, "tails count what was accepted");
        explorer::check(to.poll(1) == 1, "what was put in comes out");
    }

  private:
    void put(unsigned who) {
        const std::uint32_t packet = 100 * who + made[who];
        const auto pushed = senders[who].push(std::uint32_t{packet});
        if (!pushed)
            return;
        ++made[who];
        explorer::check(Senders != 1 || pushed.tail == start + made[who], "tails count what was accepted");
        if (static_cast<std::int32_t>(to.dequeued() - pushed.tail) >= 0)
            all.expect_delivered(packet);
    }

    static constexpr std::uint32_t start = 0xffff'fffe;
    marks<Sync> all;
    model_backlog<Sync, MaxBacklog> to{marking<Sync>{&all}, start};
    typename model_backlog<Sync, MaxBacklog>::sender senders[2]{to.from_another_cpu(), to.from_another_cpu()};
    std::uint32_t made[2]{}; // each sender its own
    std::uint32_t taken = 0; // the poller's
};

} // namespace bodies
