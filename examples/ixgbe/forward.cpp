// SPDX-License-Identifier: BSL-1.0
// Two ports: what comes in at one goes out at the other, without a byte copied. On the model of the 82599:
//
//   g++ -std=c++20 -O2 -Iinclude -Iexamples -Itests examples/ixgbe/forward.cpp -o forward -pthread
//   ./forward --device model --seconds 3
//
// --device qtest: two of QEMU's e1000e. --device 0000:bb:dd.f,0000:bb:dd.g: cards that belong to vfio-pci.

#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "ixgbe/programs/machines.hpp"
#include "ixgbe/programs/run.hpp"

namespace {

using namespace programs;

// From one port to the other. A packet that finds the way out full is dropped: waiting would only move the
// queue into the card.
template <class Machine>
class direction {
  public:
    direction(port<Machine>& from, port<Machine>& to) : in(from), out(to) {
        or_exit(out.tx.attach(in.memory)); // packets are sent from where they came in
    }

    std::uint32_t turn(bool stopped) noexcept {
        const auto mine = in.rx.enter(); // what was sent comes home without atomics
        const std::uint32_t reports = out.tx.complete(256);
        burst_ = 0;
        const std::uint32_t done =
            in.rx.poll(static_cast<std::uint32_t>(packets_.size()),
                       [this](noria::packet_ptr packet) noexcept { packets_[burst_++] = std::move(packet); });
        received_ += burst_;
        // One call for the burst, and so one doorbell.
        const std::uint32_t sent = stopped ? 0 : out.tx.send(std::span(packets_).first(burst_));
        taken_ += sent;
        const auto why = stopped ? noria::drop_reason::queue_purge : noria::drop_reason::full_ring;
        drops_.count(why, burst_ - sent);
        for (std::uint32_t i = sent; i != burst_; ++i)
            packets_[i].free(why);
        return done + reports;
    }

    // From the wire of one card to that of the other.
    [[nodiscard]] noria::loss_ledger books() const {
        noria::loss_ledger here;
        here.offered = received_;
        here.delivered = taken_;
        here.add_drops(drops_);
        return joined(joined(in.received(), here), out.tx.ledger());
    }
    [[nodiscard]] totals so_far() const noexcept {
        const noria::transmit_counters& sent = out.tx.counters();
        return {sent.sent, sent.bytes, in.drops() + drops_.dropped()};
    }

    port<Machine>& in;
    port<Machine>& out;

  private:
    std::array<noria::packet_ptr, 32> packets_;
    std::uint32_t burst_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t taken_ = 0;
    noria::drop_histogram drops_;
};

template <class Machine>
struct both_ways {
    std::uint32_t turn(bool) noexcept { return there.turn(false) + back.turn(false); }
    [[nodiscard]] totals so_far() const noexcept {
        const totals a = there.so_far();
        const totals b = back.so_far();
        return {a.packets + b.packets, a.bytes + b.bytes, a.drops + b.drops};
    }
    void read_statistics() noexcept {
        there.in.driver.read_statistics();
        back.in.driver.read_statistics();
    }

    direction<Machine> there;
    direction<Machine> back;
};

template <class Machine>
int forward(Machine& machine, const settings& wanted) {
    port<Machine> left(machine, 0);
    port<Machine> right(machine, 1);
    both_ways<Machine> work{{left, right}, {right, left}};
    left.start();
    right.start();
    run(machine, work, wanted, 2);

    or_exit(left.driver.stop());
    or_exit(right.driver.stop());
    while (work.there.turn(true) + work.back.turn(true) != 0) { // what was on its way
    }
    left.tx.purge();
    right.tx.purge();
    bool all_right = machine.right();
    for (const direction<Machine>* way : {&work.there, &work.back}) {
        const bool first = way == &work.there;
        std::printf("Port %d, as the card counted:\n", first ? 0 : 1);
        print(way->in.driver.counts().link());
        const noria::loss_ledger books = way->books();
        all_right &= print(first ? "From port 0 to port 1" : "From port 1 to port 0", books);
        if constexpr (Machine::owns_wire) {
            all_right &= agree("offered", books.offered, machine.fed(first ? 0 : 1));
            all_right &= agree("delivered", books.delivered, machine.came_out(first ? 1 : 0));
            all_right &= books.held == 0;
        }
    }
    return all_right ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    const settings wanted = read_settings(argc, argv);
    end_on_interrupt();
    return with_device(wanted.device, 2, [&](auto& machine) { return forward(machine, wanted); });
}
