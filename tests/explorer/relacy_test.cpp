// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <ostream>
#include <streambuf>
#include <string>
#include <type_traits>

#include "explorer/bodies/descriptor_ring.hpp"
#include "explorer/bodies/device_ring.hpp"
#include "explorer/bodies/fan_in.hpp"
#include "explorer/bodies/hybrid_ring.hpp"
#include "explorer/bodies/memory.hpp"
#include "explorer/bodies/mpsc_ring.hpp"
#include "explorer/bodies/poll.hpp"
#include "explorer/bodies/spsc_ring.hpp"

// Last, since it makes macros of keywords and of the names of the orders.
#include <relacy/relacy.hpp>
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno

// A second opinion: the same bodies under Relacy (Dmitry Vyukov), which knows nothing of our explorer. It
// takes random turns and proves nothing, but it would have to be wrong in the same way.
//
// Not run here: bodies that sleep by the explorer's own means or lay atomics over bytes, for which Relacy has
// no word, and the return ring, which allocates.

namespace {

struct relacy_sync {
    [[nodiscard]] static rl::memory_order order(std::memory_order order) {
        switch (order) {
        case std::memory_order_relaxed:
            return rl::mo_relaxed;
        case std::memory_order_acquire:
            return rl::mo_acquire;
        case std::memory_order_release:
            return rl::mo_release;
        case std::memory_order_acq_rel:
            return rl::mo_acq_rel;
        default:
            return rl::mo_seq_cst;
        }
    }

    template <class T>
    class atomic {
        using word = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
        using info = rl::debug_info;

      public:
        atomic() : atomic(T{}) {}
        explicit atomic(T value) : word_(bits(value)) {}
        atomic(const atomic&) = delete;
        atomic& operator=(const atomic&) = delete;

        T load(std::memory_order mo, const char* file = __builtin_FILE(),
               unsigned line = __builtin_LINE()) const noexcept {
            return value(word_.load(order(mo), info("load", file, line)));
        }
        void store(T desired, std::memory_order mo, const char* file = __builtin_FILE(),
                   unsigned line = __builtin_LINE()) noexcept {
            word_.store(bits(desired), order(mo), info("store", file, line));
        }
        T exchange(T desired, std::memory_order mo, const char* file = __builtin_FILE(),
                   unsigned line = __builtin_LINE()) noexcept {
            return value(word_.exchange(bits(desired), order(mo), info("exchange", file, line)));
        }
        T fetch_add(T more, std::memory_order mo, const char* file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return value(word_.fetch_add(bits(more), order(mo), info("fetch_add", file, line)));
        }
        T fetch_sub(T less, std::memory_order mo, const char* file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return value(word_.fetch_sub(bits(less), order(mo), info("fetch_sub", file, line)));
        }
        T fetch_or(T set, std::memory_order mo, const char* file = __builtin_FILE(),
                   unsigned line = __builtin_LINE()) noexcept {
            return value(word_.fetch_or(bits(set), order(mo), info("fetch_or", file, line)));
        }
        T fetch_and(T kept, std::memory_order mo, const char* file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return value(word_.fetch_and(bits(kept), order(mo), info("fetch_and", file, line)));
        }
        T fetch_xor(T turned, std::memory_order mo, const char* file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return value(word_.fetch_xor(bits(turned), order(mo), info("fetch_xor", file, line)));
        }
        bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                                   std::memory_order failure, const char* file = __builtin_FILE(),
                                   unsigned line = __builtin_LINE()) noexcept {
            const info where("compare_exchange", file, line);
            word old = bits(expected);
            const bool exchanged =
                word_.compare_exchange_weak(old, bits(desired), order(success), where, order(failure), where);
            expected = value(old);
            return exchanged;
        }
        bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                     std::memory_order failure, const char* file = __builtin_FILE(),
                                     unsigned line = __builtin_LINE()) noexcept {
            const info where("compare_exchange", file, line);
            word old = bits(expected);
            const bool exchanged = word_.compare_exchange_strong(old, bits(desired), order(success), where,
                                                                 order(failure), where);
            expected = value(old);
            return exchanged;
        }

      private:
        [[nodiscard]] static word bits(T value) {
            word bits = 0;
            std::memcpy(&bits, &value, sizeof value);
            return bits;
        }
        [[nodiscard]] static T value(word bits) {
            T value;
            std::memcpy(&value, &bits, sizeof value);
            return value;
        }

        rl::atomic<word> word_;
    };

    // Relacy watches a number beside the value: what moves is plain data of any shape.
    template <class T>
    struct cell {
        cell() : watched(0u) {}
        mutable rl::var<unsigned> watched;
        T value{};
    };
    template <class T>
    static void read(const cell<T>& from, std::type_identity_t<T>& to, const char* file = __builtin_FILE(),
                     unsigned line = __builtin_LINE()) noexcept {
        (void)from.watched(rl::debug_info("read", file, line)).load();
        to = from.value;
    }
    template <class T>
    static void write(cell<T>& to, const std::type_identity_t<T>& from, const char* file = __builtin_FILE(),
                      unsigned line = __builtin_LINE()) noexcept {
        to.watched(rl::debug_info("write", file, line)).store(0u);
        to.value = from;
    }

    static void prefetch_read(const void*) noexcept {}
    static void prefetch_write(const void*) noexcept {}
    static void relax(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) noexcept {
        rl::yield(1, rl::debug_info("relax", file, line));
    }
    [[nodiscard]] static const void* self() noexcept {
        static const char threads[1 + explorer::max_threads]{};
        return &threads[rl::thread_index()];
    }
};

// A body as Relacy wants it. Made before the threads and finished after them.
template <class Body>
struct suite : rl::test_suite<suite<Body>, Body::threads> {
    void before() { body = ::new (static_cast<void*>(memory)) Body(); }
    void thread(unsigned index) { body->thread(index); }
    void after() {
        body->finish();
        body->~Body();
    }

    Body* body = nullptr;
    alignas(Body) std::byte memory[sizeof(Body)];
};

// Where Relacy tells its story. Not a string: Relacy replaces operator new, but not in the standard library.
class fixed_buffer : public std::streambuf {
  public:
    fixed_buffer() { setp(text_, text_ + sizeof text_); }
    [[nodiscard]] std::string text() const { return {pbase(), pptr()}; }

  private:
    char text_[256 * 1024];
};

// What Relacy finds: empty if nothing.
template <class Body>
std::string found_by_relacy() {
    explorer::failed_elsewhere = [](const char* what) {
        rl::ctx().fail_test(what, rl::test_result_user_assert_failed, rl::debug_info("check", what, 0));
    };
    fixed_buffer buffer;
    std::ostream story(&buffer);
    rl::test_params params;
    params.iteration_count = 20'000;
    params.output_stream = params.progress_stream = &story;
    params.search_type = rl::random_scheduler_type;
    const bool held = rl::simulate<suite<Body>>(params);
    explorer::failed_elsewhere = nullptr;
    return held ? "" : buffer.text();
}

using namespace bodies;

// Sleeping for Relacy: to let the others run, and to wake for no reason.
struct relaxing_sleep {
    static void sleep_while(const relacy_sync::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        if (word.load(std::memory_order_relaxed) == value)
            relacy_sync::relax();
    }
    static void wake(const relacy_sync::atomic<std::uint32_t>&) noexcept {}
};

// Sleeping on an eventfd: until somebody has woken, and not before. Who would sleep for ever turns here for
// ever, which Relacy calls a livelock. It orders nothing, which is less than the kernel gives.
class spinning_eventfd {
  public:
    void sleep_while(const relacy_sync::atomic<std::uint32_t>&, std::uint32_t) const noexcept {
        while (wakes_.load(std::memory_order_relaxed) == 0)
            relacy_sync::relax();
        wakes_.exchange(0, std::memory_order_relaxed);
    }
    void wake(const relacy_sync::atomic<std::uint32_t>&) const noexcept {
        wakes_.fetch_add(1, std::memory_order_relaxed);
    }

  private:
    mutable relacy_sync::atomic<std::uint32_t> wakes_{0};
};

TEST(relacy, spsc_ring) {
    EXPECT_EQ((found_by_relacy<spsc<relacy_sync, one_by_one, 1>>()), "");
    EXPECT_EQ((found_by_relacy<spsc<relacy_sync, one_by_one, 3>>()), "");
    EXPECT_EQ((found_by_relacy<spsc<relacy_sync, in_bursts, 2>>()), "");
    EXPECT_EQ((found_by_relacy<spsc<relacy_sync, in_bulk, 2>>()), "");
    EXPECT_EQ((found_by_relacy<spsc<relacy_sync, in_part, 3>>()), "");
}

TEST(relacy, descriptor_ring) {
    EXPECT_EQ((found_by_relacy<descriptor_ring_one_way<relacy_sync, 2, 1>>()), "");
    EXPECT_EQ((found_by_relacy<descriptor_ring_one_way<relacy_sync, 3, 2>>()), "");
}

TEST(relacy, device_ring) {
    EXPECT_EQ((found_by_relacy<device_ring_there_and_back<relacy_sync, done_descriptor, 2>>()), "");
    EXPECT_EQ((found_by_relacy<device_ring_there_and_back<relacy_sync, lap_descriptor, 3>>()), "");
}

TEST(relacy, hybrid_ring) {
    EXPECT_EQ((found_by_relacy<hybrid_ring_there<relacy_sync, taking::singly, 2, 2>>()), "");
    EXPECT_EQ((found_by_relacy<hybrid_ring_there<relacy_sync, taking::in_bursts, 3, 2>>()), "");
}

TEST(relacy, many_producers) {
    EXPECT_EQ((found_by_relacy<mpsc_ring_body<relacy_sync, 1, 1, 2>>()), "");
    EXPECT_EQ((found_by_relacy<mpsc_ring_body<relacy_sync, 2, 2, 2>>()), "");
    EXPECT_EQ((found_by_relacy<mpsc_ring_body<relacy_sync, 3, 2, 2, true>>()), "");
    EXPECT_EQ((found_by_relacy<mpsc_ring_short_body<relacy_sync, 2, 2>>()), "");
    EXPECT_EQ((found_by_relacy<mpsc_ring_order_body<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<fan_in_body<relacy_sync, 1, 2>>()), "");
}

TEST(relacy, page) {
    EXPECT_EQ((found_by_relacy<page_of_three<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<page_held_again<relacy_sync>>()), "");
}

TEST(relacy, poll) {
    EXPECT_EQ((found_by_relacy<raised_at_any_point<relacy_sync, relaxing_sleep, 2>>()), "");
    EXPECT_EQ((found_by_relacy<raised_at_any_point<relacy_sync, spinning_eventfd, 2>>()), "");
    EXPECT_EQ((found_by_relacy<called_by_two<relacy_sync, 1>>()), "");
    EXPECT_EQ((found_by_relacy<called_by_two<relacy_sync, 2>>()), "");
    EXPECT_EQ((found_by_relacy<enabled_and_called<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<waited_for<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<disabled_between_turns<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<disabled_on_its_own_thread<relacy_sync, true>>()), "");
    EXPECT_EQ((found_by_relacy<moved_between_pollers<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<moved_before_its_poller_goes<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<polled_by_its_reader<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<armed_by_a_loop<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<passed_to_a_sleeper<relacy_sync>>()), "");
    EXPECT_EQ((found_by_relacy<shared_with_the_background<relacy_sync, spinning_eventfd>>()), "");
}

// And it does look: a message without orders is a race, and a check that fails is heard.
struct unordered {
    static constexpr unsigned threads = 2;
    void thread(unsigned index) {
        std::uint32_t seen = 0;
        if (index == 0) {
            relacy_sync::write(message, 1u);
            sent.store(1, std::memory_order_relaxed);
        } else if (sent.load(std::memory_order_acquire) == 1) {
            relacy_sync::read(message, seen);
        }
    }
    void finish() {}
    relacy_sync::atomic<std::uint32_t> sent{0};
    relacy_sync::cell<std::uint32_t> message;
};
struct mistaken {
    static constexpr unsigned threads = 2;
    void thread(unsigned) { explorer::check(count.fetch_add(1, std::memory_order_relaxed) == 0, "alone"); }
    void finish() {}
    relacy_sync::atomic<std::uint32_t> count{0};
};

TEST(relacy, sees_what_is_wrong) {
    EXPECT_NE(found_by_relacy<unordered>().find("DATA RACE"), std::string::npos);
    EXPECT_NE(found_by_relacy<mistaken>().find("alone"), std::string::npos);
}

} // namespace
