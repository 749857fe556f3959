// SPDX-License-Identifier: BSL-1.0
#pragma once

// The cells of the benchmark: a traffic, how long packets are held, what the consumer does with them.

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// What the consumer reads of each packet.
enum class touch : std::uint8_t {
    none,
    headers,  // the first 54 bytes
    bytes,    // every byte
    checksum, // the Internet checksum of every byte
    copy_out  // copied to the application's own buffer
};
[[nodiscard]] const char* name(touch what);
[[nodiscard]] touch touch_named(const std::string& text); // throws bad_input

// How many packets the consumer keeps before it lets the oldest go; `half` is half of a pool of 8192.
struct holding {
    std::string name;
    std::uint32_t packets = 0;

    static constexpr std::uint32_t pool_of_half = 8192;
    [[nodiscard]] bool is_half() const { return name == "half"; }
    // Packets that can be alive at once: what is held, and room to breathe.
    [[nodiscard]] std::uint32_t pool() const { return is_half() ? pool_of_half : packets + 2048; }
};
[[nodiscard]] holding holding_named(const std::string& text); // throws bad_input

struct cell {
    std::string traffic; // "capture", "imix" or a frame size
    holding hold;
    enum touch touch = touch::headers;

    [[nodiscard]] std::string name() const;
};

// The checked-in list that the default run and the map stand on; a part of it; and all axes crossed.
[[nodiscard]] std::vector<cell> default_cells();
[[nodiscard]] std::vector<cell> quick_cells();
[[nodiscard]] std::vector<cell> all_cells();

// `traffics` crossed with `holds`, with one touch.
[[nodiscard]] std::vector<cell> crossed(const std::vector<std::string>& traffics,
                                        const std::vector<std::string>& holds,
                                        const std::vector<touch>& touches);

} // namespace bench
