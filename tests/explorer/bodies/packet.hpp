// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/memory/page.hpp"
#include "noria/packet/head_share.hpp"

// Clones of one head on several threads. Each reads the bytes, and whoever is alone with them, or takes the
// page home, writes them: after all others have read. Each holder has a cell of its own, that stands for its
// reading.

namespace bodies {

// The owner clones once more while the first clone, on another thread, leaves; the second clone goes to a
// third thread. Any of the three may be the last.
template <class Sync>
struct head_of_clones {
    static constexpr unsigned threads = 3;

    head_of_clones() {
        share.start(page);
        share.join(); // for thread 1
    }

    void thread(unsigned index) {
        if (index == 0) {
            Sync::write(read_by[0], 1u);
            share.join();
            sent.store(1, std::memory_order_release);
            leave();
        } else if (index == 1) {
            Sync::write(read_by[1], 1u);
            leave();
        } else {
            for (unsigned tries = 0; tries != 2 && !got; ++tries)
                got = sent.load(std::memory_order_acquire) == 1;
            if (got) {
                Sync::write(read_by[2], 1u);
                leave();
            }
        }
    }

    void finish() {
        if (!got)
            leave();
        explorer::check(went_home == 1, "a head goes home once");
    }

  private:
    void leave() {
        if (!share.leave())
            return;
        for (auto& each : read_by)
            Sync::write(each, 9u);
        ++went_home;
    }

    noria::basic_page_owner<Sync> owner{this, [](void*, noria::basic_page<Sync>&) noexcept {}};
    noria::basic_page<Sync> page{nullptr, 0, owner};
    noria::basic_head_share<Sync> share;
    typename Sync::template atomic<std::uint32_t> sent{0};
    typename Sync::template cell<std::uint32_t> read_by[threads];
    bool got = false;       // thread 2's
    unsigned went_home = 0; // the last one's
};

// The owner writes as soon as it finds that it is alone.
template <class Sync>
struct head_alone_again {
    static constexpr unsigned threads = 2;

    head_alone_again() {
        share.start(page);
        share.join();
    }

    void thread(unsigned index) {
        if (index == 0) {
            if (share.alone())
                Sync::write(read_by_clone, 9u);
        } else {
            Sync::write(read_by_clone, 1u);
            explorer::check(!share.leave(), "the owner is still there");
        }
    }

    void finish() { explorer::check(share.alone() && share.leave(), "the owner is the last"); }

  private:
    noria::basic_page_owner<Sync> owner{this, [](void*, noria::basic_page<Sync>&) noexcept {}};
    noria::basic_page<Sync> page{nullptr, 0, owner};
    noria::basic_head_share<Sync> share;
    typename Sync::template cell<std::uint32_t> read_by_clone;
};

} // namespace bodies
