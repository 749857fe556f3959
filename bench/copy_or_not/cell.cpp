// SPDX-License-Identifier: BSL-1.0
#include "copy_or_not/cell.hpp"

#include <algorithm>

#include "copy_or_not/traffic.hpp"

namespace bench {
namespace {

constexpr touch all_touches[] = {touch::none, touch::headers, touch::bytes, touch::checksum, touch::copy_out};

void append(std::vector<cell>& to, const std::vector<cell>& more) {
    to.insert(to.end(), more.begin(), more.end());
}

} // namespace

const char* name(touch what) {
    switch (what) {
    case touch::none:
        return "none";
    case touch::headers:
        return "headers";
    case touch::bytes:
        return "bytes";
    case touch::checksum:
        return "checksum";
    case touch::copy_out:
        return "copy-out";
    }
    return "?";
}

touch touch_named(const std::string& text) {
    for (const touch what : all_touches)
        if (text == name(what))
            return what;
    throw bad_input("unknown touch '" + text + "': use none, headers, bytes, checksum or copy-out");
}

holding holding_named(const std::string& text) {
    if (text == "half")
        return {text, holding::pool_of_half / 2};
    std::size_t used = 0;
    unsigned long packets = 0;
    try {
        packets = std::stoul(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || used != text.size() || packets > 65536)
        throw bad_input("unknown holding '" + text +
                        "': give a number of packets from 0 to 65536, or `half` (of the pool)");
    return {text, static_cast<std::uint32_t>(packets)};
}

std::string cell::name() const {
    return traffic + ", hold " + hold.name + ", " + bench::name(touch);
}

std::vector<cell> crossed(const std::vector<std::string>& traffics, const std::vector<std::string>& holds,
                          const std::vector<touch>& touches) {
    std::vector<cell> cells;
    for (const touch what : touches)
        for (const std::string& hold : holds)
            for (const std::string& traffic : traffics)
                cells.push_back({traffic, holding_named(hold), what});
    return cells;
}

std::vector<cell> default_cells() {
    // The map: every size and both mixes at every holding time, headers read.
    std::vector<cell> cells = crossed({"64", "128", "256", "512", "1024", "1514", "imix", "capture"},
                                      {"0", "64", "1024", "16384", "half"}, {touch::headers});
    // Jumbo frames, where holding 16384 would take half a gigabyte.
    append(cells, crossed({"9018"}, {"0", "64", "1024"}, {touch::headers}));
    // What else the consumer may do, where the line between copying and attaching runs.
    append(cells, crossed({"64", "256", "1514", "capture"}, {"64"},
                          {touch::none, touch::bytes, touch::checksum, touch::copy_out}));
    return cells;
}

std::vector<cell> quick_cells() {
    std::vector<cell> cells =
        crossed({"64", "256", "1514", "capture"}, {"0", "1024", "half"}, {touch::headers});
    append(cells, crossed({"capture"}, {"64"}, {touch::none, touch::copy_out}));
    return cells;
}

std::vector<cell> all_cells() {
    std::vector<cell> cells =
        crossed({"64", "128", "256", "512", "1024", "1514", "9018", "imix", "capture"},
                {"0", "64", "1024", "16384", "half"}, {std::begin(all_touches), std::end(all_touches)});
    return cells;
}

} // namespace bench
