// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"

// What a device may do wrong, it does: it names buffers it has and has not, once and twice, with any offset,
// length and flag. Buffers it is given are filled with one byte, and nothing else in the noria::region is
// ever that byte: so a packet that shows anything else has looked outside.
template <noria::buffer_model Model, class Choices>
class hostile_device {
  public:
    static constexpr noria::buffer_model model = Model;
    static constexpr bool in_order = true; // it says
    static constexpr std::byte mark{0x5a};

    explicit hostile_device(Choices& choices) noexcept : random_(choices) {}

    noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        dma_.emplace(memory.bytes(), 0x1000);
        return *dma_;
    }
    noria::result<noria::receive_setup> configure(const noria::receive_setup& wanted) noexcept {
        setup_ = wanted;
        return wanted;
    }
    std::uint32_t post(std::span<const noria::buffer_post> posts) noexcept {
        const auto taken = quiet ? static_cast<std::uint32_t>(posts.size())
                                 : random_.below(static_cast<std::uint32_t>(posts.size()) + 1);
        for (const noria::buffer_post& each : posts.first(taken)) {
            std::byte* const to = dma_->address_of(each.iova, each.length);
            if (to == nullptr) {
                ADD_FAILURE() << "a buffer outside the noria::region was posted";
                continue;
            }
            std::fill_n(to, each.length, mark);
            posted& buffer = has_[each.id];
            buffer.length = each.length;
            if (++buffer.posts == setup_.posts_per_work_buffer)
                ids_.push_back(each.id);
        }
        return taken;
    }
    std::uint32_t reap(std::span<noria::completion> completions) noexcept {
        if (quiet)
            return 0;
        const std::uint32_t some = random_.below(static_cast<std::uint32_t>(completions.size()) + 1);
        for (std::uint32_t i = 0; i != some; ++i) {
            completions[i] = make_up();
            completions[i].hash = static_cast<std::uint32_t>(made_ + i); // by which its packet is known again
            take_note(completions[i]);
        }
        made_ += some;
        return some;
    }

    bool quiet = false;
    std::uint64_t made() const { return made_; }
    std::uint64_t refused() const { return refused_; }
    std::uint64_t fillers() const { return fillers_; }
    std::uint64_t ends() const { return ends_; }

    // The size that the packet of this hash must have; nothing if there must be none.
    std::optional<std::uint64_t> size_of(std::uint32_t hash) const {
        const auto known = frames_.find(hash);
        return known == frames_.end() || !known->second.sound ? std::nullopt
                                                              : std::optional(known->second.bytes);
    }

  private:
    struct told {
        std::uint64_t bytes = 0;
        bool sound = true; // no piece is longer than its room, nor damaged
    };
    struct posted {
        std::uint32_t posts = 0; // all of a work buffer, or none of it is the device's
        std::uint32_t used = 0;  // strides
        std::uint32_t length = 0;
    };

    std::uint32_t any() {
        constexpr std::array<std::uint32_t, 10> edges{0,    1,     64,         256,        1514,
                                                      2048, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
        return random_.one_in(2) ? edges[random_.below(edges.size())] : random_.below(~0u);
    }

    noria::completion make_up() {
        noria::completion made{.id = any(),
                               .offset = any(),
                               .length = any(),
                               .strides = any(),
                               .hash = any(),
                               .checksum = static_cast<std::uint16_t>(any()),
                               .vlan = static_cast<std::uint16_t>(any()),
                               .flags = random_.one_in(8) ? any() : random_.below(32)};
        if (never_ends)
            made.flags &= ~std::uint32_t{noria::completion::end_of_packet};
        if (ids_.empty() || random_.one_in(4))
            return made;
        const std::uint32_t newest = static_cast<std::uint32_t>(std::min<std::size_t>(ids_.size(), 200));
        made.id = ids_[ids_.size() - 1 - random_.below(newest)];
        if (random_.one_in(8))
            made.id ^= 1u << random_.below(32);
        const auto known = has_.find(made.id);
        if (known == has_.end() || random_.one_in(4))
            return made;
        // Nearly what an honest device says.
        if (Model == noria::buffer_model::striding) {
            const std::uint32_t left = setup_.strides.strides - known->second.used;
            if (left == 0)
                return made;
            made.offset = known->second.used * setup_.strides.stride_bytes;
            made.strides = random_.one_in(20) ? left : 1 + random_.below(left < 40 ? left : 40);
            made.length = random_.below(made.strides * setup_.strides.stride_bytes + 3);
        } else {
            made.length = random_.below(known->second.length + 3);
        }
        return made;
    }

    // Which of them an honest queue takes for good, and what frames they are the end of.
    void take_note(const noria::completion& made) {
        const auto known = has_.find(made.id);
        bool taken = known != has_.end();
        bool fits = false; // the frame, or this piece of it, into what the device was given for it
        if (Model == noria::buffer_model::striding && taken) {
            posted& buffer = known->second;
            taken = buffer.posts == setup_.posts_per_work_buffer &&
                    made.offset == buffer.used * setup_.strides.stride_bytes && made.strides != 0 &&
                    made.strides <= setup_.strides.strides - buffer.used;
            buffer.used += taken ? made.strides : 0;
            fits = std::uint64_t{setup_.frame_offset} + made.length <=
                   std::uint64_t{made.strides} * setup_.strides.stride_bytes;
        } else if (taken) {
            fits = made.length <= known->second.length;
            has_.erase(known);
        }
        const bool filler =
            Model == noria::buffer_model::striding && (made.flags & noria::completion::filler) != 0;
        refused_ += !taken;
        fillers_ += taken && filler;
        if (!taken || filler)
            return;
        const bool ends = (made.flags & noria::completion::end_of_packet) != 0;
        gathered_.bytes += made.length;
        gathered_.sound = gathered_.sound && fits && (made.flags & noria::completion::error) == 0 &&
                          (ends || Model != noria::buffer_model::striding);
        if (ends || Model == noria::buffer_model::striding) {
            ++ends_;
            frames_[made.hash] = std::exchange(gathered_, {});
        }
    }

  public:
    bool never_ends = false;

  private:
    Choices& random_;
    std::optional<noria::mapping> dma_;
    noria::receive_setup setup_;
    std::map<std::uint32_t, posted> has_;
    told gathered_;                        // of the frame that has not ended
    std::map<std::uint32_t, told> frames_; // by the hash of the completion that ended them
    std::vector<std::uint32_t> ids_;
    std::uint64_t made_ = 0, refused_ = 0, fillers_ = 0, ends_ = 0;
};

// A queue of that strategy between such a device and a consumer that keeps packets for any time, until the
// device has made up `enough` completions or there is nothing left to choose. How many packets came through.
template <class Strategy, class Choices>
std::uint64_t receive_from_hostile_device(Choices& choices, noria::region& memory,
                                          const noria::rx_options& options, bool never_ends,
                                          std::uint64_t enough) {
    using device_type = hostile_device<Strategy::supply::model, Choices>;
    using queue_type = noria::rx_queue<device_type, Strategy>;
    device_type device(choices);
    device.never_ends = never_ends;
    auto made = queue_type::create(device, memory, options);
    if (!made) {
        ADD_FAILURE() << made.error().advice;
        return 0;
    }
    queue_type& queue = *made;
    std::vector<noria::packet_ptr> held;
    std::vector<std::byte> bytes(options.frame_bytes);
    while (device.made() < enough && !choices.used_up() && !testing::Test::HasFailure()) {
        static_cast<void>(queue.poll(choices.below(100), [&](noria::packet_ptr packet) noexcept {
            ASSERT_LE(packet->size(), bytes.size());
            EXPECT_EQ(device.size_of(packet->info().hash), packet->size());
            EXPECT_GE(packet->truesize(), packet->size());
            EXPECT_TRUE(packet->copy_bits(0, std::span(bytes).first(packet->size())));
            EXPECT_EQ(std::count(bytes.begin(), bytes.begin() + packet->size(), device_type::mark),
                      packet->size());
            if (held.size() < options.packets - 10)
                held.push_back(std::move(packet));
            else
                packet.free(noria::drop_reason::filter);
        }));
        while (!held.empty() && choices.one_in(2)) {
            std::swap(held[choices.below(static_cast<std::uint32_t>(held.size()))], held.back());
            held.pop_back();
        }
    }
    held.clear();
    device.quiet = true;
    for (int i = 0; i != 10; ++i)
        static_cast<void>(queue.poll(64, [](noria::packet_ptr) noexcept {}));
    const noria::receive_counters& seen = queue.counters();
    EXPECT_EQ(seen.refused, device.refused());
    EXPECT_EQ(seen.fillers, device.fillers());
    EXPECT_EQ(seen.delivered + queue.drops().dropped(), device.ends());
    EXPECT_EQ(queue.packets_out(), 0u);
    EXPECT_EQ(queue.pinned_bytes(), 0u);
    return seen.delivered;
}
