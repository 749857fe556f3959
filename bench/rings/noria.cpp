// SPDX-License-Identifier: BSL-1.0
#include "rings/noria.hpp"

#include "noria/ring/fan_in.hpp"
#include "noria/ring/hybrid_ring.hpp"
#include "noria/ring/mpsc_ring.hpp"
#include "noria/ring/spsc_ring.hpp"
#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

template <std::uint32_t Capacity>
using by_default = noria_pair<noria::spsc_ring<descriptor, {.capacity = Capacity}>>;
template <std::uint32_t Capacity>
using on_one_core = noria_pair<noria::spsc_ring<descriptor, {.capacity = Capacity, .same_core = true}>>;
template <std::uint32_t Capacity>
using of_words = noria_pair<noria::spsc_ring<word, {.capacity = Capacity}>>;
template <std::uint32_t Capacity>
using hybrid = noria_pair<noria::hybrid_ring<descriptor, {.capacity = Capacity}>>;

// Made for two producers, also where only one of them is at work.
template <std::uint32_t Capacity>
class fan {
    using ring_type = noria::fan_in<descriptor, {.producers = 2, .ring = {.capacity = Capacity}}>;

  public:
    using item_type = descriptor;
    static constexpr bool many_producers = true;

    explicit fan(unsigned) noexcept : roles_(ring_.split()) {}

    auto producer(unsigned i) noexcept {
        return noria_producer<typename ring_type::producer>{roles_.producers[i]};
    }
    auto consumer() noexcept { return noria_consumer<typename ring_type::consumer>{roles_.consumer}; }

  private:
    ring_type ring_;
    typename ring_type::roles roles_;
};

template <std::uint32_t Capacity>
class shared_ring {
    using ring_type = noria::mpsc_ring<descriptor, {.capacity = Capacity}>;

  public:
    using item_type = descriptor;
    static constexpr bool many_producers = true;

    explicit shared_ring(unsigned) noexcept : roles_(ring_.split()), second_(roles_.producer) {}

    auto producer(unsigned i) noexcept {
        return noria_producer<typename ring_type::producer>{i == 0 ? roles_.producer : second_};
    }
    auto consumer() noexcept { return noria_consumer<typename ring_type::consumer>{roles_.consumer}; }

  private:
    ring_type ring_;
    typename ring_type::roles roles_;
    typename ring_type::producer second_;
};

} // namespace

void add_noria(std::vector<subject>& all) {
    const auto add = [&](subject about) {
        about.from = origin::noria;
        all.push_back(std::move(about));
    };
    add(subject_of<by_default>(
        {.name = "spsc_ring", .type = "spsc_ring<descriptor, {.capacity = N}>", .index_ring = true}));
    add(subject_of<on_one_core>({.name = "spsc_ring same_core",
                                 .type = "spsc_ring<descriptor, {.capacity = N, .same_core = true}>",
                                 .index_ring = true}));
    add(subject_of<hybrid>({.name = "hybrid_ring", .type = "hybrid_ring<descriptor, {.capacity = N}>"}));
    add(subject_of<fan>({.name = "fan_in",
                         .type = "fan_in<descriptor, {.producers = 2, .ring = {.capacity = N}}>",
                         .index_ring = true}));
    add(subject_of<shared_ring>({.name = "mpsc_ring", .type = "mpsc_ring<descriptor, {.capacity = N}>"}));
    add(subject_of<of_words>(
        {.name = "spsc_ring 8 B", .type = "spsc_ring<uint64_t, {.capacity = N}>", .index_ring = true}));
}

} // namespace bench
