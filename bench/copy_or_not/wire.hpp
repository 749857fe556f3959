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

// How far the queue's side is: written by the receiving thread, once a poll.
struct pace {
    noria::counter polls;
    noria::counter packets;
};

template <class Replay>
class wire {
  public:
    wire(Replay& card, const pace& queue) : card_(card), queue_(queue), thread_([this] { run(); }) {
        while (!running_.load(std::memory_order_acquire)) // partner: the store in run
            std::this_thread::yield();
    }
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
    // The card is never further ahead than this, in frames: so every strategy finds its data in the same
    // state, written a moment ago and in the other core's cache, however large its ring is.
    static constexpr std::uint64_t lead = 128;
    // When the queue has been polled so often and has posted nothing, because its consumer sits on all
    // memory, the wire does what wires do: frames go on arriving, and are missed. Polls, not time: a thread
    // that was not scheduled is no reason to lose frames.
    static constexpr std::uint64_t patience = 1000;

    void run() {
        pin(1);
        running_.store(true, std::memory_order_release);
        std::uint64_t last_progress = queue_.polls.value();
        while (!stopped_.load(std::memory_order_relaxed)) {
            const std::uint64_t ahead = card_.card().moved() - queue_.packets.value();
            if (ahead <= lead - burst && card_.step(burst) != 0) {
                last_progress = queue_.polls.value();
                continue;
            }
            noria::std_sync::relax();
            if (queue_.polls.value() - last_progress > patience) {
                card_.send(burst);
                last_progress = queue_.polls.value();
            }
        }
    }

    Replay& card_;
    const pace& queue_;
    std::atomic<bool> running_{false};
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

} // namespace bench
