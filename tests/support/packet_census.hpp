// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "noria/packet/checksum.hpp"
#include "support/packet_fixture.hpp"
#include "support/random.hpp"

// Random packets whose fragments lie on the same pages, often one right behind the other, and a census: who
// holds which page, counted from what the packets say of themselves.
class packet_census {
  public:
    packet_fixture all;
    random_steps random;

    explicit packet_census(bool keep_heads = true)
        : all{{.packets = 64, .heads = {64, 64, 64}, .pages = 256, .keep_heads = keep_heads}} {}
    packet_census(const packet_census&) = delete;
    packet_census& operator=(const packet_census&) = delete;
    ~packet_census() { next_page(); }

    std::vector<std::byte> bytes(std::uint32_t n) {
        std::vector<std::byte> made(n);
        for (std::byte& each : made)
            each = random.byte();
        return made;
    }

    // Bytes on the page that the last ones came from too, if they fit; the caller gets a reference.
    noria::fragment piece() {
        const std::uint32_t length = 1 + random.below(120);
        if (under_ == nullptr || next_ + length > under_->size() || random.one_in(8)) {
            next_page();
            under_ = all.pages().allocate();
            next_ = random.below(64);
        }
        under_->hold();
        const noria::fragment made{under_, next_, length,
                                   random.one_in(2) ? under_->size() : (length + 63) / 64 * 64};
        for (std::uint32_t i = 0; i != length; ++i)
            made.data()[i] = random.byte();
        next_ += length + (random.one_in(3) ? 8 : 0);
        return made;
    }

    // Up to as many fragments as there can be, in half of the packets none; sums of all kinds but partial.
    noria::packet_ptr make(std::uint32_t most_linear = 300) {
        noria::packet_ptr made = all.packets().allocate(most_linear, random.below(40));
        const std::uint32_t headlen = random.one_in(3) ? 0 : random.below(most_linear + 1);
        std::byte* const linear = made->put(headlen);
        for (std::uint32_t i = 0; i != headlen; ++i)
            linear[i] = random.byte();
        for (std::uint32_t i = random.one_in(2) ? 0 : random.below(random.one_in(3) ? 30 : 5); i != 0; --i)
            add_to(*made);
        switch (random.below(3)) {
        case 0:
            noria::set_complete(*made, noria::sum_of(bytes_of(*made)));
            break;
        case 1:
            made->info().checksum_state = noria::checksum_state::unnecessary;
            made->info().checksum_level = static_cast<std::uint8_t>(random.below(4));
            break;
        default:
            break;
        }
        return made;
    }
    void add_to(noria::packet& to) {
        const noria::fragment more = piece();
        if (to.add_fragment(more) != noria::packet::attached::taken)
            more.under->release();
    }

    // The first thing that is wrong with these packets, which are all there are, or nullptr.
    const char* wrong(const std::vector<const noria::packet*>& packets) {
        std::vector<std::uint32_t> holders(all.cells());
        std::vector<bool> head(all.cells());
        for (const noria::packet* each : packets) {
            const noria::page* const under = page_of(each->data() - each->headroom());
            head[all.cell(*under)] = true;
            std::uint32_t truesize = static_cast<std::uint32_t>(sizeof(noria::packet)) + under->size();
            std::uint32_t in_fragments = 0;
            for (const noria::fragment& part : each->fragments()) {
                ++holders[all.cell(*part.under)];
                truesize += part.truesize;
                in_fragments += part.length;
                if (part.length == 0 || part.length > part.truesize || part.truesize > part.under->size() ||
                    part.offset + part.length > part.under->size())
                    return "a fragment";
            }
            if (each->data_len() != in_fragments)
                return "data_len";
            if (each->truesize() != truesize)
                return "truesize";
            if (each->info().has_sum() &&
                !(each->info().sum() == noria::sum_of(std::span<const std::byte>(bytes_of(*each)))))
                return "the complete sum";
        }
        if (under_ != nullptr)
            ++holders[all.cell(*under_)];
        std::array<std::uint32_t, 5> out{};
        out[4] = static_cast<std::uint32_t>(packets.size());
        for (noria::page* each : all.all_pages()) {
            const std::size_t cell = all.cell(*each);
            const std::uint32_t references = holders[cell] + (head[cell] ? 1 : 0);
            if (references == 0)
                continue;
            if (each->references() != references)
                return "references of a page";
            for (std::size_t i = 0; i != 4; ++i)
                out[i] += all.pools()[i].page_of(each->data()) == each;
        }
        return all.in_flight() == out ? nullptr : "in_flight of a pool";
    }

    // No more pieces from this page.
    void next_page() {
        if (under_ != nullptr)
            under_->release();
        under_ = nullptr;
    }

  private:
    const noria::page* page_of(const std::byte* address) {
        for (noria::page_pool& pool : all.pools())
            if (const noria::page* under = pool.page_of(address))
                return under;
        return nullptr;
    }

    noria::page* under_ = nullptr;
    std::uint32_t next_ = 0;
};
