// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>

#include "hardware/registers.hpp"

// Registers, and a list of what was done with them: to see the order of a driver's steps, or to compare them
// with another driver's.

namespace hardware {

enum class access_kind : std::uint8_t { read, write, doorbell };

struct access_record {
    access_kind kind{};
    std::uint32_t offset = 0;
    std::uint32_t value = 0; // read or written

    friend bool operator==(const access_record&, const access_record&) noexcept = default;
};

// Around any registers; models register_space itself. Keeps the last `most` accesses. One thread, and not for
// the data path: it allocates.
template <register_space Registers>
class traced {
  public:
    explicit traced(Registers& inner, std::size_t most = 100'000) : inner_(&inner), most_(most) {}

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept {
        const std::uint32_t value = inner_->read32(offset);
        note({access_kind::read, offset, value});
        return value;
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        note({access_kind::write, offset, value});
        inner_->write32(offset, value);
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        note({access_kind::doorbell, offset, value});
        inner_->doorbell32(offset, value);
    }

    [[nodiscard]] const std::deque<access_record>& trace() const noexcept { return trace_; }
    void clear() noexcept { trace_.clear(); }

    // A line for each access.
    void print(std::FILE* to) const {
        for (const access_record& each : trace_)
            std::fprintf(to, "%s %05x %c %08x\n",
                         each.kind == access_kind::read    ? "read    "
                         : each.kind == access_kind::write ? "write   "
                                                           : "doorbell",
                         each.offset, each.kind == access_kind::read ? '=' : '<', each.value);
    }

  private:
    void note(const access_record& done) {
        if (trace_.size() == most_)
            trace_.pop_front();
        trace_.push_back(done);
    }

    Registers* inner_;
    std::size_t most_;
    std::deque<access_record> trace_;
};

} // namespace hardware
