// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <string>

#include "explorer/explorer.hpp"

// The explorer against the memory model: small programs whose outcomes are known. Each test names the exact
// set: an outcome too many is a behaviour that C++ forbids, one too few a behaviour that the explorer would
// not try on a ring. The names are those of the literature (Alglave, Maranget, Tautschnig: Herding Cats,
// 2014).
//
// One outcome that C++ allows is never seen here, because a load returns a store that has been executed: LB's
// 11.

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;
using order = std::memory_order;

std::set<std::string> seen;

// What the programs have in common: three words that begin as 0, and what the threads read.
template <unsigned Threads, unsigned Reads>
struct program {
    static constexpr unsigned threads = Threads;
    explorer::sync::atomic<std::uint32_t> x{0}, y{0}, z{0};
    std::array<std::uint32_t, Reads> read{};

    void finish() {
        std::string outcome;
        for (const std::uint32_t each : read)
            outcome += std::to_string(each);
        seen.insert(outcome);
    }
};

// All outcomes of a program, without bounds, in order: "00 01 11".
template <class Program>
std::string outcomes() {
    seen.clear();
    const explorer::verdict found = explorer::explore<Program>({.preemptions = 100, .stale_reads = 100});
    EXPECT_TRUE(found.held) << found.story;
    EXPECT_TRUE(found.exhaustive);
    std::string all;
    for (const std::string& each : seen)
        all += (all.empty() ? "" : " ") + each;
    return all;
}

// MP: is the message there when the flag is?
template <order Store, order Load>
struct message_passing : program<2, 2> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, relaxed);
            y.store(1, Store);
        } else {
            read[0] = y.load(Load);
            read[1] = x.load(relaxed);
        }
    }
};

TEST(litmus, message_passing) {
    EXPECT_EQ((outcomes<message_passing<relaxed, relaxed>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<message_passing<release, relaxed>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<message_passing<relaxed, acquire>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<message_passing<release, acquire>>()), "00 01 11");
    EXPECT_EQ((outcomes<message_passing<seq_cst, seq_cst>>()), "00 01 11");
}

// SB: both store, then look at the other's word.
template <order Store, order Load>
struct store_buffering : program<2, 2> {
    void thread(unsigned index) {
        (index == 0 ? x : y).store(1, Store);
        read[index] = (index == 0 ? y : x).load(Load);
    }
};

TEST(litmus, store_buffering) {
    EXPECT_EQ((outcomes<store_buffering<relaxed, relaxed>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<store_buffering<release, acquire>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<store_buffering<seq_cst, seq_cst>>()), "01 10 11");
}

// SB by exchanges of one word, as a poller and its waker do it.
template <order Exchange>
struct exchange_buffering : program<2, 2> {
    void thread(unsigned index) {
        (index == 0 ? x : y).store(1, relaxed);
        (void)z.fetch_add(1, Exchange);
        read[index] = (index == 0 ? y : x).load(relaxed);
    }
};

TEST(litmus, store_buffering_through_one_word) {
    EXPECT_EQ((outcomes<exchange_buffering<relaxed>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<exchange_buffering<acquire>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<exchange_buffering<release>>()), "00 01 10 11");
    EXPECT_EQ((outcomes<exchange_buffering<acq_rel>>()), "01 10 11");
}

// LB: both look, then store to the other's word. C++ allows 11 for relaxed; it is never seen here.
template <order Store, order Load>
struct load_buffering : program<2, 2> {
    void thread(unsigned index) {
        read[index] = (index == 0 ? x : y).load(Load);
        (index == 0 ? y : x).store(1, Store);
    }
};

TEST(litmus, load_buffering) {
    EXPECT_EQ((outcomes<load_buffering<relaxed, relaxed>>()), "00 01 10");
    EXPECT_EQ((outcomes<load_buffering<release, acquire>>()), "00 01 10");
}

// CoRR: two loads of one word do not go back.
struct coherent_reads : program<2, 2> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, relaxed);
            x.store(2, relaxed);
        } else {
            read[0] = x.load(relaxed);
            read[1] = x.load(relaxed);
        }
    }
};

// CoRR through a third thread: what somebody whom we acquire from has read is not undone.
struct coherent_reads_far : program<3, 3> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, relaxed);
        } else if (index == 1) {
            read[0] = x.load(relaxed);
            y.store(1, release);
        } else {
            read[1] = y.load(acquire);
            read[2] = x.load(relaxed);
        }
    }
};

// CoWW, CoWR, CoRW: a thread's own store is the last, is seen by it, comes after what it read.
struct coherent_writes : program<1, 1> {
    void thread(unsigned) {
        x.store(1, relaxed);
        x.store(2, relaxed);
    }
    void finish() {
        read[0] = x.load(relaxed);
        program::finish();
    }
};
template <bool ReadFirst>
struct coherent_write_and_read : program<2, 2> {
    void thread(unsigned index) {
        if (index == 1) {
            x.store(2, relaxed);
        } else {
            if (ReadFirst)
                read[0] = x.load(relaxed);
            x.store(1, relaxed);
            if (!ReadFirst)
                read[0] = x.load(relaxed);
        }
    }
    void finish() {
        read[1] = x.load(relaxed);
        program::finish();
    }
};

TEST(litmus, coherence) {
    EXPECT_EQ((outcomes<coherent_reads>()), "00 01 02 11 12 22");
    EXPECT_EQ((outcomes<coherent_reads_far>()), "000 001 010 011 100 101 111");
    EXPECT_EQ((outcomes<coherent_writes>()), "2");
    EXPECT_EQ((outcomes<coherent_write_and_read<false>>()), "11 12 22");
    EXPECT_EQ((outcomes<coherent_write_and_read<true>>()), "01 02 21");
}

// WRC: who tells me of a store has seen it himself.
template <order Store, order Load>
struct write_read_causality : program<3, 3> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, Store);
        } else if (index == 1) {
            read[0] = x.load(Load);
            y.store(1, Store);
        } else {
            read[1] = y.load(Load);
            read[2] = x.load(Load);
        }
    }
};

TEST(litmus, write_read_causality) {
    EXPECT_EQ((outcomes<write_read_causality<relaxed, relaxed>>()), "000 001 010 011 100 101 110 111");
    EXPECT_EQ((outcomes<write_read_causality<release, acquire>>()), "000 001 010 011 100 101 111");
}

// IRIW: do two readers agree which of two independent stores came first? Only under seq_cst.
template <order Store, order Load>
struct independent_reads : program<4, 4> {
    void thread(unsigned index) {
        if (index < 2) {
            (index == 0 ? x : y).store(1, Store);
        } else if (index == 2) {
            read[0] = x.load(Load);
            read[1] = y.load(Load);
        } else {
            read[2] = y.load(Load);
            read[3] = x.load(Load);
        }
    }
};

TEST(litmus, independent_reads_of_independent_writes) {
    const std::string all = "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1010 1011 1100 1101 1110 1111";
    const std::string agreed = "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1011 1100 1101 1110 1111";
    EXPECT_EQ((outcomes<independent_reads<relaxed, relaxed>>()), all);
    EXPECT_EQ((outcomes<independent_reads<release, acquire>>()), all);
    EXPECT_EQ((outcomes<independent_reads<seq_cst, seq_cst>>()), agreed);
}

// ISA2: a message through two flags.
template <order Store, order Load>
struct message_passed_on : program<3, 3> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, relaxed);
            y.store(1, Store);
        } else if (index == 1) {
            read[0] = y.load(Load);
            z.store(1, Store);
        } else {
            read[1] = z.load(Load);
            read[2] = x.load(relaxed);
        }
    }
};

TEST(litmus, message_passed_on) {
    EXPECT_EQ((outcomes<message_passed_on<relaxed, relaxed>>()), "000 001 010 011 100 101 110 111");
    EXPECT_EQ((outcomes<message_passed_on<release, acquire>>()), "000 001 010 011 100 101 111");
}

// R: a store against a load behind a store.
template <order Order, order Load>
struct store_or_load : program<2, 2> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, Order);
            y.store(1, Order);
        } else {
            y.store(2, Order);
            read[1] = x.load(Load);
        }
    }
    void finish() {
        read[0] = y.load(relaxed);
        program::finish();
    }
};

TEST(litmus, store_or_load) {
    EXPECT_EQ((outcomes<store_or_load<release, acquire>>()), "10 11 20 21");
    EXPECT_EQ((outcomes<store_or_load<seq_cst, seq_cst>>()), "10 11 21");
}

// 2+2W: 11 means that both first stores came last.
template <order Store>
struct crossed_writes : program<2, 2> {
    void thread(unsigned index) {
        (index == 0 ? x : y).store(1, Store);
        (index == 0 ? y : x).store(2, Store);
    }
    void finish() {
        read = {x.load(relaxed), y.load(relaxed)};
        program::finish();
    }
};

TEST(litmus, crossed_writes) {
    EXPECT_EQ((outcomes<crossed_writes<relaxed>>()), "11 12 21 22");
    EXPECT_EQ((outcomes<crossed_writes<release>>()), "11 12 21 22");
    EXPECT_EQ((outcomes<crossed_writes<seq_cst>>()), "12 21 22");
}

// S: a store that comes before one that happens before it is not allowed.
template <order Store, order Load>
struct store_after_message : program<2, 2> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(2, relaxed);
            y.store(1, Store);
        } else {
            read[0] = y.load(Load);
            x.store(1, relaxed);
        }
    }
    void finish() {
        read[1] = x.load(relaxed);
        program::finish();
    }
};

TEST(litmus, store_after_message) {
    EXPECT_EQ((outcomes<store_after_message<relaxed, relaxed>>()), "01 02 11 12");
    EXPECT_EQ((outcomes<store_after_message<release, acquire>>()), "01 02 11");
}

// A release sequence: whoever acquires from a read-modify-write acquires from the release before it as well,
// but not across a plain store, not even one of the thread that released (C++20).
enum class between { exchange, store_of_another, store_of_the_same };
template <between Between>
struct release_sequence : program<3, 2> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, relaxed);
            y.store(1, release);
            if (Between == between::store_of_the_same)
                y.store(2, relaxed);
        } else if (index == 1) {
            if (Between == between::exchange)
                (void)y.fetch_add(4, relaxed);
            if (Between == between::store_of_another)
                y.store(2, relaxed);
        } else {
            read[0] = y.load(acquire);
            read[1] = x.load(relaxed);
        }
    }
};

// A chain of two: the second exchange hands on what both released before it.
struct release_sequence_of_two : program<3, 3> {
    void thread(unsigned index) {
        if (index == 2) {
            read[0] = z.load(acquire);
            read[1] = x.load(relaxed);
            read[2] = y.load(relaxed);
        } else {
            (index == 0 ? x : y).store(1, relaxed);
            (void)z.fetch_add(1, release);
        }
    }
    void finish() {
        if (read[0] == 2)
            program::finish();
    }
};

TEST(litmus, release_sequence) {
    EXPECT_EQ((outcomes<release_sequence<between::exchange>>()), "00 01 11 40 41 51");
    EXPECT_EQ((outcomes<release_sequence<between::store_of_another>>()), "00 01 11 20 21");
    EXPECT_EQ((outcomes<release_sequence<between::store_of_the_same>>()), "00 01 11 20 21");
    EXPECT_EQ((outcomes<release_sequence_of_two>()), "211");
}

// Read-modify-writes lose nothing, whatever their order; a failing compare-exchange is a load, which may be
// stale, and the weak one may fail for no reason.
struct counted : program<2, 3> {
    void thread(unsigned index) { read[index] = x.fetch_add(1, relaxed); }
    void finish() {
        read[2] = x.load(relaxed);
        program::finish();
    }
};
template <bool Weak>
struct exchanged : program<2, 3> {
    void thread(unsigned index) {
        if (index == 0) {
            x.store(1, relaxed);
            x.store(2, relaxed);
        } else {
            std::uint32_t expected = 2;
            read[0] = Weak ? x.compare_exchange_weak(expected, 3, relaxed, relaxed)
                           : x.compare_exchange_strong(expected, 3, relaxed, relaxed);
            read[1] = expected;
        }
    }
    void finish() {
        read[2] = x.load(relaxed);
        program::finish();
    }
};

TEST(litmus, read_modify_write) {
    EXPECT_EQ((outcomes<counted>()), "012 102");
    EXPECT_EQ((outcomes<exchanged<false>>()), "002 012 123");
    EXPECT_EQ((outcomes<exchanged<true>>()), "002 012 022 123");
}

} // namespace
