// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "noria/backend/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/queue/supply.hpp"

namespace noria::inline NORIA_ABI {

// The buffers of a device that takes one at a time: which are posted, which are waiting to be, and under what
// id. An id is the slot's number and how often the slot was posted, so that a completion that comes late or
// twice is not taken for the next one's. `Buffer` is what a slot remembers of its memory. One thread.
template <class Buffer>
class slot_table {
  public:
    static constexpr std::uint32_t most_slots = 1u << 16;

    [[nodiscard]] static result<slot_table> create(std::uint32_t slots) noexcept {
        if (slots == 0 || slots > most_slots)
            return make_error(std::errc::invalid_argument,
                              "a receive queue has between 1 and 65536 descriptors");
        slot_table table;
        // A power of two, so that every id leads to a slot and nothing has to be asked but whether it is that
        // slot's. Two at least: see not_posted.
        const std::uint32_t places = slots == 1 ? 2 : std::bit_ceil(slots);
        table.slots_ = new (std::nothrow) slot[places]();
        table.waiting_ = new (std::nothrow) std::uint32_t[slots];
        if (table.slots_ == nullptr || table.waiting_ == nullptr)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the queue's descriptors");
        table.end_ = table.waiting_;
        table.mask_ = places - 1;
        table.count_ = slots;
        table.batch_ = slots / 4 == 0 ? 1 : slots / 4 < refill_batch ? slots / 4 : refill_batch;
        for (std::uint32_t number = 0; number != places; ++number)
            table.slots_[number].id = not_posted(number);
        for (std::uint32_t number = slots; number-- != 0;)
            table.wait(number);
        return table;
    }

    slot_table(slot_table&& other) noexcept
        : slots_(std::exchange(other.slots_, nullptr)), waiting_(std::exchange(other.waiting_, nullptr)),
          end_(other.end_), mask_(other.mask_), count_(std::exchange(other.count_, 0)), batch_(other.batch_) {
    }
    slot_table& operator=(slot_table&&) = delete;
    ~slot_table() {
        delete[] slots_;
        delete[] waiting_;
    }

    // Posts waiting slots in batches, at most `most`. prepare(Buffer&, buffer_post&) fills in address and
    // length; false when there is no memory for this one, which stays a hole and keeps no other back. False
    // when a slot that could have been posted is a hole now. `ahead(count)` is told of each batch before.
    template <class Backend, class Prepare, class Ahead>
    bool post(Backend& backend, Prepare prepare, std::uint32_t most, Ahead ahead) noexcept {
        while (waiting() >= batch_) {
            const std::uint32_t limit = most < batch_ ? most : batch_;
            ahead(limit);
            slot* const slots = slots_;
            std::uint32_t* const top = end_;
            std::uint32_t* number = top;
            std::uint32_t* const end = top - limit;
            for (buffer_post* post = posts_.data(); number != end; ++post) {
                slot* next = &slots[*--number];
                if (!prepare(next->buffer, *post)) [[unlikely]] {
                    if (!find_other(number, *post, prepare)) {
                        ++number;
                        break;
                    }
                    next = &slots[*number];
                }
                post->id = next->id = not_posted(next->id);
            }
            const auto ready = static_cast<std::uint32_t>(top - number);
            if (ready == 0)
                return false;
            const std::uint32_t taken = backend.post({posts_.data(), ready});
            NORIA_EXPECTS(taken <= ready, "post says how many buffers it took: no more than it was offered");
            for (std::uint32_t i = taken; i != ready; ++i) { // and the others are not the device's after all
                std::uint32_t& id = slots_[top[-1 - std::ptrdiff_t{i}]].id;
                id = not_posted(id);
            }
            end_ -= taken;
            most -= taken;
            if (taken != batch_)
                return ready == batch_;
        }
        return true;
    }

    template <class Backend, class Prepare>
    bool post(Backend& backend, Prepare prepare, std::uint32_t most = ~0u) noexcept {
        return post(backend, prepare, most, [](std::uint32_t) noexcept {});
    }

    // visit(Buffer&) for the `count` slots that wait and are posted next.
    template <class Visit>
    void for_next(std::uint32_t count, Visit visit) noexcept {
        slot* const slots = slots_;
        const std::uint32_t* number = end_;
        for (const std::uint32_t* const last = number - count; number != last;)
            visit(slots[*--number].buffer);
    }

    // How many may be posted so that each buffer the device has finds a packet for what will be in it. A
    // frame that is not whole yet wants one too.
    [[nodiscard]] std::uint32_t room_under(const refill_terms& terms) const noexcept {
        if (terms.packets == ~0u) [[likely]]
            return ~0u;
        const auto open =
            terms.gathered == nullptr ? 0u : static_cast<std::uint32_t>(terms.gathered->pieces().size());
        const std::uint32_t spoken_for = count_ - waiting() - open + (open != 0);
        return terms.packets > spoken_for ? terms.packets - spoken_for : 0;
    }

    // The buffer that a completion speaks of, which is from now on not the device's; null when it has no such
    // one.
    [[nodiscard]] Buffer* complete(std::uint32_t id) noexcept {
        slot& named = slots_[id & mask_];
        if (named.id != id) [[unlikely]]
            return nullptr;
        named.id = not_posted(id + most_slots);
        return &named.buffer;
    }

    // The slot's memory is free for the device again, or gone: it waits to be posted.
    void wait(std::uint32_t number) noexcept { *end_++ = number; }

    // For a hint: the buffer an id stands for, posted or not; of an id that stands for none, any one, perhaps
    // one that nobody ever used.
    [[nodiscard]] const Buffer& look(std::uint32_t id) const noexcept { return slots_[id & mask_].buffer; }
    [[nodiscard]] Buffer& buffer(std::uint32_t number) noexcept { return slots_[number].buffer; }
    [[nodiscard]] const Buffer& buffer(std::uint32_t number) const noexcept { return slots_[number].buffer; }
    [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
    [[nodiscard]] std::uint32_t waiting() const noexcept {
        return static_cast<std::uint32_t>(end_ - waiting_);
    }
    // The number in an id that complete() knew: what it looked with, so that it need not be found again.
    [[nodiscard]] std::uint32_t place_of(std::uint32_t id) const noexcept { return id & mask_; }

  private:
    slot_table() = default;

    // How the next id of a slot is kept while its buffer is not the device's, and back again. No completion
    // can name it: the slot's number in its low bits is turned over too, so that one comparison says whether
    // an id is that of a buffer the device has. (One bit of number there must be, for that: two places.)
    [[nodiscard]] static constexpr std::uint32_t not_posted(std::uint32_t id) noexcept { return ~id; }

    // A waiting slot below `place` that has its memory changes places with the hole there. `prepare` comes as
    // a copy: a reference to what post() was given would keep all of that in memory, and not in registers.
    template <class Prepare>
    [[nodiscard, gnu::cold]] bool find_other(std::uint32_t* place, buffer_post& post,
                                             Prepare prepare) noexcept {
        for (std::uint32_t* other = place; other != waiting_;)
            if (prepare(slots_[*--other].buffer, post)) {
                std::swap(*other, *place);
                return true;
            }
        return false;
    }

    struct slot {
        Buffer buffer;
        std::uint32_t id; // of a posted buffer, and not_posted(the next one) of another
    };

    slot* slots_ = nullptr;
    std::uint32_t* waiting_ = nullptr; // their numbers: a stack,
    std::uint32_t* end_ = nullptr;     // which ends here
    std::uint32_t mask_ = 0;
    std::uint32_t count_ = 0;
    std::uint32_t batch_ = refill_batch;
    std::array<buffer_post, refill_batch> posts_; // those of a batch: here, so that they are cleared but once
};

} // namespace noria::inline NORIA_ABI
