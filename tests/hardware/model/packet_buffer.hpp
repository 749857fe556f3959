// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <vector>

namespace model82599 {

// Where frames wait between the wire and memory: first in, first out, so many bytes of them and no more.
class packet_buffer {
  public:
    // As many bytes as RXPBSIZE can give, and again as many, so that each frame lies in one piece.
    static constexpr std::size_t largest = std::size_t{512} << 10;

    packet_buffer() : store_(2 * largest) {}

    struct frame {
        std::span<const std::byte> bytes;
        bool damaged; // its CRC was wrong
        bool loop_back;
    };

    // False where `capacity` bytes do not have room for it too. Without `copied` the bytes stay where they
    // are.
    [[nodiscard]] bool push(std::span<const std::byte> bytes, bool damaged, bool loop_back, bool copied,
                            std::size_t capacity) {
        if (bytes.size() + held_ > (capacity < largest ? capacity : largest))
            return false;
        held_ += bytes.size();
        if (copied) {
            if (end_ + bytes.size() > store_.size())
                end_ = 0;
            std::memcpy(store_.data() + end_, bytes.data(), bytes.size());
            bytes = std::span(store_).subspan(end_, bytes.size());
            end_ += bytes.size();
        }
        waiting_.push_back({bytes, damaged, loop_back});
        return true;
    }
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    [[nodiscard]] std::size_t frames() const noexcept { return waiting_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return held_; }
    // Preconditions: !empty().
    [[nodiscard]] const frame& front() const noexcept { return waiting_.front(); }
    void pop() noexcept {
        held_ -= waiting_.front().bytes.size();
        waiting_.pop_front();
    }
    void clear() noexcept {
        waiting_.clear();
        held_ = 0;
    }

  private:
    std::vector<std::byte> store_;
    std::deque<frame> waiting_;
    std::size_t end_ = 0; // where the next one goes
    std::size_t held_ = 0;
};

} // namespace model82599
