// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "explorer/explorer.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/memory/return_ring.hpp"

// Memory that changes hands: whoever gets it next comes after all who had it. The bytes themselves are not
// modelled; one witness cell stands for what a holder does to them.

namespace bodies {

// Three holders of a page write to it, each in a part of its own. The first looks whether it is alone, and
// then may write everywhere; so may whoever takes the page home.
template <class Sync>
struct page_of_three {
    static constexpr unsigned threads = 3;

    page_of_three() { page.start(threads); }

    void thread(unsigned index) {
        Sync::write(part[index], index);
        if (index == 0 && page.references() == 1)
            write_all(7);
        page.release();
    }

    void finish() { explorer::check(returned == 1, "a page goes home once"); }

  private:
    using page_type = noria::basic_page<Sync>;

    static void take_back(void* pool, page_type& page) noexcept {
        auto& self = *static_cast<page_of_three*>(pool);
        self.write_all(9);
        // Not before the writes: this look would order them.
        explorer::check(page.references() == page_type::at_home, "a page that goes home has no holder");
        ++self.returned;
    }
    void write_all(std::uint32_t value) noexcept {
        for (auto& each : part)
            Sync::write(each, value);
    }

    noria::basic_page_owner<Sync> owner{this, &take_back};
    page_type page{nullptr, 0, owner};
    typename Sync::template cell<std::uint32_t> part[threads];
    unsigned returned = 0; // by the last holder
};

// A holder hands a second reference on without a word to the others, and both give theirs back.
template <class Sync>
struct page_held_again {
    static constexpr unsigned threads = 2;

    page_held_again() { page.start(2); }

    void thread(unsigned index) {
        if (index == 0)
            page.hold();
        Sync::write(part[index], index);
        page.release();
        if (index == 0)
            page.release();
    }

    void finish() { explorer::check(returned == 1, "a page goes home once"); }

  private:
    using page_type = noria::basic_page<Sync>;

    static void take_back(void* pool, page_type&) noexcept {
        auto& self = *static_cast<page_held_again*>(pool);
        for (auto& each : self.part)
            Sync::write(each, 9u);
        ++self.returned;
    }

    noria::basic_page_owner<Sync> owner{this, &take_back};
    page_type page{nullptr, 0, owner};
    typename Sync::template cell<std::uint32_t> part[threads];
    unsigned returned = 0;
};

// An object and what its holder does to it.
template <class Sync>
struct witness {
    void touch(std::uint32_t by) {
        std::uint32_t before = 0;
        Sync::read(bytes, before);
        Sync::write(bytes, by);
    }
    typename Sync::template cell<std::uint32_t> bytes;
};

// Two objects and two slots. The first comes home, goes out again and comes home on the second lap, so that
// the second object meets a slot that was used before, cleared by a thread it never heard of.
template <class Sync>
struct return_ring_lapped {
    static constexpr unsigned threads = 3;

    return_ring_lapped() { explorer::check(ring.reserve(2, 0xffff'ffff), "there is memory for two"); }

    void thread(unsigned index) {
        if (index == 0) {
            for (unsigned tries = 0; tries != 3; ++tries) {
                collect();
                if (home[0])
                    again.store(1, std::memory_order_release);
                Sync::relax();
            }
        } else if (index == 1) {
            object[0].touch(1);
            (void)ring.give(object[0]);
            for (unsigned tries = 0; tries != 2; ++tries) {
                Sync::relax();
                if (again.load(std::memory_order_acquire) == 1) {
                    object[0].touch(2);
                    (void)ring.give(object[0]);
                    ++given_again;
                    break;
                }
            }
        } else {
            object[1].touch(3);
            (void)ring.give(object[1]);
        }
    }

    void finish() {
        collect();
        explorer::check(home[0] == 1 + given_again && home[1] == 1, "what was given comes home, each once");
        explorer::check(ring.waiting() == 0, "nothing is left behind");
    }

  private:
    void collect() {
        (void)ring.collect(~0u, [this](witness<Sync>& back) noexcept {
            back.touch(0);
            ++home[&back - object];
        });
    }

    noria::basic_return_ring<witness<Sync>, Sync> ring;
    witness<Sync> object[2];
    typename Sync::template atomic<std::uint32_t> again{0};
    unsigned home[2]{};       // the owner's
    unsigned given_again = 0; // the first giver's
};

// The owner takes an object, hands it out, and takes another; the receiver gives it back from outside.
template <class Sync>
struct recycled {
    static constexpr unsigned threads = 2;

    recycled() {
        explorer::check(pool.reserve(2), "there is memory for two");
        pool.put_first(object[0]);
        pool.put_first(object[1]);
        sent = pool.take();
    }

    void thread(unsigned index) {
        if (index == 0) {
            const typename noria::basic_recycler<witness<Sync>, Sync>::owner_section mine(pool);
            for (unsigned tries = 0; tries != 3; ++tries)
                if (witness<Sync>* const taken = pool.take()) {
                    taken->touch(1);
                    if (tries != 1)
                        pool.give(*taken);
                    else
                        kept = taken;
                }
        } else {
            sent->touch(2);
            pool.give(*sent);
        }
    }

    void finish() {
        if (kept != nullptr)
            pool.give(*kept);
        explorer::check(pool.home() == 2, "all come home");
        witness<Sync>* const first = pool.take();
        witness<Sync>* const second = pool.take();
        explorer::check(first != nullptr && second != nullptr && first != second, "each of them once");
        explorer::check(pool.take() == nullptr, "and no third");
    }

  private:
    noria::basic_recycler<witness<Sync>, Sync> pool;
    witness<Sync> object[2];
    witness<Sync>* sent = nullptr;
    witness<Sync>* kept = nullptr; // the owner's
};

// The owner closes the ring of four while one giver brings two objects with one claim, and another brings
// one. What got in is handed over, what did not is refused, and nothing is both or neither.
template <class Sync>
struct return_ring_closed {
    static constexpr unsigned threads = 3;

    return_ring_closed() { explorer::check(ring.reserve(3, 3), "there is memory for three"); }

    void thread(unsigned index) {
        if (index == 0) {
            ring.close([this](witness<Sync>& back) noexcept {
                back.touch(0);
                ++handed[&back - object];
            });
        } else if (index == 1) {
            object[0].touch(1);
            object[1].touch(1);
            witness<Sync>* const both[] = {&object[0], &object[1]};
            got_in[0] = ring.give(both);
            got_in[1] = got_in[0];
        } else {
            object[2].touch(2);
            got_in[2] = ring.give(object[2]);
        }
    }

    void finish() {
        for (unsigned i = 0; i != 3; ++i)
            explorer::check(handed[i] == (got_in[i] ? 1u : 0u), "what got in is handed over, once");
    }

  private:
    noria::basic_return_ring<witness<Sync>, Sync> ring;
    witness<Sync> object[3];
    unsigned handed[3]{}; // the owner's
    bool got_in[3]{};     // each its giver's
};

// A pool goes while its objects are out, and two givers bring them back meanwhile, one of them two at once.
// What is at home goes back to where it came from first, by the one who ends the pool. Whoever is last gives
// back the rest and frees what the pool kept: once, and after everything the others did with it.
template <class Sync>
struct pool_that_goes {
    static constexpr unsigned threads = 3;

    pool_that_goes() {
        explorer::check(pool.reserve(objects), "there is memory for them");
        for (unsigned i = objects; i-- != 0;)
            pool.put_first(object[i]);
        for (unsigned i = 0; i != 3; ++i)
            explorer::check(pool.take() == &object[i], "the last stays at home");
    }

    void thread(unsigned index) {
        if (index == 0) {
            bookkeeping.touch(1);
            pool.close();
            for (auto* const each : pool.cached())
                give_to_source(*each);
            if (pool.leave(out))
                free_all();
        } else if (index == 1) {
            object[0].touch(2);
            object[1].touch(2);
            witness<Sync>* const both[] = {&object[0], &object[1]};
            went(pool.give(both));
        } else {
            object[2].touch(3);
            went(pool.give(object[2]));
        }
    }

    void finish() {
        explorer::check(freed == 1, "a pool is freed once");
        explorer::check(out == 0, "and has given back all by then");
    }

  private:
    static constexpr unsigned objects = 4;

    void went(noria::way_home way) {
        if (way == noria::way_home::last)
            free_all();
    }
    void give_to_source(witness<Sync>& gone) {
        gone.touch(8);
        source.touch(8);
        here[&gone - object] = false;
        --out;
    }
    void free_all() {
        bookkeeping.touch(9);
        for (auto& each : object)
            if (here[&each - object])
                give_to_source(each);
        ++freed;
    }

    noria::basic_recycler<witness<Sync>, Sync> pool;
    witness<Sync> object[objects]; // the last of them stays at home
    witness<Sync> bookkeeping;     // stands for what the pool is made of
    witness<Sync> source;          // one at a time, in whatever thread
    bool here[objects] = {true, true, true, true};
    unsigned out = objects;
    unsigned freed = 0; // by the last
};

// The whole pool over a source of three blocks: the owner allocates once more and goes, while two others free
// what they were given. Only one thread at a time is in the source, and has seen what the one before it did;
// and at the end the source has all.
template <class Sync>
struct pool_with_source {
    static constexpr unsigned threads = 3;

    pool_with_source() {
        auto made = pool_type::create(source, 0, {.cache = 1, .refill = 1, .ring = 1});
        explorer::check(made.has_value(), "there is memory for three");
        pool.emplace(std::move(*made));
        for (auto& each : out)
            each = pool->allocate();
    }

    void thread(unsigned index) {
        if (index != 0) {
            out[index - 1]->release();
            return;
        }
        {
            const auto entered = pool->enter();
            if (auto* const taken = pool->allocate())
                taken->release();
        }
        pool.reset();
    }

    void finish() {
        for (const bool free : source.free)
            explorer::check(free, "each block comes back to the source");
    }

  private:
    using pool_type = noria::basic_page_pool<Sync>;

    struct block_list {
        std::byte* take(unsigned) noexcept {
            user.touch(1);
            for (std::size_t i = 0; i != std::size(free); ++i)
                if (free[i]) {
                    free[i] = false;
                    return bytes + i * page_bytes();
                }
            return nullptr;
        }
        void give(std::byte* block, unsigned) noexcept {
            user.touch(2);
            bool& at = free[static_cast<std::size_t>(block - bytes) / page_bytes()];
            explorer::check(!at, "a block comes back once");
            at = true;
        }
        bool has_block(unsigned) const noexcept { return true; }
        std::uint64_t free_pages() const noexcept { return 0; }
        std::uint32_t page_bytes() const noexcept { return noria::cache_line; }
        std::span<std::byte> memory() const noexcept { return {const_cast<std::byte*>(bytes), sizeof bytes}; }

        alignas(noria::cache_line) std::byte bytes[3 * noria::cache_line];
        bool free[3] = {true, true, true};
        witness<Sync> user; // whoever is in here
    };

    block_list source;
    std::optional<pool_type> pool;
    noria::basic_page<Sync>* out[2];
};

} // namespace bodies
