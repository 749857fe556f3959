// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
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
        table.buffers_ = new (std::nothrow) Buffer[slots]();
        table.ids_ = new (std::nothrow) std::uint32_t[slots];
        table.waiting_ = new (std::nothrow) std::uint32_t[slots];
        if (table.buffers_ == nullptr || table.ids_ == nullptr || table.waiting_ == nullptr)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the queue's descriptors");
        table.count_ = slots;
        table.batch_ = slots / 4 == 0 ? 1 : slots / 4 < refill_batch ? slots / 4 : refill_batch;
        for (std::uint32_t number = slots; number-- != 0;) {
            table.ids_[number] = not_posted(number);
            table.wait(number);
        }
        return table;
    }

    slot_table(slot_table&& other) noexcept
        : buffers_(std::exchange(other.buffers_, nullptr)), ids_(std::exchange(other.ids_, nullptr)),
          waiting_(std::exchange(other.waiting_, nullptr)), count_(std::exchange(other.count_, 0)),
          waiting_count_(other.waiting_count_), batch_(other.batch_) {}
    slot_table& operator=(slot_table&&) = delete;
    ~slot_table() {
        delete[] buffers_;
        delete[] ids_;
        delete[] waiting_;
    }

    // Posts waiting slots in batches, at most `most`. prepare(Buffer&, buffer_post&) fills in address and
    // length; false when there is no memory for this one, which stays a hole and keeps no other back. False
    // when a slot that could have been posted is a hole now.
    template <class Backend, class Prepare>
    bool post(Backend& backend, Prepare prepare, std::uint32_t most = ~0u) noexcept {
        while (waiting_count_ >= batch_) {
            const std::uint32_t limit = most < batch_ ? most : batch_;
            const std::uint32_t top = waiting_count_ - 1;
            std::uint32_t ready = 0;
            for (; ready != limit; ++ready) {
                std::uint32_t number = waiting_[top - ready];
                buffer_post& post = posts_[ready];
                if (!prepare(buffers_[number], post)) [[unlikely]] {
                    if (!find_other(top - ready, post, prepare))
                        break;
                    number = waiting_[top - ready];
                }
                post.id = not_posted(ids_[number]);
            }
            if (ready == 0)
                return false;
            const std::uint32_t taken = backend.post({posts_.data(), ready});
            NORIA_EXPECTS(taken <= ready, "post says how many buffers it took: no more than it was offered");
            for (std::uint32_t i = 0; i != taken; ++i) {
                std::uint32_t& id = ids_[waiting_[top - i]];
                id = not_posted(id);
            }
            waiting_count_ -= taken;
            most -= taken;
            if (taken != batch_)
                return ready == batch_;
        }
        return true;
    }

    // How many may be posted so that each buffer the device has finds a packet for what will be in it. A
    // frame that is not whole yet wants one too.
    [[nodiscard]] std::uint32_t room_under(const refill_terms& terms) const noexcept {
        if (terms.packets == ~0u) [[likely]]
            return ~0u;
        const auto open =
            terms.gathered == nullptr ? 0u : static_cast<std::uint32_t>(terms.gathered->pieces().size());
        const std::uint32_t spoken_for = count_ - waiting_count_ - open + (open != 0);
        return terms.packets > spoken_for ? terms.packets - spoken_for : 0;
    }

    // The buffer that a completion speaks of, which is from now on not the device's; null when it has no such
    // one.
    [[nodiscard]] Buffer* complete(std::uint32_t id) noexcept {
        const std::uint32_t number = id & (most_slots - 1);
        if (number >= count_ || ids_[number] != id)
            return nullptr;
        ids_[number] = not_posted(id + most_slots);
        return &buffers_[number];
    }

    // The slot's memory is free for the device again, or gone: it waits to be posted.
    void wait(std::uint32_t number) noexcept { waiting_[waiting_count_++] = number; }

    // The buffer an id stands for, posted or not; null for a number that no slot has.
    [[nodiscard]] const Buffer* look(std::uint32_t id) const noexcept {
        const std::uint32_t number = id & (most_slots - 1);
        return number < count_ ? &buffers_[number] : nullptr;
    }
    [[nodiscard]] Buffer& buffer(std::uint32_t number) noexcept { return buffers_[number]; }
    [[nodiscard]] const Buffer& buffer(std::uint32_t number) const noexcept { return buffers_[number]; }
    [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
    [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_count_; }
    [[nodiscard]] std::uint32_t batch() const noexcept { return batch_; } // slots that are posted together
    [[nodiscard]] static constexpr std::uint32_t number_of(std::uint32_t id) noexcept {
        return id & (most_slots - 1);
    }

  private:
    slot_table() = default;

    // How the next id of a slot is kept while its buffer is not the device's, and back again. No completion
    // can name it: the slot's number in its low bits is turned over too, so that one comparison says whether
    // an id is that of a buffer the device has.
    [[nodiscard]] static constexpr std::uint32_t not_posted(std::uint32_t id) noexcept { return ~id; }

    // A waiting slot below `place` that has its memory changes places with the hole there. `prepare` comes as
    // a copy: a reference to what post() was given would keep all of that in memory, and not in registers.
    template <class Prepare>
    [[nodiscard, gnu::cold]] bool find_other(std::uint32_t place, buffer_post& post,
                                             Prepare prepare) noexcept {
        for (std::uint32_t i = place; i-- != 0;)
            if (prepare(buffers_[waiting_[i]], post)) {
                std::swap(waiting_[i], waiting_[place]);
                return true;
            }
        return false;
    }

    Buffer* buffers_ = nullptr;
    std::uint32_t* ids_ = nullptr; // those of posted buffers, and not_posted(the next one) of others
    std::uint32_t* waiting_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t waiting_count_ = 0;
    std::uint32_t batch_ = refill_batch;
    std::array<buffer_post, refill_batch> posts_; // those of a batch: here, so that they are cleared but once
};

} // namespace noria::inline NORIA_ABI
