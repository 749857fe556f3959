// SPDX-License-Identifier: BSL-1.0
// A device that says whatever a fuzzer makes it say, below a receive queue of every strategy and both
// geometries. The first bytes choose these; all others are what the device posts and reports, and what the
// consumer does.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fuzz/fuzz_choices.hpp"
#include "fuzz/stops_at_failures.hpp"
#include "support/hostile_device.hpp"

namespace {

using namespace noria;

template <class Strategy>
void receive(fuzz_choices& choices) {
    const bool lean = choices.one_in(2);
    const bool never_ends = choices.one_in(8);
    const rx_options options{.descriptors = 16,
                             .packets = 20,
                             .frame_bytes = 9018,
                             .geometry = lean ? lean_geometry : linux_geometry};
    using queue_type = rx_queue<hostile_device<Strategy::supply::model, fuzz_choices>, Strategy>;
    const auto bytes = queue_type::region_bytes(options);
    static std::array<result<region>, 2> memory{region::map({.bytes = bytes, .best = backing::plain_pages}),
                                                region::map({.bytes = bytes, .best = backing::plain_pages})};
    result<region>& own = memory[lean];
    if (!own || own->bytes().size() < bytes)
        own = region::map({.bytes = bytes, .best = backing::plain_pages});
    receive_from_hostile_device<Strategy>(choices, *own, options, never_ends, ~std::uint64_t{0});
    std::memset(own->bytes().data(), 0, bytes); // no mark of this run may be taken for one of the next
}

constexpr std::array strategies{
    &receive<per_packet>,  &receive<per_packet_copybreak>, &receive<stride_copy>,   &receive<stride_attach>,
    &receive<page_attach>, &receive<build_around>,         &receive<stride_around>, &receive<adaptive>};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz_choices choices({data, size});
    choices.pick(strategies)(choices);
    return 0;
}
