// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "model.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/packet/coalesce.hpp"
#include "noria/packet/copy.hpp"
#include "noria/packet/foreign_buffers.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"
#include "noria/packet/split.hpp"
#include "packet_suite.hpp"
#include "support/packet_fixture.hpp"

namespace suite {

// Noria's packets, with so little memory that every operation runs out of it now and then.
class noria_adapter {
  public:
    using packet = noria::packet_ptr;
    using page = noria::page*;
    using fragment_type = model_fragment<page>;

    static constexpr packet_rules rules{.descriptor_truesize = sizeof(noria::packet)};
    static_assert(rules.most_fragments == noria::packet::most_fragments);

    explicit noria_adapter(bool keep_heads)
        : all_{{.packets = 10,
                .heads = {5, 3, 4},
                .pages = 13,
                .tail_overhead = overhead,
                .keep_heads = keep_heads}},
          spare_(all_.pages().allocate()), entered_(all_.packets().enter()) {
        if (!foreign_.reserve(foreign_pages))
            throw std::bad_alloc();
    }
    noria_adapter(const noria_adapter&) = delete;
    noria_adapter& operator=(const noria_adapter&) = delete;
    ~noria_adapter() { spare_->release(); }

    // What is to be had.
    std::uint32_t head_for(std::uint64_t bytes) {
        for (std::size_t i = 0; i != packet_fixture::bytes.size() - 1; ++i)
            if (packet_fixture::bytes[i] >= bytes + overhead && all_.heads_free(i) != 0)
                return packet_fixture::bytes[i] - overhead;
        return 0;
    }
    std::size_t descriptors_left() { return all_.packets().packets() - all_.packets().in_flight(); }

    // Ways of being short of it: an operation takes one descriptor and one head at most, and pull_tail asks
    // for a smaller head when it cannot have a roomy one.
    static constexpr std::array shortages{"no descriptors", "no heads", "the smallest heads only",
                                          "no large heads"};
    void begin_shortage(std::size_t which) {
        while (packet taken = all_.packets().build_around(*spare_, {.bytes = 1, .held = 1})) {
            spare_->hold();
            packets_held_.push_back(std::move(taken));
        }
        if (which == 0)
            return;
        for (std::size_t i = which - 1; i != 3;
             ++i) // which are all in their pools: no idle descriptor keeps one
            while (noria::page* const head = all_.pools()[i].allocate())
                heads_held_.push_back(head);
        packets_held_.clear();
    }
    void end_shortage() {
        packets_held_.clear();
        for (noria::page* const each : heads_held_)
            each->release();
        heads_held_.clear();
    }

    // How a packet looks.
    static std::byte* data(const packet& of) { return of->data(); }
    static std::uint32_t size(const packet& of) { return of->size(); }
    static std::uint32_t headlen(const packet& of) { return of->headlen(); }
    static std::uint32_t headroom(const packet& of) { return of->headroom(); }
    static std::uint32_t tailroom(const packet& of) { return of->tailroom(); }
    static std::uint32_t room_behind_tail(const packet& of) { return of->room_behind_tail(); }
    static std::uint32_t truesize(const packet& of) { return of->truesize(); }
    static bool head_shared(const packet& of) { return of->head_shared(); }
    static std::uint32_t epoch(const packet& of) { return of->epoch(); }
    static std::size_t fragments(const packet& of) { return of->fragments().size(); }
    static fragment_type fragment(const packet& of, std::size_t i) {
        const noria::fragment& part = of->fragments()[i];
        return {part.under, part.offset, part.length, part.truesize};
    }
    static const std::byte* fragment_data(const packet& of, std::size_t i) {
        return of->fragments()[i].data();
    }
    model_head<page> head_of(const packet& of) {
        const std::byte* const start = of->data() - of->headroom();
        for (noria::page_pool& pool : all_.pools())
            if (page const under = pool.page_of(start))
                return {under, start, of->headroom() + of->headlen() + of->room_behind_tail(), under->size()};
        return {};
    }
    template <class Add>
    static void state(const packet& of, Add add) {
        const noria::packet_info& info = of->info();
        add(info.timestamp), add(info.hash), add(info.vlan), add(info.port), add(info.queue),
            add(info.checksum);
        add(info.checksum_start), add(info.checksum_level),
            add(static_cast<std::uint64_t>(info.checksum_state));
        add(of->mac_header()), add(of->network_header()), add(of->transport_header()), add(of->epoch());
        for (const std::byte each : of->user_area())
            add(std::to_integer<std::uint64_t>(each));
    }

    // What comes with it.
    static void set_tag(packet& of, std::uint32_t tag) {
        of->info().hash = tag;
        of->user_area()[47] = static_cast<std::byte>(tag);
    }
    static std::uint32_t tag(const packet& of) {
        const std::uint32_t hash = of->info().hash;
        return of->user_area()[47] == static_cast<std::byte>(hash) ? hash : ~0u;
    }
    static void set_header(packet& of, std::uint32_t which, std::uint32_t offset) {
        which == 0   ? of->set_mac_header(offset)
        : which == 1 ? of->set_network_header(offset)
                     : of->set_transport_header(offset);
    }
    static const std::byte* header(const packet& of, std::uint32_t which) {
        return which == 0 ? of->mac_header() : which == 1 ? of->network_header() : of->transport_header();
    }
    static checksum checksum_of(const packet& of) {
        const noria::packet_info& info = of->info();
        checksum is{.state = static_cast<checksum_state>(info.checksum_state), .level = info.checksum_level};
        if (is.state == checksum_state::complete)
            is.sum = info.checksum;
        if (is.state == checksum_state::partial) {
            is.start = std::uint32_t{info.checksum_start} - of->headroom();
            is.field = info.checksum;
        }
        return is;
    }
    static bool set_checksum(packet& of, const checksum& wanted) {
        switch (wanted.state) {
        case checksum_state::complete:
            noria::set_complete(*of, sum(wanted.sum));
            return true;
        case checksum_state::partial:
            return noria::set_partial(*of, wanted.start, wanted.field);
        default:
            of->info().checksum_state = static_cast<noria::checksum_state>(wanted.state);
            of->info().checksum_level = wanted.level;
            return true;
        }
    }
    static bool fill_checksum(packet& of) { return noria::fill_checksum(*of); }

    // Pages.
    // Every third one is somebody else's memory.
    page take_page() {
        const auto back = [](void* lent, std::span<std::byte>) noexcept {
            *static_cast<bool*>(lent) = false;
        };
        if (++pages_taken_ % 3 == 0)
            for (foreign& each : foreign_memory_)
                if (!std::exchange(each.lent, true))
                    return foreign_.take(each.bytes, &each.lent, back);
        return all_.pages().allocate();
    }
    static void hold(page which) { which->hold(); }
    static void release(page which) { which->release(); }
    static std::byte* page_data(page of) { return of->data(); }
    static std::uint32_t page_bytes(page of) { return of->size(); }
    static std::uint32_t references(page of) { return of->references(); }

    // The operations.
    packet allocate(std::uint32_t bytes, std::uint32_t headroom) {
        return all_.packets().allocate(bytes, headroom);
    }
    packet build_around(const placement<page>& where) {
        return all_.packets().build_around(
            *where.page, {where.offset, where.headroom, where.bytes, where.room, where.truesize});
    }
    static bool reserve(packet& of, std::uint32_t n) { return of->reserve(n); }
    static std::byte* put(packet& to, std::uint32_t n) { return to->put(n); }
    static std::byte* put(packet& to, std::span<const std::byte> bytes) { return to->put(bytes); }
    static std::byte* push(packet& to, std::uint32_t n) { return to->push(n); }
    static std::byte* push(packet& to, std::span<const std::byte> bytes) { return to->push(bytes); }
    static std::byte* pull(packet& from, std::uint32_t n) { return from->pull(n); }
    static attached add_fragment(packet& to, const fragment_type& added) {
        return static_cast<attached>(to->add_fragment(of_noria(added)));
    }
    static attached add_fragment(packet& to, const fragment_type& added, std::uint16_t its_sum) {
        return static_cast<attached>(to->add_fragment(of_noria(added), sum(its_sum)));
    }
    static bool cut(packet& of, std::uint32_t n) { return of->cut(n); }
    static bool trim(packet& of, std::uint32_t n) { return noria::trim(*of, n); }
    static void condense(packet& of) { noria::condense(*of); }
    static pulled pull_tail(packet& from, std::uint32_t n) {
        const noria::pulled got = noria::pull_tail(*from, n);
        return {got.data, got.moved};
    }
    static pull_status may_pull(packet& from, std::uint32_t n) {
        return static_cast<pull_status>(noria::may_pull(*from, n));
    }
    static bool linearize(packet& of) { return noria::linearize(*of); }
    static bool expand_head(packet& of, std::uint32_t front, std::uint32_t behind) {
        return of->expand_head(front, behind);
    }
    static bool cow_head(packet& of, std::uint32_t headroom) { return noria::cow_head(*of, headroom); }
    static bool pad_to(packet& to, std::uint32_t bytes) { return noria::pad_to(*to, bytes); }
    static bool copy_bits(const packet& from, std::int64_t offset, std::span<std::byte> to) {
        return from->copy_bits(offset, to);
    }
    static bool store_bits(packet& to, std::int64_t offset, std::span<const std::byte> bytes) {
        return noria::store_bits(*to, offset, bytes);
    }
    static const std::byte* header_pointer(const packet& of, std::uint32_t offset,
                                           std::span<std::byte> scratch) {
        return of->header_pointer(offset, scratch);
    }
    static packet clone(packet& of) { return of->clone(); }
    static packet copy(packet& of) { return noria::copy(*of); }
    static packet pcopy(packet& of, std::uint32_t headroom) { return noria::pcopy(*of, headroom); }
    static bool split(packet& from, std::uint32_t at, packet& rest) { return noria::split(*from, at, *rest); }
    static std::uint32_t shift(packet& to, packet& from, std::uint32_t n) {
        return noria::shift(*to, *from, n);
    }
    static bool try_coalesce(packet& to, packet& from) { return noria::try_coalesce(*to, from); }
    static void free(packet& of, bool dropped) {
        of.free(dropped ? noria::drop_reason::no_memory : noria::drop_reason::consumed);
    }
    std::uint64_t dropped() { return all_.packets().dropped(noria::drop_reason::no_memory); }

    // What is wrong with the counts of the pools.
    const char* miscounted(const census<noria_adapter>& should) {
        std::array<std::uint32_t, 5> out{};
        out[3] = 1; // the spare page
        out[4] = static_cast<std::uint32_t>(should.packets.size());
        std::ptrdiff_t lent = 0;
        for (const auto& each : should.pages)
            if (each.first->size() == foreign_bytes)
                ++lent;
            else
                ++out[pool_of(each.first->size())];
        if (std::ranges::count(foreign_memory_, true, &foreign::lent) != lent)
            return "somebody else's memory did not go home, or too early";
        return all_.in_flight() == out ? nullptr : "in_flight() of a pool is wrong";
    }

  private:
    static constexpr std::uint32_t overhead = 40;
    static constexpr std::uint32_t foreign_pages = 3;
    static constexpr std::uint32_t foreign_bytes = 960; // no other page has so many
    struct foreign {
        std::byte bytes[foreign_bytes];
        bool lent = false;
    };

    static noria::fragment of_noria(const fragment_type& from) {
        return {from.page, from.offset, from.length, from.truesize};
    }
    static noria::internet_sum sum(std::uint16_t as_rfc) { return noria::internet_sum(as_rfc); }
    static std::size_t pool_of(std::uint32_t page_bytes) {
        return static_cast<std::size_t>(
            std::find(packet_fixture::bytes.begin(), packet_fixture::bytes.end(), page_bytes) -
            packet_fixture::bytes.begin());
    }

    std::array<foreign, foreign_pages> foreign_memory_{};
    noria::foreign_buffers foreign_;
    std::uint32_t pages_taken_ = 0;
    packet_fixture all_;
    noria::page* const spare_;
    std::vector<packet> packets_held_;
    std::vector<noria::page*> heads_held_;
    noria::packet_pool::owner_section entered_;
};

} // namespace suite
