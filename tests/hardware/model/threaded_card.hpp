// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "card.hpp"

namespace model82599 {

// The card on a thread of its own, and between it and the driver what a bus gives and no more, so that the
// thread sanitizer finds a driver that relies on more:
//
// - A write is posted: it arrives some time, after those that the same thread wrote before it. It says
//   nothing of what the driver wrote to memory, unless it is a doorbell.
// - A read waits for its answer; it arrives behind all writes, and what the card wrote to memory before it is
//   seen after it.
// - A descriptor is handed over by its status word.
//
// Several threads may use one card. Time goes on by itself, some hundred ns a turn of the card.
class threaded_card {
  public:
    // Runs on the card's thread, each turn: the place for traffic.
    using turn = std::function<void(card&)>;

    explicit threaded_card(const card_setup& setup = {}, turn each_turn = {})
        : card_(setup), each_turn_(std::move(each_turn)), thread_([this] { run(); }) {}
    threaded_card(const threaded_card&) = delete;
    threaded_card& operator=(const threaded_card&) = delete;
    ~threaded_card() { stop(); }

    // Models hardware::register_space.
    class register_access {
      public:
        explicit register_access(threaded_card& owner) noexcept : card_(&owner) {}
        [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept { return card_->read(offset); }
        void write32(std::uint32_t offset, std::uint32_t value) noexcept {
            card_->write(offset, value, std::memory_order_relaxed);
        }
        void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
            card_->write(offset, value, std::memory_order_release);
        }

      private:
        threaded_card* card_;
    };

    // Models hardware::dma_space: the card's map changes on the card's thread.
    class dma_access {
      public:
        explicit dma_access(threaded_card& owner) noexcept : card_(&owner) {}
        [[nodiscard]] noria::result<hardware::dma_memory> allocate(std::size_t bytes,
                                                                   std::size_t alignment) noexcept {
            return card_->on_card([&](card& model) { return model.dma().allocate(bytes, alignment); });
        }
        [[nodiscard]] noria::result<noria::mapping> attach(noria::region& memory) noexcept {
            return card_->on_card([&](card& model) { return model.dma().attach(memory); });
        }

      private:
        threaded_card* card_;
    };

    // Models hardware::interrupt_source.
    class interrupt_access {
      public:
        explicit interrupt_access(threaded_card& owner) noexcept : card_(&owner) {}
        [[nodiscard]] noria::error open(std::uint32_t vectors) noexcept {
            return card_->on_card([&](card& model) { return model.interrupts().open(vectors); });
        }
        [[nodiscard]] int fd(std::uint32_t vector) noexcept {
            return card_->on_card([&](card& model) { return model.interrupts().fd(vector); });
        }
        [[nodiscard]] std::uint32_t vectors() noexcept {
            return card_->on_card([](card& model) { return model.interrupts().vectors(); });
        }

      private:
        threaded_card* card_;
    };

    // Models noria::clock_source.
    class clock_access {
      public:
        explicit clock_access(threaded_card& owner) noexcept : card_(&owner) {}
        [[nodiscard]] noria::nanoseconds now() noexcept { return card_->let_pass(); }

      private:
        threaded_card* card_;
    };

    [[nodiscard]] register_access registers() noexcept { return register_access(*this); }
    [[nodiscard]] dma_access& dma() noexcept { return dma_; }
    [[nodiscard]] interrupt_access& interrupts() noexcept { return interrupts_; }
    [[nodiscard]] clock_access clock() noexcept { return clock_access(*this); }

    // Calls `function(card&)` on the card's thread between two turns, and waits for what it returns. Any
    // thread. After stop() it is called at once.
    template <class Function>
    std::invoke_result_t<Function, card&> on_card(Function function) {
        using answer = std::invoke_result_t<Function, card&>;
        if constexpr (std::is_void_v<answer>) {
            ask([&] { function(card_); });
        } else {
            std::optional<answer> got;
            ask([&] { got.emplace(function(card_)); });
            return std::move(*got);
        }
    }

    // Ends the thread once it has taken what was posted. Whoever called it owns the card then.
    void stop() {
        if (!thread_.joinable())
            return;
        stopping_.store(true, std::memory_order_relaxed);
        thread_.join();
    }

  private:
    // A posted access in one word, so that it needs no order of its own: it is there or it is not. 0 is none.
    static constexpr std::uint64_t write_kind = std::uint64_t{1} << 62;
    static constexpr std::uint64_t read_kind = std::uint64_t{2} << 62;
    static constexpr std::uint64_t answered = std::uint64_t{1} << 63;
    static constexpr std::size_t places = 1024;

    struct place {
        std::atomic<std::uint64_t> access{0};
        std::atomic<std::uint64_t> answer{0};
    };

    // Takes the next place, in the order of the calls, and waits till it is free.
    place& put(std::uint32_t offset, std::uint32_t value, std::uint64_t kind,
               std::memory_order order) noexcept {
        const std::uint64_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
        place& here = places_[ticket % places];
        while (not_yet(ticket) || here.access.load(std::memory_order_relaxed) != 0 ||
               here.answer.load(std::memory_order_relaxed) != 0)
            std::this_thread::yield();
        // Pairs with take_posted, where it is a doorbell.
        here.access.store(kind | std::uint64_t{offset} << 32 | value, order);
        return here;
    }
    // A place belongs to its tickets one after the other.
    [[nodiscard]] bool not_yet(std::uint64_t ticket) const noexcept {
        return taken_.load(std::memory_order_relaxed) + places <= ticket;
    }

    void write(std::uint32_t offset, std::uint32_t value, std::memory_order order) noexcept {
        if (thread_.joinable())
            put(offset, value, write_kind, order);
        else
            card_.write32(offset, value);
    }

    [[nodiscard]] std::uint32_t read(std::uint32_t offset) noexcept {
        if (!thread_.joinable())
            return card_.read32(offset);
        place& here = put(offset, 0, read_kind, std::memory_order_relaxed);
        for (;;) {
            // Pairs with take_posted: what the card did to memory before its answer.
            const std::uint64_t answer = here.answer.load(std::memory_order_acquire);
            if (answer != 0) {
                here.answer.store(0, std::memory_order_relaxed);
                return static_cast<std::uint32_t>(answer);
            }
            std::this_thread::yield();
        }
    }

    [[nodiscard]] noria::nanoseconds let_pass() noexcept {
        const noria::nanoseconds tick = card_.setup().tick;
        return time_.fetch_add(tick, std::memory_order_relaxed) + tick;
    }

    // The card's side.
    void run() {
        for (;;) {
            const bool last = stopping_.load(std::memory_order_relaxed);
            take_posted();
            answer_call();
            if (each_turn_)
                each_turn_(card_);
            static_cast<void>(let_pass());
            catch_up();
            card_.step();
            if (last)
                return;
            std::this_thread::yield();
        }
    }

    // A driver that has waited finds a card that has waited too.
    void catch_up() {
        const noria::nanoseconds now = time_.load(std::memory_order_relaxed);
        if (now > card_.now())
            card_.wait(now - card_.now());
    }

    void take_posted() {
        for (;;) {
            const std::uint64_t ticket = taken_.load(std::memory_order_relaxed);
            place& here = places_[ticket % places];
            // Pairs with put, where it is a doorbell.
            const std::uint64_t access = here.access.load(std::memory_order_acquire);
            if (access == 0)
                return;
            catch_up();
            const auto offset = static_cast<std::uint32_t>(access >> 32 & 0x3fff'ffff);
            if ((access & read_kind) != 0)
                // Pairs with read.
                here.answer.store(answered | card_.read32(offset), std::memory_order_release);
            else
                card_.write32(offset, static_cast<std::uint32_t>(access));
            here.access.store(0, std::memory_order_relaxed);
            taken_.store(ticket + 1, std::memory_order_relaxed);
        }
    }

    void ask(const std::function<void()>& call) {
        const std::lock_guard one_at_a_time(asking_);
        if (!thread_.joinable()) {
            call();
            return;
        }
        // Pairs with answer_call: what the call looks at.
        call_.store(&call, std::memory_order_release);
        // Pairs with answer_call: what the call did.
        while (call_.load(std::memory_order_acquire) != nullptr)
            std::this_thread::yield();
    }
    void answer_call() {
        // Pairs with ask.
        const std::function<void()>* call = call_.load(std::memory_order_acquire);
        if (call == nullptr)
            return;
        (*call)();
        // Pairs with ask.
        call_.store(nullptr, std::memory_order_release);
    }

    card card_;
    turn each_turn_;
    dma_access dma_{*this};
    interrupt_access interrupts_{*this};
    std::array<place, places> places_{};
    std::atomic<std::uint64_t> next_{0};
    std::atomic<std::uint64_t> taken_{0};
    std::atomic<noria::nanoseconds> time_{0};
    std::atomic<const std::function<void()>*> call_{nullptr};
    std::mutex asking_;
    std::atomic<bool> stopping_{false};
    std::thread thread_; // last: it uses all the others
};

static_assert(hardware::register_space<threaded_card::register_access>);
static_assert(hardware::dma_space<threaded_card::dma_access>);
static_assert(hardware::interrupt_source<threaded_card::interrupt_access>);

} // namespace model82599
