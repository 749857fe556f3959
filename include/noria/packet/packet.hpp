// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/core/contract.hpp"
#include "noria/core/copy.hpp"
#include "noria/packet/fragment.hpp"
#include "noria/packet/info.hpp"
#include "noria/packet/packet_home.hpp"
#include "noria/packet/packet_ptr.hpp"
#include "noria/wire/checksum.hpp"

namespace noria::inline NORIA_ABI {

namespace detail {
packet_ptr copied(packet& from, std::uint32_t headroom, std::uint32_t linear) noexcept;
}

// A packet: a linear head, and behind it fragments that stay where the device put them.
//
//   head      data            tail        end
//    | headroom | linear bytes | tailroom  | tail overhead |     + fragment 0, 1, ...
//               '--- headlen --'
//   '------- size = headlen + bytes in fragments ------------'
//
// One thread at a time. An operation that fails leaves bytes, lengths, references and addresses as they were.
// A packet is reached through packet_ptr and lives in a packet_pool; there is no second owner, only clones.
class packet {
  public:
    static constexpr std::uint32_t most_fragments = 17;

    packet(const packet&) = delete;
    packet& operator=(const packet&) = delete;

    // All bytes; those in the head; those in fragments.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t headlen() const noexcept { return tail_ - data_; }
    [[nodiscard]] std::uint32_t data_len() const noexcept { return size_ - headlen(); }
    [[nodiscard]] bool is_linear() const noexcept { return fragment_count_ == 0; }

    // The linear bytes. Addresses die with pull_tail, linearize and expand_head.
    [[nodiscard]] std::byte* data() const noexcept { return head_ + data_; }
    [[nodiscard]] std::span<std::byte> linear() const noexcept { return {data(), headlen()}; }
    [[nodiscard]] std::span<const fragment> fragments() const noexcept {
        return {fragments_, fragment_count_};
    }

    [[nodiscard]] std::uint32_t headroom() const noexcept { return data_; }
    // 0 as soon as there is a fragment: bytes put there would come before it.
    [[nodiscard]] std::uint32_t tailroom() const noexcept { return is_linear() ? end_ - tail_ : 0; }

    // Memory really held, descriptor and pinned bytes included. Never below size().
    [[nodiscard]] std::uint32_t truesize() const noexcept { return truesize_; }

    // Does another packet share the head's bytes? Then they may be read but not written.
    [[nodiscard]] bool head_shared() const noexcept {
        // acquire: partner is the fetch_sub of a clone that left; its reads of the bytes are over.
        return shared_ && share_->holders.load(std::memory_order_acquire) != 1;
    }

    // Moves the empty linear part `n` bytes up, so that headroom grows. O(1).
    // False, and nothing changed, when the packet has bytes already or the room is short.
    [[nodiscard]] bool reserve(std::uint32_t n) noexcept {
        if (size_ != 0 || n > tailroom())
            return false;
        data_ += n;
        tail_ += n;
        return true;
    }

    // `n` more bytes at the end of the head, for the caller to fill: their address. Forgets a complete sum.
    // O(1). Null, and nothing changed, when tailroom is short or the head is shared.
    [[nodiscard]] std::byte* put(std::uint32_t n) noexcept {
        if (n > tailroom() || head_shared())
            return nullptr;
        std::byte* const added = head_ + tail_;
        tail_ += n;
        size_ += n;
        info_.forget_sum();
        return added;
    }

    // The same with the bytes to put there, which keeps a complete sum right. O(bytes).
    [[nodiscard]] std::byte* put(std::span<const std::byte> bytes) noexcept {
        const bool summed = info_.has_sum();
        const std::uint32_t behind = size_;
        std::byte* const added =
            bytes.size() <= tailroom() ? put(static_cast<std::uint32_t>(bytes.size())) : nullptr;
        if (added != nullptr)
            fill(added, bytes);
        if (added != nullptr && summed)
            info_.set_sum(info_.sum() + sum_of(bytes).at_offset(behind));
        return added;
    }

    // `n` more bytes in front, for the caller to fill: their address. Forgets a complete sum. O(1).
    // Null, and nothing changed, when headroom is short or the head is shared.
    [[nodiscard]] std::byte* push(std::uint32_t n) noexcept {
        if (n > headroom() || head_shared())
            return nullptr;
        data_ -= n;
        size_ += n;
        info_.forget_sum();
        return data();
    }

    // The same with the bytes to put there, which keeps a complete sum right. O(bytes).
    [[nodiscard]] std::byte* push(std::span<const std::byte> bytes) noexcept {
        const bool summed = info_.has_sum();
        std::byte* const added =
            bytes.size() <= headroom() ? push(static_cast<std::uint32_t>(bytes.size())) : nullptr;
        if (added != nullptr)
            fill(added, bytes);
        if (added != nullptr && summed)
            info_.set_sum(sum_of(bytes) + info_.sum().at_offset(bytes.size()));
        return added;
    }

    // Takes `n` bytes off the front; they stay where they are, as headroom. The new front. O(1), and O(n)
    // where a complete sum is kept right. A partial checksum that covers some of them becomes none. Null, and
    // nothing changed, when the head has fewer: may_pull(packet, n) brings them there.
    std::byte* pull(std::uint32_t n) noexcept {
        if (n > headlen())
            return nullptr;
        if (checksum_follows()) [[unlikely]]
            checksum_after_pull(n);
        data_ += n;
        size_ -= n;
        return data();
    }

    // Adds bytes that stay where they are. The packet takes over the caller's reference to `added.under`,
    // except when the bytes follow the last fragment on its page: then that one grows and the reference stays
    // the caller's. Forgets a complete sum. O(1). Refused, and nothing changed: no bytes, or no place.
    enum class attached : std::uint8_t { refused, taken, grown };
    [[nodiscard]] attached add_fragment(const fragment& added) noexcept {
        const attached how = attach(added);
        if (how != attached::refused)
            info_.forget_sum();
        return how;
    }

    // The same for bytes whose sum the caller knows, which keeps a complete sum right. O(1).
    [[nodiscard]] attached add_fragment(const fragment& added, internet_sum of_its_bytes) noexcept {
        const std::uint32_t behind = size_;
        const attached how = attach(added);
        if (how != attached::refused && info_.has_sum())
            info_.set_sum(info_.sum() + of_its_bytes.at_offset(behind));
        return how;
    }

    // Is [offset, offset + length) in the packet? A negative offset reaches into headroom.
    [[nodiscard]] bool contains(std::int64_t offset, std::size_t length) const noexcept {
        return offset >= -std::int64_t{headroom()} && offset <= std::int64_t{size_} &&
               length <= static_cast<std::uint64_t>(std::int64_t{size_} - offset);
    }

    // Calls `piece(address, bytes)` for each stretch of memory that [offset, offset + length) lies in, in
    // order and never for none. Precondition: contains(offset, length). O(fragments).
    template <class Piece>
        requires std::is_nothrow_invocable_v<Piece&, std::byte*, std::size_t>
    void for_each_piece(std::int64_t offset, std::size_t length, Piece piece) const noexcept {
        NORIA_EXPECTS(contains(offset, length),
                      "the pieces of a range lie in the packet: compare it with size() first");
        if (length != 0 && offset < std::int64_t{headlen()}) {
            const auto here = static_cast<std::size_t>(std::int64_t{headlen()} - offset);
            const std::size_t now = here < length ? here : length;
            piece(data() + offset, now);
            length -= now;
            offset = std::int64_t{headlen()};
        }
        auto skip = static_cast<std::size_t>(offset - std::int64_t{headlen()});
        for (const fragment* from = fragments_; length != 0; ++from) {
            if (skip >= from->length) {
                skip -= from->length;
                continue;
            }
            const std::size_t now = from->length - skip < length ? from->length - skip : length;
            piece(from->data() + skip, now);
            length -= now;
            skip = 0;
        }
    }

    // Copies [offset, offset + to.size()) out, wherever the bytes are; a negative offset reaches into
    // headroom. False before the first byte is copied when the range is not in the packet.
    [[nodiscard]] bool copy_bits(std::int64_t offset, std::span<std::byte> to) const noexcept {
        if (!contains(offset, to.size()))
            return false;
        std::byte* next = to.data();
        for_each_piece(offset, to.size(), [&next](const std::byte* from, std::size_t bytes) noexcept {
            copy_bytes(next, from, bytes);
            next += bytes;
        });
        return true;
    }

    // Where [offset, offset + scratch.size()) can be read in one piece: in place when the head has it, else
    // copied to `scratch`. Null when the packet is shorter. Never changes the packet.
    [[nodiscard]] const std::byte* header_pointer(std::uint32_t offset,
                                                  std::span<std::byte> scratch) const noexcept {
        if (std::uint64_t{offset} + scratch.size() <= headlen())
            return data() + offset;
        return copy_bits(offset, scratch) ? scratch.data() : nullptr;
    }

    // The owner of the packet's pool. A second packet over the same bytes. Only descriptors are had anew: the
    // head is shared from here on, and written by neither while both live. Null, and nothing changed, when
    // descriptors ran out. O(fragments).
    [[nodiscard]] inline packet_ptr clone() noexcept;

    // The owner of the packet's pool. A private head with `more_headroom` and `more_tailroom` more bytes,
    // rounded up to what the pool has. Linear bytes and headroom are copied, addresses move, offsets stay
    // true. False, and nothing changed, when no head is to be had, or when an offset would no longer fit into
    // its 16 bits. O(headroom + headlen).
    [[nodiscard]] bool expand_head(std::uint32_t more_headroom, std::uint32_t more_tailroom) noexcept {
        std::uint16_t* const offsets[] = {&mac_, &network_, &transport_, &info_.checksum_start};
        for (const std::uint16_t* offset : offsets)
            if (more_headroom > 0xffffu - *offset)
                return false;
        const std::uint64_t wanted =
            std::uint64_t{end_} + more_headroom + more_tailroom + home_->tail_overhead();
        page* const fresh =
            wanted <= ~0u ? home_->allocate_head(static_cast<std::uint32_t>(wanted)) : nullptr;
        if (fresh == nullptr)
            return false;
        std::memcpy(fresh->data() + more_headroom, head_, tail_);
        truesize_ += fresh->size() - head_truesize();
        let_go_of_head();
        shared_ = false;
        kept_class_ = no_class;
        head_page_ = fresh;
        head_ = fresh->data();
        end_ = fresh->size() - home_->tail_overhead();
        data_ += more_headroom;
        tail_ += more_headroom;
        for (std::uint16_t* offset : offsets)
            *offset = static_cast<std::uint16_t>(*offset + more_headroom);
        ++epoch_;
        return true;
    }

    // Copies the first `n` bytes of the fragments to the end of the head and lets go of what that used up.
    // Precondition: there are so many, the room behind tail is enough, and the head is not shared. O(n +
    // fragments).
    void gather(std::uint32_t n) noexcept {
        NORIA_EXPECTS(n <= data_len() && n <= end_ - tail_ && !head_shared(),
                      "gather moves bytes there is room for into a head of its own: pull_tail(packet, n) "
                      "makes the room");
        const bool copied = copy_bits(headlen(), {head_ + tail_, n});
        NORIA_EXPECTS(copied, "the lengths of this packet contradict each other");
        static_cast<void>(copied);
        tail_ += n;
        std::uint32_t used_up = 0;
        while (n != 0 && fragments_[used_up].length <= n)
            n -= fragments_[used_up++].length;
        if (n != 0) {
            fragments_[used_up].offset += n;
            fragments_[used_up].length -= n;
        }
        drop_fragments(0, used_up);
    }

    // Keeps the first `n` bytes. What is cut off the head becomes tailroom; fragments go home. O(fragments),
    // and O(bytes cut off) where a complete sum is kept right. False, and nothing changed, when that would
    // cut off the field that a partial checksum is to be written to.
    [[nodiscard]] bool cut(std::uint32_t n) noexcept {
        if (n >= size_)
            return true;
        if (checksum_follows() && !checksum_after_cut(n)) [[unlikely]]
            return false;
        std::uint32_t left = n;
        if (left <= headlen()) {
            tail_ = data_ + left;
            left = 0;
        } else {
            left -= headlen();
        }
        std::uint32_t kept = 0;
        for (; left != 0; ++kept) {
            fragment& here = fragments_[kept];
            here.length = left < here.length ? left : here.length;
            left -= here.length;
        }
        drop_fragments(kept, fragment_count_);
        size_ = n;
        return true;
    }

    // Header offsets count from the head, so that pull and push leave them true. Set when known, read as
    // addresses. They are remembered relative to data() as it is at the call.
    void set_mac_header(std::uint32_t offset) noexcept { mac_ = static_cast<std::uint16_t>(data_ + offset); }
    void set_network_header(std::uint32_t offset) noexcept {
        network_ = static_cast<std::uint16_t>(data_ + offset);
    }
    void set_transport_header(std::uint32_t offset) noexcept {
        transport_ = static_cast<std::uint16_t>(data_ + offset);
    }
    [[nodiscard]] std::byte* mac_header() const noexcept { return head_ + mac_; }
    [[nodiscard]] std::byte* network_header() const noexcept { return head_ + network_; }
    [[nodiscard]] std::byte* transport_header() const noexcept { return head_ + transport_; }

    // Changes whenever addresses have moved.
    [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }

    // Free bytes behind tail, fragments or not, which only what copies fragments into the head may use.
    [[nodiscard]] std::uint32_t room_behind_tail() const noexcept { return end_ - tail_; }

    // What came with the packet, and 48 bytes that are the user's and begin with what the last user left
    // there. Both are copied to clones.
    [[nodiscard]] packet_info& info() noexcept { return info_; }
    [[nodiscard]] const packet_info& info() const noexcept { return info_; }
    [[nodiscard]] std::span<std::byte, 48> user_area() noexcept { return user_; }

  private:
    friend class packet_ptr;
    friend class packet_pool;
    friend class packet_home;
    friend packet_ptr detail::copied(packet& from, std::uint32_t headroom, std::uint32_t linear) noexcept;
    friend bool split(packet& from, std::uint32_t at, packet& rest) noexcept;
    friend std::uint32_t shift(packet& to, packet& from, std::uint32_t n) noexcept;
    friend bool try_coalesce(packet& to, packet_ptr& from) noexcept;

    static constexpr std::uint8_t no_class = packet_home::most_head_classes;

    explicit packet(packet_home& home) noexcept : home_(&home) {}
    ~packet() = default;

    // Starts life around `bytes` of `under` at `head`, with the caller's reference to that page.
    void start(page& under, std::byte* head, std::uint32_t headroom, std::uint32_t end,
               std::uint32_t held) noexcept {
        head_ = head;
        head_page_ = &under;
        data_ = tail_ = headroom;
        end_ = end;
        truesize_ = held + static_cast<std::uint32_t>(sizeof(packet));
        shared_ = false;
        kept_class_ = no_class;
        start_empty();
    }
    // The same around the head of its last life.
    void start_again(std::uint32_t headroom) noexcept {
        data_ = tail_ = headroom;
        truesize_ = end_ + home_->tail_overhead() + static_cast<std::uint32_t>(sizeof(packet));
        start_empty();
    }
    void start_empty() noexcept {
        size_ = 0;
        fragment_count_ = 0;
        mac_ = network_ = transport_ = 0;
        info_ = {};
    }

    [[nodiscard]] std::uint32_t head_truesize() const noexcept {
        std::uint32_t held = truesize_ - static_cast<std::uint32_t>(sizeof(packet));
        for (const fragment& part : fragments())
            held -= part.truesize;
        return held;
    }

    void drop_fragments(std::uint32_t first, std::uint32_t last) noexcept {
        for (std::uint32_t i = first; i != last; ++i) {
            truesize_ -= fragments_[i].truesize;
            fragments_[i].under->release();
        }
        if (last != fragment_count_) // mostly none is left behind, and a call to move nothing is still a call
            std::memmove(&fragments_[first], &fragments_[last], (fragment_count_ - last) * sizeof(fragment));
        fragment_count_ = static_cast<std::uint8_t>(fragment_count_ - (last - first));
    }

    // Can so many bytes more, and what is charged for them, still be counted?
    [[nodiscard]] bool fits(std::uint32_t bytes, std::uint32_t held) const noexcept {
        return bytes <= ~0u - size_ && held <= ~0u - truesize_;
    }

    [[nodiscard]] attached attach(const fragment& added) noexcept {
        if (added.length == 0 || !fits(added.length, added.truesize))
            return attached::refused;
        NORIA_EXPECTS(added.offset <= added.under->size() &&
                          added.length <= added.under->size() - added.offset &&
                          added.length <= added.truesize,
                      "a fragment lies on its page and pins at least what it shows");
        fragment* const place = fragments_ + fragment_count_;
        attached how = attached::taken;
        if (fragment_count_ != 0 && place[-1].is_followed_by(added)) {
            how = attached::grown;
            truesize_ += place[-1].grow(added);
        } else if (fragment_count_ == most_fragments) {
            return attached::refused;
        } else {
            *place = added;
            ++fragment_count_;
            truesize_ += added.truesize;
        }
        size_ += added.length;
        return how;
    }

    static void fill(std::byte* to, std::span<const std::byte> bytes) noexcept {
        if (!bytes.empty()) // its address may be null, which memcpy does not take
            std::memcpy(to, bytes.data(), bytes.size());
    }

    // Must the checksum follow when bytes go? One comparison, and what is to be done then is out of line, for
    // pull to stay a few instructions.
    [[nodiscard]] bool checksum_follows() const noexcept {
        static_assert(checksum_state::unnecessary < checksum_state::complete &&
                      checksum_state::complete < checksum_state::partial);
        return info_.checksum_state >= checksum_state::complete;
    }
    [[gnu::noinline]] void checksum_after_pull(std::uint32_t n) noexcept {
        if (info_.has_sum())
            info_.set_sum((info_.sum() - sum_of(linear().first(n))).at_offset(n));
        else if (data_ + n > info_.checksum_start)
            info_.checksum_state = checksum_state::none;
    }
    // False when the field of a partial one would be gone.
    [[nodiscard, gnu::noinline]] bool checksum_after_cut(std::uint32_t n) noexcept {
        if (!info_.has_sum())
            return std::uint32_t{info_.checksum_start} + info_.checksum + 2 <= data_ + n;
        checksum_accumulator gone;
        for_each_piece(n, size_ - n, [&gone](const std::byte* from, std::size_t bytes) noexcept {
            gone.add({from, bytes});
        });
        info_.set_sum(info_.sum() - gone.sum().at_offset(n));
        return true;
    }

    void let_go_of_head() noexcept {
        if (!shared_) {
            head_page_->release();
            return;
        }
        // acq_rel: release our reads of the bytes to whoever writes them next, acquire theirs if we are the
        // last.
        const std::uint32_t before = share_->holders.fetch_sub(1, std::memory_order_acq_rel);
        if (before == 1) {
            share_->under->release();
            home_->shares.give(*share_);
        }
    }

    // The common end is a few instructions: no fragments, and a head that stays with the descriptor.
    void end_of_life() noexcept {
        ++epoch_; // views of it are stale from here on
        if (fragment_count_ != 0) [[unlikely]]
            release_fragments();
        if (kept_class_ != no_class) [[likely]]
            home_->with_head[kept_class_].give(*this);
        else
            go_home_without_head();
    }
    [[gnu::noinline]] void release_fragments() noexcept {
        for (const fragment& part : fragments())
            part.under->release();
    }
    [[gnu::noinline]] void go_home_without_head() noexcept {
        let_go_of_head();
        home_->packets.give(*this);
    }

    std::byte* head_ = nullptr;
    union {
        page* head_page_ = nullptr; // not shared: ours is one reference to it
        head_share* share_;         // shared: it has the reference for all
    };
    packet_home* home_;
    std::uint32_t data_ = 0; // offsets from head_
    std::uint32_t tail_ = 0;
    std::uint32_t end_ = 0;
    std::uint32_t size_ = 0;
    std::uint32_t truesize_ = 0;
    std::uint8_t fragment_count_ = 0;
    bool shared_ : 1 = false;
    std::uint8_t kept_class_ : 7 = no_class; // of the head, if it is to stay with the descriptor
    std::uint16_t mac_ = 0;
    std::uint16_t network_ = 0;
    std::uint16_t transport_ = 0;
    std::uint32_t epoch_ = 0;
    packet_info info_;
    std::byte user_[48] = {};
    fragment fragments_[most_fragments];

    // What every packet touches: two lines. The fragments behind it are touched by those that have some.
    static constexpr std::size_t hot_bytes() noexcept { return offsetof(packet, fragments_); }
};

inline void packet_ptr::free(drop_reason reason) noexcept {
    if (packet* const going = std::exchange(owned_, nullptr)) {
        going->home_->count(reason);
        going->end_of_life();
    }
}

inline packet* packet_home::take() noexcept {
    packet* taken = packets.take();
    for (std::size_t i = 0; taken == nullptr && i != head_classes_; ++i) {
        taken = with_head[i].take();
        if (taken != nullptr) {
            taken->kept_class_ = packet::no_class;
            taken->head_page_->release();
        }
    }
    return taken;
}

inline page* packet_home::allocate_head(std::uint32_t bytes) noexcept {
    for (std::size_t i = head_class(bytes); i != head_classes_; ++i) {
        // Kept ones first: a pool that has none to give is not short of heads while there are some.
        if (packet* const idle = with_head[i].take()) {
            idle->kept_class_ = packet::no_class;
            packets.give(*idle);
            return idle->head_page_;
        }
        if (page* const head = heads_[i]->allocate())
            return head;
    }
    return nullptr;
}

inline packet_ptr packet::clone() noexcept {
    packet* const twin = home_->take();
    if (twin == nullptr)
        return {};
    if (!shared_) {
        head_share* const share = home_->shares.take();
        if (share == nullptr) {
            home_->packets.give(*twin);
            return {};
        }
        share->under = head_page_;
        share->holders.store(1, std::memory_order_relaxed); // nobody else knows it yet
        share_ = share;
        shared_ = true;
        kept_class_ = no_class;
    }
    // acquire: partner is the fetch_sub of a clone that left. Sole holders need no locked operation: nobody
    // else can come or go meanwhile.
    const std::uint32_t holders = share_->holders.load(std::memory_order_acquire);
    if (holders == 1)
        share_->holders.store(2, std::memory_order_relaxed);
    else
        share_->holders.fetch_add(1, std::memory_order_relaxed);
    for (const fragment& part : fragments())
        part.under->hold();
    const std::uint32_t epoch = twin->epoch_; // views of what it was before stay stale
    static_assert(hot_bytes() <= 2 * 64);
    std::memcpy(static_cast<void*>(twin), static_cast<const void*>(this),
                hot_bytes() + fragment_count_ * sizeof(fragment));
    twin->epoch_ = epoch;
    return packet_ptr(twin);
}

} // namespace noria::inline NORIA_ABI
