// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "explorer/choices.hpp"
#include "explorer/clock.hpp"
#include "explorer/fiber.hpp"
#include "explorer/story.hpp"

// The machine that a body runs on: threads that take turns, and a memory that remembers.
//
// Memory. An atomic keeps all its stores in one order, its modification order. A load may return any of them,
// back to the newest that its thread has seen or learned of: so it may be stale, as on a machine with weak
// memory. A store takes its place anywhere behind that one, the plain place being the last. A read-modify-
// write reads as a load does and stands directly behind what it read, where nothing else may stand any more.
// A release store carries the clock of its thread, and whoever reads it with acquire joins that clock to its
// own; a read-modify-write hands on the clock that it found (the release sequence). A cell has no history:
// two accesses to it, one of them a write, of which neither happened before the other, are a data race and
// end the execution.
//
// Threads. One runs until it comes to an atomic that threads share; there the scheduler may give the turn to
// another. What only one thread uses needs no turn, and cells need none either, since the clocks find a race
// whatever the order. Which atomics are shared is learned while exploring: when a new one shows, exploring
// begins again.

namespace explorer {

// Asked at each ordered access of a thread which order it really gets: how one call site is weakened.
class order_hook {
  public:
    // `argument` is 0, or 1 for the second order of a compare-exchange.
    virtual std::memory_order order_at(place where, unsigned argument, std::memory_order written) = 0;

  protected:
    ~order_hook() = default;
};

struct stored {
    clock released; // what whoever acquires it comes after
    clock seen;     // when each thread first read or wrote it
    std::uint64_t value;
    stored* older;   // in modification order
    bool sequential; // seq_cst
    bool exchange;   // a read-modify-write: it read `older`, and nothing comes between
};

struct location {
    stored* newest;
    std::uint32_t id;
    std::uint32_t users;          // a bit for each thread that came here
    std::byte* foreign = nullptr; // where the value lies for others, see sync::at
    std::uint32_t bytes = 0;
};

// What is remembered of a cell.
struct cell_history {
    clock reads; // since the last write
    std::uint16_t written;
    std::uint16_t writer;
};

// A body without its type.
struct program {
    unsigned threads;
    void (*begin)(void* memory);
    void (*thread)(void* memory, unsigned index);
    void (*finish)(void* memory);
    void* memory;
};

// How far from the plain execution an explored one may go. Random executions have no such limit.
struct limits {
    unsigned preemptions;
    unsigned stale_reads;
};

class world {
  public:
    static constexpr unsigned longest = 20'000;   // accesses in one execution; a body that makes more hangs
    static constexpr std::size_t memory = 40'000; // stores of one execution

    // One execution along the path of `choices`; true when nothing went wrong.
    [[nodiscard]] bool run(const program& body, limits allowed) {
        body_ = &body;
        left_ = allowed;
        choices_.rewind();
        failure_.clear();
        story_.clear();
        used_ = 0;
        made_ = 0;
        steps_ = 0;
        ++executions_;
        self_ = 0;
        alone_ = true;
        threads_[0].now = {};
        threads_[0].now.set(0, 1);
        threads_[0].stack.start([] { get().play(); });
        if (!stores_)
            stores_ = std::make_unique_for_overwrite<stored[]>(memory);
        running_ = true;
        outside_.switch_to(threads_[0].stack);
        running_ = false;
        self_ = 0;
        alone_ = true;
        if (failure_.empty() && !choices_.repeatable())
            failure_ = "the body does not repeat itself: it depends on something that is not in the model";
        return failure_.empty();
    }

    // The execution that has just failed once more, told.
    [[nodiscard]] std::string tell(const program& body, limits allowed) {
        const std::string failure = failure_;
        telling_ = true;
        (void)run(body, allowed);
        telling_ = false;
        return failure + '\n' + story_.tell();
    }

    // Atomics that more than one thread has come to since the last time: exploring has to begin again.
    [[nodiscard]] bool learned() {
        for (const std::uint32_t id : found_shared_) {
            if (shared_.size() <= id)
                shared_.resize(id + 1);
            shared_[id] = true;
        }
        return !std::exchange(found_shared_, {}).empty();
    }
    void forget() {
        shared_.clear();
        found_shared_.clear();
    }

    choices& path() { return choices_; }
    void watch_orders(order_hook* hook) { hook_ = hook; }

    [[nodiscard]] static world& get();

    // ---- what the sync policy calls ----

    void create(location& here, std::uint64_t value) {
        here.newest = nullptr;
        here.id = alone_ ? made_++ : always_shared;
        here.users = 0;
        insert(here, nullptr, value, {}, false);
    }

    std::uint64_t load(location& from, std::memory_order order, place where) {
        order = effective(order, 0, where);
        arrive(from);
        stored& read = *choose(from, order, anything);
        see(read, order);
        if (telling_)
            tell_read(from, read, order, where);
        return read.value;
    }

    void store(location& to, std::uint64_t value, std::memory_order order, place where) {
        order = effective(order, 0, where);
        arrive(to);
        stored* const before = choose(to, order, room_behind);
        if (telling_)
            story_.add(self_, where, &to,
                       "= " + in_words(value) + "  " + name_of(order) + behind(to, before));
        insert(to, before, value, releases(order) ? now() : clock{}, order == std::memory_order_seq_cst);
        leave(order);
    }

    // A read-modify-write; returns what was there.
    template <class F>
    std::uint64_t update(location& at, std::memory_order order, place where, F&& change) {
        order = effective(order, 0, where);
        arrive(at);
        stored& read = *choose(at, order, room_behind);
        replace(at, read, change(read.value), order, where);
        return read.value;
    }

    bool compare_exchange(location& at, std::uint64_t& expected, std::uint64_t desired,
                          std::memory_order success, std::memory_order failure, bool weak, place where) {
        success = effective(success, 0, where);
        failure = effective(failure, 1, where);
        arrive(at);
        const auto usable = [&](const stored& each, const stored* newer) {
            return each.value != expected || room_behind(each, newer);
        };
        stored& read = *choose(at, success, usable);
        if (read.value == expected && !(weak && fails_for_no_reason())) {
            replace(at, read, desired, success, where);
            return true;
        }
        see(read, failure);
        expected = read.value;
        if (telling_)
            tell_read(at, read, failure, where);
        return false;
    }

    void create(cell_history& cell) {
        cell.reads = {};
        cell.writer = static_cast<std::uint16_t>(self_);
        cell.written = now().at(self_);
    }

    void read(cell_history& cell, std::uint64_t value, place where) {
        step();
        if (telling_)
            story_.add(self_, where, &cell, "-> " + in_words(value) + "  (cell)");
        if (now().at(cell.writer) < cell.written)
            fail("data race: the last access reads a cell that " + thread_name(cell.writer) +
                 " wrote, and nothing orders the two");
        cell.reads.set(self_, now().at(self_));
    }

    void write(cell_history& cell, std::uint64_t value, place where) {
        step();
        if (telling_)
            story_.add(self_, where, &cell, "= " + in_words(value) + "  (cell)");
        if (now().at(cell.writer) < cell.written)
            fail("data race: the last access writes a cell that " + thread_name(cell.writer) +
                 " wrote too, and nothing orders the two");
        if (!now().covers(cell.reads))
            fail("data race: the last access writes a cell that another thread reads, and nothing orders the "
                 "two");
        create(cell);
    }

    void sleep_while(location& at, std::uint64_t value, place where) {
        arrive(at);
        const bool sleeps = at.newest->value == value;
        if (telling_)
            story_.add(self_, where, &at,
                       "is " + in_words(at.newest->value) + (sleeps ? ": falls asleep" : ": does not sleep"));
        if (!sleeps)
            return;
        thread& self = threads_[self_];
        self.sleeps_on = &at;
        awake_ &= ~bit(self_);
        next();
    }

    void wake(location& at, place where) {
        arrive(at);
        unsigned woken = 0;
        for (unsigned lane = 1; lane <= body_->threads; ++lane)
            if (threads_[lane].sleeps_on == &at) {
                threads_[lane].sleeps_on = nullptr;
                awake_ |= bit(lane);
                ++woken;
            }
        if (telling_)
            story_.add(self_, where, &at, "wakes " + std::to_string(woken));
    }

    // Lets another thread run, if there is one.
    void relax(place where) {
        step();
        if (telling_)
            story_.add(self_, where, nullptr, "relaxes");
        if (const std::uint32_t others = awake_ & ~bit(self_); !alone_ && others != 0)
            go(pick_one(others));
    }

    // Which execution this is, of all that this program runs.
    [[nodiscard]] std::uint64_t execution() const { return executions_; }

    // Nothing that two running threads share.
    [[nodiscard]] const void* self() const { return &threads_[self_]; }

    void check(bool holds, const char* what) {
        if (!holds)
            fail(std::string("check failed: ") + what);
    }

  private:
    static constexpr std::uint32_t always_shared = ~0u;

    struct thread {
        fiber stack;
        clock now;
        const location* sleeps_on = nullptr;
    };

    [[nodiscard]] static std::uint32_t bit(unsigned lane) { return 1u << lane; }
    [[nodiscard]] static bool acquires(std::memory_order order) {
        return order != std::memory_order_relaxed && order != std::memory_order_release;
    }
    [[nodiscard]] static bool releases(std::memory_order order) { return order >= std::memory_order_release; }
    [[nodiscard]] static std::string thread_name(unsigned lane) {
        return lane == 0 ? "the constructor" : "thread " + std::to_string(lane - 1);
    }
    [[nodiscard]] clock& now() { return threads_[self_].now; }

    // ---- the course of an execution ----

    void play() {
        body_->begin(body_->memory);
        for (unsigned lane = 1; lane <= body_->threads; ++lane) {
            threads_[lane].now = now();
            threads_[lane].now.set(lane, 1);
            threads_[lane].sleeps_on = nullptr;
            threads_[lane].stack.start([] { get().live(); });
        }
        awake_ = (bit(body_->threads) - 1) << 1;
        alone_ = false;
        go(pick_one(awake_));
        alone_ = true;
        for (unsigned lane = 1; lane <= body_->threads; ++lane)
            now().join(threads_[lane].now);
        body_->finish(body_->memory);
        threads_[0].stack.switch_to(outside_);
    }

    void live() {
        body_->thread(body_->memory, self_ - 1);
        awake_ &= ~bit(self_);
        next();
    }

    // This thread cannot go on: another must.
    void next() {
        if (awake_ != 0) {
            go(pick_one(awake_));
            return;
        }
        for (unsigned lane = 1; lane <= body_->threads; ++lane)
            if (threads_[lane].sleeps_on != nullptr)
                fail(
                    "asleep for ever: every thread that has not ended sleeps, and nobody is left to wake it");
        go(0);
    }

    void go(unsigned lane) {
        if (lane == self_)
            return;
        fiber& from = threads_[std::exchange(self_, lane)].stack;
        from.switch_to(threads_[lane].stack);
    }

    [[nodiscard]] unsigned pick_one(std::uint32_t lanes) {
        unsigned skip = choices_.pick(static_cast<unsigned>(std::popcount(lanes)));
        for (; skip != 0; --skip)
            lanes &= lanes - 1;
        return static_cast<unsigned>(std::countr_zero(lanes));
    }

    // The execution ends here. The threads are left where they are.
    [[noreturn]] void fail(std::string why) {
        failure_ = std::move(why);
        threads_[self_].stack.switch_to(outside_);
        std::abort(); // nobody comes back
    }

    void step() {
        if (++steps_ > longest)
            fail("does not end: more than " + std::to_string(longest) + " accesses in one execution");
    }

    // Before an access to an atomic: the turn of another thread, perhaps.
    void arrive(location& here) {
        step();
        if (alone_)
            return;
        here.users |= bit(self_);
        if (here.id != always_shared && (here.id >= shared_.size() || !shared_[here.id])) {
            if ((here.users & (here.users - 1)) != 0)
                found_shared_.push_back(here.id);
            return;
        }
        const std::uint32_t others = awake_ & ~bit(self_);
        if (others == 0 || left_.preemptions == 0)
            return;
        const unsigned chosen = choices_.pick(1 + static_cast<unsigned>(std::popcount(others)));
        if (chosen == 0)
            return;
        --left_.preemptions;
        std::uint32_t rest = others;
        for (unsigned skip = chosen - 1; skip != 0; --skip)
            rest &= rest - 1;
        go(static_cast<unsigned>(std::countr_zero(rest)));
    }

    // ---- memory ----

    // Puts a store behind another in the modification order; the first of all is behind none.
    stored& insert(location& to, stored* before, std::uint64_t value, const clock& released,
                   bool sequential) {
        if (used_ == memory)
            fail("does not end: more than " + std::to_string(memory) + " stores in one execution");
        stored& made = stores_[used_++];
        made.released = released;
        made.seen = {};
        made.seen.set(self_, now().at(self_));
        made.value = value;
        made.older = before;
        made.sequential = sequential;
        made.exchange = false;
        stored** link = &to.newest;
        while (*link != before)
            link = &(*link)->older;
        *link = &made;
        if (to.foreign != nullptr && to.newest == &made)
            std::memcpy(to.foreign, &value, to.bytes);
        return made;
    }

    // What comes later is not covered by the clock that was just released.
    void leave(std::memory_order order) {
        if (releases(order))
            now().advance(self_);
    }

    void see(stored& read, std::memory_order order) {
        if (read.seen.at(self_) == 0)
            read.seen.set(self_, now().at(self_));
        if (acquires(order))
            now().join(read.released);
    }

    void replace(location& at, stored& read, std::uint64_t value, std::memory_order order, place where) {
        if (telling_)
            tell_read(at, read, order, where, ", writes " + in_words(value));
        see(read, order);
        clock released = read.released;
        if (releases(order))
            released.join(now());
        insert(at, &read, value, released, order == std::memory_order_seq_cst).exchange = true;
        leave(order);
    }

    // What choose() may answer: to a load any store, to a store one that it can stand behind.
    static constexpr auto anything = [](const stored&, const stored*) { return true; };
    static constexpr auto room_behind = [](const stored&, const stored* newer) {
        return newer == nullptr || !newer->exchange;
    };

    // One of the stores, newest first, back to the last that this thread knows, that `fits`; the newest
    // always does. In the common order of seq_cst accesses this one comes after all those made so far.
    template <class Fits>
    [[nodiscard]] stored* choose(location& at, std::memory_order order, Fits&& fits) {
        stored* each = at.newest;
        if (alone_ || left_.stale_reads == 0 || known(*each, order))
            return each;
        unsigned options = 1;
        do {
            const stored* newer = std::exchange(each, each->older);
            if (each == nullptr)
                fail("an atomic is used by a thread that its construction does not happen before");
            options += fits(*each, newer) ? 1 : 0;
        } while (!known(*each, order));
        const unsigned chosen = choices_.pick(options);
        each = at.newest;
        if (chosen != 0)
            --left_.stale_reads;
        for (unsigned skip = chosen; skip != 0;) {
            const stored* newer = std::exchange(each, each->older);
            skip -= fits(*each, newer) ? 1 : 0;
        }
        return each;
    }

    [[nodiscard]] bool fails_for_no_reason() {
        if (alone_ || left_.stale_reads == 0 || choices_.pick(2) == 0)
            return false;
        --left_.stale_reads;
        return true;
    }

    // Whether nothing older than this store may be read any more.
    [[nodiscard]] bool known(const stored& each, std::memory_order order) {
        return now().reaches(each.seen) || (each.sequential && order == std::memory_order_seq_cst);
    }

    [[nodiscard]] std::memory_order effective(std::memory_order written, unsigned argument, place where) {
        if (hook_ != nullptr && !alone_ && written != std::memory_order_relaxed) [[unlikely]]
            return hook_->order_at(where, argument, written);
        return written;
    }

    // Before the access is made.
    void tell_read(const location& from, const stored& read, std::memory_order order, place where,
                   const std::string& more = "") {
        story_.add(self_, where, &from,
                   "-> " + in_words(read.value) + more + "  " + name_of(order) + behind(from, &read));
    }
    [[nodiscard]] static std::string behind(const location& at, const stored* chosen) {
        unsigned newer = 0;
        for (const stored* each = at.newest; each != chosen; each = each->older)
            ++newer;
        return newer == 0 ? "" : ", with " + std::to_string(newer) + " newer";
    }

    const program* body_ = nullptr;
    limits left_{};
    choices choices_;
    thread threads_[1 + max_threads];
    fiber outside_;
    unsigned self_ = 0;
    std::uint32_t awake_ = 0; // a bit for each lane that can run
    bool alone_ = true;       // no thread of the body runs
    bool running_ = false;
    bool telling_ = false;
    unsigned steps_ = 0;
    std::uint64_t executions_ = 0;
    std::unique_ptr<stored[]> stores_;
    std::size_t used_ = 0;
    std::uint32_t made_ = 0; // atomics, by the constructor
    std::vector<bool> shared_;
    std::vector<std::uint32_t> found_shared_;
    order_hook* hook_ = nullptr;
    std::string failure_;
    story story_;

    friend class crash_guard;
};

namespace detail {
inline world the_world;
} // namespace detail

inline world& world::get() {
    return detail::the_world;
}

// A contract that the library finds broken (it aborts) and a wild pointer are failures of the body like any
// other: the signal is where they show.
class crash_guard {
  public:
    crash_guard() {
        struct sigaction caught{};
        caught.sa_handler = [](int number) {
            world& here = world::get();
            if (here.running_)
                here.fail(number == SIGABRT ? "aborted: a contract is broken, see above"
                                            : "crashed: a wild pointer");
            signal(number, SIG_DFL);
            raise(number);
        };
        caught.sa_flags = SA_NODEFER; // the handler is left by a switch of stacks
        for (unsigned i = 0; i != std::size(signals); ++i)
            sigaction(signals[i], &caught, &before_[i]);
    }
    crash_guard(const crash_guard&) = delete;
    crash_guard& operator=(const crash_guard&) = delete;
    ~crash_guard() {
        for (unsigned i = 0; i != std::size(signals); ++i)
            sigaction(signals[i], &before_[i], nullptr);
    }

  private:
    static constexpr int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
    struct sigaction before_[std::size(signals)];
};

} // namespace explorer
