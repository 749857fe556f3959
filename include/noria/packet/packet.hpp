// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "noria/core/bits.hpp"
#include "noria/core/cacheline.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"
#include "noria/packet/fragment.hpp"
#include "noria/packet/packet_home.hpp"

namespace noria::inline NORIA_ABI {

class packet;

// The one owner of a packet. Moving it hands the packet on; letting go of it frees the packet.
// Any one thread at a time. Freeing: wait-free, O(fragments).
class [[nodiscard]] packet_ptr {
  public:
    packet_ptr() noexcept = default;
    explicit packet_ptr(packet* owned) noexcept : owned_(owned) {}
    packet_ptr(packet_ptr&& other) noexcept : owned_(std::exchange(other.owned_, nullptr)) {}
    packet_ptr& operator=(packet_ptr&& other) noexcept {
        packet_ptr(std::move(other)).swap(*this);
        return *this;
    }
    ~packet_ptr() { free(drop_reason::not_specified); }

    // Gives the packet back and says why: `consumed` when it did what it came for. Without a call the
    // destructor frees it as `not_specified`, which counts as a drop.
    inline void free(drop_reason reason) noexcept;

    [[nodiscard]] packet& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] packet* operator->() const noexcept {
        NORIA_EXPECTS(owned_ != nullptr,
                      "this packet_ptr is empty: it was moved from, freed, or nothing could be made");
        return owned_;
    }
    [[nodiscard]] packet* get() const noexcept { return owned_; }
    [[nodiscard]] packet* release() noexcept { return std::exchange(owned_, nullptr); }
    [[nodiscard]] explicit operator bool() const noexcept { return owned_ != nullptr; }
    void swap(packet_ptr& other) noexcept { std::swap(owned_, other.owned_); }

  private:
    packet* owned_ = nullptr;
};

// What has been found out about the checksum of a packet, in sk_buff's words.
enum class checksum_state : std::uint8_t {
    none,        // nobody looked
    unnecessary, // verified: `checksum_level` more than one of nested ones
    complete, // `checksum` is the one's complement sum of all bytes from data(); forgotten when these change
    partial   // still to be filled in before it leaves
};

// What came with the packet beside its bytes.
struct packet_info {
    nanoseconds timestamp = 0;
    std::uint32_t hash = 0;
    std::uint16_t vlan = 0; // tag control information; 0: no tag was taken out of the bytes
    std::uint16_t port = 0;
    std::uint16_t queue = 0;
    std::uint16_t checksum = 0;
    enum checksum_state checksum_state = checksum_state::none;
    std::uint8_t checksum_level = 0;
};

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

    // `n` more bytes at the end of the head, for the caller to fill: their address. O(1).
    // Null, and nothing changed, when tailroom is short or the head is shared.
    [[nodiscard]] std::byte* put(std::uint32_t n) noexcept {
        if (n > tailroom() || head_shared())
            return nullptr;
        std::byte* const added = head_ + tail_;
        tail_ += n;
        size_ += n;
        forget_sum();
        return added;
    }

    // `n` more bytes in front, for the caller to fill: their address. O(1).
    // Null, and nothing changed, when headroom is short or the head is shared.
    [[nodiscard]] std::byte* push(std::uint32_t n) noexcept {
        if (n > headroom() || head_shared())
            return nullptr;
        data_ -= n;
        size_ += n;
        forget_sum();
        return data();
    }

    // Takes `n` bytes off the front; they stay where they are, as headroom. The new front. O(1).
    // Null, and nothing changed, when the head has fewer: may_pull(packet, n) brings them there.
    std::byte* pull(std::uint32_t n) noexcept {
        if (n > headlen())
            return nullptr;
        data_ += n;
        size_ -= n;
        forget_sum();
        return data();
    }

    // Adds bytes that stay where they are. The packet takes over the caller's reference to `added.under`,
    // except when the bytes follow the last fragment on its page: then that one grows and the reference stays
    // the caller's.
    enum class attached : std::uint8_t { refused, taken, grown };
    [[nodiscard]] attached add_fragment(const fragment& added) noexcept {
        if (added.length == 0)
            return attached::refused;
        NORIA_EXPECTS(added.offset <= added.under->size() &&
                          added.length <= added.under->size() - added.offset &&
                          added.length <= added.truesize,
                      "a fragment lies on its page and pins at least what it shows");
        if (added.length == 0)
            return attached::refused;
        if (fragment_count_ != 0) {
            fragment& last = fragments_[fragment_count_ - 1];
            if (last.under == added.under && last.offset + last.length == added.offset) {
                last.length += added.length;
                last.truesize += added.truesize;
                size_ += added.length;
                truesize_ += added.truesize;
                forget_sum();
                return attached::grown;
            }
        }
        if (fragment_count_ == most_fragments)
            return attached::refused;
        fragments_[fragment_count_++] = added;
        size_ += added.length;
        truesize_ += added.truesize;
        forget_sum();
        return attached::taken;
    }

    // Copies [offset, offset + to.size()) out, wherever the bytes are; a negative offset reaches into
    // headroom. False before the first byte is copied when the range is not in the packet.
    [[nodiscard]] bool copy_bits(std::int64_t offset, std::span<std::byte> to) const noexcept {
        if (offset < -std::int64_t{headroom()} || offset > std::int64_t{size_} ||
            to.size() > static_cast<std::uint64_t>(std::int64_t{size_} - offset))
            return false;
        if (to.empty()) // its address may be null, which memcpy does not take
            return true;
        std::size_t done = 0;
        if (offset < std::int64_t{headlen()}) {
            const auto here = static_cast<std::size_t>(std::int64_t{headlen()} - offset);
            done = here < to.size() ? here : to.size();
            std::memcpy(to.data(), data() + offset, done);
        }
        std::int64_t skip = offset + static_cast<std::int64_t>(done) - std::int64_t{headlen()};
        for (std::uint32_t i = 0; done != to.size(); ++i) {
            const fragment& from = fragments_[i];
            if (skip >= std::int64_t{from.length}) {
                skip -= std::int64_t{from.length};
                continue;
            }
            const auto here = static_cast<std::size_t>(std::int64_t{from.length} - skip);
            const std::size_t now = here < to.size() - done ? here : to.size() - done;
            std::memcpy(to.data() + done, from.data() + skip, now);
            done += now;
            skip = 0;
        }
        return true;
    }

    // Where [offset, offset + scratch.size()) can be read in one piece: in place when the head has it, else
    // copied to `scratch`. Null when the packet is shorter. Never changes the packet.
    [[nodiscard]] const std::byte* header_pointer(std::uint32_t offset,
                                                  std::span<std::byte> scratch) const noexcept {
        if (offset <= headlen() && scratch.size() <= headlen() - offset)
            return data() + offset;
        return copy_bits(offset, scratch) ? scratch.data() : nullptr;
    }

    // The owner of the packet's pool. A second packet over the same bytes. Only descriptors are had anew: the
    // head is shared from here on, and written by neither while both live. Null, and nothing changed, when
    // descriptors ran out. O(fragments).
    [[nodiscard]] inline packet_ptr clone() noexcept;

    // The owner of the packet's pool. A private head with `more_headroom` and `more_tailroom` more bytes,
    // rounded up to what the pool has. Linear bytes and headroom are copied, addresses move, offsets stay
    // true. False, and nothing changed, when no head is to be had. O(headroom + headlen).
    [[nodiscard]] bool expand_head(std::uint32_t more_headroom, std::uint32_t more_tailroom) noexcept {
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
        head_page_ = fresh;
        head_ = fresh->data();
        end_ = fresh->size() - home_->tail_overhead();
        data_ += more_headroom;
        tail_ += more_headroom;
        for (std::uint16_t* offset : {&mac_, &network_, &transport_})
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

    // Keeps the first `n` bytes. What is cut off the head becomes tailroom; fragments go home. O(fragments).
    void cut(std::uint32_t n) noexcept {
        if (n >= size_)
            return;
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
        forget_sum();
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

    explicit packet(packet_home& home) noexcept : home_(&home) {}
    ~packet() = default;

    // Starts life around `bytes` of `under` at `head`, with the caller's reference to that page.
    void start(page& under, std::byte* head, std::uint32_t headroom, std::uint32_t end,
               std::uint32_t held) noexcept {
        head_ = head;
        head_page_ = &under;
        data_ = tail_ = headroom;
        end_ = end;
        size_ = 0;
        truesize_ = held + static_cast<std::uint32_t>(sizeof(packet));
        fragment_count_ = 0;
        shared_ = false;
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
        std::memmove(&fragments_[first], &fragments_[last], (fragment_count_ - last) * sizeof(fragment));
        fragment_count_ = static_cast<std::uint8_t>(fragment_count_ - (last - first));
    }

    void forget_sum() noexcept {
        if (info_.checksum_state == checksum_state::complete)
            info_.checksum_state = checksum_state::none;
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

    void end_of_life() noexcept {
        ++epoch_; // views of it are stale from here on
        drop_fragments(0, fragment_count_);
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
    bool shared_ = false;
    std::uint16_t mac_ = 0;
    std::uint16_t network_ = 0;
    std::uint16_t transport_ = 0;
    std::uint32_t epoch_ = 0;
    packet_info info_;
    std::byte user_[48];
    fragment fragments_[most_fragments];

    // What every packet touches: two lines. The fragments behind it are touched by those that have some.
    static constexpr std::size_t hot_bytes() noexcept { return offsetof(packet, fragments_); }
    static_assert(sizeof(packet_info) == 24);
};

inline void packet_ptr::free(drop_reason reason) noexcept {
    if (packet* const going = std::exchange(owned_, nullptr)) {
        going->home_->count(reason);
        going->end_of_life();
    }
}

inline packet_ptr packet::clone() noexcept {
    packet* const twin = home_->packets.take();
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
    }
    share_->holders.fetch_add(1, std::memory_order_relaxed); // we hold it: it cannot go meanwhile
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
