// SPDX-License-Identifier: BSL-1.0
#pragma once

// The other end of the wire: a thread, pinned to the second core, that runs the card for as long as it lives.

#include <atomic>
#include <cstdint>
#include <thread>

#include "common/machine.hpp"
#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"

namespace bench {

template <class Replay>
class wire {
  public:
    // `polls` is how often the queue was polled, so far.
    wire(Replay& card, const noria::counter& polls)
        : card_(card), polls_(polls), thread_([this] { run(); }) {}
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;
    ~wire() { stop(); }

    // No more frames; what is in the card's FIFO stays there.
    void stop() {
        stopped_.store(true, std::memory_order_relaxed);
        if (thread_.joinable())
            thread_.join();
    }

  private:
    static constexpr std::uint32_t burst = 32;
    // When the queue has been polled so often and has posted nothing, because its consumer sits on all
    // memory, the wire does what wires do: frames go on arriving, and are missed. Polls, not time: a thread
    // that was not scheduled is no reason to lose frames.
    static constexpr std::uint64_t patience = 1000;

    void run() {
        pin(1);
        std::uint64_t last_progress = polls_.value();
        while (!stopped_.load(std::memory_order_relaxed)) {
            if (card_.step(burst) != 0) {
                last_progress = polls_.value();
                continue;
            }
            noria::std_sync::relax();
            if (polls_.value() - last_progress > patience && card_.card().fifo_room() == 0) {
                card_.send(burst);
                last_progress = polls_.value();
            }
        }
    }

    Replay& card_;
    const noria::counter& polls_;
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

} // namespace bench
