// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <sys/socket.h>

#include "hardware/file_descriptor.hpp"
#include "hardware/qtest/connection.hpp"

namespace qtest {

// The other end of the card's cable: each datagram is a frame, without its check sequence. Nothing is lost on
// it: a card that has no descriptor lets its frames lie in the socket.
class wire {
  public:
    explicit wire(hardware::file_descriptor socket) noexcept : socket_(std::move(socket)) {}

    // A frame for the card. False when the cable holds no more within `limit` ns.
    [[nodiscard]] bool send(std::span<const std::byte> frame, noria::nanoseconds limit = patience) noexcept {
        const noria::nanoseconds deadline = noria::monotonic_clock{}.now() + limit;
        for (;;) {
            if (::send(socket_.fd(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
                return true;
            if (errno != EINTR && (errno != EAGAIN || !ready(socket_.fd(), POLLOUT, deadline)))
                return false;
        }
    }

    // A frame from the card: its bytes in `room`, and how many there are; 0 when none comes within `limit`
    // ns.
    [[nodiscard]] std::size_t receive(std::span<std::byte> room,
                                      noria::nanoseconds limit = patience) noexcept {
        const noria::nanoseconds deadline = noria::monotonic_clock{}.now() + limit;
        for (;;) {
            const ssize_t got = ::recv(socket_.fd(), room.data(), room.size(), MSG_DONTWAIT);
            if (got >= 0)
                return static_cast<std::size_t>(got);
            if (errno != EINTR && (errno != EAGAIN || !ready(socket_.fd(), POLLIN, deadline)))
                return 0;
        }
    }

    [[nodiscard]] int fd() const noexcept { return socket_.fd(); }

  private:
    hardware::file_descriptor socket_;
};

} // namespace qtest
