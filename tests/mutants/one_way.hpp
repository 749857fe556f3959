// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "mutants/check.hpp"
#include "noria/ring/burst.hpp"

// A ring from one producer to one consumer, against a queue of numbers: every call is predicted, with what it
// looks at and what it stores.

namespace check {

// What stays from one pair of handles to the next.
struct one_way {
    std::uint32_t capacity, start, chunk;
    bool remembers = true;             // what the other side's index was
    std::uint64_t made = 0, taken = 0; // numbers
    std::uint64_t returned = 0;        // what the producer sees of `taken`

    [[nodiscard]] std::uint32_t there() const { return static_cast<std::uint32_t>(made - taken); }
    [[nodiscard]] std::uint32_t free() const {
        return static_cast<std::uint32_t>(capacity - (made - returned));
    }
};

template <class Producer, class Consumer>
class one_way_run {
    using T = typename Producer::value_type;
    static constexpr bool plain = noria::plain_element<T>;

  public:
    one_way_run(one_way& ring, Producer& producer, Consumer& consumer, dice& random)
        : ring_(ring), producer_(producer), consumer_(consumer), random_(random) {}

    void calls(unsigned count) {
        while (count-- != 0) {
            const std::uint32_t size = random_.below(ring_.capacity + 3);
            switch (random_.below(9)) {
            case 0:
                push();
                break;
            case 1:
                reserve(size);
                break;
            case 2:
                push_many(size, false);
                break;
            case 3:
                push_many(size, true);
                break;
            case 4:
                pop();
                break;
            case 5:
                peek(size);
                break;
            case 6:
                pop_many(size, false);
                break;
            case 7:
                pop_many(size, true);
                break;
            case 8:
                drain(size);
                break;
            }
            if constexpr (!plain)
                that(life::alive == static_cast<int>(ring_.there()));
        }
    }

  private:
    // A producer may look early, but once.
    void producer_costs(cost& call, std::uint64_t written,
                        std::source_location where = std::source_location::current()) {
        that(looks - call.looks_before <= 1, where);
        call.is(looks - call.looks_before, written, where);
    }
    // Whether the consumer has to look where it wants `count`, and what it learns.
    std::uint64_t consumer_looks(std::uint32_t count) {
        if (ring_.remembers && seen_ - ring_.taken >= count)
            return 0;
        seen_ = ring_.made;
        return 1;
    }
    // Whether slots go back because a look found fewer than `count`, but some.
    std::uint64_t falls_short(std::uint32_t count) {
        if (!ring_.remembers || ring_.there() == 0 || ring_.there() >= count || ring_.returned == ring_.taken)
            return 0;
        ring_.returned = ring_.taken;
        return 1;
    }
    // Whether slots go back with the last of `count` items.
    std::uint64_t take(std::uint32_t count) {
        const auto before = static_cast<std::uint32_t>(ring_.start + ring_.taken);
        ring_.taken += count;
        if (count == 0 ||
            (ring_.remembers && (before ^ (before + count)) < ring_.chunk && ring_.taken != seen_))
            return 0;
        ring_.returned = ring_.taken;
        return 1;
    }

    void push() {
        if constexpr (requires(T made) { producer_.try_push(std::move(made)); }) {
            T made = T::of(ring_.made);
            cost call;
            const bool fits = producer_.try_push(std::move(made));
            that(fits == (ring_.free() != 0));
            producer_costs(call, fits ? 1 : 0);
            that(plain || fits == !(made == T::of(ring_.made)));
            ring_.made += fits ? 1 : 0;
        }
    }

    void put(auto& slot, std::uint64_t number) {
        if constexpr (plain)
            slot = T::of(number);
        else
            slot.construct(number);
    }

    void reserve(std::uint32_t size) {
        cost call;
        auto token = [&] {
            if constexpr (requires { producer_.reserve_exact(size); })
                if (size % 2 != 0)
                    return producer_.reserve_exact(size);
            return producer_.reserve(size);
        }();
        const bool exact = requires { producer_.reserve_exact(size); } && size % 2 != 0;
        const std::uint32_t expected = size <= ring_.free() ? size : exact ? 0 : ring_.free();
        that(token.size() == expected && token.first().size() + token.second().size() == expected);
        producer_costs(call, 0);
        const std::uint32_t kept = random_.below(expected + 1);
        std::uint32_t place = 0;
        for (auto run : {token.first(), token.second()})
            for (auto& slot : run)
                if (place++ < kept)
                    put(slot, ring_.made + place - 1);
        if (kept != 0 || random_.below(2) != 0)
            token.commit(kept);
        call.is(0, kept != 0 ? 1 : 0);
        ring_.made += kept;
    }

    // Numbers to push or room to pop into: more than fits.
    struct stock {
        T* items() { return reinterpret_cast<T*>(bytes); }
        explicit stock(std::uint32_t count, std::uint64_t from = 0) : count_(count) {
            for (std::uint32_t i = 0; i != count; ++i)
                ::new (static_cast<void*>(items() + i)) T(T::of(from + i));
        }
        ~stock() {
            for (std::uint32_t i = 0; i != count_; ++i)
                items()[i].~T();
        }
        alignas(T) std::byte bytes[64 * sizeof(T)];
        std::uint32_t count_;
    };

    void push_many(std::uint32_t size, bool all) {
        stock from(size, ring_.made);
        const std::span<noria::push_item<T>> items(from.items(), size);
        cost call;
        const std::uint32_t done =
            all ? (noria::push_bulk(producer_, items) ? size : 0) : noria::push_burst(producer_, items);
        that(done == (size <= ring_.free() ? size : all ? 0 : ring_.free()));
        producer_costs(call, done != 0 ? 1 : 0);
        for (std::uint32_t i = 0; i != size; ++i)
            that((!plain && i < done) || from.items()[i] == T::of(ring_.made + i));
        ring_.made += done;
    }

    void pop() {
        if constexpr (requires(T out) { consumer_.try_pop(out); }) {
            T out = T::of(99);
            cost call;
            const bool any = consumer_.try_pop(out);
            that(any == (ring_.there() != 0) && out == T::of(any ? ring_.taken : 99));
            const std::uint64_t looked = consumer_looks(1);
            call.is(looked, any ? take(1) : 0);
        }
    }

    void peek(std::uint32_t size) {
        cost call;
        auto token = consumer_.peek(size);
        const std::uint32_t expected = size < ring_.there() ? size : ring_.there();
        that(token.size() == expected && token.first().size() + token.second().size() == expected);
        const std::uint64_t looked = consumer_looks(size);
        call.is(looked, looked != 0 ? falls_short(size) : 0);
        std::uint64_t number = ring_.taken;
        for (auto run : {token.first(), token.second()})
            for (auto& slot : run)
                if constexpr (plain)
                    that(slot == T::of(number++));
                else
                    that(slot.value.number == number++);
        const std::uint32_t gone = random_.below(expected + 1);
        if (gone != 0 || random_.below(2) != 0)
            token.release(gone);
        call.is(0, take(gone));
    }

    void pop_many(std::uint32_t size, bool all) {
        stock into(size);
        for (std::uint32_t i = 0; i != size; ++i)
            into.items()[i] = T::of(99);
        const std::span<T> items(into.items(), size);
        cost call;
        const std::uint32_t done =
            all ? (noria::pop_bulk(consumer_, items) ? size : 0) : noria::pop_burst(consumer_, items);
        that(done == (size <= ring_.there() ? size : all ? 0 : ring_.there()));
        for (std::uint32_t i = 0; i != size; ++i)
            that(into.items()[i] == T::of(i < done ? ring_.taken + i : 99));
        const std::uint64_t looked = consumer_looks(size);
        const std::uint64_t early = looked != 0 ? falls_short(size) : 0;
        call.is(looked, early + take(done));
    }

    void drain(std::uint32_t budget) {
        const std::uint32_t expected = budget < ring_.there() ? budget : ring_.there();
        std::uint64_t number = ring_.taken;
        cost call;
        const std::uint32_t done =
            noria::drain(consumer_, [&](T& seen) noexcept { that(seen == T::of(number++)); }, budget);
        that(done == expected && number == ring_.taken + done);
        // Once for what has come, and once more where that is less than the budget.
        std::uint64_t looked = 0, written = 0;
        for (std::uint32_t left = budget; left != 0;) {
            const std::uint64_t look = consumer_looks(left);
            looked += look;
            written += look != 0 ? falls_short(left) : 0;
            const std::uint32_t some = left < ring_.there() ? left : ring_.there();
            if (some == 0)
                break;
            written += take(some);
            left -= some;
        }
        call.is(looked, written);
    }

    one_way& ring_;
    Producer& producer_;
    Consumer& consumer_;
    dice& random_;
    std::uint64_t seen_ = ring_.taken; // as far as the consumer knows
};

} // namespace check
