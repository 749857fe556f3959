// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "model.hpp"
#include "packet_suite.hpp"

namespace suite {

// DPDK's mbufs. A head is an mbuf with a buffer; a page is a buffer that mbufs without one are attached to,
// and a fragment such an mbuf in the chain. start() has called rte_eal_init.
class dpdk_adapter {
  public:
    struct counted_page {
        std::byte bytes[1024];
        rte_mbuf_ext_shared_info shared;
        dpdk_adapter* home;
    };
    using packet = rte_mbuf*;
    using page = counted_page*;
    using fragment_type = model_fragment<page>;

    static constexpr packet_rules rules{.most_fragments = RTE_MBUF_MAX_NB_SEGS - 1,
                                        .joins_fragments = false,
                                        .sees_sharing = false,
                                        .counts_head_once = false,
                                        .heads_are_descriptors = true,
                                        .linearize_finds_room = false,
                                        .cuts_anywhere = false,
                                        .drops_empty_fragments = false,
                                        .puts_behind_fragments = true,
                                        .copies_headroom = false,
                                        .copies_nothing = false,
                                        .reads_fragments_in_place = true};

    dpdk_adapter()
        : heads_(rte_pktmbuf_pool_create("heads", 12, 0, 0, room, SOCKET_ID_ANY)),
          bare_(rte_pktmbuf_pool_create("bare", 100, 0, 0, 0, SOCKET_ID_ANY)) {
        for (counted_page& each : pages_) {
            each.home = this;
            each.shared.free_cb = [](void*, void* of) {
                const page gone = static_cast<page>(of);
                gone->home->free_pages_.push_back(gone);
            };
            each.shared.fcb_opaque = &each;
            free_pages_.push_back(&each);
        }
    }
    dpdk_adapter(const dpdk_adapter&) = delete;
    dpdk_adapter& operator=(const dpdk_adapter&) = delete;
    ~dpdk_adapter() {
        rte_mempool_free(heads_);
        rte_mempool_free(bare_);
    }
    [[nodiscard]] bool has_memory() const { return heads_ != nullptr && bare_ != nullptr; }

    std::uint32_t head_for(std::uint64_t bytes) {
        return bytes <= room && rte_mempool_avail_count(heads_) != 0 ? room : 0;
    }
    std::size_t descriptors_left() { return rte_mempool_avail_count(bare_); }
    bool can_copy(packet of) {
        constexpr std::uint32_t each = room - RTE_PKTMBUF_HEADROOM;
        return rte_mempool_avail_count(heads_) >= (of->pkt_len + each - 1) / each;
    }

    static constexpr std::array shortages{"no heads", "no bare mbufs"};
    void begin_shortage(std::size_t which) {
        while (packet const taken = rte_pktmbuf_alloc(which == 0 ? heads_ : bare_))
            held_.push_back(taken);
    }
    void end_shortage() {
        for (packet const each : held_)
            rte_pktmbuf_free(each);
        held_.clear();
    }

    static std::byte* data(packet of) { return rte_pktmbuf_mtod(of, std::byte*); }
    static std::uint32_t size(packet of) { return of->pkt_len; }
    static std::uint32_t headlen(packet of) { return of->data_len; }
    static std::uint32_t headroom(packet of) { return rte_pktmbuf_headroom(of); }
    static std::uint32_t room_behind_tail(packet of) { return rte_pktmbuf_tailroom(of); }
    static std::size_t fragments(packet of) { return of->nb_segs - 1u; }
    fragment_type fragment(packet of, std::size_t i) {
        packet const part = segment(of, i);
        page const under = page_of(part);
        return {under, under != nullptr ? static_cast<std::uint32_t>(data(part) - under->bytes) : 0,
                part->data_len, 0};
    }
    static const std::byte* fragment_data(packet of, std::size_t i) { return data(segment(of, i)); }
    model_head<page> head_of(packet of) {
        return {page_of(of), static_cast<const std::byte*>(of->buf_addr), of->buf_len, 0};
    }
    static void set_tag(packet of, std::uint32_t tag) { of->hash.rss = tag; }
    static std::uint32_t tag(packet of) { return of->hash.rss; }

    page take_page() {
        if (free_pages_.empty())
            return nullptr;
        page const taken = free_pages_.back();
        free_pages_.pop_back();
        rte_mbuf_ext_refcnt_set(&taken->shared, 1);
        return taken;
    }
    static void hold(page which) { rte_mbuf_ext_refcnt_update(&which->shared, 1); }
    static void release(page which) {
        if (rte_mbuf_ext_refcnt_update(&which->shared, -1) == 0)
            which->shared.free_cb(which->bytes, which);
    }
    static std::byte* page_data(page of) { return of->bytes; }
    static std::uint32_t page_bytes(page) { return sizeof(counted_page::bytes); }
    static std::uint32_t references(page of) { return rte_mbuf_ext_refcnt_read(&of->shared); }

    packet allocate(std::uint32_t bytes, std::uint32_t headroom) {
        packet const made = bytes + headroom <= room ? rte_pktmbuf_alloc(heads_) : nullptr;
        if (made != nullptr)
            made->data_off = static_cast<std::uint16_t>(headroom);
        return made;
    }
    packet build_around(const placement<page>& where) {
        return around(*where.page, where.offset, where.headroom + where.bytes + where.room, where.headroom,
                      where.bytes);
    }
    static bool reserve(packet of, std::uint32_t n) {
        if (of->pkt_len != 0 || n > (of->nb_segs == 1 ? rte_pktmbuf_tailroom(of) : 0u))
            return false; // of these DPDK leaves the check to its user
        of->data_off = static_cast<std::uint16_t>(of->data_off + n);
        return true;
    }
    static std::byte* put(packet to, std::uint32_t n) { return bytes(rte_pktmbuf_append(to, short_of(n))); }
    static std::byte* push(packet to, std::uint32_t n) { return bytes(rte_pktmbuf_prepend(to, short_of(n))); }
    static std::byte* pull(packet from, std::uint32_t n) { return bytes(rte_pktmbuf_adj(from, short_of(n))); }
    attached add_fragment(packet to, const fragment_type& added) {
        packet const part = around(*added.page, added.offset, added.length, 0, added.length);
        if (part == nullptr)
            return attached::refused;
        if (rte_pktmbuf_chain(to, part) == 0)
            return attached::taken;
        hold(added.page); // which the part takes with it
        rte_pktmbuf_free(part);
        return attached::refused;
    }
    static bool cut(packet of, std::uint32_t n) {
        return rte_pktmbuf_trim(of, short_of(of->pkt_len - n)) == 0;
    }
    static bool linearize(packet of) { return rte_pktmbuf_linearize(of) == 0; }
    static const std::byte* header_pointer(packet of, std::uint32_t offset, std::span<std::byte> scratch) {
        return static_cast<const std::byte*>(
            rte_pktmbuf_read(of, offset, static_cast<std::uint32_t>(scratch.size()), scratch.data()));
    }
    packet clone(packet of) { return rte_pktmbuf_clone(of, bare_); }
    packet copy(packet of) { return rte_pktmbuf_copy(of, heads_, 0, UINT32_MAX); }
    static void free(packet& of, bool) {
        rte_pktmbuf_free(of);
        of = nullptr;
    }

    const char* miscounted(const census<dpdk_adapter>& should) {
        std::set<const rte_mbuf*> heads;
        std::uint32_t bare = 0;
        for (const packet* each : should.packets) {
            const char* reason = nullptr;
            if (rte_mbuf_check(*each, 1, &reason) != 0)
                return reason;
            for (packet part = *each; part != nullptr; part = part->next) {
                bare += part->pool == bare_;
                if (!RTE_MBUF_HAS_EXTBUF(part))
                    heads.insert(RTE_MBUF_CLONED(part) ? rte_mbuf_from_indirect(part) : part);
            }
        }
        if (rte_mempool_in_use_count(bare_) != bare || rte_mempool_in_use_count(heads_) != heads.size())
            return "rte_mempool_in_use_count is wrong";
        return pages_.size() - free_pages_.size() == should.pages.size() ? nullptr
                                                                         : "pages that nobody has are out";
    }

  private:
    static constexpr std::uint16_t room = 1024;

    // Lengths have 16 bits here; what does not fit is too much, and not a little.
    static std::uint16_t short_of(std::uint32_t n) {
        return static_cast<std::uint16_t>(std::min(n, 0xffffu));
    }
    static std::byte* bytes(char* at) { return reinterpret_cast<std::byte*>(at); }
    static packet segment(packet of, std::size_t i) {
        for (of = of->next; i != 0; --i)
            of = of->next;
        return of;
    }
    page page_of(packet part) {
        return RTE_MBUF_HAS_EXTBUF(part) ? static_cast<page>(part->shinfo->fcb_opaque) : nullptr;
    }
    packet around(counted_page& under, std::uint32_t offset, std::uint32_t all, std::uint32_t headroom,
                  std::uint32_t length) {
        packet const made = rte_pktmbuf_alloc(bare_);
        if (made != nullptr) {
            std::byte* const at = under.bytes + offset;
            rte_pktmbuf_attach_extbuf(made, at, reinterpret_cast<rte_iova_t>(at), short_of(all),
                                      &under.shared);
            made->data_off = short_of(headroom);
            made->data_len = short_of(length);
            made->pkt_len = length;
        }
        return made;
    }

    rte_mempool* heads_;
    rte_mempool* bare_;
    std::array<counted_page, 13> pages_;
    std::vector<page> free_pages_;
    std::vector<packet> held_;
};

} // namespace suite
