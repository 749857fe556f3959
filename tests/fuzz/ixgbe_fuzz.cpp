// SPDX-License-Identifier: BSL-1.0
// An 82599 that says whatever a fuzzer makes it say, below its driver and a receive queue of every strategy.
// The first bytes choose these; all others are what the card writes, and what the consumer does.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "fuzz/fuzz_choices.hpp"
#include "fuzz/stops_at_failures.hpp"
#include "support/hostile_82599.hpp"

namespace {

using namespace noria;

template <class Strategy>
void live(fuzz_choices& choices) {
    const auto mode = choices.one_in(2) ? ixgbe::receive_mode::buffers : ixgbe::receive_mode::header_split;
    constexpr bool whole_buffers = std::is_same_v<typename Strategy::supply, fresh_buffers>;
    const rx_options options{.descriptors = 16,
                             .packets = 32,
                             .frame_bytes = whole_buffers ? 2048u : 9216u,
                             .geometry = ixgbe::geometry()};
    static auto memory = region::map({.bytes = std::size_t{2} << 20, .best = backing::plain_pages});
    if (!memory)
        std::abort();
    static_cast<void>(live_with_hostile_82599<Strategy>(choices, *memory, options, mode, ~std::uint64_t{0}));
}

constexpr std::array strategies{&live<per_packet>, &live<per_packet_copybreak>, &live<page_attach>,
                                &live<build_around>};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz_choices choices({data, size});
    choices.pick(strategies)(choices);
    return 0;
}
