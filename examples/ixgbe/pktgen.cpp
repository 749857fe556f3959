// SPDX-License-Identifier: BSL-1.0
// Sends UDP frames as fast as the card takes them. On the model of the 82599:
//
//   g++ -std=c++20 -O2 -Iinclude -Iexamples -Itests examples/ixgbe/pktgen.cpp -o pktgen -pthread
//   ./pktgen --device model --seconds 3 --bytes 60
//
// --device qtest: QEMU's e1000e. --device 0000:bb:dd.f: a card that belongs to vfio-pci. The frames go to the
// broadcast address: use a cable, not the office network.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include "ixgbe/programs/machines.hpp"
#include "ixgbe/programs/run.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/packet/packet_pool.hpp"

namespace {

using namespace programs;

// Packets to send, all alike: 2 KiB heads in a region of their own.
class packet_source {
  public:
    static constexpr std::uint32_t packets = 1024; // more than the card has descriptors
    static constexpr std::uint32_t head_bytes = 2048;
    static constexpr std::uint64_t region_bytes = std::uint64_t{packets} * head_bytes;

    packet_source(noria::region& memory, std::uint32_t bytes)
        : frame_(bytes),
          heads_(or_exit(noria::page_pool::create(memory.bytes().first(region_bytes), head_bytes))),
          list_{&heads_}, pool_(or_exit(noria::packet_pool::create({.packets = packets, .heads = list_}))) {}

    // While it lives packets are made, and freed without atomics.
    [[nodiscard]] auto enter() noexcept { return pool_.enter(); }
    // Empty where all are on their way.
    [[nodiscard]] noria::packet_ptr make() noexcept {
        const auto bytes = static_cast<std::uint32_t>(frame_.bytes().size());
        noria::packet_ptr made = pool_.allocate(bytes);
        if (made)
            std::memcpy(made->put(bytes), frame_.bytes().data(), bytes);
        return made;
    }

  private:
    udp_frame frame_;
    noria::page_pool heads_;
    std::array<noria::page_pool*, 1> list_;
    noria::packet_pool pool_;
};

template <class Machine>
class generating {
  public:
    generating(port<Machine>& to, packet_source& from, std::uint64_t most)
        : out(to), source_(from), left_(most) {}

    std::uint32_t turn(bool last) noexcept {
        const auto mine = source_.enter();
        // What comes in is let go.
        const std::uint32_t came = out.rx.poll(
            64, [](noria::packet_ptr packet) noexcept { packet.free(noria::drop_reason::consumed); });
        const std::uint32_t reports = out.tx.complete(256);
        while (!last && ready_ != packets_.size() && ready_ < left_) {
            packets_[ready_] = source_.make();
            if (!packets_[ready_])
                break;
            ++ready_;
        }
        // What is not taken is offered again: a generator waits, and drops nothing.
        const std::uint32_t sent = last ? 0 : out.tx.send(std::span(packets_).first(ready_));
        for (std::uint32_t i = sent; i != ready_; ++i)
            packets_[i - sent] = std::move(packets_[i]);
        ready_ -= sent;
        left_ -= sent;
        return came + reports + sent;
    }
    // Never offered to the queue, and so in nobody's books.
    void let_go() noexcept {
        for (; ready_ != 0; --ready_)
            packets_[ready_ - 1].free(noria::drop_reason::consumed);
    }
    [[nodiscard]] totals so_far() const noexcept {
        const noria::transmit_counters& sent = out.tx.counters();
        return {sent.sent, sent.bytes, out.drops()};
    }
    void read_statistics() noexcept { out.driver.read_statistics(); }

    port<Machine>& out;

  private:
    packet_source& source_;
    std::array<noria::packet_ptr, 32> packets_;
    std::uint32_t ready_ = 0;
    std::uint64_t left_;
};

template <class Machine>
int generate(Machine& machine, const settings& wanted) {
    noria::region& memory = machine.map(packet_source::region_bytes);
    packet_source source(memory, wanted.bytes);
    port<Machine> out(machine, 0);
    or_exit(out.tx.attach(memory));
    generating<Machine> work(out, source, wanted.frames != 0 ? wanted.frames : ~std::uint64_t{0});
    out.start();
    run(machine, work, wanted, 0);

    or_exit(out.driver.stop());
    while (work.turn(true) != 0) { // what was on its way
    }
    out.tx.purge();
    work.let_go();
    const noria::link_values link = out.driver.counts().link();
    print(link);
    const noria::loss_ledger books = out.tx.ledger();
    bool right = print("Sent", books);
    if constexpr (Machine::owns_wire)
        right &= agree("delivered", books.delivered, machine.came_out(0)) &&
                 agree("the card's count", link.tx_packets, machine.came_out(0));
    return right && machine.right() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    const settings wanted = read_settings(argc, argv, "--bytes");
    end_on_interrupt();
    return with_device(wanted.device, 1, [&](auto& machine) { return generate(machine, wanted); });
}
