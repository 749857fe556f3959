// SPDX-License-Identifier: BSL-1.0
// The header parsers against the reference: of a frame that the input is, or that it chooses the headers of
// and then damages; in one piece and cut into a packet. The frame in one piece ends where its block of the
// heap ends, for the address sanitizer to see a step too far.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <vector>

#include "fuzz/fuzz_choices.hpp"
#include "noria/flow/parse_packet.hpp"
#include "support/cut_packet.hpp"
#include "support/frames.hpp"
#include "support/reference_parser.hpp"

namespace {

void check(bool holds, const char* what) {
    if (holds)
        return;
    std::cerr << what << '\n';
    std::abort();
}

std::vector<std::uint8_t> any_frame(fuzz_choices& choices) {
    std::vector<std::uint8_t> frame;
    if (choices.one_in(2)) {
        while (!choices.used_up() && frame.size() < 2000)
            frame.push_back(static_cast<std::uint8_t>(choices.byte()));
        return frame;
    }
    frame = random_frame(choices).bytes();
    for (std::uint32_t damage = choices.below(8); damage != 0; --damage)
        frame[choices.below(static_cast<std::uint32_t>(frame.size()))] =
            static_cast<std::uint8_t>(choices.byte());
    frame.resize(
        std::min<std::size_t>(frame.size() - choices.below(static_cast<std::uint32_t>(frame.size())), 3000));
    return frame;
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static packet_fixture all{{.packets = 4, .heads = {4, 4, 4}, .pages = 24}};
    fuzz_choices choices({data, size});
    // How the packet is cut comes first: a frame that is the input uses up all that is left.
    fuzz_choices cuts(std::span(data, std::min<std::size_t>(size, 8)));
    for (int i = 0; i != 8; ++i)
        static_cast<void>(choices.byte());
    const std::vector<std::uint8_t> frame = any_frame(choices);
    const reference_parser::found expected = reference_parser::parse(frame);

    const auto exact = std::make_unique<std::byte[]>(frame.size());
    const std::span flat(exact.get(), frame.size());
    std::ranges::copy(std::as_bytes(std::span(frame)), flat.begin());
    const noria::parsed_headers outer = noria::parse_headers(flat);
    check(outer == expected.outer, "parse_headers");
    check(noria::parse_tunnel(flat, outer) == expected.tunnel, "parse_tunnel");

    const noria::packet_ptr packet = cut_packet(all, cuts, frame);
    const std::uint32_t linear = packet->headlen();
    const noria::parsed_packet found = noria::parse_packet(*packet);
    check(found.outer == expected.outer && found.tunnel == expected.tunnel, "parse_packet");
    check(found.pulled == noria::pull_status::ok, "memory there is");
    const std::uint32_t headers = expected.tunnel.kind == noria::tunnel_kind::none
                                      ? expected.outer.payload_offset
                                      : expected.tunnel.inner.payload_offset;
    check(packet->headlen() == std::max(linear, headers), "what it pulls");
    check(std::ranges::equal(bytes_of(*packet), flat), "the bytes stay");
    return 0;
}
