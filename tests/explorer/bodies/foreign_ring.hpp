// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "explorer/explorer.hpp"
#include "noria/ring/burst.hpp"
#include "noria/ring/foreign_ring.hpp"

// Two halves over memory that neither laid out, each the other's foreigner.

namespace bodies {

template <class Sync, std::uint32_t Capacity>
struct foreign_halves {
    static constexpr unsigned threads = 2;
    static constexpr std::uint32_t start = 0xffff'ffff, total = Capacity + 2;
    using slot_type = typename Sync::template cell<std::uint32_t>;

    void thread(unsigned index) {
        for (unsigned tries = 0; tries != 3; ++tries)
            index == 0 ? put() : take();
    }

    void finish() {
        for (unsigned rounds = 0; rounds != 2 * total; ++rounds) {
            put();
            take();
        }
        explorer::check(made == total && taken == total, "nothing is lost");
        std::array<std::uint32_t, Capacity + 1> more{};
        for (std::uint32_t& item : more)
            item = made++;
        explorer::check(noria::push_burst(producer, std::span<const std::uint32_t>(more)) == Capacity,
                        "an empty ring takes its capacity");
        explorer::check(noria::push_burst(producer, std::span<const std::uint32_t>(more)) == 0,
                        "a full ring refuses");
        take();
        explorer::check(taken == total + Capacity, "what was put in comes out");
        explorer::check(producer.faults() == 0 && consumer.faults() == 0, "true indices are believed");
    }

  private:
    struct memory_type {
        memory_type() {
            std::memcpy(&bytes[0], &start, sizeof start);
            std::memcpy(&bytes[4], &start, sizeof start);
        }
        alignas(8) std::byte bytes[16]{}; // producer, consumer, flags
        slot_type slots[Capacity];
    };

    void put() {
        std::array<std::uint32_t, 2> items{made, made + 1};
        const std::size_t left = total - made;
        made +=
            noria::push_burst(producer, std::span<const std::uint32_t>(items.data(), left < 2 ? left : 2));
    }

    void take() {
        (void)noria::consume(consumer, Capacity + 1, [this](std::uint32_t& item) noexcept {
            explorer::check(item == taken++, "the items come in order, each once");
        });
    }

    memory_type memory;
    std::span<std::byte> bytes{reinterpret_cast<std::byte*>(&memory), sizeof memory};
    noria::foreign_layout layout{.producer = 0,
                                 .consumer = 4,
                                 .flags = 8,
                                 .slots = offsetof(memory_type, slots),
                                 .capacity = Capacity};
    noria::basic_foreign_producer<std::uint32_t, Sync> producer{bytes, layout};
    noria::basic_foreign_consumer<std::uint32_t, Sync> consumer{bytes, layout};
    std::uint32_t made = 0, taken = 0;
};

} // namespace bodies
