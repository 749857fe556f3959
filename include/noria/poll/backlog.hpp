// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/poll/flow_limiter.hpp"
#include "noria/poll/inbox.hpp"
#include "noria/ring/mpsc_ring.hpp"
#include "noria/stats/counter.hpp"
#include "noria/stats/softnet.hpp"

// What other cpus have steered to this one, until its poller takes it up: Linux's softnet_data.
//
//   backlog<packet_ptr, consumer> here(consumer{...});        on the thread of this cpu's poller
//   poll_instance instance(loop, here);
//   here.schedules(instance);
//   auto to_here = here.from_another_cpu();                   on each thread that steers, one
//
//   if (!to_here.push(std::move(packet), hash)) ...           as often as it likes
//   to_here.wake();                                           once, at the end of its poll
//
// Two queues, as there: senders share the input, a ring; the poller takes over all of it at once when what it
// took before is used up. So there may be twice max_backlog in all.

namespace noria::inline NORIA_ABI {

struct backlog_options {
    // A packet is accepted while at most so many wait in the input: net.core.netdev_max_backlog, with its one
    // more than the name says.
    std::uint32_t max_backlog = 1000;
};

// What became of a packet that was pushed.
struct [[nodiscard]] backlog_push {
    enum class verdict : unsigned char {
        queued,
        full,       // the input had more than max_backlog
        over_limit, // its flow has had too much: see flow_limiter
    };
    verdict what;
    std::uint32_t tail = 0; // queued: when dequeued() has got here, it was delivered

    [[nodiscard]] explicit operator bool() const noexcept { return what == verdict::queued; }
};

// A pollable. T is what waits, a packet_ptr say. Deliver takes a T&&, and may not throw.
// Memory: three words for each of max_backlog; nothing is allocated.
template <ring_element T, class Deliver, backlog_options Options = backlog_options{}, class Sync = std_sync>
    requires std::default_initializable<T> && std::is_nothrow_move_assignable_v<T> &&
             std::is_nothrow_invocable_v<Deliver&, T&&>
class basic_backlog {
    template <class Word>
    using atomic = typename Sync::template atomic<Word>;
    using input_ring = basic_mpsc_ring<T, mpsc_options{.capacity = dynamic, .return_chunk = 1}, Sync>;

  public:
    class sender;

    // `start` is what counting begins at: a test puts it just below a wrap.
    explicit basic_backlog(Deliver deliver = Deliver{}, std::uint32_t start = 0) noexcept
        : ring_(slots_, capacity, start), latest_(start), taken_(start), dequeued_(start),
          deliver_(std::move(deliver)) {}
    basic_backlog(const basic_backlog&) = delete;
    basic_backlog& operator=(const basic_backlog&) = delete;

    // What is scheduled when packets have come: the instance that polls this. Before the first wake().
    template <class Instance>
        requires requires(Instance& instance) {
            { instance.schedule() } noexcept;
        }
    void schedules(Instance& instance) noexcept {
        waker_ = {[](void* called) noexcept { static_cast<Instance*>(called)->schedule(); }, &instance};
    }

    // A way in, for one thread; each has its own. `limit`, if there is one, is the sending thread's too, and
    // may be shared by all its senders. The backlog outlives it. Thread: any.
    [[nodiscard]] sender from_another_cpu(basic_flow_limiter<Sync>* limit = nullptr) noexcept {
        return sender(*this, true, limit);
    }
    // The same for the thread that polls this backlog, whose wake() is not counted as received.
    [[nodiscard]] sender from_own_cpu(basic_flow_limiter<Sync>* limit = nullptr) noexcept {
        return sender(*this, false, limit);
    }

    // Delivers up to `weight`. Thread: the poller's. Cost: two moves a packet, and one plain store.
    // Source: the semantics of process_backlog.
    [[nodiscard]] std::uint32_t poll(std::uint32_t weight) noexcept {
        std::uint32_t done = 0;
        for (; done != weight && (next_ != end_ || take_over()); ++done) {
            T item = std::move(process_[next_++]);
            deliver_(std::move(item));
            const std::uint32_t before = dequeued_.load(std::memory_order_relaxed);
            // release: partner is dequeued(): whoever sends the next of this flow elsewhere comes after.
            dequeued_.store(before + 1, std::memory_order_release);
        }
        processed_.add(done);
        return done;
    }
    // Thread: the poller's.
    [[nodiscard]] bool rearm() noexcept {
        if (next_ != end_)
            return false;
        // acquire: partner is wake(): what was pushed before a wake() that found nothing to do is seen below.
        armed_.exchange(1, std::memory_order_acquire);
        if (roles_.consumer.peek(1).size() == 0)
            return true;
        // Either it is taken back here, or a sender came first and calls.
        return armed_.exchange(0, std::memory_order_relaxed) == 0;
    }

    // The rest: any thread.

    // How many were delivered since the beginning, modulo 2^32: what each push() gave as `tail` and this has
    // passed, is done. Compare by signed distance.
    [[nodiscard]] std::uint32_t dequeued() const noexcept {
        // Partner: the store in poll().
        return dequeued_.load(std::memory_order_acquire);
    }

    // Packets that wait in the input. With several senders it may be too small for a while: one that was held
    // up in its push says an old number, which stands until the next push.
    [[nodiscard]] std::uint32_t input_length() const noexcept {
        const std::uint32_t taken = taken_.load(std::memory_order_relaxed);
        const std::uint32_t length = latest_.load(std::memory_order_relaxed) - taken;
        return length <= capacity ? length : 0;
    }
    // Packets that the poller took over and has not delivered.
    [[nodiscard]] std::uint32_t process_length() const noexcept {
        const std::uint32_t dequeued = dequeued_.load(std::memory_order_relaxed);
        const std::uint32_t length = taken_.load(std::memory_order_relaxed) - dequeued;
        return length <= capacity ? length : 0;
    }

    [[nodiscard]] std::uint64_t processed() const noexcept { return processed_.value(); }
    // Pushed in vain, for either reason.
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
    // How many times another cpu called this one.
    [[nodiscard]] std::uint64_t received_rps() const noexcept {
        return received_rps_.load(std::memory_order_relaxed);
    }

    // The line of softnet_stat. What this cpu's poller and its flow_limiter count is theirs to say.
    [[nodiscard]] softnet_row row(std::uint32_t cpu, std::uint64_t time_squeeze = 0,
                                  std::uint64_t flow_limited = 0) const noexcept {
        softnet_counters counted;
        counted.processed.add(processed());
        counted.dropped.add(dropped());
        counted.time_squeeze.add(time_squeeze);
        counted.received_rps.add(received_rps());
        counted.flow_limit.add(flow_limited);
        return to_softnet_row(counted, {cpu, input_length(), process_length()});
    }

  private:
    static_assert(Options.max_backlog < max_ring_capacity / 2);
    static constexpr std::uint32_t capacity = Options.max_backlog + 1;

    [[nodiscard]] bool take_over() noexcept {
        auto token = roles_.consumer.peek(capacity);
        const std::uint32_t count = token.size();
        if (count == 0)
            return false;
        end_ = 0;
        for (const auto slots : {token.first(), token.second()})
            for (auto& slot : slots)
                detail::empty_slot<T, Sync>(slot, process_[end_++]);
        next_ = 0;
        const std::uint32_t before = taken_.load(std::memory_order_relaxed);
        // Before the slots go back: whoever is given one of them again knows of this. See position().
        taken_.store(before + count, std::memory_order_relaxed);
        token.release(count);
        return true;
    }

    // The number of a packet, from the place it has in the ring. It waits, so it is not before what was
    // taken; and the slot was free, so it is less than a lap behind: of the numbers that have this place,
    // one.
    [[nodiscard]] std::uint32_t position(const typename input_ring::slot_type& slot) const noexcept {
        const auto place = static_cast<std::uint32_t>(&slot - slots_.data());
        const std::uint32_t taken = taken_.load(std::memory_order_relaxed);
        return taken + ((place - taken) & (slots_for(capacity) - 1));
    }

    std::array<typename input_ring::slot_type, slots_for(capacity)> slots_{};
    input_ring ring_;
    typename input_ring::roles roles_ = ring_.split();
    poll_waker waker_{};

    alignas(thread_gap) atomic<std::uint32_t> armed_{1}; // written by senders, mostly
    atomic<std::uint32_t> latest_;                       // the last tail, see input_length()
    atomic<std::uint64_t> dropped_{0};
    atomic<std::uint64_t> received_rps_{0};

    alignas(thread_gap) atomic<std::uint32_t> taken_; // written by the poller
    atomic<std::uint32_t> dequeued_;
    basic_counter<Sync> processed_;
    std::uint32_t next_ = 0;
    std::uint32_t end_ = 0;
    [[no_unique_address]] Deliver deliver_;
    std::array<T, capacity> process_{};
};

// A thread's way into a backlog.
template <ring_element T, class Deliver, backlog_options Options, class Sync>
    requires std::default_initializable<T> && std::is_nothrow_move_assignable_v<T> &&
             std::is_nothrow_invocable_v<Deliver&, T&&>
class basic_backlog<T, Deliver, Options, Sync>::sender {
  public:
    // Queues the packet of a flow, or says why not: then it is as it was, was counted, and is the caller's to
    // free (drop_reason::cpu_backlog). Nobody is called before wake(). Progress: lock-free, as the ring.
    backlog_push push(T&& item, std::uint32_t hash = 0) noexcept {
        const std::uint32_t waiting = to_->input_length();
        if (limit_ != nullptr && waiting >= Options.max_backlog / 2 && waiting < capacity &&
            limit_->over(hash))
            return refuse(backlog_push::verdict::over_limit);
        auto token = producer_.reserve_exact(1);
        if (token.size() == 0)
            return refuse(backlog_push::verdict::full);
        auto& slot = token.first().front();
        const std::uint32_t tail = to_->position(slot) + 1;
        detail::fill_slot<T, Sync>(slot, std::move(item));
        token.commit(1);
        to_->latest_.store(tail, std::memory_order_relaxed);
        pushed_ = true;
        return {backlog_push::verdict::queued, tail};
    }

    // Calls the cpu, if something was pushed since the last time and it does not know that it has work: the
    // first packet into an empty backlog calls, and whoever polls sends its calls at the end. Without it
    // packets may lie there for ever. Cost: one comparison; one atomic instruction when something was pushed.
    void wake() noexcept {
        if (!pushed_)
            return;
        pushed_ = false;
        // release: partner is rearm().
        if (to_->armed_.exchange(0, std::memory_order_release) == 0)
            return;
        NORIA_EXPECTS(to_->waker_.function != nullptr, "a backlog is told first what it schedules(instance)");
        if (another_cpu_)
            to_->received_rps_.fetch_add(1, std::memory_order_relaxed);
        to_->waker_.function(to_->waker_.context);
    }

  private:
    friend basic_backlog;
    sender(basic_backlog& to, bool another_cpu, basic_flow_limiter<Sync>* limit) noexcept
        : to_(&to), producer_(to.roles_.producer), limit_(limit), another_cpu_(another_cpu) {}

    backlog_push refuse(backlog_push::verdict why) noexcept {
        to_->dropped_.fetch_add(1, std::memory_order_relaxed);
        return {why};
    }

    basic_backlog* to_;
    typename input_ring::producer producer_;
    basic_flow_limiter<Sync>* limit_;
    bool another_cpu_;
    bool pushed_ = false;
};

template <ring_element T, class Deliver, backlog_options Options = backlog_options{}>
using backlog = basic_backlog<T, Deliver, Options>;

} // namespace noria::inline NORIA_ABI
