// SPDX-License-Identifier: BSL-1.0
#pragma once

// A transmit queue on the scripted device, and memory for what it sends.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/tx_queue.hpp"
#include "support/plain_transmitter.hpp"
#include "support/transmit.hpp"

namespace tx_queue_test {

inline constexpr std::uint32_t sent = noria::transmit_report::sent;
inline constexpr std::uint32_t memory_free = noria::transmit_report::memory_free;
inline constexpr std::uint32_t error_report = noria::transmit_report::error;

// What of a device the test holds the strings of.
inline scripted_transmitter& script_of(scripted_transmitter& device) {
    return device;
}
inline scripted_transmitter& script_of(plain_transmitter& device) {
    return device.rest;
}

template <class Limit = noria::unlimited, class Device = scripted_transmitter>
struct sending {
    using queue_type = noria::tx_queue<Device, Limit>;

    explicit sending(const noria::tx_options& options = {}, const sending_request& request = {},
                     Limit limit = {}, std::uint32_t most_pieces = 18)
        : all(request) {
        device.most_pieces = most_pieces;
        device.descriptors = options.descriptors;
        auto made = queue_type::create(backend, all.memory(), options, limit);
        EXPECT_TRUE(made) << (made ? "" : made.error().advice);
        queue.emplace(*std::move(made));
    }
    bool send(noria::packet_ptr packet) { return queue->send(packet); }
    void expect_closed() const {
        EXPECT_TRUE(queue->ledger().closes()) << "off by " << queue->ledger().discrepancy();
        EXPECT_EQ(queue->free_descriptors() + device_uses(), device.asked.descriptors);
    }
    std::uint32_t device_uses() const { return device.in_use + settling; }

    Device backend;
    scripted_transmitter& device = script_of(backend);
    sending_memory all;
    std::optional<queue_type> queue;
    std::uint32_t settling = 0; // descriptors of packets whose last report was not read yet
};

// Heads of both sizes are all out, and the head of the packet has no room.
struct starved : sending<> {
    explicit starved(std::uint32_t retries) : sending({.retries = retries}, {}, {}, 3) { starve(); }
    void starve() {
        fragmented = all.make(256, {400, 400, 400, 400});
        bytes = bytes_sent(*fragmented);
        while (noria::packet_ptr one = all.packets.allocate(8192))
            hog.push_back(std::move(one));
    }
    void relieve() {
        for (noria::packet_ptr& each : hog)
            each.free(noria::drop_reason::consumed);
        hog.clear();
    }
    noria::packet_ptr fragmented;
    std::vector<std::byte> bytes;
    std::vector<noria::packet_ptr> hog;
};

} // namespace tx_queue_test
