// SPDX-License-Identifier: BSL-1.0
#include <array>
#include <memory>
#include <utility>

#include "costs/harness.hpp"
#include "noria/backend/null.hpp"
#include "noria/backend/null_strides.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet.hpp"
#include "noria/poll/poller.hpp"
#include "noria/queue/receive_loop.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "poll/subjects.hpp"

namespace bench::costs::poll {
namespace {

using noria::drop_reason;
using noria::packet_ptr;

// Copies every frame out of buffers that go back to the device at once.
using copying = noria::strategy<noria::fresh_buffers, noria::copy_all>;

// A device that never has anything.
class silent : public noria::backend::null {
  public:
    silent() noexcept : null(64) {}
    [[nodiscard]] std::uint32_t reap(std::span<noria::completion>) noexcept { return 0; }
};
static_assert(noria::check_backend<silent>());

// ---- what becomes of the packets ----

struct frees_each {
    void consume(packet_ptr packet) noexcept { packet.free(drop_reason::consumed); }
};

// Has a whole burst in hand, as who calls rte_eth_rx_burst has, and frees it then.
struct frees_burst {
    void consume(packet_ptr packet) noexcept {
        burst[count++] = std::move(packet);
        if (count == burst.size()) {
            free_bulk(burst, drop_reason::consumed);
            count = 0;
        }
    }
    std::array<packet_ptr, 32> burst;
    std::size_t count = 0;
};

// Drops every frame before it is a packet.
struct drops_early : frees_each {
    [[nodiscard]] noria::verdict early(std::span<std::byte>, const noria::frame&) noexcept {
        return noria::verdict::drop;
    }
};

// ---- the path ----

template <class Device, class Strategy, class Stages>
class path {
    using queue_type = noria::rx_queue<Device, Strategy>;

  public:
    template <class... FrameBytes>
    explicit path(const noria::rx_options& options, FrameBytes... frame_bytes)
        : device_(std::make_unique<Device>(frame_bytes...)), options_(options),
          memory_(noria::region::map(
                      {.bytes = queue_type::region_bytes(options_), .best = noria::backing::plain_pages})
                      .value()),
          queue_(queue_type::create(*device_, memory_, options_).value()) {}

    // As a pollable for a poller.
    [[nodiscard]] std::uint32_t poll(std::uint32_t budget) noexcept { return queue_.poll(budget, loop_); }
    [[nodiscard]] bool rearm() noexcept { return false; }

  private:
    std::unique_ptr<Device> device_;
    noria::rx_options options_;
    noria::region memory_;
    queue_type queue_;
    Stages stages_;
    noria::receive_loop<Stages> loop_{stages_};
};

// A device that net_null resembles has as few buffers as net_null has: those of one burst. Others have a
// ring, or work buffers.
constexpr noria::rx_options ring_of(std::uint32_t descriptors) {
    return {.descriptors = descriptors, .packets = 512, .frame_bytes = 1514};
}
constexpr std::uint32_t short_ring = 64;
constexpr std::uint32_t usual_ring = 1024;
constexpr noria::rx_options work_buffers{
    .packets = 512, .frame_bytes = 1514, .geometry = noria::lean_geometry};

template <class Strategy, std::uint32_t Bytes, std::uint32_t Burst, class Stages = frees_each,
          std::uint32_t Descriptors = short_ring>
std::uint64_t receive(std::uint64_t times) {
    path<noria::backend::null, Strategy, Stages> rx(ring_of(Descriptors), Bytes);
    return repeat(times, [&] {
        if (rx.poll(Burst) != Burst)
            __builtin_trap();
    });
}

template <class Strategy, std::uint32_t Bytes, std::uint32_t Burst>
std::uint64_t receive_strides(std::uint64_t times) {
    path<noria::backend::null_strides, Strategy, frees_each> rx(work_buffers, Bytes);
    return repeat(times, [&] {
        if (rx.poll(Burst) != Burst)
            __builtin_trap();
    });
}

// The same in a poller's turns.
template <class Strategy, std::uint32_t Bytes, std::uint32_t Burst>
std::uint64_t receive_polled(std::uint64_t times) {
    path<noria::backend::null, Strategy, frees_each> rx(ring_of(short_ring), Bytes);
    noria::poller loop({.packets = Burst, .weight = Burst});
    noria::poll_instance instance(loop, rx);
    instance.schedule();
    const std::uint64_t ticks = repeat(times, [&] {
        if (loop.cycle().work_done != Burst)
            __builtin_trap();
    });
    loop.disable(instance);
    return ticks;
}

template <class Strategy>
std::uint64_t receive_nothing(std::uint64_t times) {
    path<silent, Strategy, frees_each> rx(ring_of(short_ring));
    return repeat(times, [&] {
        if (rx.poll(32) != 0)
            __builtin_trap();
    });
}

} // namespace

void add_receive(std::vector<subject>& all) {
    using noria::build_around, noria::per_packet, noria::stride_around;
    const auto add = [&](const char* what, const char* name, const char* type, auto run,
                         unsigned objects = 32) {
        all.push_back({"poll", what, name, type, origin::noria, objects, false, false, run});
    };
    add("rx_nothing", "noria", "rx_queue::poll(32) of a device that has nothing", receive_nothing<per_packet>,
        1);
    add("rx_1", "noria", "rx_queue::poll(1), freed one by one; per_packet, 64 bytes",
        receive<per_packet, 64, 1>, 1);
    add("rx_8", "noria", "poll(8)", receive<per_packet, 64, 8>, 8);
    add("rx_32", "noria", "poll(32)", receive<per_packet, 64, 32>);
    add("rx_32", "burst in hand", "the same, all 32 freed at once", receive<per_packet, 64, 32, frees_burst>);
    add("rx_32", "half pages", "the same as the first, build_around", receive<build_around, 64, 32>);
    add("rx_32", "strides", "the same in strides of work buffers, stride_around",
        receive_strides<stride_around, 64, 32>);
    add("rx_32", "1024 buffers", "the same, with a usual ring",
        receive<per_packet, 64, 32, frees_each, usual_ring>);
    add("rx_32", "in a poller", "the same, each burst a cycle of one turn",
        receive_polled<per_packet, 64, 32>);
    add("rx_32", "dropped early", "the same, no packet is built", receive<per_packet, 64, 32, drops_early>);
    add("rx_64", "noria", "poll(64)", receive<per_packet, 64, 64>, 64);
    add("rx_1500", "noria", "poll(32), 1500 bytes", receive<per_packet, 1500, 32>);
    add("rx_1500", "strides", "the same, stride_around", receive_strides<stride_around, 1500, 32>);
    add("rx_copy_64", "noria", "poll(32), 64 bytes, copied (copy_all)", receive<copying, 64, 32>);
    add("rx_copy_64", "burst in hand", "the same, all 32 freed at once",
        receive<copying, 64, 32, frees_burst>);
    add("rx_copy_1500", "noria", "poll(32), 1500 bytes, copied", receive<copying, 1500, 32>);
    add("rx_copy_1500", "burst in hand", "the same, all 32 freed at once",
        receive<copying, 1500, 32, frees_burst>);
    add("rx_copy_1500", "1024 buffers", "the same as the first, with a usual ring",
        receive<copying, 1500, 32, frees_each, usual_ring>);
}

} // namespace bench::costs::poll
