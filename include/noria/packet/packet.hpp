// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/core/contract.hpp"
#include "noria/core/copy.hpp"
#include "noria/packet/fragment.hpp"
#include "noria/packet/head_share.hpp"
#include "noria/packet/info.hpp"
#include "noria/packet/packet_home.hpp"
#include "noria/packet/packet_ptr.hpp"
#include "noria/packet/pieces.hpp"
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
//
// Here is what a packet is, and what is done to it where it lies. Bodies that say where they are belong to
// another story: where heads come from (packet/heads.hpp), and how bytes go from fragments into the head or
// off the end (packet/pull.hpp). Packets by twos are in packet/split.hpp, coalesce.hpp and copy.hpp.
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

    // The linear bytes. They move when the packet gets another head, and only then: epoch() tells.
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
    [[nodiscard]] bool head_shared() const noexcept { return shares_head() && !share_->alone(); }

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
        std::byte* const added = extend_behind(n);
        if (added != nullptr)
            info_.forget_sum();
        return added;
    }

    // The same with the bytes to put there, which keeps a complete sum right. O(bytes).
    [[nodiscard]] std::byte* put(std::span<const std::byte> bytes) noexcept {
        std::byte* const added = extend_behind(bytes.size());
        if (added != nullptr) {
            copy_bytes(added, bytes.data(), bytes.size());
            info_.follow_put(bytes, size_);
        }
        return added;
    }

    // `n` more bytes in front, for the caller to fill: their address. Forgets a complete sum. O(1).
    // Null, and nothing changed, when headroom is short or the head is shared.
    [[nodiscard]] std::byte* push(std::uint32_t n) noexcept {
        std::byte* const added = extend_in_front(n);
        if (added != nullptr)
            info_.forget_sum();
        return added;
    }

    // The same with the bytes to put there, which keeps a complete sum right. O(bytes).
    [[nodiscard]] std::byte* push(std::span<const std::byte> bytes) noexcept {
        std::byte* const added = extend_in_front(bytes.size());
        if (added != nullptr) {
            copy_bytes(added, bytes.data(), bytes.size());
            info_.follow_push(bytes);
        }
        return added;
    }

    // Takes `n` bytes off the front; they stay where they are, as headroom. The new front. O(1), and O(n)
    // where a complete sum is kept right. A partial checksum that covers some of them becomes none. Null, and
    // nothing changed, when the head has fewer: may_pull(packet, n) brings them there.
    std::byte* pull(std::uint32_t n) noexcept {
        if (n > headlen())
            return nullptr;
        if (info_.follows()) [[unlikely]]
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
        const attached how = attach(added);
        if (how != attached::refused && info_.has_sum())
            info_.set_sum(info_.sum() + of_its_bytes.at_offset(size_ - added.length));
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
        noria::for_each_piece(data(), headlen(), fragments(), offset, length, piece);
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
        const std::uint64_t at = std::uint64_t{data_} + offset; // from head_, for one subtraction less
        if (at + scratch.size() <= tail_)
            return head_ + at;
        return copy_bits(offset, scratch) ? scratch.data() : nullptr;
    }

    // The owner of the packet's pool. A second packet over the same bytes. Only descriptors are had anew: the
    // head is shared from here on, and written by neither while both live. Null, and nothing changed, when
    // descriptors ran out. O(fragments).
    [[nodiscard]] inline packet_ptr clone() noexcept; // packet/heads.hpp

    // The owner of the packet's pool. A private head with `more_headroom` and `more_tailroom` more bytes,
    // rounded up to what the pool has. Linear bytes and headroom are copied, addresses move, offsets stay
    // true. False, and nothing changed, when no head is to be had, or when an offset would no longer fit into
    // its 16 bits. O(headroom + headlen).
    [[nodiscard]] inline bool expand_head(std::uint32_t more_headroom,
                                          std::uint32_t more_tailroom) noexcept; // packet/heads.hpp

    // Copies the first `n` bytes of the fragments to the end of the head and lets go of what that used up.
    // Precondition: there are so many, the room behind tail is enough, and the head is not shared. O(n +
    // fragments).
    inline void gather(std::uint32_t n) noexcept; // packet/pull.hpp

    // Keeps the first `n` bytes. What is cut off the head becomes tailroom; fragments go home. O(fragments),
    // and O(bytes cut off) where a complete sum is kept right. False, and nothing changed, when that would
    // cut off the field that a partial checksum is to be written to.
    [[nodiscard]] inline bool cut(std::uint32_t n) noexcept; // packet/pull.hpp

    // Header offsets are given from data() as it is at the call, and kept from the head, so that pull and
    // push leave them true. Precondition: the header begins within 64 KiB of the head. O(1).
    void set_mac_header(std::uint32_t offset) noexcept { mac_ = from_head(offset); }
    void set_network_header(std::uint32_t offset) noexcept { network_ = from_head(offset); }
    void set_transport_header(std::uint32_t offset) noexcept { transport_ = from_head(offset); }
    [[nodiscard]] std::byte* mac_header() const noexcept { return head_ + mac_; }
    [[nodiscard]] std::byte* network_header() const noexcept { return head_ + network_; }
    [[nodiscard]] std::byte* transport_header() const noexcept { return head_ + transport_; }

    // Another one whenever addresses have moved, and for each new life of the descriptor.
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
    friend void free_bulk(std::span<packet* const> packets, drop_reason reason) noexcept;

    // Of a head that does not stay with the descriptor: it goes to its pool, or others have it too.
    static constexpr std::uint8_t no_class = packet_home::most_head_classes;
    static constexpr std::uint8_t shared_class = no_class + 1;
    [[nodiscard]] bool shares_head() const noexcept { return head_class_ == shared_class; }

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
        head_class_ = no_class;
        start_empty();
    }
    // The same around the head of its last life.
    void start_again(std::uint32_t headroom, std::uint32_t tail_overhead) noexcept {
        data_ = tail_ = headroom;
        truesize_ = end_ + tail_overhead + static_cast<std::uint32_t>(sizeof(packet));
        start_empty();
    }
    void start_empty() noexcept {
        size_ = 0;
        fragment_count_ = 0;
        mac_ = network_ = transport_ = 0;
        info_ = {};
    }

    [[nodiscard]] std::uint16_t from_head(std::uint32_t offset) const noexcept {
        NORIA_EXPECTS(std::uint64_t{data_} + offset <= 0xffff,
                      "header offsets have 16 bits: a header begins within 64 KiB of the head");
        return static_cast<std::uint16_t>(data_ + offset);
    }

    [[nodiscard]] std::uint32_t head_truesize() const noexcept {
        std::uint32_t held = truesize_ - static_cast<std::uint32_t>(sizeof(packet));
        for (const fragment& part : fragments())
            held -= part.truesize;
        return held;
    }

    inline void drop_fragments(std::uint32_t first, std::uint32_t last) noexcept; // packet/pull.hpp

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

    [[nodiscard]] std::byte* extend_behind(std::size_t n) noexcept {
        if (n > tailroom() || head_shared())
            return nullptr;
        std::byte* const added = head_ + tail_;
        tail_ += static_cast<std::uint32_t>(n);
        size_ += static_cast<std::uint32_t>(n);
        return added;
    }
    [[nodiscard]] std::byte* extend_in_front(std::size_t n) noexcept {
        if (n > headroom() || head_shared())
            return nullptr;
        data_ -= static_cast<std::uint32_t>(n);
        size_ += static_cast<std::uint32_t>(n);
        return data();
    }

    // Out of line, for pull to stay a few instructions.
    [[gnu::noinline]] void checksum_after_pull(std::uint32_t n) noexcept {
        info_.follow_pull(linear().first(n), data_);
    }

    void let_go_of_head() noexcept {
        if (!shares_head()) [[likely]]
            head_page_->release();
        else
            home_->leave(*share_);
    }

    // The common ends are short: a page and no more, which is one comparison; a head that stays with it.
    void end_of_life() noexcept {
        ++epoch_; // views of it are stale from here on
        if (fragment_count_ == 0 && head_class_ == no_class) [[likely]] {
            head_page_->release();
            home_->give(*this);
            return;
        }
        if (fragment_count_ != 0) [[unlikely]]
            release_fragments();
        if (head_class_ < no_class) [[likely]]
            home_->keep(*this, head_class_);
        else
            go_home_without_head();
    }
    [[gnu::noinline]] void release_fragments() noexcept {
        for (const fragment& part : fragments())
            part.under->release();
    }
    [[gnu::noinline]] void go_home_without_head() noexcept {
        let_go_of_head();
        home_->give(*this);
    }

    std::byte* head_ = nullptr;
    union {
        page* head_page_ = nullptr; // ours is one reference to it
        head_share* share_;         // of a shared head: it has the reference for all
    };
    packet_home* home_;
    std::uint32_t data_ = 0; // offsets from head_
    std::uint32_t tail_ = 0;
    std::uint32_t end_ = 0;
    std::uint32_t size_ = 0;
    std::uint32_t truesize_ = 0;
    std::uint8_t fragment_count_ = 0;
    std::uint8_t head_class_ = no_class; // where the head stays with the descriptor, or one of the two above
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

} // namespace noria::inline NORIA_ABI
