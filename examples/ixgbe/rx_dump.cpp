// SPDX-License-Identifier: BSL-1.0
// Receives, prints the first frames and counts all. Without a card, on the model of the 82599:
//
//   g++ -std=c++20 -O2 -Iinclude -Iexamples -Itests examples/ixgbe/rx_dump.cpp -o rx_dump -pthread
//   ./rx_dump --device model --seconds 3
//
// --device qtest: QEMU's e1000e. --device 0000:bb:dd.f: a card that belongs to vfio-pci.

#include <array>
#include <cstdint>
#include <cstdio>

#include "ixgbe/programs/machines.hpp"
#include "ixgbe/programs/run.hpp"

namespace {

using namespace programs;

// Where from, where to, what it is, and how it goes on.
void dump(const noria::packet& frame) noexcept {
    std::array<std::byte, 34> first{};
    const std::uint32_t bytes = frame.size() < 34 ? frame.size() : 34;
    if (!frame.copy_bits(0, std::span(first).first(bytes)))
        return;
    const auto octet = [&first](std::size_t i) { return std::to_integer<unsigned>(first[i]); };
    std::printf("%5u bytes  ", frame.size());
    for (std::size_t i = 6; i != 12; ++i)
        std::printf("%02x%c", octet(i), i == 11 ? ' ' : ':');
    std::printf("> ");
    for (std::size_t i = 0; i != 6; ++i)
        std::printf("%02x%c", octet(i), i == 5 ? ' ' : ':');
    std::printf(" %02x%02x ", octet(12), octet(13));
    for (std::size_t i = 14; i < bytes; ++i)
        std::printf("%02x", octet(i));
    std::printf("\n");
}

template <class Machine>
struct dumping {
    std::uint32_t turn(bool) noexcept {
        return in.rx.poll(64, [this](noria::packet_ptr packet) noexcept {
            if (left_to_print != 0) {
                --left_to_print;
                dump(*packet);
            }
            packet.free(noria::drop_reason::consumed);
        });
    }
    [[nodiscard]] totals so_far() const noexcept {
        const noria::receive_counters& seen = in.rx.counters();
        return {seen.delivered, seen.bytes, in.drops()};
    }
    void read_statistics() noexcept { in.driver.read_statistics(); }

    port<Machine>& in;
    std::uint32_t left_to_print;
};

template <class Machine>
int receive(Machine& machine, const settings& wanted) {
    port<Machine> in(machine, 0);
    dumping<Machine> work{in, wanted.print};
    in.start();
    run(machine, work, wanted, 1);

    or_exit(in.driver.stop());
    while (work.turn(true) != 0) { // what was on its way
    }
    print(in.driver.counts().link());
    const noria::loss_ledger books = in.received();
    bool right = print("Received", books);
    if constexpr (Machine::owns_wire)
        right &= agree("offered", books.offered, machine.fed(0)) && books.held == 0;
    return right && machine.right() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    const settings wanted = read_settings(argc, argv, "--print");
    end_on_interrupt();
    return with_device(wanted.device, 1, [&](auto& machine) { return receive(machine, wanted); });
}
