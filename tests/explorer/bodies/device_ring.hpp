// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/ring/device_ring.hpp"

// A driver that posts more than the ring holds, so that slots go round, and a device that answers in them.

namespace bodies {

// Four in a line; by done bit and by phase.
struct done_descriptor {
    std::uint64_t address;
    std::uint32_t status;
    std::uint32_t number;
};
struct lap_descriptor {
    std::uint32_t number;
    std::uint32_t status;
    std::uint64_t address;
};

} // namespace bodies

template <>
struct noria::descriptor_traits<bodies::done_descriptor> {
    static constexpr std::size_t word_offset = offsetof(bodies::done_descriptor, status);
    static constexpr std::uint32_t owner_bit = 1;
    static constexpr noria::ownership kind = noria::ownership::done_bit;
};
template <>
struct noria::descriptor_traits<bodies::lap_descriptor> {
    static constexpr std::size_t word_offset = offsetof(bodies::lap_descriptor, status);
};

namespace bodies {

// `Belled`: the device does not look before it hears the bell, and then counts on what it hears.
template <class Sync, class D, std::uint32_t Capacity, std::uint32_t ReportEvery = 1, bool Belled = false>
struct device_ring_there_and_back {
    static constexpr unsigned threads = 2;
    static constexpr std::uint32_t start = 0xffff'ffff, total = Capacity + 2;
    using ring_type = noria::basic_device_ring<D, {.capacity = Capacity, .report_every = ReportEvery}, Sync>;

    void thread(unsigned index) {
        for (unsigned tries = 0; tries != 2; ++tries)
            index == 0 ? drive() : serve(Belled);
    }

    void finish() {
        for (unsigned rounds = 0; rounds != 2 * total; ++rounds) {
            serve(false);
            drive();
        }
        explorer::check(posts == total && served == total && back == total, "nothing is lost");
        explorer::check(roles.driver.space() == Capacity, "what came back is free");
        for (std::uint32_t i = 0; i != Capacity; ++i)
            explorer::check(roles.driver.post(numbered(posts++)), "an empty ring takes its capacity");
        explorer::check(!roles.driver.post(numbered(0)), "a full ring refuses");
        roles.driver.publish();
        serve(false);
        collect();
        explorer::check(back == posts, "what was posted is completed");
    }

  private:
    static D numbered(std::uint32_t n) {
        D d{};
        d.number = n;
        d.address = ~std::uint64_t{n};
        return d;
    }

    void drive() {
        while (posts != total && roles.driver.post(numbered(posts)))
            ++posts;
        roles.driver.publish(bell);
        collect();
    }

    void collect() {
        D out[Capacity + 1];
        const std::uint32_t count = roles.driver.reap(out);
        for (std::uint32_t i = 0; i != count; ++i, ++back) {
            // What is written back bears the device's mark; what was only reported on is as it was posted.
            const D answer = answered(numbered(back));
            explorer::check(out[i].number == back, "completions come in order, each once");
            explorer::check(out[i].status == answer.status ? out[i].address == answer.address
                                                           : ReportEvery != 1 && out[i].status == 0 &&
                                                                 out[i].address == ~std::uint64_t{back},
                            "and whole");
        }
    }

    static D answered(D d) {
        d.status |= 6;
        d.address += d.number + 1;
        return d;
    }

    void serve(bool waits_for_the_bell) {
        if (waits_for_the_bell && !noria::before(start + served, word.load(std::memory_order_acquire)))
            return;
        D one;
        bool any = false;
        while (roles.device.fetch({&one, 1}) != 0) {
            explorer::check(one.number == served && one.status == 0 && one.address == ~std::uint64_t{served},
                            "posts come in order, each once, and whole");
            roles.device.complete(answered(one));
            ++served;
            any = true;
        }
        explorer::check(any || !waits_for_the_bell, "who hears the bell finds what it rang for");
        roles.device.report();
    }

    ring_type ring{start};
    typename ring_type::roles roles{ring.split()};
    typename Sync::template atomic<std::uint32_t> word{start};
    noria::basic_atomic_doorbell<Sync> bell{word};
    std::uint32_t posts = 0, back = 0; // the driver's
    std::uint32_t served = 0;          // the device's
};

} // namespace bodies
