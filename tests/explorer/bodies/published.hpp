// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/stats/published.hpp"

namespace bodies {

struct two_numbers {
    std::uint64_t first = 0, second = 0;
};

// What is read was published, whole, and never grows older. With more publications than slots the writer
// comes round to the copy that is being read.
template <class Sync, std::size_t Slots, std::uint64_t Publications>
struct published_whole {
    static constexpr unsigned threads = 2;

    void thread(unsigned index) {
        if (index == 0) {
            for (std::uint64_t i = 1; i <= Publications; ++i)
                board.publish({i, i});
            return;
        }
        two_numbers seen;
        for (int i = 0; i != 2; ++i) {
            const std::uint64_t last = seen.first;
            const bool read = board.try_read(seen);
            explorer::check(seen.first == seen.second, "the numbers are of one publication");
            explorer::check(read ? seen.first >= last : seen.first == last,
                            "a reader does not go back in time");
        }
    }

    void finish() {
        two_numbers seen;
        explorer::check(board.try_read(seen) && seen.first == Publications, "the last one stays");
    }

    noria::basic_published<two_numbers, Slots, Sync> board;
};

// A giver publishes and then hands over; a receiver takes and then publishes; and who reads the receiver's
// numbers first never sees more received than given.
template <class Sync>
struct published_in_a_row {
    static constexpr unsigned threads = 3;

    void thread(unsigned index) {
        if (index == 0) {
            given.publish({1, 1});
            ring.store(1, std::memory_order_release); // the body's own, not a site in include/
        } else if (index == 1) {
            if (ring.load(std::memory_order_acquire) == 1)
                taken.publish({1, 1});
        } else {
            two_numbers received, offered;
            if (taken.try_read(received) && given.try_read(offered))
                explorer::check(received.first <= offered.first, "what was received had been given");
        }
    }

    void finish() {
        two_numbers offered;
        explorer::check(given.try_read(offered) && offered.first == 1, "what was given stays");
    }

    noria::basic_published<two_numbers, 2, Sync> given, taken;
    typename Sync::template atomic<std::uint32_t> ring{0};
};

} // namespace bodies
