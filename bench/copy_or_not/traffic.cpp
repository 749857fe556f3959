// SPDX-License-Identifier: BSL-1.0
#include "copy_or_not/traffic.hpp"

#include <cstring>
#include <memory>
#include <random>

#include <pcap/pcap.h>

#include "noria/core/endian.hpp"
#include "noria/flow/rss.hpp"
#include "noria/wire/checksum.hpp"

namespace bench {
namespace {

constexpr std::uint32_t shortest_frame = 60; // Ethernet's least, without FCS
constexpr std::size_t most_capture_bytes = std::size_t{256} << 20;

// Frames as (offset, length) first: the vector of bytes moves while it grows.
struct builder {
    traffic made;
    std::vector<std::pair<std::size_t, std::uint32_t>> places;

    std::byte* add(std::uint32_t length) {
        places.emplace_back(made.bytes.size(), length);
        made.bytes.resize(made.bytes.size() + length);
        return made.bytes.data() + places.back().first;
    }

    // What a card finds out on the way in: the hash of the flow, and that the checksums are right.
    traffic finish() {
        const noria::toeplitz_hasher hasher;
        for (const auto& [offset, length] : places) {
            const std::span<const std::byte> bytes(made.bytes.data() + offset, length);
            made.frames.push_back({.bytes = bytes,
                                   .hash = noria::rss_hash(hasher, bytes, noria::parse_headers(bytes)),
                                   .flags = noria::completion::checksum_ok});
            made.longest = std::max(made.longest, length);
        }
        return std::move(made);
    }
};

// A UDP datagram of flow `flow` in a frame of `length` bytes, payload from `random`.
void write_udp(std::byte* frame, std::uint32_t length, std::uint32_t flow, std::mt19937& random) {
    for (std::uint32_t i = 0; i != length; ++i)
        frame[i] = static_cast<std::byte>(random());
    static constexpr unsigned char header[42] = {
        0x02, 0, 0,    0, 0, 2, 0x02, 0, 0,  0,  0, 1, 0x08, 0x00, // Ethernet, IPv4 follows
        0x45, 0, 0,    0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10,   0,    0, 1, 10, 0, 0, 2, // IPv4, UDP follows
        0x10, 0, 0x20, 0, 0, 0, 0,    0};                                             // UDP
    std::memcpy(frame, header, sizeof header);
    noria::store_big(frame + 16, static_cast<std::uint16_t>(length - 14));
    noria::store_big(frame + 28, static_cast<std::uint16_t>(flow));
    noria::store_big(frame + 38, static_cast<std::uint16_t>(length - 34));
    noria::store_big(frame + 24, noria::sum_of({frame + 14, 20}).checksum());
}

} // namespace

std::map<std::uint32_t, std::size_t> traffic::histogram() const {
    std::map<std::uint32_t, std::size_t> counts;
    for (const auto& frame : frames) {
        std::uint32_t bound = 64;
        while (bound < frame.bytes.size())
            bound *= 2;
        ++counts[bound];
    }
    return counts;
}

traffic from_capture(const std::string& file) {
    char why[PCAP_ERRBUF_SIZE] = "";
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> capture(pcap_open_offline(file.c_str(), why),
                                                                 &pcap_close);
    if (!capture)
        throw bad_input("cannot read the capture " + file + " (" + why +
                        "): give a pcap or pcapng file, for example one written by `tcpdump -w FILE`");
    const int link = pcap_datalink(capture.get());
    if (link != DLT_EN10MB)
        throw bad_input(
            "the capture " + file + " has link type " + std::to_string(link) +
            "; only Ethernet (1) can be replayed: capture on an Ethernet interface, not on `any`");
    builder out;
    out.made.name = "capture";
    std::size_t snapped = 0;
    std::size_t too_long = 0;
    std::size_t empty = 0;
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    int status = 0;
    while ((status = pcap_next_ex(capture.get(), &header, &bytes)) == 1) {
        if (header->caplen == 0 || header->len == 0) {
            ++empty;
            continue;
        }
        if (header->len > longest_frame) {
            ++too_long;
            continue;
        }
        if (out.made.bytes.size() > most_capture_bytes) {
            out.made.remarks.push_back("Only the first 256 MiB of the capture are used.");
            break;
        }
        snapped += header->caplen < header->len;
        std::byte* to = out.add(std::max(header->len, shortest_frame));
        std::memcpy(to, bytes, std::min(header->caplen, header->len));
    }
    if (status == PCAP_ERROR)
        out.made.remarks.push_back("The capture breaks off after " + std::to_string(out.places.size()) +
                                   " frames (" + pcap_geterr(capture.get()) + "); what came before is used.");
    if (snapped != 0)
        out.made.remarks.push_back(std::to_string(snapped) +
                                   " frames were cut short by the capture; they are filled up with zeros to "
                                   "their length on the wire. "
                                   "Capture with `tcpdump -s 0` to have them whole.");
    if (too_long != 0)
        out.made.remarks.push_back(
            std::to_string(too_long) +
            " frames are longer than 9018 bytes and left out: they never were on a wire. Capture with "
            "segmentation offloads off (`ethtool -K DEV tso off gso off gro off`).");
    if (empty != 0)
        out.made.remarks.push_back(std::to_string(empty) + " empty frames are left out.");
    if (out.places.empty())
        throw bad_input("the capture " + file + " has no frame that can be used: " +
                        (out.made.remarks.empty() ? "it is empty" : out.made.remarks.front()));
    return out.finish();
}

traffic of_size(std::uint32_t frame_bytes) {
    if (frame_bytes < shortest_frame || frame_bytes > longest_frame)
        throw bad_input("frames have 60 to 9018 bytes, not " + std::to_string(frame_bytes) +
                        ": change --sizes");
    std::mt19937 random(frame_bytes);
    builder out;
    out.made.name = std::to_string(frame_bytes);
    for (std::uint32_t flow = 0; flow != 256; ++flow)
        write_udp(out.add(frame_bytes), frame_bytes, flow, random);
    return out.finish();
}

traffic imix() {
    std::mt19937 random(7);
    builder out;
    out.made.name = "imix";
    for (std::uint32_t i = 0; i != 12 * 64; ++i) {
        const std::uint32_t turn = static_cast<std::uint32_t>(random() % 12);
        const std::uint32_t length = turn < 7 ? 64 : turn < 11 ? 594 : 1518;
        write_udp(out.add(length), length, i % 256, random);
    }
    return out.finish();
}

} // namespace bench
