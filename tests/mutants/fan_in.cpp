// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/fan_in.hpp"

#include "mutants/check.hpp"
#include "noria/ring/burst.hpp"

namespace {

using namespace check;
using noria::basic_fan_in;

constexpr noria::spsc_options ring_of(std::uint32_t capacity) {
    return {.capacity = capacity, .write_prefetch_lines = 0, .read_prefetch_lines = 0, .return_chunk = 1};
}

// How many turns of others until a ring is at rest that was fed in the first of four; and what four turns
// cost.
constexpr int turns_to_rest = 8;
constexpr std::uint64_t looks_a_lap = 130;

item from(std::uint64_t who, std::uint64_t number) {
    return item::of(who << 32 | number);
}

template <std::uint32_t Rings>
using wheel_of =
    basic_fan_in<item, {.producers = Rings, .ring = ring_of(16), .budget = 3, .turns_to_rest = 4},
                 counting_sync>;

// Random calls: the items of each ring come in order, a budget bounds each offer, and nothing is found only
// where nothing is, whatever bells are missed.
template <std::uint32_t Rings>
void drive(bool is_deaf) {
    constexpr std::uint32_t capacity = 16, budget = 3;
    deaf = is_deaf;
    wheel_of<Rings> wheel(0xffff'fff0);
    that(wheel.capacity() == capacity);
    dice random;
    std::uint64_t made[Rings]{}, taken[Rings]{};
    std::uint32_t there = 0;
    const auto sees = [&](const item& seen) {
        const std::uint64_t who = seen.number >> 32;
        that(who < Rings && seen == from(who, taken[who]));
        ++taken[who];
        --there;
        return who;
    };
    for (int pair = 0; pair != 3; ++pair) {
        auto [producers, consumer] = wheel.split();
        for (int calls = 0; calls != 2000; ++calls) {
            // Now many are busy, now few, so that rings come to rest and wake up.
            const std::uint32_t who = random.below(Rings) % (calls % 500 < 250 ? Rings : 2);
            const std::uint32_t size = random.below(capacity + 2);
            const std::uint64_t free = capacity - (made[who] - taken[who]);
            switch (random.below(6)) {
            case 0:
            case 1:
                that(producers[who].try_push(from(who, made[who])) == (free != 0));
                made[who] += free != 0;
                there += free != 0;
                break;
            case 2: {
                const bool exact = random.below(2) != 0;
                auto token = exact ? producers[who].reserve_exact(size) : producers[who].reserve(size);
                that(token.size() == (size <= free ? size : exact ? 0 : free));
                std::uint32_t kept = random.below(token.size() + 1), at = 0;
                for (auto run : {token.first(), token.second()})
                    for (auto& slot : run)
                        slot = from(who, made[who] + at++);
                token.commit(kept);
                made[who] += kept;
                there += kept;
                break;
            }
            case 3:
            case 4: {
                item out = item::of(7);
                if (consumer.try_pop(out))
                    sees(out);
                else
                    that(there == 0 && out == item::of(7));
                break;
            }
            case 5: {
                auto token = consumer.peek(size);
                that(token.size() <= size && token.size() <= budget);
                that((token.size() == 0) == (there == 0 || size == 0));
                const std::uint32_t gone = random.below(token.size() + 1);
                std::uint32_t at = 0;
                for (auto run : {token.first(), token.second()})
                    for (const item& seen : run)
                        if (at++ < gone)
                            sees(seen);
                token.release(gone);
                break;
            }
            }
        }
        std::uint32_t visited = 0;
        that(noria::drain(consumer, [&](item& seen) noexcept { ++visited, sees(seen); }, 1000) == visited);
        that(there == 0);
    }
    deaf = false;
}

std::uint64_t next_from(auto& consumer) {
    item out;
    that(consumer.try_pop(out));
    return out.number >> 32;
}

// Three of each in turn, whoever they are, and each ring as often as the others.
template <std::uint32_t Rings>
void turns() {
    wheel_of<Rings> wheel(0xffff'fffe);
    auto [producers, consumer] = wheel.split();
    for (std::uint32_t who = 0; who != Rings; ++who)
        for (std::uint64_t i = 0; i != 16; ++i)
            that(producers[who].try_push(from(who, i)));
    std::uint64_t first = next_from(consumer);
    that(next_from(consumer) == first && next_from(consumer) == first);
    for (std::uint32_t turn = 1; turn != 5 * Rings; ++turn)
        for (int i = 0; i != 3; ++i)
            that(next_from(consumer) == (first + turn) % Rings);
    // What is left is one of each; and then there is nothing.
    for (std::uint32_t turn = 0; turn != Rings; ++turn)
        that(next_from(consumer) == (first + turn) % Rings);
    item out;
    that(!consumer.try_pop(out));
}

// In place: an offer counts against the budget, taken or not; a ring that has less than is asked for has had
// its turn.
void offers() {
    wheel_of<3> wheel;
    auto [producers, consumer] = wheel.split();
    for (std::uint32_t who = 0; who != 2; ++who)
        for (std::uint64_t i = 0; i != 8; ++i)
            that(producers[who].try_push(from(who, i)));
    const auto offered = [&, &consumer = consumer](std::uint32_t count, std::uint32_t size,
                                                   bool takes = true) {
        auto token = consumer.peek(count);
        that(token.size() == size);
        const std::uint64_t who = token.first()[0].number >> 32;
        token.release(takes ? size : 0);
        return who;
    };
    const std::uint64_t one = offered(2, 2), other = 1 - one;
    that(offered(2, 1) == one);   // what is left of its budget
    that(offered(9, 3) == other); // no more than a budget
    that(offered(1, 1, false) == one);
    that(offered(2, 2, false) == one);
    that(offered(3, 3) == other); // one has been offered its three
    that(offered(3, 3) == one && offered(3, 2) == other && offered(3, 2) == one);
    that(consumer.peek(3).size() == 0);
    that(producers[0].try_push(from(0, 8)) && producers[1].try_push(from(1, 8)));
    const std::uint64_t next = offered(1, 1);
    that(offered(1, 1) != next);
}

// Who gave nothing for so many turns is put to rest. Its next push rings a bell, once; who is not at rest
// rings none. The bell is heard in the next turn.
template <std::uint32_t Rings>
void bells(std::uint32_t quiet, std::uint32_t busy, std::uint32_t second) {
    for (int turns = 0; turns != 12; ++turns) {
        wheel_of<Rings> wheel;
        auto [producers, consumer] = wheel.split();
        std::uint64_t number[Rings]{};
        const auto push = [&, &producers = producers](std::uint32_t who) {
            cost call;
            that(producers[who].try_push(from(who, number[who]++)));
            return writes - call.writes_before - 1; // beside that of the ring
        };
        that(push(quiet) == 1 && push(quiet) == 0); // at first nobody is looked at
        that(next_from(consumer) == quiet && next_from(consumer) == quiet);
        that(push(busy) == 1 && push(second) == 1);
        for (int turn = 0; turn != turns; ++turn) {
            const std::uint32_t who = turn % 2 == 0 ? busy : second;
            for (int i = 0; i != 3; ++i)
                that(push(who) == 0);
            for (int i = 0; i != 3; ++i)
                that(next_from(consumer) != quiet);
        }
        cost call;
        {
            auto token = producers[quiet].reserve(1);
            token.commit(0);
        }
        call.is(0, 0);
        auto token = producers[quiet].reserve(1);
        token.first()[0] = from(quiet, number[quiet]++);
        token.commit(1);
        const bool rung = writes - call.writes_before == 2;
        that(rung == (turns >= turns_to_rest));
        that(push(quiet) == 0);
        for (int i = 0; i != 8; ++i)
            that(push(busy) == 0);
        bool heard = false;
        for (int i = 0; i != 7; ++i)
            heard |= next_from(consumer) == quiet;
        that(heard);
    }
}

// A drain visits one ring after the other and stops where its budget ends.
void drained() {
    wheel_of<3> wheel;
    auto [producers, consumer] = wheel.split();
    for (std::uint32_t who = 0; who != 3; ++who)
        for (std::uint64_t i = 0; i != 8; ++i)
            that(producers[who].try_push(from(who, i)));
    std::uint32_t seen = 0;
    that(noria::drain(consumer, [&](item&) noexcept { ++seen; }, 7) == 7 && seen == 7);
}

// Who rings a bell waits for its turn like everybody else.
void in_turn() {
    wheel_of<3> wheel;
    auto [producers, consumer] = wheel.split();
    for (std::uint32_t who = 0; who != 2; ++who)
        for (std::uint64_t i = 0; i != 8; ++i)
            that(producers[who].try_push(from(who, i)));
    std::uint64_t first = next_from(consumer);
    that(next_from(consumer) == first && next_from(consumer) == first);
    for (int i = 0; i != 3; ++i)
        that(next_from(consumer) == 1 - first);
    that(producers[2].try_push(from(2, 0)));
    bool heard = false;
    for (std::uint64_t turn = (2 - first) % 3; !heard; turn = (turn + 1) % 3) {
        const std::uint64_t who = next_from(consumer);
        that(who == turn);
        heard = who == 2;
        for (int i = 0; !heard && i != 2; ++i)
            that(next_from(consumer) == turn);
    }
}

// What a pop costs with one ring busy and the others at rest.
void costs() {
    wheel_of<130> wheel;
    auto [producers, consumer] = wheel.split();
    item out;
    for (int lap = 0; lap != 20; ++lap) {
        for (int i = 0; i != 12; ++i)
            that(producers[5].try_push(from(5, i)));
        cost call;
        for (int i = 0; i != 12; ++i)
            that(next_from(consumer) == 5);
        if (lap > 2)
            call.is(looks_a_lap, 12); // at all that rest, once in four turns; and at its own
    }
    cost call;
    that(!consumer.try_pop(out));
    that(looks - call.looks_before >= 130); // before it says "empty" it looks at every ring
    that(writes == call.writes_before);
}

// What is not said.
void unsaid() {
    constexpr noria::fan_in_options options{.producers = 1, .ring = {.capacity = 1}};
    that(options.budget == 64 && options.turns_to_rest == 64);
}

} // namespace

int main() {
    unsaid();
    for (const bool is_deaf : {false, true}) {
        drive<3>(is_deaf);
        drive<130>(is_deaf);
    }
    turns<3>();
    turns<130>();
    offers();
    drained();
    in_turn();
    bells<3>(2, 0, 1);
    bells<3>(0, 1, 2);
    bells<130>(129, 3, 64);
    bells<130>(64, 65, 1);
    costs();
}
