// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <utility>

#include <unistd.h>

#include "ixgbe/driver.hpp"
#include "ixgbe/programs/frames.hpp"
#include "ixgbe/programs/settings.hpp"
#include "noria/core/clock.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/tx_queue.hpp"
#include "noria/stats/ledger.hpp"
#include "noria/stats/link.hpp"

// What the three programs share, third part: a port with its two queues, the loop, and the books at the end.

namespace programs {

// A card's receive queue and transmit queue, with memory of their own.
template <class Machine>
class port {
  public:
    using driver_type = typename Machine::driver_type;
    using rx_type = noria::rx_queue<typename driver_type::receive_queue_type, noria::build_around>;
    using tx_type = noria::tx_queue<typename driver_type::transmit_queue_type>;

    // Buffers of 2 KiB, a size that both cards have: a frame lies in one.
    static constexpr noria::rx_options receiving{
        .descriptors = 512, .packets = 4096, .frame_bytes = 2048, .geometry = ixgbe::geometry()};

    port(Machine& machine, std::uint32_t number)
        : driver(machine.driver(number)), memory(machine.map(rx_type::region_bytes(receiving))),
          rx(or_exit(rx_type::create(driver.receive(0), memory, receiving))),
          tx(or_exit(tx_type::create(driver.transmit(0), memory, {.descriptors = 512}))) {}

    // Frames come in from here on.
    void start() {
        or_exit(driver.start());
        or_exit(driver.wait_for_link());
        const auto& mac = driver.mac().bytes;
        std::printf("%02x:%02x:%02x:%02x:%02x:%02x: the link is up with %u Mbit/s\n", mac[0], mac[1], mac[2],
                    mac[3], mac[4], mac[5], driver.link().mbits);
    }

    // What was lost: by the card, as far as its counters were read, and by us.
    [[nodiscard]] std::uint64_t drops() const noexcept {
        return driver.counts().link().rx_missed + rx.drops().dropped() + tx.drops().dropped();
    }
    // What the card lost and what it gave us, then what we did with that.
    [[nodiscard]] noria::loss_ledger received() const {
        const noria::link_values link = driver.counts().link();
        noria::loss_ledger card;
        card.offered = link.rx_packets + link.rx_missed;
        card.delivered = link.rx_packets;
        card.drop(noria::drop_reason::rx_missed, link.rx_missed);
        return joined(card, rx.ledger());
    }

    driver_type& driver;
    noria::region& memory;
    rx_type rx;
    tx_type tx;
};

// What the line shows: so far.
struct totals {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t drops = 0;
};

// One line, written over itself twice a second; each in a line of its own where nobody watches.
class rate_line {
  public:
    [[nodiscard]] bool is_due(noria::nanoseconds now) noexcept {
        if (before_ == 0)
            before_ = now;
        return now - before_ >= 500'000'000;
    }
    // Precondition: it is due.
    void show(noria::nanoseconds now, const totals& sum) {
        const double seconds = static_cast<double>(now - before_) / 1e9;
        const double packets = static_cast<double>(sum.packets - last_.packets) / seconds;
        const double mbits = 8e-6 * static_cast<double>(sum.bytes - last_.bytes) / seconds;
        std::printf("%s%12.0f packets/s %10.1f Mbit/s %8llu drops%s", watched_ ? "\r" : "", packets, mbits,
                    static_cast<unsigned long long>(sum.drops), watched_ ? "  " : "\n");
        std::fflush(stdout);
        before_ = now;
        last_ = sum;
        shown_ = true;
    }
    void end() const {
        if (watched_ && shown_)
            std::printf("\n");
    }

  private:
    bool watched_ = ::isatty(STDOUT_FILENO) == 1;
    bool shown_ = false;
    noria::nanoseconds before_ = 0;
    totals last_;
};

// Where the other end of the cable is ours: frames of all sizes arrive, at each port in turn.
template <class Machine>
class frame_source {
  public:
    frame_source(Machine& machine, std::uint32_t ports) : machine_(machine), ports_(ports) {}

    // A few, and no more than `most`.
    void feed(std::uint64_t most) {
        for (std::uint64_t i = 0; i != 32 && i < most; ++i) {
            frame_.resize(shortest_frame +
                          static_cast<std::uint32_t>(7 * fed_ % (longest_frame + 1 - shortest_frame)));
            if (!machine_.feed(static_cast<std::uint32_t>(fed_ % ports_), frame_.bytes()))
                break;
            ++fed_;
        }
    }
    [[nodiscard]] std::uint64_t fed() const noexcept { return fed_; }

  private:
    Machine& machine_;
    std::uint32_t ports_;
    std::uint64_t fed_ = 0;
    udp_frame frame_;
};

// The loop. Work has turn(bool last) -> how much it did, so_far() -> totals, and read_statistics(). When it
// is time to end it turns on until nothing moves any more; where strangers are on the wire, half a second at
// most. --frames counts what arrives, and where that is not ours to say, what was done.
template <class Machine, class Work>
void run(Machine& machine, Work& work, const settings& wanted, std::uint32_t fed_ports) {
    constexpr noria::nanoseconds quiet = Machine::owns_wire ? 200'000'000 : 20'000'000;
    constexpr noria::nanoseconds patience = Machine::owns_wire ? 10'000'000'000 : 500'000'000;
    const std::uint64_t most = wanted.frames != 0 ? wanted.frames : ~std::uint64_t{0};
    noria::monotonic_clock clock;
    const noria::nanoseconds begin = clock.now();
    noria::nanoseconds moved_at = begin;
    noria::nanoseconds last_since = 0; // when it began to end
    rate_line line;
    std::uint64_t fed = 0;
    const auto may_feed = [&] {
        if constexpr (Machine::owns_wire)
            return fed_ports != 0;
        else
            return false;
    }();
    [[maybe_unused]] auto source = [&] {
        if constexpr (Machine::owns_wire)
            return frame_source<Machine>(machine, fed_ports);
        else
            return 0;
    }();
    for (;;) {
        const noria::nanoseconds now = clock.now();
        const bool over = wanted.seconds > 0 && static_cast<double>(now - begin) >= 1e9 * wanted.seconds;
        const bool enough = (may_feed ? fed : work.so_far().packets) >= most;
        if (last_since == 0 && (interrupted != 0 || over || enough))
            last_since = now;
        if constexpr (Machine::owns_wire)
            if (may_feed && last_since == 0) {
                source.feed(most - fed);
                fed = source.fed();
            }
        if (machine.step() + work.turn(last_since != 0) != 0)
            moved_at = now;
        else
            machine.idle();
        if (last_since != 0 && (now - moved_at > quiet || now - last_since > patience))
            break;
        if (line.is_due(now)) {
            if (machine.counts_live())
                work.read_statistics();
            line.show(now, work.so_far());
        }
    }
    line.end();
}

// The card's own counters, those that are not zero.
inline void print(const noria::link_values& link) {
    for (const auto& field : noria::link_fields<std::uint64_t>)
        if (link.*field.count != 0)
            std::printf("  %-20s %12llu\n", field.name, static_cast<unsigned long long>(link.*field.count));
}

// One ledger, and whether it closes.
[[nodiscard]] inline bool print(const char* title, const noria::loss_ledger& of) {
    std::printf("%s: %llu offered = %llu delivered + %llu dropped + %llu held: it %s\n", title,
                static_cast<unsigned long long>(of.offered), static_cast<unsigned long long>(of.delivered),
                static_cast<unsigned long long>(of.dropped()), static_cast<unsigned long long>(of.held),
                of.closes() ? "closes" : "does not close");
    for (std::uint32_t i = 0; i != noria::drop_reason_count; ++i)
        if (const auto why = static_cast<noria::drop_reason>(i); of.dropped(why) != 0)
            std::printf("  %-20s %12llu\n", noria::name(why),
                        static_cast<unsigned long long>(of.dropped(why)));
    return of.closes();
}

// Where we know what was on the wire, the books have to agree with it too.
[[nodiscard]] inline bool agree(const char* what, std::uint64_t ours, std::uint64_t on_the_wire) {
    if (ours == on_the_wire)
        return true;
    std::printf("%s: the books say %llu, on the wire were %llu\n", what,
                static_cast<unsigned long long>(ours), static_cast<unsigned long long>(on_the_wire));
    return false;
}

} // namespace programs
