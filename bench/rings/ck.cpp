// SPDX-License-Identifier: BSL-1.0

// ck_ring.h is C: a function that returns a pointer says `return false`. A literal 0 is both.
#include <ck_cc.h>
#include <ck_md.h>
#include <ck_pr.h>
#include <ck_stdbool.h>
#include <ck_string.h>
#pragma push_macro("false")
#define false 0
#include <ck_ring.h>
#pragma pop_macro("false")

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

// Of N slots N - 1 are used. The calls are those that CK_RING_PROTOTYPE expands to; the macro itself is C,
// too.
template <std::uint32_t Capacity>
struct ck_base {
    using item_type = descriptor;

    explicit ck_base(unsigned) { ck_ring_init(&ring, Capacity); }

    ck_ring_t ring;
    alignas(noria::thread_gap) descriptor slots[Capacity];
};

template <std::uint32_t Capacity>
struct ck_spsc : ck_base<Capacity>, one_object<ck_spsc<Capacity>> {
    using ck_base<Capacity>::ck_base;

    bool push(const descriptor& item) noexcept {
        return _ck_ring_enqueue_sp(&this->ring, this->slots, &item, sizeof item, nullptr);
    }
    bool pop(descriptor& item) noexcept {
        return _ck_ring_dequeue_sc(&this->ring, this->slots, &item, sizeof item);
    }
};

template <std::uint32_t Capacity>
struct ck_mpsc : ck_base<Capacity>, one_object<ck_mpsc<Capacity>> {
    static constexpr bool many_producers = true;
    using ck_base<Capacity>::ck_base;

    bool push(const descriptor& item) noexcept {
        return _ck_ring_enqueue_mp(&this->ring, this->slots, &item, sizeof item, nullptr);
    }
    bool pop(descriptor& item) noexcept {
        return _ck_ring_dequeue_sc(&this->ring, this->slots, &item, sizeof item);
    }
};

} // namespace

void add_ck(std::vector<subject>& all) {
    all.push_back(subject_of<ck_spsc>({.name = "ck_ring SPSC",
                                       .type = "ck_ring, ck_ring_*_spsc",
                                       .package = "libck-dev",
                                       .index_ring = true}));
    all.push_back(subject_of<ck_mpsc>({.name = "ck_ring MPSC",
                                       .type = "ck_ring, ck_ring_*_mpsc",
                                       .package = "libck-dev",
                                       .index_ring = true}));
}

} // namespace bench
