// SPDX-License-Identifier: BSL-1.0
#include <bit>

#include <xdp/xsk.h>

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

// The program's side of a transmit ring and of a receive ring, over the same memory: what libxdp does with a
// ring, with nobody's kernel at the other end. Its reserve is all or nothing; its tail and head lie as far
// apart as the kernel puts them.
template <std::uint32_t Capacity>
class xsk_rings : public one_object<xsk_rings<Capacity>> {
  public:
    using item_type = descriptor;
    static_assert(sizeof(xdp_desc) == sizeof(descriptor));

    explicit xsk_rings(unsigned) noexcept {
        in_.mask = Capacity - 1;
        in_.size = Capacity;
        in_.producer = &tail_;
        in_.consumer = &head_;
        in_.ring = slots_;
        in_.cached_cons = Capacity; // it counts from there
        out_.mask = Capacity - 1;
        out_.size = Capacity;
        out_.producer = &tail_;
        out_.consumer = &head_;
        out_.ring = slots_;
    }

    bool push(const descriptor& item) noexcept {
        std::uint32_t at;
        if (xsk_ring_prod__reserve(&in_, 1, &at) == 0)
            return false;
        *xsk_ring_prod__tx_desc(&in_, at) = std::bit_cast<xdp_desc>(item);
        xsk_ring_prod__submit(&in_, 1);
        return true;
    }
    std::uint32_t push(std::span<const descriptor> items) noexcept {
        return put(static_cast<std::uint32_t>(items.size()),
                   [&](xdp_desc& slot, std::uint32_t i) { slot = std::bit_cast<xdp_desc>(items[i]); });
    }
    template <class Fill>
    std::uint32_t place(std::uint32_t count, Fill fill) noexcept {
        return put(count, [&](xdp_desc& slot, std::uint32_t i) {
            descriptor item;
            fill(item, i);
            slot = std::bit_cast<xdp_desc>(item);
        });
    }

    bool pop(descriptor& item) noexcept { return pop(std::span(&item, 1)) != 0; }
    std::uint32_t pop(std::span<descriptor> items) noexcept {
        return look(static_cast<std::uint32_t>(items.size()),
                    [&](const descriptor& item, std::uint32_t i) { items[i] = item; });
    }
    template <class See>
    std::uint32_t look(std::uint32_t wanted, See see) noexcept {
        std::uint32_t at;
        const std::uint32_t count = xsk_ring_cons__peek(&out_, wanted, &at);
        if (count == 0)
            return 0;
        for (std::uint32_t i = 0; i != count; ++i)
            see(std::bit_cast<descriptor>(*xsk_ring_cons__rx_desc(&out_, at + i)), i);
        xsk_ring_cons__release(&out_, count);
        return count;
    }

  private:
    std::uint32_t put(std::uint32_t count, auto fill) noexcept {
        std::uint32_t at;
        if (xsk_ring_prod__reserve(&in_, count, &at) == 0)
            return 0;
        for (std::uint32_t i = 0; i != count; ++i)
            fill(*xsk_ring_prod__tx_desc(&in_, at + i), i);
        xsk_ring_prod__submit(&in_, count);
        return count;
    }

    alignas(noria::thread_gap) std::uint32_t tail_ = 0;
    alignas(noria::thread_gap) std::uint32_t head_ = 0;
    alignas(noria::thread_gap) xdp_desc slots_[Capacity]{};
    alignas(noria::thread_gap) xsk_ring_prod in_{};
    alignas(noria::thread_gap) xsk_ring_cons out_{};
};

} // namespace

void add_xdp(std::vector<subject>& all) {
    all.push_back(subject_of<xsk_rings>({.name = "libxdp xsk_ring",
                                         .type = "xsk_ring_prod (tx_desc) to xsk_ring_cons (rx_desc), size N",
                                         .package = "libxdp-dev",
                                         .index_ring = true}));
}

} // namespace bench
