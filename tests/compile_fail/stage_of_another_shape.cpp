// SPDX-License-Identifier: BSL-1.0
// Stages that nobody would call, since they take something else than a stage does.
// expect: early(std::span<std::byte>, const noria::frame&) is noexcept and returns a noria::verdict
// expect: send_back(noria::packet_ptr&) is noexcept and returns whether the packet was taken
// expect: redirect(noria::packet_ptr) is noexcept
// expect: flow(noria::packet_ptr) is noexcept and returns the packet that goes on, or an empty one
// expect: tap(noria::packet_ptr) is noexcept
#include "noria/queue/receive_loop.hpp"

struct misshapen {
    noria::verdict early(std::span<std::byte>) noexcept;
    bool send_back(noria::packet&) noexcept;
    static void redirect(noria::packet&) noexcept;
    noria::packet_ptr flow(noria::packet&) noexcept;
    void tap(noria::packet&) noexcept;
    void consume(noria::packet_ptr) noexcept;
};

void loop_of(misshapen& stages) {
    noria::receive_loop loop(stages);
}
