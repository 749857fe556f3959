// SPDX-License-Identifier: BSL-1.0
// Your own backend in one struct: what a device has to offer so that Noria can receive from it. This one is
// no device at all: it fills every buffer it is given with a UDP frame that carries a number.
//
//   g++ -std=c++20 -O2 -Iinclude examples/04_your_own_backend.cpp -o backend && ./backend

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>

#include "noria/backend/contract.hpp"
#include "noria/packet.hpp"
#include "noria/queue.hpp"

namespace {

// What is in a frame. Wire headers are plain structs whose numbers are big-endian by type.
struct counted_frame {
    noria::ethernet_header ethernet;
    noria::ipv4_header ip;
    noria::udp_header udp;
    noria::big32 number;
};

// [backend]
struct generator {
    // Where the device puts frames: one in each buffer, in the order the buffers were given.
    static constexpr noria::buffer_model model = noria::buffer_model::per_packet;
    static constexpr bool in_order = true;

    // Once, at set-up: the memory that all buffers will lie in. A driver tells its device or the IOMMU; this
    // one writes with the processor, so any numbering of the bytes will do. Here they count from zero.
    noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        known_.emplace(memory.bytes(), 0);
        return *known_;
    }

    // Once, at set-up: how many buffers the queue will have out at a time. What cannot be done is said here.
    noria::result<noria::receive_setup> configure(const noria::receive_setup& wanted) noexcept {
        if (wanted.descriptors > buffers_.size())
            return noria::make_error(std::errc::invalid_argument, "the generator has 256 descriptors");
        return wanted;
    }

    // Buffers to fill: take as many as there is room for, from the front, and say how many. A driver writes
    // them to its ring and then rings the doorbell, once.
    std::uint32_t post(std::span<const noria::buffer_post> posts) noexcept {
        std::uint32_t taken = 0;
        while (taken != posts.size() && given_ - filled_ != buffers_.size())
            buffers_[given_++ % buffers_.size()] = posts[taken++];
        return taken;
    }

    // What has been filled since the last time: write at most completions.size() of them, and say how many.
    // 0 when there is nothing. A device would have written the frames in the meantime; we do it now.
    std::uint32_t reap(std::span<noria::completion> completions) noexcept {
        std::uint32_t written = 0;
        while (written != completions.size() && filled_ != given_) {
            const noria::buffer_post& buffer = buffers_[filled_++ % buffers_.size()];
            counted_frame frame{};
            frame.ethernet.type = noria::ethertype::ipv4;
            frame.ip.version_and_length = 0x45;
            frame.ip.protocol = noria::ip_protocol::udp;
            frame.ip.total_length = sizeof frame - sizeof frame.ethernet;
            frame.udp.length = sizeof frame.udp + sizeof frame.number;
            frame.number = ++sent;
            std::byte* const to = known_->address_of(buffer.iova, sizeof frame);
            if (to == nullptr || buffer.length < sizeof frame)
                continue;
            std::memcpy(to, &frame, sizeof frame);
            completions[written++] = {
                .id = buffer.id, .length = sizeof frame, .flags = noria::completion::end_of_packet};
        }
        return written;
    }

    std::uint32_t sent = 0;

  private:
    std::optional<noria::mapping> known_;
    std::array<noria::buffer_post, 256> buffers_;
    std::uint32_t given_ = 0; // both count on
    std::uint32_t filled_ = 0;
};

// The compiler says in a sentence what is missing. Take one of the functions away and look.
static_assert(noria::check_backend<generator>());
// [/backend]

// From here on it is a device like any other: every strategy for its model can be used.
using queue_type = noria::rx_queue<generator, noria::build_around>;

} // namespace

int main() {
    const noria::rx_options options{.descriptors = 128, .packets = 256, .frame_bytes = 1514};
    generator device;
    auto memory = noria::region::map({.bytes = queue_type::region_bytes(options)});
    if (!memory)
        return std::fprintf(stderr, "%s\n", memory.error().advice), 1;
    auto queue = queue_type::create(device, *memory, options);
    if (!queue)
        return std::fprintf(stderr, "%s\n", queue.error().advice), 1;

    std::uint32_t received = 0;
    std::uint32_t out_of_turn = 0;
    while (received < 1'000'000)
        static_cast<void>(queue->poll(64, [&](noria::packet_ptr packet) noexcept {
            const auto frame = noria::pull_header<counted_frame>(*packet, 0);
            out_of_turn += !frame || frame->number != ++received;
            packet.free(noria::drop_reason::consumed);
        }));
    std::printf("%u frames sent, %u received, %u out of turn, %llu bytes copied\n", device.sent, received,
                out_of_turn, static_cast<unsigned long long>(queue->counters().built.copied_bytes));
    return out_of_turn == 0 ? 0 : 1;
}
