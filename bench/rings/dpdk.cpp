// SPDX-License-Identifier: BSL-1.0
#include <cstdlib>
#include <new>

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

// The ring lies in memory of our own; the environment layer is linked but never started.

namespace bench {
namespace {

constexpr unsigned item_bytes = sizeof(descriptor);

// Of N slots N - 1 are used, as by everybody who gives no flag. The mode is fixed at compile time, so the
// switch on it in rte_ring_enqueue_elem costs nothing.
template <std::uint32_t Capacity, unsigned Flags>
class rte_base {
  public:
    using item_type = descriptor;

    explicit rte_base(unsigned) {
        const auto bytes = static_cast<std::size_t>(rte_ring_get_memsize_elem(item_bytes, Capacity));
        ring = static_cast<rte_ring*>(std::aligned_alloc(noria::thread_gap, bytes));
        if (ring == nullptr || rte_ring_init(ring, "bench", Capacity, Flags) != 0)
            throw std::bad_alloc();
    }
    rte_base(const rte_base&) = delete;
    rte_base& operator=(const rte_base&) = delete;
    ~rte_base() { std::free(ring); }

    bool pop(descriptor& item) noexcept { return rte_ring_sc_dequeue_elem(ring, &item, item_bytes) == 0; }
    std::uint32_t pop(std::span<descriptor> items) noexcept {
        return rte_ring_sc_dequeue_burst_elem(ring, items.data(), item_bytes,
                                              static_cast<unsigned>(items.size()), nullptr);
    }

  protected:
    rte_ring* ring;
};

template <std::uint32_t Capacity>
struct rte_spsc : rte_base<Capacity, RING_F_SP_ENQ | RING_F_SC_DEQ>, one_object<rte_spsc<Capacity>> {
    using rte_base<Capacity, RING_F_SP_ENQ | RING_F_SC_DEQ>::rte_base;

    bool push(const descriptor& item) noexcept {
        return rte_ring_sp_enqueue_elem(this->ring, const_cast<descriptor*>(&item), item_bytes) == 0;
    }
    std::uint32_t push(std::span<const descriptor> items) noexcept {
        return rte_ring_sp_enqueue_burst_elem(this->ring, items.data(), item_bytes,
                                              static_cast<unsigned>(items.size()), nullptr);
    }

    template <class Fill>
    std::uint32_t place(std::uint32_t wanted, Fill fill) noexcept {
        rte_ring_zc_data where;
        const unsigned count =
            rte_ring_enqueue_zc_burst_elem_start(this->ring, item_bytes, wanted, &where, nullptr);
        if (count == 0)
            return 0;
        each(where, count, fill);
        rte_ring_enqueue_zc_elem_finish(this->ring, count);
        return count;
    }
    template <class See>
    std::uint32_t look(std::uint32_t wanted, See see) noexcept {
        rte_ring_zc_data where;
        const unsigned count =
            rte_ring_dequeue_zc_burst_elem_start(this->ring, item_bytes, wanted, &where, nullptr);
        if (count == 0)
            return 0;
        each(where, count, see);
        rte_ring_dequeue_zc_elem_finish(this->ring, count);
        return count;
    }

  private:
    template <class Visit>
    static void each(const rte_ring_zc_data& where, unsigned count, Visit& visit) noexcept {
        auto* first = static_cast<descriptor*>(where.ptr1);
        auto* second = static_cast<descriptor*>(where.ptr2);
        std::uint32_t i = 0;
        for (; i != where.n1; ++i)
            visit(first[i], i);
        for (; i != count; ++i)
            visit(second[i - where.n1], i);
    }
};

template <std::uint32_t Capacity, unsigned Flags>
struct rte_mpsc : rte_base<Capacity, Flags | RING_F_SC_DEQ>, one_object<rte_mpsc<Capacity, Flags>> {
    static constexpr bool many_producers = true;
    using rte_base<Capacity, Flags | RING_F_SC_DEQ>::rte_base;

    bool push(const descriptor& item) noexcept { return push(std::span(&item, 1)) != 0; }
    std::uint32_t push(std::span<const descriptor> items) noexcept {
        const auto count = static_cast<unsigned>(items.size());
        if constexpr (Flags == RING_F_MP_RTS_ENQ)
            return rte_ring_mp_rts_enqueue_burst_elem(this->ring, items.data(), item_bytes, count, nullptr);
        else if constexpr (Flags == RING_F_MP_HTS_ENQ)
            return rte_ring_mp_hts_enqueue_burst_elem(this->ring, items.data(), item_bytes, count, nullptr);
        else
            return rte_ring_mp_enqueue_burst_elem(this->ring, items.data(), item_bytes, count, nullptr);
    }
};

template <std::uint32_t Capacity>
using rte_mp = rte_mpsc<Capacity, 0>;
template <std::uint32_t Capacity>
using rte_rts = rte_mpsc<Capacity, RING_F_MP_RTS_ENQ>;
template <std::uint32_t Capacity>
using rte_hts = rte_mpsc<Capacity, RING_F_MP_HTS_ENQ>;

} // namespace

void add_dpdk(std::vector<subject>& all) {
    const auto add = [&](subject about) {
        about.package = "libdpdk-dev";
        about.index_ring = true;
        all.push_back(std::move(about));
    };
    add(subject_of<rte_spsc>(
        {.name = "rte_ring SP/SC", .type = "rte_ring (N, SP_ENQ | SC_DEQ), in place: peek_zc"}));
    add(subject_of<rte_mp>({.name = "rte_ring MP", .type = "rte_ring (N, SC_DEQ)"}));
    add(subject_of<rte_rts>({.name = "rte_ring MP RTS", .type = "rte_ring (N, MP_RTS_ENQ | SC_DEQ)"}));
    add(subject_of<rte_hts>({.name = "rte_ring MP HTS", .type = "rte_ring (N, MP_HTS_ENQ | SC_DEQ)"}));
}

} // namespace bench
