// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/model/card.hpp"

// The card used register by register, with the numbers of the data sheet as they stand there: neither the
// model's list of registers nor the driver's has a part in it, so a slip in one of them shows.

namespace by_hand {

using bytes = std::vector<std::byte>;

// Frames. Their checksums are added up one word at a time, by nobody's code but this.

inline void put(bytes& to, std::initializer_list<unsigned> values) {
    for (const unsigned value : values)
        to.push_back(static_cast<std::byte>(value));
}
inline std::uint32_t word_sum(std::span<const std::byte> of, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < of.size(); i += 2)
        sum += std::to_integer<std::uint32_t>(of[i]) << 8 |
               (i + 1 < of.size() ? std::to_integer<std::uint32_t>(of[i + 1]) : 0);
    return sum;
}
inline std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}
inline void store16(bytes& in, std::size_t at, unsigned value) {
    in[at] = static_cast<std::byte>(value >> 8);
    in[at + 1] = static_cast<std::byte>(value);
}
inline unsigned load16(std::span<const std::byte> in, std::size_t at) {
    return std::to_integer<unsigned>(in[at]) << 8 | std::to_integer<unsigned>(in[at + 1]);
}

struct frame_shape {
    unsigned protocol = 17; // or 6
    std::size_t payload = 100;
    bool ipv6 = false;
    bool tagged = false;     // with tag 0x6123
    unsigned ip_options = 0; // words
    unsigned source_port = 1000;
    bool checksums = true;
};

inline std::size_t network_at(const frame_shape& shape) {
    return shape.tagged ? 18 : 14;
}
inline std::size_t transport_at(const frame_shape& shape) {
    return network_at(shape) + (shape.ipv6 ? 40 : 20 + 4 * shape.ip_options);
}
inline std::size_t payload_at(const frame_shape& shape) {
    return transport_at(shape) + (shape.protocol == 6 ? 20 : 8);
}
// The sum of addresses, protocol and length, which a transport checksum covers too.
inline std::uint32_t pseudo_header(const frame_shape& shape, const bytes& frame, std::size_t length) {
    const std::size_t ip = network_at(shape);
    const auto addresses =
        shape.ipv6 ? std::span(frame).subspan(ip + 8, 32) : std::span(frame).subspan(ip + 12, 8);
    return word_sum(addresses, shape.protocol + static_cast<std::uint32_t>(length));
}

// To the card's own address, from 192.0.2.1 to 192.0.2.2 or from 2001:db8::1 to 2001:db8::2.
inline bytes make_frame(const frame_shape& shape) {
    bytes frame;
    put(frame, {0x90, 0xe2, 0xba, 0x82, 0x59, 0x99, 2, 0, 0, 0, 0, 1});
    if (shape.tagged)
        put(frame, {0x81, 0x00, 0x61, 0x23});
    const std::size_t l4 = (shape.protocol == 6 ? 20 : 8) + shape.payload;
    if (shape.ipv6) {
        put(frame, {0x86, 0xdd, 0x60, 0, 0, 0, unsigned(l4 >> 8), unsigned(l4), shape.protocol, 64});
        for (const unsigned last : {1u, 2u})
            put(frame, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
    } else {
        const std::size_t total = 20 + 4 * shape.ip_options + l4;
        put(frame, {0x08,
                    0x00,
                    0x45 + shape.ip_options,
                    0,
                    unsigned(total >> 8),
                    unsigned(total),
                    0xab,
                    0xcd,
                    0x40,
                    0,
                    64,
                    shape.protocol,
                    0,
                    0,
                    192,
                    0,
                    2,
                    1,
                    192,
                    0,
                    2,
                    2});
        for (unsigned i = 0; i != 4 * shape.ip_options; ++i)
            put(frame, {1}); // no operation
        const auto header = std::span(frame).subspan(network_at(shape));
        if (shape.checksums)
            store16(frame, network_at(shape) + 10, 0xffffu ^ folded(word_sum(header)));
    }
    const std::size_t start = frame.size();
    put(frame, {shape.source_port >> 8, shape.source_port, 0x07, 0xd0});
    if (shape.protocol == 6)
        put(frame, {0, 0, 0x10, 0, 0, 0, 0x20, 0, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0});
    else
        put(frame, {unsigned(l4 >> 8), unsigned(l4), 0, 0});
    for (std::size_t i = 0; i != shape.payload; ++i)
        put(frame, {unsigned(i * 7 + 3)});
    if (shape.checksums)
        store16(frame, start + (shape.protocol == 6 ? 16 : 6),
                0xffffu ^ folded(word_sum(std::span(frame).subspan(start), pseudo_header(shape, frame, l4))));
    return frame;
}

// A frame of so many bytes that is no IP.
inline bytes plain_frame(std::size_t size, unsigned first = 0x90) {
    bytes frame;
    put(frame, {first, 0xe2, 0xba, 0x82, 0x59, 0x99, 2, 0, 0, 0, 0, 1, 0x88, 0xb5});
    while (frame.size() < size)
        put(frame, {unsigned(frame.size() * 5)});
    return frame;
}

// A ring and a buffer for each of its descriptors.
struct queue_memory {
    queue_memory(model82599::card& card, std::uint32_t descriptors, std::size_t buffer_bytes)
        : count(descriptors), each(buffer_bytes), ring(card.dma().allocate(16 * descriptors, 128).value()),
          buffers(card.dma().allocate(buffer_bytes * descriptors, 4096).value()),
          headers(card.dma().allocate(std::size_t{1024} * descriptors, 4096).value()) {}

    [[nodiscard]] std::uint32_t* word(std::uint32_t index) {
        return reinterpret_cast<std::uint32_t*>(ring.bytes.data()) + 4 * index;
    }
    [[nodiscard]] std::uint64_t buffer_iova(std::uint32_t index) const { return buffers.iova + each * index; }
    [[nodiscard]] std::uint64_t header_iova(std::uint32_t index) const {
        return headers.iova + std::uint64_t{1024} * index;
    }
    [[nodiscard]] std::span<std::byte> buffer(std::uint32_t index) {
        return buffers.bytes.subspan(each * index, each);
    }
    [[nodiscard]] std::span<std::byte> header(std::uint32_t index) {
        return headers.bytes.subspan(std::size_t{1024} * index, 1024);
    }

    std::uint32_t count;
    std::size_t each;
    hardware::dma_memory ring;
    hardware::dma_memory buffers;
    hardware::dma_memory headers;
};

// A card that is up: reset, link, one set of filters (its own address, broadcast), receive and transmit on.
// Queues are added by hand.
class fixture : public testing::Test {
  protected:
    explicit fixture(const model82599::card_setup& setup = {.link_delay = 1'000'000}) : card(setup) {}

    [[nodiscard]] std::uint32_t read(std::uint32_t offset) { return card.read32(offset); }
    void write(std::uint32_t offset, std::uint32_t value) { card.write32(offset, value); }
    [[nodiscard]] bool until(std::uint32_t offset, std::uint32_t mask, std::uint32_t value) {
        for (int look = 0; look != 100'000; ++look) {
            if ((read(offset) & mask) == value)
                return true;
            card.pass(1000);
        }
        return false;
    }

    void reset() {
        write(0x888, ~0u);
        write(0x0, 1u << 26 | 1u << 3);
        ASSERT_TRUE(until(0x0, 1u << 26 | 1u << 3, 0));
        card.pass(10'000'000);
        write(0x888, ~0u);
        ASSERT_TRUE(until(0x10010, 1u << 9, 1u << 9));
        ASSERT_TRUE(until(0x2f00, 1u << 3, 1u << 3));
        ASSERT_TRUE(until(0x42a4, 1u << 30, 1u << 30));
    }
    void clear_statistics() {
        for (std::uint32_t i = 0; i != 16; ++i)
            for (const std::uint32_t offset :
                 {0x1030u + 0x40 * i, 0x1034u + 0x40 * i, 0x1038u + 0x40 * i, 0x1430u + 0x40 * i,
                  0x6030u + 0x40 * i, 0x8700u + 8 * i, 0x8704u + 8 * i})
                static_cast<void>(read(offset));
        for (std::uint32_t i = 0; i != 8; ++i)
            static_cast<void>(read(0x3fa0 + 4 * i));
        for (std::uint32_t i = 0; i != 6; ++i) {
            static_cast<void>(read(0x405c + 4 * i));
            static_cast<void>(read(0x40d8 + 4 * i));
        }
        for (const std::uint32_t offset :
             {0x4000u, 0x4074u, 0x4078u, 0x407cu, 0x4080u, 0x4088u, 0x408cu, 0x4090u, 0x4094u, 0x40a4u,
              0x40acu, 0x40c0u, 0x40c4u, 0x40d0u, 0x40d4u, 0x40f0u, 0x40f4u})
            static_cast<void>(read(offset));
    }
    // All that is to be said before queues start.
    void set_up() {
        reset();
        clear_statistics();
        write(0x5080, 1u << 10);                     // broadcasts
        write(0x4240, 1u << 0 | 1u << 1 | 1u << 10); // add and strip the CRC, pad
        write(0x2f00, read(0x2f00) | 1u << 1);
        write(0x3c00, 512u << 10);
        write(0x18, 1u << 16);
        write(0x4900, 1u << 6);
        write(0x8120, 0);
        write(0x4900, 0);
        write(0x4a80, read(0x4a80) | 1);
    }
    void receive_on() {
        write(0x8d00, 2);
        ASSERT_TRUE(until(0x8d04, 1, 1));
        write(0x3000, 1);
        write(0x8d00, 0);
    }

    void start_queue(std::uint32_t block, queue_memory& memory) {
        write(block + 0x00, static_cast<std::uint32_t>(memory.ring.iova));
        write(block + 0x04, static_cast<std::uint32_t>(memory.ring.iova >> 32));
        write(block + 0x08, 16 * memory.count);
        write(block + 0x10, 0);
        write(block + 0x18, 0);
        write(block + 0x28, read(block + 0x28) | 1u << 25);
        ASSERT_TRUE(until(block + 0x28, 1u << 25, 1u << 25));
    }
    // Receive queue below 16, all but one of its descriptors given to the card.
    void start_receive(std::uint32_t queue, queue_memory& memory, std::uint32_t srrctl, bool give = true) {
        write(0x2100 + 4 * queue, srrctl);
        write(0x2200 + 4 * queue, 0);
        start_queue(0x1000 + 0x40 * queue, memory);
        for (std::uint32_t i = 0; i != memory.count; ++i)
            fill_receive(memory, i);
        if (give)
            write(0x1018 + 0x40 * queue, memory.count - 1);
    }
    void fill_receive(queue_memory& memory, std::uint32_t index) {
        const std::uint64_t descriptor[2] = {memory.buffer_iova(index), memory.header_iova(index)};
        std::memcpy(memory.word(index), descriptor, sizeof descriptor);
    }
    void start_transmit(std::uint32_t queue, queue_memory& memory) {
        start_queue(0x6000 + 0x40 * queue, memory);
    }

    // Descriptor `index` sends these bytes, which go into its buffer. Its word 2 has EOP, IFCS, RS.
    void fill_transmit(queue_memory& memory, std::uint32_t index, std::span<const std::byte> data,
                       std::uint32_t word2 = 0x0b00'0000, std::uint32_t word3 = 0, std::size_t whole = 0) {
        std::memcpy(memory.buffer(index).data(), data.data(), data.size());
        std::uint32_t* words = memory.word(index);
        words[0] = static_cast<std::uint32_t>(memory.buffer_iova(index));
        words[1] = static_cast<std::uint32_t>(memory.buffer_iova(index) >> 32);
        words[2] = word2 | 1u << 29 | 3u << 20 | static_cast<std::uint32_t>(data.size());
        words[3] = word3 | static_cast<std::uint32_t>(whole == 0 ? data.size() : whole) << 14;
    }
    static void fill_context(queue_memory& memory, std::uint32_t index,
                             const std::array<std::uint32_t, 4>& context) {
        std::memcpy(memory.word(index), context.data(), sizeof context);
    }

    [[nodiscard]] std::vector<bytes> sent() {
        std::vector<bytes> frames;
        card.take_sent([&](std::span<const std::byte> frame, std::uint32_t) {
            frames.emplace_back(frame.begin(), frame.end());
        });
        return frames;
    }
    // Nothing was done wrong.
    void expect_no_faults() {
        for (const model82599::fault_record& each : card.faults().records())
            ADD_FAILURE() << each;
    }

    model82599::card card;
};

inline bytes first(std::span<const std::byte> of, std::size_t count) {
    return {of.begin(), of.begin() + static_cast<std::ptrdiff_t>(count)};
}

} // namespace by_hand
