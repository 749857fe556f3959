// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include "hardware/file_descriptor.hpp"
#include "hardware/qtest/process.hpp"
#include "noria/core/clock.hpp"

namespace qtest {

// How long QEMU may take for an answer, which is 15 us as a rule.
inline constexpr noria::nanoseconds patience = 5'000'000'000;

// Waits until `fd` can be read or written, at most until `deadline` of the monotonic clock.
[[nodiscard]] inline bool ready(int fd, short events, noria::nanoseconds deadline) noexcept {
    for (;;) {
        const noria::nanoseconds now = noria::monotonic_clock{}.now();
        const noria::nanoseconds left = deadline > now ? deadline - now : 0;
        pollfd wanted{.fd = fd, .events = events, .revents = 0};
        const int found = ::poll(&wanted, 1, static_cast<int>((left + 999'999) / 1'000'000));
        if (found > 0)
            return (wanted.revents & (events | POLLHUP | POLLERR)) != 0;
        if ((found == 0 && left == 0) || (found < 0 && errno != EINTR))
            return false;
    }
}

// Our end of QEMU's qtest socket: one line there, "readl 0xe0000008", and one back, "OK 0x80283". Each call
// ends after `patience` at the latest. One that fails is the last: from then on every read is all ones, which
// is what a card answers that has been pulled out. One thread.
class connection {
  public:
    explicit connection(hardware::file_descriptor socket) noexcept : socket_(std::move(socket)) {}

    // `command`: inl, from the I/O ports, or readl, from memory.
    [[nodiscard]] std::uint32_t read(const char* command, std::uint64_t address) noexcept {
        std::array<char, 64> line;
        const int length = std::snprintf(line.data(), line.size(), "%s 0x%llx\n", command,
                                         static_cast<unsigned long long>(address));
        const char* const value = ask({line.data(), static_cast<std::size_t>(length)});
        return value != nullptr ? static_cast<std::uint32_t>(std::strtoull(value, nullptr, 16)) : ~0u;
    }
    // `command`: outl or writel.
    void write(const char* command, std::uint64_t address, std::uint32_t value) noexcept {
        std::array<char, 64> line;
        const int length = std::snprintf(line.data(), line.size(), "%s 0x%llx 0x%x\n", command,
                                         static_cast<unsigned long long>(address), value);
        static_cast<void>(ask({line.data(), static_cast<std::size_t>(length)}));
    }

    [[nodiscard]] bool broken() const noexcept { return broken_; }

  private:
    // What comes behind "OK", or null.
    [[nodiscard]] const char* ask(std::span<const char> line) noexcept {
        if (broken_)
            return nullptr;
        const noria::nanoseconds deadline = noria::monotonic_clock{}.now() + patience;
        broken_ = !say(line, deadline) || !hear(deadline) || std::strncmp(answer_.data(), "OK", 2) != 0;
        return broken_ ? nullptr : answer_.data() + 2;
    }

    [[nodiscard]] bool say(std::span<const char> line, noria::nanoseconds deadline) noexcept {
        while (!line.empty()) {
            const ssize_t sent = ::send(socket_.fd(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent > 0)
                line = line.subspan(static_cast<std::size_t>(sent));
            else if (errno != EINTR && (errno != EAGAIN || !ready(socket_.fd(), POLLOUT, deadline)))
                return false;
        }
        return true;
    }

    // One line, its end replaced by a 0. There is never more than one under way.
    [[nodiscard]] bool hear(noria::nanoseconds deadline) noexcept {
        std::size_t length = 0;
        while (length != answer_.size()) {
            const ssize_t got =
                ::recv(socket_.fd(), answer_.data() + length, answer_.size() - length, MSG_DONTWAIT);
            if (got > 0) {
                length += static_cast<std::size_t>(got);
                if (answer_[length - 1] == '\n') {
                    answer_[length - 1] = '\0';
                    return true;
                }
            } else if (got == 0 ||
                       (errno != EINTR && (errno != EAGAIN || !ready(socket_.fd(), POLLIN, deadline)))) {
                return false;
            }
        }
        return false;
    }

    hardware::file_descriptor socket_;
    std::array<char, 128> answer_{};
    bool broken_ = false;
};

} // namespace qtest
