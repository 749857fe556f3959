// SPDX-License-Identifier: BSL-1.0

// hardware: what the driver of the 82599 costs with Noria's queues on it, for each way of making packets. The
// card is a model that works between the timed sections.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "costs/harness.hpp"
#include "costs/program.hpp"
#include "hardware/card.hpp"
#include "ixgbe/driver.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/tx_queue.hpp"

namespace bench::hardware_costs {
namespace {

using costs::origin;
using costs::subject;
using noria::packet_ptr;

// Two queues of a card: frames come in on the first, and go out on the second.
template <class Strategy, tails Reach>
class path {
    using registers_type = card_registers<Reach>;
    using driver_type = ixgbe::driver<registers_type, model82599::dma_memory_map, model82599::clock>;
    using rx_type = noria::rx_queue<typename driver_type::receive_queue_type, Strategy>;
    using tx_type = noria::tx_queue<typename driver_type::transmit_queue_type>;

  public:
    path()
        : driver_(need(driver_type::open(registers_, card_.dma(), clock_, {.queues = 2}))),
          memory_(need(noria::region::map(
              {.bytes = rx_type::region_bytes(options), .best = noria::backing::plain_pages}))),
          rx_(need(rx_type::create(driver_->receive(0), memory_, options))),
          tx_(need(tx_type::create(driver_->transmit(1), memory_, {.descriptors = 1024}))) {
        need(driver_->start());
        need(driver_->wait_for_link());
        static_cast<void>(rx_.poll(1, [](packet_ptr) noexcept {})); // posts the first buffers
    }
    ~path() {
        static_cast<void>(driver_->stop());
        tx_.complete(~0u);
    }

    // The card: so many frames come in, and what was sent is reported. Not timed.
    void work(std::uint32_t frames) {
        registers_.tell(0, 1);
        card_.work(frames);
    }
    // The driver: a burst is taken, freed one by one, and other buffers are posted.
    template <std::uint32_t Burst>
    [[gnu::noinline]] void receive() noexcept {
        const std::uint32_t done =
            rx_.poll(Burst, [](packet_ptr packet) noexcept { packet.free(noria::drop_reason::consumed); });
        if (done != Burst)
            __builtin_trap();
    }
    // The driver: a burst is taken, and goes out again; what went out before is freed, on the thread that
    // owns its pools.
    template <std::uint32_t Burst>
    [[gnu::noinline]] void forward() noexcept {
        const auto own = rx_.enter();
        std::uint32_t count = 0;
        tx_.complete(Burst);
        rx_.poll(Burst, [&](packet_ptr packet) noexcept { burst_[count++] = std::move(packet); });
        if (count != Burst || tx_.send(std::span(burst_).template first<Burst>()) != Burst)
            __builtin_trap();
    }
    [[nodiscard]] const quiet_card& card() const noexcept { return card_; }

  private:
    static constexpr noria::rx_options options{
        .descriptors = 512, .packets = 2048, .frame_bytes = 2048, .geometry = ixgbe::geometry(2)};

    quiet_card card_;
    registers_type registers_{card_};
    model82599::clock clock_ = card_.clock();
    noria::owned<driver_type> driver_;
    noria::region memory_;
    rx_type rx_;
    tx_type tx_;
    std::array<packet_ptr, 64> burst_; // on its way from one queue to the other
};

enum class job : std::uint8_t { receive, forward };

template <job What, std::uint32_t Burst, class Path>
void one_burst(Path& on) noexcept {
    if constexpr (What == job::receive)
        on.template receive<Burst>();
    else
        on.template forward<Burst>();
}

// One operation is a burst. Up to 256 frames wait in the ring when the clock starts.
template <class Strategy, job What, std::uint32_t Burst>
std::uint64_t run(std::uint64_t times) {
    constexpr std::uint32_t together = std::min(std::uint32_t{costs::granularity}, 256 / Burst);
    path<Strategy, tails::when_told> on;
    costs::stopwatch watch;
    for (std::uint64_t done = 0; done != times; done += together) {
        on.work(together * Burst);
        watch.start();
        for (std::uint32_t i = 0; i != together; ++i)
            one_burst<What, Burst>(on);
        watch.stop();
    }
    return watch.ticks();
}

// Frames for each write of a tail.
template <class Strategy, job What, std::uint32_t Burst>
double each_doorbell() {
    constexpr std::uint32_t bursts = 64;
    path<Strategy, tails::at_once> on;
    const auto move = [&](std::uint32_t times) {
        for (std::uint32_t i = 0; i != times; ++i) {
            on.work(Burst);
            one_burst<What, Burst>(on);
        }
    };
    const auto rung = [&] {
        return What == job::receive ? on.card().receive_doorbells(0) : on.card().transmit_doorbells(1);
    };
    move(bursts); // the ring was full to begin with
    const std::uint64_t before = rung();
    move(bursts);
    return double{bursts} * Burst / static_cast<double>(rung() - before);
}

template <class Strategy, std::uint32_t Burst>
void add(std::vector<subject>& all, const char* name) {
    const std::string behind = "_" + std::to_string(Burst);
    const std::string burst = "(" + std::to_string(Burst) + ")";
    all.push_back({.suite = "hardware",
                   .what = "receive" + behind,
                   .name = name,
                   .type = "rx_queue::poll" + burst + ", freed one by one, posted anew",
                   .objects = Burst,
                   .run = run<Strategy, job::receive, Burst>});
    all.push_back({.suite = "hardware",
                   .what = "forward" + behind,
                   .name = name,
                   .type = "complete" + burst + ", poll" + burst + ", send" + burst + " on another queue",
                   .objects = Burst,
                   .run = run<Strategy, job::forward, Burst>});
    const auto count = [&](const char* what, const char* type, double (*value)()) {
        all.push_back({.suite = "hardware",
                       .what = what + behind,
                       .name = name,
                       .type = type,
                       .objects = Burst,
                       .value = value,
                       .unit = "descriptors/doorbell"});
    };
    count("rx_bell", "buffers posted for each write of RDT", each_doorbell<Strategy, job::receive, Burst>);
    count("tx_bell", "packets sent for each write of TDT", each_doorbell<Strategy, job::forward, Burst>);
}

template <class Strategy>
void add_bursts(std::vector<subject>& all, const char* name) {
    add<Strategy, 1>(all, name);
    add<Strategy, 8>(all, name);
    add<Strategy, 32>(all, name);
    add<Strategy, 64>(all, name);
}

} // namespace
} // namespace bench::hardware_costs

int main(int argc, char** argv) {
    using namespace bench;
    costs::program of{.about = "The driver of the 82599 with Noria's queues on it, on a model of the card.",
                      .suites = {"hardware"},
                      .subjects = {},
                      .goals = {},
                      .start_neighbour = [] { return true; }}; // there is none, and none is missing
    hardware_costs::add_bursts<noria::build_around>(of.subjects, "build_around");
    hardware_costs::add_bursts<noria::page_attach>(of.subjects, "page_attach");
    hardware_costs::add_bursts<noria::per_packet>(of.subjects, "per_packet");
    return costs::start(argc, argv, std::move(of));
}
