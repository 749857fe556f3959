// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/supply.hpp"

#include <array>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/supplies.hpp"

namespace {

using namespace noria;

enum class part {
    none,
    model,
    plan,
    create,
    setup,
    accept,
    replaceable,
    take,
    settle,
    touch,
    posted_pages,
    pins
};

// A supply that lacks one part.
template <part Without, bool Throws = false>
struct supply_without {
    static constexpr std::conditional_t<Without == part::model, part, buffer_model> model{};
    static page_plan plan(const rx_options&, bool) noexcept
        requires(Without != part::plan);
    static result<supply_without> create(page_pool&, const rx_options&) noexcept
        requires(Without != part::create);
    static receive_setup setup(const rx_options&) noexcept
        requires(Without != part::setup);
    accepted accept(const completion&, mapping&, frame&) noexcept(!Throws)
        requires(Without != part::accept);
    bool replaceable(const frame&) const noexcept
        requires(Without != part::replaceable);
    page& take(piece&) noexcept
        requires(Without != part::take);
    void settle(frame&) noexcept
        requires(Without != part::settle);
    void touch(const completion&, std::uint32_t) const noexcept
        requires(Without != part::touch);
    std::uint32_t posted_pages() const noexcept
        requires(Without != part::posted_pages);
    bool pins(const page&) const noexcept
        requires(Without != part::pins);
};
static_assert(receive_supply<supply_without<part::none>>);
static_assert(!receive_supply<supply_without<part::none, true>>, "a data path does not throw");
static_assert(!receive_supply<supply_without<part::model>> && !receive_supply<supply_without<part::plan>> &&
              !receive_supply<supply_without<part::create>> && !receive_supply<supply_without<part::setup>> &&
              !receive_supply<supply_without<part::accept>> && !receive_supply<supply_without<part::take>> &&
              !receive_supply<supply_without<part::settle>> && !receive_supply<supply_without<part::touch>> &&
              !receive_supply<supply_without<part::posted_pages>> &&
              !receive_supply<supply_without<part::replaceable>> &&
              !receive_supply<supply_without<part::pins>>);

// A queue asks no more of its supply than the concept says.
TEST(supply, the_archetype_is_enough_for_a_queue) {
    using device_type = scripted_device<buffer_model::per_packet>;
    using queue_type = rx_queue<device_type, strategy<hand_supply, wrap>>;
    constexpr rx_options options{.descriptors = 4, .packets = 4, .frame_bytes = 100};
    auto memory = region::map({.bytes = queue_type::region_bytes(options)});
    ASSERT_TRUE(memory);
    device_type device;
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue) << queue.error().advice;
    EXPECT_EQ(device.setup.descriptors, 4u);
    device.reports.assign(5, {.flags = completion::end_of_packet});
    EXPECT_EQ(queue->poll(64, [](packet_ptr) noexcept {}), 5u);
    EXPECT_EQ(queue->counters().refused, 5u);
    EXPECT_EQ(queue->pinned_bytes(), 0u);
}

// Two supplies on equal memory see the same completions. One gathers each frame, the other takes as whole
// what it can: pieces, pages, posts and counters are the same, and what is refused is refused by both.
template <class Supply>
void whole_is_as_gathered() {
    random_steps random;
    for (int run = 0; run != 20; ++run) {
        const rx_options options{
            .descriptors = 1 + random.below(40), .packets = 20, .frame_bytes = 300 + random.below(1300)};
        const page_plan plan = Supply::plan(options, true);
        struct side {
            side(const page_plan& as, const rx_options& with)
                : memory(as.page_bytes * as.pages), pages(*page_pool::create(memory.bytes(), as.page_bytes)),
                  supply(*Supply::create(pages, with)) {}
            ~side() {
                for (page* each : held)
                    each->release();
            }
            memory_block memory;
            page_pool pages;
            Supply supply;
            mapping dma{memory.bytes(), 0x1000};
            scripted_device<buffer_model::per_packet> device;
            std::vector<page*> held;
        };
        side by_piece(plan, options);
        side whole(plan, options);
        const std::uint32_t room = Supply::setup(options).buffer_bytes;
        std::size_t next = 0;
        std::uint32_t refused = 0;
        for (std::uint64_t step = 0; step != random_steps::count(600, 200); ++step) {
            by_piece.supply.refill(by_piece.device, by_piece.dma);
            whole.supply.refill(whole.device, whole.dma);
            ASSERT_EQ(by_piece.device.posted.size(), whole.device.posted.size());
            const bool real = next != whole.device.posted.size() && !random.one_in(4);
            const std::uint32_t id = real ? whole.device.posted[next].id : random.below(~0u);
            const completion said{.id = id,
                                  .length = random.one_in(8) ? random.below(~0u) : random.below(room + 1)};
            frame gathered;
            const accepted how = by_piece.supply.accept(said, by_piece.dma, gathered);
            const bool sound = how == accepted::piece && !gathered.spoiled();
            ASSERT_EQ(whole.supply.accept_whole(said, whole.dma), sound);
            refused += !sound;
            next += how == accepted::piece;
            if (!sound) { // and nothing was done: the other way says the same now
                frame late;
                ASSERT_EQ(whole.supply.accept(said, whole.dma, late), how);
                ASSERT_EQ(late.why(), gathered.why());
                by_piece.supply.settle(gathered);
                whole.supply.settle(late);
                continue;
            }
            whole_frame arrived(whole.supply.piece_of(said));
            piece& left = gathered.pieces()[0];
            piece& right = arrived.pieces()[0];
            ASSERT_EQ(left.under - by_piece.pages.page_of(by_piece.memory.bytes().data()),
                      right.under - whole.pages.page_of(whole.memory.bytes().data()));
            ASSERT_EQ(
                (std::array{left.offset, left.length, left.headroom, left.room, left.truesize, left.slot}),
                (std::array{right.offset, right.length, right.headroom, right.room, right.truesize,
                            right.slot}));
            if (by_piece.held.size() != options.packets && random.one_in(2)) {
                by_piece.held.push_back(&by_piece.supply.take(left));
                whole.held.push_back(&whole.supply.take(right));
            }
            by_piece.supply.settle(gathered);
            whole.supply.settle(arrived);
            while (!whole.held.empty() && random.one_in(3)) {
                const std::size_t which = random.below(static_cast<std::uint32_t>(whole.held.size()));
                for (side* each : {&by_piece, &whole}) {
                    std::swap(each->held[which], each->held.back());
                    each->held.back()->release();
                    each->held.pop_back();
                }
            }
            ASSERT_EQ(by_piece.supply.posted_pages(), whole.supply.posted_pages());
            ASSERT_EQ(by_piece.pages.in_flight(), whole.pages.in_flight());
        }
        EXPECT_GT(refused, 10u);
        EXPECT_GT(next, 50u);
        for (std::size_t i = 0; i != whole.device.posted.size(); ++i) {
            ASSERT_EQ(by_piece.device.posted[i].iova, whole.device.posted[i].iova);
            ASSERT_EQ(by_piece.device.posted[i].id, whole.device.posted[i].id);
        }
        const dma_counters& one = by_piece.dma.counters();
        const dma_counters& other = whole.dma.counters();
        EXPECT_EQ((std::array{one.maps, one.unmaps, one.syncs_for_cpu, one.bytes_for_cpu,
                              one.syncs_for_device, one.bytes_for_device}),
                  (std::array{other.maps, other.unmaps, other.syncs_for_cpu, other.bytes_for_cpu,
                              other.syncs_for_device, other.bytes_for_device}));
    }
}
TEST(supply, a_frame_in_one_buffer_is_the_piece_that_would_be_gathered) {
    whole_is_as_gathered<half_pages>();
    whole_is_as_gathered<fresh_buffers>();
}

} // namespace
