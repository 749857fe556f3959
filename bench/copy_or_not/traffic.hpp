// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where the frames come from: a capture, one size, or a mix.

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "noria/backend/loopback.hpp"

namespace bench {

// What ends the run with exit status 2: the user gave something that cannot be used. The text says what to
// do.
struct bad_input : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct traffic {
    std::string name;
    std::vector<std::byte> bytes; // of all frames, one behind the other
    std::vector<noria::backend::wire_frame> frames;
    std::uint32_t longest = 0;
    std::vector<std::string> remarks; // what was found on the way in, in sentences

    [[nodiscard]] double mean_bytes() const {
        return static_cast<double>(bytes.size()) / static_cast<double>(frames.size());
    }
    // Frames by length: up to 64 bytes, up to 128, and so on.
    [[nodiscard]] std::map<std::uint32_t, std::size_t> histogram() const;
};

constexpr std::uint32_t longest_frame = 9018;

// The frames of a pcap or pcapng file. Frames cut short by the capture are filled up with zeros to their
// length on the wire. Throws bad_input when there is nothing to be used.
[[nodiscard]] traffic from_capture(const std::string& file);

// Frames of one length, 60 to 9018 bytes, of 256 different UDP flows.
[[nodiscard]] traffic of_size(std::uint32_t frame_bytes);

// Simple IMIX: 64, 594 and 1518 bytes as 7 : 4 : 1.
[[nodiscard]] traffic imix();

} // namespace bench
