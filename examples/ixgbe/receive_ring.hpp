// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "hardware/dma_space.hpp"
#include "hardware/registers.hpp"
#include "ixgbe/descriptors.hpp"
#include "noria/backend/contract.hpp"
#include "noria/core/result.hpp"

// The ring of a receive queue: memory that driver and card share, and what the driver remembers of it.
//
//      ring   [ done | done | empty | empty | empty | ours | ours ]
//               ^ head_       ^ RDH, the card's       ^ tail_, RDT

namespace ixgbe {

class receive_ring {
  public:
    // `splits`: a descriptor has a buffer for headers beside the other one (7.1.10).
    explicit receive_ring(bool splits) noexcept : splits_(splits) {}

    // Set-up, while the card does not use it. So many descriptors, all empty; one is never given to the card.
    template <hardware::dma_space Dma>
    [[nodiscard]] noria::error make(Dma& dma, std::uint32_t descriptors) noexcept {
        if (descriptors > room_) {
            auto memory = dma.allocate(descriptors * sizeof(descriptor), 128);
            if (!memory)
                return memory.error();
            std::unique_ptr<noria::buffer_post[]> buffers(new (std::nothrow) noria::buffer_post[descriptors]);
            std::unique_ptr<noria::buffer_post[]> headers; // both only where headers are split
            std::unique_ptr<noria::buffer_post[]> spares;
            if (splits_) {
                headers.reset(new (std::nothrow) noria::buffer_post[descriptors]);
                spares.reset(new (std::nothrow) noria::buffer_post[descriptors]);
            }
            if (buffers == nullptr || (splits_ && (headers == nullptr || spares == nullptr)))
                return noria::make_error(std::errc::not_enough_memory,
                                         "the system has no memory for the queue's bookkeeping");
            memory_ = *memory;
            buffers_ = std::move(buffers);
            headers_ = std::move(headers);
            spares_ = std::move(spares);
            room_ = descriptors;
        }
        size_ = descriptors;
        spare_count_ = 0;
        head_ = tail_ = 0;
        frame_open_ = second_there_ = spoil_ = false;
        ring_ = reinterpret_cast<descriptor*>(memory_.bytes.data());
        std::fill_n(ring_, size_, descriptor{});
        std::fill_n(buffers_.get(), size_, noria::buffer_post{});
        if (splits_)
            std::fill_n(headers_.get(), size_, noria::buffer_post{});
        return {};
    }

    // Set-up, the same. Is there anything the card has filled that was not read yet?
    [[nodiscard]] bool has_unread() const noexcept {
        return second_there_ || (head_ != tail_ && (status_of(ring_[head_]) & rx::done) != 0);
    }
    // Set-up, the same. The card counts from 0 when it starts: so do we, with the buffers that are still to
    // be filled in front.
    void begin_at_zero() noexcept {
        std::rotate(buffers_.get(), buffers_.get() + head_, buffers_.get() + size_);
        if (splits_)
            std::rotate(headers_.get(), headers_.get() + head_, headers_.get() + size_);
        tail_ = head_ <= tail_ ? tail_ - head_ : tail_ + size_ - head_;
        head_ = 0;
        for (std::uint32_t i = 0; i != tail_; ++i)
            write_receive(ring_[i], buffers_[i].iova, splits_ ? headers_[i].iova : 0);
        // Of a frame that the stop has cut in two the end will never come, so what comes next would be taken
        // for it: that frame is marked as damaged.
        spoil_ = frame_open_;
    }

    // Puts buffers into descriptors until the ring is full: how many of them. Where headers are split the
    // first buffer that a descriptor gets is for headers.
    [[nodiscard]] std::uint32_t give(std::span<const noria::buffer_post> posts) noexcept {
        return splits_ ? give_twos(posts) : give_each(posts);
    }

    // Writes a completion for each buffer that the card has filled, in the order of the ring: how many.
    [[nodiscard]] std::uint32_t read(std::span<noria::completion> completions) noexcept {
        const std::uint32_t written = splits_ ? read_twos(completions) : read_each(completions);
        if (spoil_) [[unlikely]]
            spoil_first_end(completions.first(written));
        return written;
    }

    [[nodiscard]] bool made() const noexcept { return ring_ != nullptr; }
    [[nodiscard]] bool splits() const noexcept { return splits_; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; } // descriptors
    [[nodiscard]] std::uint64_t iova() const noexcept { return memory_.iova; }
    [[nodiscard]] std::uint32_t tail() const noexcept { return tail_; } // the card may use all before it

  private:
    [[nodiscard]] std::uint32_t behind(std::uint32_t index) const noexcept {
        return index + 1 == size_ ? 0 : index + 1;
    }

    // A buffer for each descriptor. A call, so that it has the registers for itself.
    [[nodiscard, gnu::noinline]] std::uint32_t give_each(std::span<const noria::buffer_post> posts) noexcept {
        const std::uint32_t room = (tail_ < head_ ? 0 : size_) + head_ - tail_ - 1;
        const std::uint32_t count = posts.size() < room ? static_cast<std::uint32_t>(posts.size()) : room;
        for (std::uint32_t given = 0; given != count;) {
            // As far as the ring's end in one go: within it nobody has to ask for that.
            const std::uint32_t run = count - given < size_ - tail_ ? count - given : size_ - tail_;
            const noria::buffer_post* from = posts.data() + given;
            descriptor* to = ring_ + tail_;
            noria::buffer_post* remembered = buffers_.get() + tail_;
            for (const noria::buffer_post* const end = from + run; from != end; ++from) {
                *remembered++ = *from;
                write_receive(*to++, from->iova, 0);
            }
            given += run;
            tail_ = tail_ + run == size_ ? 0 : tail_ + run;
        }
        return count;
    }
    // Two for each, for headers first.
    [[nodiscard]] std::uint32_t give_twos(std::span<const noria::buffer_post> posts) noexcept {
        std::uint32_t taken = 0;
        while (taken != posts.size() && behind(tail_) != head_) {
            noria::buffer_post& header = headers_[tail_];
            if (!is_there(header) && spare_count_ != 0)
                header = spares_[--spare_count_];
            const noria::buffer_post& post = posts[taken++];
            if (!is_there(header)) {
                header = post;
                continue;
            }
            buffers_[tail_] = post;
            write_receive(ring_[tail_], post.iova, header.iova);
            tail_ = behind(tail_);
        }
        return taken;
    }

    // A completion for each descriptor.
    [[nodiscard]] std::uint32_t read_each(std::span<noria::completion> completions) noexcept {
        noria::completion* const first = completions.data();
        noria::completion* to = first;
        for (std::size_t left = completions.size(); left != 0 && head_ != tail_;) {
            const std::uint32_t posted = (head_ < tail_ ? tail_ : size_) - head_; // up to the ring's end
            const std::uint32_t run = left < posted ? static_cast<std::uint32_t>(left) : posted;
            const std::uint32_t filled = read_run(to, run);
            to += filled;
            left -= filled;
            head_ = head_ + filled == size_ ? 0 : head_ + filled;
            if (filled != run)
                break;
        }
        if (to != first)
            frame_open_ = (to[-1].flags & noria::completion::end_of_packet) == 0;
        return static_cast<std::uint32_t>(to - first);
    }
    // Of at most so many descriptors from head_ on, none of them behind the ring's end.
    [[nodiscard]] std::uint32_t read_run(noria::completion* to, std::uint32_t most) const noexcept {
        descriptor* from = ring_ + head_;
        const noria::buffer_post* remembered = buffers_.get() + head_;
        descriptor* const end = from + most;
        for (; from != end; ++from, ++remembered, ++to) {
            const std::uint32_t status = status_of(*from);
            if (is_plain(status)) [[likely]] {
                describe_plain(*to, *from, status, remembered->id);
                continue;
            }
            if ((status & rx::done) == 0)
                break;
            describe(*to, *from, status, remembered->id);
        }
        return static_cast<std::uint32_t>(from - (ring_ + head_));
    }
    // Two for each whose headers were split off.
    [[nodiscard]] std::uint32_t read_twos(std::span<noria::completion> completions) noexcept {
        std::uint32_t written = 0;
        if (second_there_ && !completions.empty()) {
            completions[written++] = second_;
            second_there_ = false;
        }
        for (; written != completions.size() && head_ != tail_; head_ = behind(head_)) {
            descriptor& from = ring_[head_];
            const std::uint32_t status = status_of(from);
            if ((status & rx::done) == 0)
                break;
            frame_open_ = (status & rx::end_of_packet) == 0;
            noria::buffer_post& header = headers_[head_];
            if (was_split(from, status)) {
                // Two buffers of one frame, two completions. The header's is not the frame's last.
                completions[written++] = {.id = header.id, .length = rx::header_length(from.words[0])};
                second_there_ = written == completions.size();
                describe(second_there_ ? second_ : completions[written++], from, status, buffers_[head_].id);
            } else {
                // A header buffer that was not needed is for the next descriptor that wants one. (Were it to
                // stay with this one, all buffers of a short ring could end as headers that wait for bodies.)
                spares_[spare_count_++] = header;
                describe(completions[written++], from, status, buffers_[head_].id);
            }
            header = {};
        }
        return written;
    }

    // The word with DD first: what is read behind it is not older (7.1.8).
    [[nodiscard]] static std::uint32_t status_of(descriptor& from) noexcept {
        return hardware::read_from_device(from.words[2]);
    }

    // Filled, the end of its frame, and with nothing to be said of tags and errors: most are, and one
    // comparison tells.
    [[nodiscard]] static bool is_plain(std::uint32_t status) noexcept {
        constexpr std::uint32_t usual = rx::done | rx::end_of_packet;
        constexpr std::uint32_t rare = rx::vlan | rx::damaged | rx::l4_error | rx::ip_error;
        return (status & (usual | rare)) == usual;
    }
    // What the descriptor says of the buffer for packets (7.1.6.2).
    static void describe_plain(noria::completion& to, const descriptor& from, std::uint32_t status,
                               std::uint32_t id) noexcept {
        constexpr std::uint32_t end = noria::completion::end_of_packet;
        constexpr std::uint32_t checked = end | noria::completion::checksum_ok;
        to = {.id = id,
              .length = rx::length(from.words[3]),
              .hash = rx::hash_type(from.words[0]) != 0 ? from.words[1] : 0,
              .flags = (status & rx::l4_checked) != 0 ? checked : end};
    }
    // The same of any that is filled.
    [[gnu::noinline]] static void describe(noria::completion& to, const descriptor& from,
                                           std::uint32_t status, std::uint32_t id) noexcept {
        if ((status & rx::end_of_packet) == 0) { // all else is said in the last one
            to = {.id = id, .length = rx::length(from.words[3])};
            return;
        }
        describe_plain(to, from, status, id);
        if (!rx::checksums_good(status))
            to.flags &= ~std::uint32_t{noria::completion::checksum_ok};
        if ((status & rx::vlan) != 0)
            to.vlan = rx::tag(from.words[3]);
        if ((status & rx::damaged) != 0)
            to.flags |= noria::completion::error;
    }

    // Marks the frame as damaged that the stop has cut in two (see begin_at_zero).
    void spoil_first_end(std::span<noria::completion> written) noexcept {
        for (noria::completion& each : written)
            if ((each.flags & noria::completion::end_of_packet) != 0) {
                each.flags |= noria::completion::error;
                spoil_ = false;
                return;
            }
    }

    // A place for a buffer may be empty: no buffer has no bytes.
    [[nodiscard]] static bool is_there(const noria::buffer_post& buffer) noexcept {
        return buffer.length != 0;
    }

    // Headers that are longer than their buffer are not split off, whatever else it says.
    [[nodiscard]] static bool was_split(const descriptor& from, std::uint32_t status) noexcept {
        return (from.words[0] & rx::split) != 0 && (status & rx::header_overflow) == 0;
    }

    // What give and read need comes first.
    descriptor* ring_ = nullptr;
    std::unique_ptr<noria::buffer_post[]> buffers_; // that the descriptor of this number was given
    std::unique_ptr<noria::buffer_post[]> headers_; // the same; null where none are split
    std::unique_ptr<noria::buffer_post[]> spares_;  // for headers, with no descriptor
    std::uint32_t spare_count_ = 0;
    std::uint32_t size_ = 0; // descriptors in the ring
    std::uint32_t head_ = 0; // the next to be read
    std::uint32_t tail_ = 0; // the next that is given to the card
    bool splits_;
    bool spoil_ = false;        // the next frame is marked as damaged
    bool frame_open_ = false;   // the last buffer was not the end of its frame
    bool second_there_ = false; // of a split frame, for which there was no room
    noria::completion second_;

    hardware::dma_memory memory_;
    std::uint32_t room_ = 0; // descriptors that memory_ has room for
};

} // namespace ixgbe
