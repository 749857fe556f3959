// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/stride_pool.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "noria/memory/block_arena.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/strict_sync.hpp"

namespace {

using namespace noria;

// Pages, and work buffers on them. Declared in this order: the pages must outlive the buffers.
template <class Sync = std_sync>
struct strides_on_pages {
    strides_on_pages(std::uint32_t pages_there, stride_geometry geometry, std::uint32_t work_buffers,
                     std::uint32_t page_bytes = 4096, page_pool_options options = {})
        : memory(std::size_t{pages_there} * page_bytes),
          pages(std::move(basic_page_pool<Sync>::create(memory.bytes(), page_bytes, options)).value()),
          strides(std::move(basic_stride_pool<Sync>::create(pages, geometry, work_buffers)).value()) {}

    memory_block memory;
    basic_page_pool<Sync> pages;
    basic_stride_pool<Sync> strides;
};

static_assert(!std::is_copy_constructible_v<stride_pool> &&
              std::is_nothrow_move_constructible_v<stride_pool>);

static_assert(stride_geometry{}.work_buffer_bytes() == 256 * 1024 && stride_geometry{}.valid());
static_assert(stride_geometry{256, 1024}.strides_for(0) == 1 &&
              stride_geometry{256, 1024}.strides_for(256) == 1);
static_assert(stride_geometry{256, 1024}.strides_for(257) == 2 &&
              stride_geometry{256, 1024}.strides_for(9018) == 36);
static_assert(stride_geometry{64, 1}.valid() && stride_geometry{8192, 1}.valid() &&
              stride_geometry{8192, 1u << 16}.valid());
static_assert(!stride_geometry{32, 8}.valid() && !stride_geometry{16384, 8}.valid() &&
              !stride_geometry{96, 8}.valid());
static_assert(!stride_geometry{64, 0}.valid() && !stride_geometry{64, 3}.valid() &&
              !stride_geometry{64, 1u << 17}.valid());

static_assert(stride_geometry{256, 1024}.completions_needed(8) == 8 * 1024);
static_assert(stride_geometry{8192, 1u << 16}.completions_needed(65535) == 65535ull << 16, "no sum wraps");

// As a device fills it: frames of one size until the next does not fit, then a filler for what is left.
struct filled {
    std::uint32_t packets = 0;
    std::uint32_t filler = 0; // strides
};
filled fill_one_work_buffer(stride_geometry geometry, std::uint32_t frame) {
    strides_on_pages<> tested(geometry.work_buffer_bytes() / 4096, geometry, 1);
    const std::uint32_t id = tested.strides.prepare();
    EXPECT_NE(id, stride_pool::none);
    const std::uint32_t each = geometry.strides_for(frame);
    filled seen;
    std::uint32_t used = 0;
    for (stride_use last = stride_use::more; last == stride_use::more;) {
        const bool fits = used + each <= geometry.strides;
        const std::uint32_t now = fits ? each : geometry.strides - used;
        last = tested.strides.consume(id, used * geometry.stride_bytes, now);
        EXPECT_NE(last, stride_use::refused);
        used += now;
        ++(fits ? seen.packets : seen.filler);
        if (!fits)
            seen.filler = now;
    }
    EXPECT_EQ(used, geometry.strides);
    return seen;
}

TEST(stride_pool, the_worked_numbers_of_a_work_buffer_of_256_kib) {
    constexpr stride_geometry small{256, 1024};
    constexpr stride_geometry whole_frames{2048, 128};
    const struct {
        stride_geometry geometry;
        std::uint32_t frame, packets, filler;
    } worked[] = {{small, 64, 1024, 0},       {small, 1514, 170, 4},        {small, 9018, 28, 16},
                  {whole_frames, 60, 128, 0}, {whole_frames, 1514, 128, 0}, {whole_frames, 2048, 128, 0}};
    for (const auto& row : worked) {
        const filled seen = fill_one_work_buffer(row.geometry, row.frame);
        EXPECT_EQ(seen.packets, row.packets) << row.frame;
        EXPECT_EQ(seen.filler, row.filler) << row.frame;
    }
}

TEST(stride_pool, tells_what_it_was_made_of) {
    strides_on_pages<> tested(64, {256, 64}, 3);
    EXPECT_EQ(tested.strides.geometry().strides, 64u);
    EXPECT_EQ(tested.strides.pages_each(), 4u);
    EXPECT_EQ(tested.strides.work_buffers(), 3u);
    EXPECT_EQ(tested.pages.in_flight(), 0u) << "pages are taken when a buffer is prepared";
}

TEST(stride_pool, prepares_every_work_buffer_once_each_on_pages_of_its_own) {
    strides_on_pages<> tested(12, {256, 64}, 3);
    std::vector<page*> under;
    std::vector<std::uint32_t> ids;
    for (std::uint32_t n = 0; n != 3; ++n) {
        ids.push_back(tested.strides.prepare());
        ASSERT_NE(ids.back(), stride_pool::none);
        for (std::uint32_t at = 0; at != 4; ++at)
            under.push_back(&tested.strides.page_at(ids.back(), at));
    }
    std::sort(under.begin(), under.end());
    EXPECT_EQ(std::unique(under.begin(), under.end()), under.end());
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
    EXPECT_EQ(tested.strides.prepare(), stride_pool::none) << "none is idle";
    EXPECT_EQ(tested.pages.in_flight(), 12u);
}

// Whatever a completion says that is not true leaves everything as it is: the right one is still taken after.
TEST(stride_pool, a_refused_completion_changes_nothing) {
    strides_on_pages<> tested(8, {256, 32}, 2, 4096);
    const std::uint32_t id = tested.strides.prepare();
    const std::uint32_t never_prepared = id ^ 1;
    ASSERT_EQ(tested.strides.consume(id, 0, 10), stride_use::more);
    const struct {
        std::uint32_t id, offset, strides;
    } wrong[] = {
        {never_prepared, 0, 1},
        {id + 2, 10 * 256, 1},            // no such buffer
        {stride_pool::none, 10 * 256, 1}, //
        {id + (1u << 16), 10 * 256, 1},   // a life it has not had
        {id - (1u << 16), 10 * 256, 1},   //
        {id, 0, 10},                      // told twice
        {id, 9 * 256, 1},                 // taken already
        {id, 11 * 256, 1},                // one skipped
        {id, 10 * 256 + 1, 1},            // not where a stride begins
        {id, 10 * 256, 0},                // nothing
        {id, 10 * 256, 23},               // one more than are left
        {id, 10 * 256, 0xffff'ffff},      //
        {id, 10 * 256, 0xffff'ffff - 9},  // would wrap to where it is
    };
    for (const auto& said : wrong)
        EXPECT_EQ(tested.strides.consume(said.id, said.offset, said.strides), stride_use::refused)
            << std::hex << said.id << ' ' << std::dec << said.offset << ' ' << said.strides;
    EXPECT_EQ(tested.pages.in_flight(), 2u);
    EXPECT_EQ(tested.strides.consume(id, 10 * 256, 22), stride_use::finished);
    EXPECT_EQ(tested.strides.consume(id, 32 * 256, 1), stride_use::refused) << "it is idle";
    EXPECT_EQ(tested.strides.consume(id, 0, 1), stride_use::refused);
}

TEST(stride_pool, a_completion_for_the_buffers_last_life_is_refused) {
    strides_on_pages<> tested(2, {256, 16}, 1);
    std::uint32_t last = tested.strides.prepare();
    for (std::uint32_t life = 0; life != 70'000; ++life) { // beyond where the count of lives wraps
        ASSERT_EQ(tested.strides.consume(last, 0, 16), stride_use::finished);
        const std::uint32_t id = tested.strides.prepare();
        ASSERT_NE(id, stride_pool::none);
        ASSERT_NE(id, last);
        ASSERT_EQ(tested.strides.consume(last, 0, 1), stride_use::refused);
        last = id;
    }
    EXPECT_EQ(tested.pages.in_flight(), 1u);
}

TEST(stride_pool, prepares_all_pages_or_none) {
    for (std::uint32_t there = 4; there != 8; ++there) {
        strides_on_pages<> tested(there, {256, 64}, 2);
        ASSERT_NE(tested.strides.prepare(), stride_pool::none);
        EXPECT_EQ(tested.strides.prepare(), stride_pool::none)
            << "4 pages of " << there << " are taken, 4 are needed";
        EXPECT_EQ(tested.pages.in_flight(), 4u);
        for (std::uint32_t rest = there - 4; rest != 0; --rest) {
            page* const taken = tested.pages.allocate();
            ASSERT_NE(taken, nullptr) << "what it took it gave back";
            taken->release();
        }
    }
}

// A pool with a source begins with no page at home, and has them all the same.
TEST(stride_pool, pages_come_from_a_source_too) {
    memory_block memory(6 * 4096);
    auto arena = block_arena::create(memory.bytes(), 4096);
    ASSERT_TRUE(arena);
    auto pages = page_pool::create(*arena, 0, {.refill = 1});
    ASSERT_TRUE(pages);
    auto strides = stride_pool::create(*pages, {256, 64}, 2); // four pages each
    ASSERT_TRUE(strides);
    const std::uint32_t first = strides->prepare();
    ASSERT_NE(first, stride_pool::none);
    EXPECT_EQ(strides->prepare(), stride_pool::none) << "two pages are not enough";
    EXPECT_EQ(pages->in_flight(), 4u) << "all or none";
    ASSERT_EQ(strides->consume(first, 0, 64), stride_use::finished);
    EXPECT_NE(strides->prepare(), stride_pool::none) << "the idle buffer's pages are all there are";
    EXPECT_EQ(pages->in_flight(), 4u);
}

TEST(stride_pool, recovers_when_pages_come_back) {
    strides_on_pages<> tested(4, {256, 64}, 1);
    page* const elsewhere = tested.pages.allocate();
    EXPECT_EQ(tested.strides.prepare(), stride_pool::none);
    EXPECT_EQ(tested.strides.prepare(), stride_pool::none) << "asking again breaks nothing";
    elsewhere->release();
    const std::uint32_t id = tested.strides.prepare();
    ASSERT_NE(id, stride_pool::none);
    EXPECT_EQ(tested.strides.consume(id, 0, 64), stride_use::finished);
}

TEST(stride_pool, a_page_goes_home_when_settled_and_its_last_holder_is_gone) {
    strides_on_pages<> tested(3, {256, 16}, 1); // one page a buffer
    std::uint32_t id = tested.strides.prepare();
    page& first = tested.strides.page_at(id, 0);
    EXPECT_EQ(&tested.strides.take(id, 0), &first);
    EXPECT_EQ(&tested.strides.take(id, 0), &first);
    ASSERT_EQ(tested.strides.consume(id, 0, 16), stride_use::finished);
    EXPECT_EQ(tested.pages.in_flight(), 1u) << "finished is not settled";
    id = tested.strides.prepare();
    EXPECT_NE(&tested.strides.page_at(id, 0), &first);
    EXPECT_EQ(first.references(), 2u) << "settled: what is left is what was taken";
    EXPECT_EQ(tested.pages.in_flight(), 2u);
    first.release();
    EXPECT_EQ(tested.pages.in_flight(), 2u);
    first.release();
    EXPECT_EQ(tested.pages.in_flight(), 1u);
    // The other way round: all holders are gone when it is settled. With three pages that works for ever.
    for (int life = 0; life != 10; ++life) {
        tested.strides.take(id, 0).release();
        ASSERT_EQ(tested.strides.consume(id, 0, 16), stride_use::finished);
        id = tested.strides.prepare();
        ASSERT_NE(id, stride_pool::none);
        EXPECT_EQ(tested.pages.in_flight(), 1u);
    }
}

TEST(stride_pool, gives_all_pages_back_when_it_goes) {
    strides_on_pages<> tested(8, {256, 64}, 2);
    page* kept = nullptr;
    {
        stride_pool moved = std::move(tested.strides);
        const std::uint32_t id = moved.prepare();
        ASSERT_EQ(moved.consume(id, 0, 64), stride_use::finished);
        ASSERT_NE(moved.prepare(), stride_pool::none);
        ASSERT_NE(moved.prepare(), stride_pool::none);
        kept = &moved.take(moved.prepare() == stride_pool::none ? id + (1u << 16) : id, 2);
    }
    EXPECT_EQ(tested.pages.in_flight(), 1u);
    kept->release();
    EXPECT_EQ(tested.pages.in_flight(), 0u);
}

// The model of walk: byte by byte.
TEST(stride_pool, walks_the_pages_that_a_range_lies_on) {
    strides_on_pages<> tested(4, {64, 8}, 1, 128); // 512 bytes on four pages
    for (std::uint32_t offset = 0; offset != 514; ++offset)
        for (std::uint32_t length = 0; length != 514; ++length) {
            std::uint32_t next = offset;
            const bool inside = tested.strides.walk(
                offset, length, [&](std::uint32_t n, std::uint32_t within, std::uint32_t count) {
                    ASSERT_NE(count, 0u);
                    ASSERT_LE(within + count, 128u);
                    ASSERT_EQ(n * 128 + within, next);
                    next += count;
                });
            ASSERT_EQ(inside, offset + length <= 512);
            ASSERT_EQ(next - offset, inside ? length : 0);
        }
    const auto never = [](auto...) { FAIL(); };
    EXPECT_FALSE(tested.strides.walk(~0u, 2, never)) << "the sum wraps";
    EXPECT_FALSE(tested.strides.walk(1, ~0u, never));
}

// A device and its consumers at random: frames of any length, some fillers and errors, packets held for any
// time. The model knows who holds which page; a page is home exactly when nobody does and its buffer is
// settled.
TEST(stride_pool, agrees_with_a_model_of_a_receive_queue) {
    constexpr stride_geometry geometry{64, 32};
    constexpr std::uint32_t page_bytes = 512, each = 4, buffers = 3, pages = 20;
    strides_on_pages<strict_sync> tested(pages, geometry, buffers, page_bytes);
    auto& strides = tested.strides;
    using page_type = basic_page<strict_sync>;
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    const auto entered = tested.pages.enter();
    struct work_buffer {
        std::uint32_t id, used;
    };
    random_steps random;
    std::deque<work_buffer> posted;
    std::vector<page_type*> held; // one entry a reference
    // Idle buffers, the one to be prepared next first: the pages it still has, since settling waits for that.
    std::deque<std::vector<page_type*>> idle(buffers);

    for (std::uint64_t step = random_steps::count(100'000); step-- != 0;) {
        if (random.one_in(4)) {
            const auto out_now = [&] {
                std::vector<page_type*> busy(held);
                for (const work_buffer& each_posted : posted)
                    for (std::uint32_t n = 0; n != each; ++n)
                        busy.push_back(&strides.page_at(each_posted.id, n));
                for (const auto& group : idle)
                    busy.insert(busy.end(), group.begin(), group.end());
                std::sort(busy.begin(), busy.end());
                return static_cast<std::size_t>(std::unique(busy.begin(), busy.end()) - busy.begin());
            };
            if (!idle.empty())
                idle.front().clear();
            if (!idle.empty() &&
                out_now() + each > pages) // then what all idle buffers still have is given back
                for (auto& group : idle)
                    group.clear();
            const std::size_t out = out_now();
            const std::uint32_t id = strides.prepare();
            const bool prepared = id != basic_stride_pool<strict_sync>::none;
            ASSERT_EQ(prepared, !idle.empty() && out + each <= pages);
            ASSERT_EQ(tested.pages.in_flight(), out + (prepared ? each : 0));
            if (prepared) {
                posted.push_back({id, 0});
                idle.pop_front();
            }
        } else if (random.one_in(2) && !posted.empty()) {
            work_buffer& first = posted.front();
            const std::uint32_t length = 1 + random.below(700);
            const std::uint32_t needs = geometry.strides_for(length);
            const bool fits = needs <= geometry.strides - first.used;
            const std::uint32_t now = fits ? needs : geometry.strides - first.used;
            const std::uint32_t offset = first.used * geometry.stride_bytes;
            const stride_use use = strides.consume(first.id, offset, now);
            first.used += now;
            ASSERT_EQ(use, first.used == geometry.strides ? stride_use::finished : stride_use::more);
            if (fits && !random.one_in(3)) { // else: dropped
                ASSERT_TRUE(strides.walk(offset, length, [&](std::uint32_t n, std::uint32_t, std::uint32_t) {
                    held.push_back(&strides.take(first.id, n));
                }));
            }
            if (use == stride_use::finished) {
                idle.emplace_back();
                for (std::uint32_t n = 0; n != each; ++n)
                    idle.back().push_back(&strides.page_at(first.id, n));
                posted.pop_front();
            }
        } else if (!held.empty()) {
            const playing as_either(threads[random.below(2)]);
            std::swap(random.pick(held), held.back());
            held.back()->release();
            held.pop_back();
        }
        // A page is out while its buffer is posted or not settled, or a packet holds it; and comes home with
        // the last of them, neither sooner nor later.
        std::set<const page_type*> pinned(held.begin(), held.end());
        ASSERT_EQ(strides.pinned_bytes(), pinned.size() * page_bytes);
        for (const auto& group : idle)
            pinned.insert(group.begin(), group.end());
        for (const work_buffer& each_posted : posted)
            for (std::uint32_t n = 0; n != each; ++n)
                pinned.insert(&strides.page_at(each_posted.id, n));
        ASSERT_EQ(tested.pages.in_flight(), pinned.size());
    }
    for (page_type* each_held : held)
        each_held->release();
}

// A device that uses one stride a frame, the most completions there can be, and a driver that reads them when
// it likes. What is written and not read fits in a ring of completions_needed, and needs all of it.
TEST(stride_pool, completions_of_one_stride_each_never_run_over) {
    random_steps random;
    for (const auto& [strides_each, buffers] : {std::pair{16u, 1u}, {16u, 3u}, {64u, 2u}}) {
        const stride_geometry geometry{256, strides_each};
        strides_on_pages<> tested(2 * buffers * geometry.work_buffer_bytes() / 4096, geometry, buffers);
        struct work_buffer {
            std::uint32_t id, used;
        };
        std::deque<work_buffer> with_device;
        std::deque<work_buffer> written; // the ring: id, and the stride
        std::size_t most = 0;
        for (std::uint64_t step = random_steps::count(30'000, 3000); step-- != 0;) {
            if (random.one_in(3)) {
                if (const std::uint32_t id = tested.strides.prepare(); id != stride_pool::none)
                    with_device.push_back({id, 0});
            } else if (random.one_in(2)) { // the device runs until it has no more buffers, or not so far
                for (std::uint32_t n = random.below(4 * strides_each); n-- != 0 && !with_device.empty();) {
                    work_buffer& now = with_device.front();
                    written.push_back({now.id, now.used++});
                    if (now.used == geometry.strides)
                        with_device.pop_front();
                }
                most = std::max(most, written.size());
                ASSERT_LE(written.size(), geometry.completions_needed(buffers));
            } else if (random.one_in(2)) {
                for (std::uint32_t n = random.below(4 * strides_each); n-- != 0 && !written.empty();) {
                    ASSERT_NE(tested.strides.consume(written.front().id, written.front().used * 256, 1),
                              stride_use::refused);
                    written.pop_front();
                }
            }
        }
        EXPECT_EQ(most, geometry.completions_needed(buffers)) << "less would not do";
    }
}

// Who still reads in a buffer without a reference of his own says so, and finds all as it was.
TEST(stride_pool, a_buffer_in_use_keeps_its_pages) {
    strides_on_pages<> tested(4, {256, 32}, 2); // two pages each, and none to spare
    const std::uint32_t first = tested.strides.prepare();
    const std::uint32_t second = tested.strides.prepare();
    ASSERT_EQ(tested.strides.consume(first, 0, 32), stride_use::finished);
    EXPECT_TRUE(tested.strides.has_idle());
    EXPECT_FALSE(tested.strides.has_idle(first)) << "the only one";
    EXPECT_EQ(tested.strides.prepare(first), stride_pool::none);
    EXPECT_EQ(tested.pages.in_flight(), 4u);
    // Another one is idle as well, but its pages are with packets, so that there are none but the first's.
    page& kept = tested.strides.take(second, 0);
    ASSERT_EQ(tested.strides.consume(second, 0, 32), stride_use::finished);
    std::uint32_t third = tested.strides.prepare(second);
    ASSERT_NE(third, stride_pool::none);
    ASSERT_EQ(tested.strides.consume(third, 0, 32), stride_use::finished);
    EXPECT_TRUE(tested.strides.has_idle(third));
    EXPECT_EQ(tested.strides.prepare(third), stride_pool::none) << "one page is not enough";
    EXPECT_EQ(tested.strides.page_at(third, 0).references(), 17u) << "nobody has settled it";
    EXPECT_EQ(tested.pages.in_flight(), 3u) << "two that are in use, one that is held";
    kept.release();
    EXPECT_NE(tested.strides.prepare(third), stride_pool::none);
    EXPECT_FALSE(tested.strides.has_idle(third));
}

// A packet of one stride keeps a page of sixteen.
TEST(stride_pool, tells_what_packets_pin_and_for_how_long) {
    strides_on_pages<> tested(8, {256, 32}, 2, 4096, {.track_ages = true});
    tested.pages.set_now(100);
    std::uint32_t id = tested.strides.prepare();
    tested.pages.set_now(130);
    EXPECT_EQ(tested.strides.pinned_bytes(), 0u) << "posted, and nobody's";
    EXPECT_EQ(tested.strides.oldest_pin_age(), 0u);
    page& kept = tested.strides.take(id, 1);
    EXPECT_TRUE(tested.strides.pins(kept));
    EXPECT_FALSE(tested.strides.pins(tested.strides.page_at(id, 0)));
    EXPECT_EQ(tested.strides.pinned_bytes(), 4096u);
    EXPECT_EQ(tested.strides.oldest_pin_age(), 30u) << "since it was posted";
    ASSERT_EQ(tested.strides.consume(id, 0, 32), stride_use::finished);
    tested.pages.set_now(150);
    id = tested.strides.prepare(); // another buffer, later
    page& younger = tested.strides.take(id, 0);
    ASSERT_EQ(tested.strides.consume(id, 0, 32), stride_use::finished);
    tested.pages.set_now(200);
    EXPECT_EQ(tested.strides.pinned_bytes(), 2 * 4096u);
    EXPECT_EQ(tested.strides.oldest_pin_age(), 100u);
    ASSERT_NE(tested.strides.prepare(), stride_pool::none); // settles the first: only the packet has it now
    EXPECT_TRUE(tested.strides.pins(kept));
    EXPECT_EQ(tested.strides.pinned_bytes(), 2 * 4096u);
    EXPECT_EQ(tested.strides.oldest_pin_age(), 100u);
    kept.release();
    EXPECT_EQ(tested.strides.pinned_bytes(), 4096u);
    EXPECT_EQ(tested.strides.oldest_pin_age(), 50u);
    younger.release();
    EXPECT_EQ(tested.strides.pinned_bytes(), 0u);
    EXPECT_EQ(tested.strides.oldest_pin_age(), 0u);
}

TEST(stride_pool, refuses_what_cannot_be_with_advice) {
    memory_block memory(64 * 4096);
    result<page_pool> pages = page_pool::create(memory.bytes(), 4096);
    ASSERT_TRUE(pages);
    const struct {
        stride_geometry geometry;
        std::uint32_t work_buffers;
    } wrong[] = {{{32, 1024}, 1},  {{100, 64}, 1},     {{256, 3}, 1},
                 {{256, 0}, 1},    {{256, 8}, 1}, // half a page
                 {{8192, 8}, 1},                  // a stride on two pages
                 {{256, 1024}, 0}, {{256, 16}, 65536}, {{256, 16}, ~0u}};
    for (const auto& asked : wrong) {
        const result<stride_pool> made = stride_pool::create(*pages, asked.geometry, asked.work_buffers);
        ASSERT_FALSE(made) << asked.geometry.stride_bytes << ' ' << asked.geometry.strides << ' '
                           << asked.work_buffers;
        EXPECT_EQ(made.error().code, std::errc::invalid_argument);
        EXPECT_GT(std::string(made.error().advice).size(), 20u);
    }
    EXPECT_TRUE(stride_pool::create(*pages, {4096, 1}, 65535)) << "the most there can be";
}

#if NORIA_CONTRACT == 2
TEST(stride_pool_death_test, more_references_than_strides) {
    strides_on_pages<> tested(1, {2048, 2}, 1);
    const std::uint32_t id = tested.strides.prepare();
    tested.strides.take(id, 0).release();
    tested.strides.take(id, 0).release();
    EXPECT_DEATH(static_cast<void>(tested.strides.take(id, 0)), "one reference a stride");
}
#endif

// The buffer whose turn it is has its pages with packets; another idle one has its own still, and nobody
// needs them.
TEST(stride_pool, takes_the_pages_of_other_idle_buffers_when_the_pool_is_dry) {
    strides_on_pages<> tested(5, {256, 32}, 2); // two pages each
    const std::uint32_t first = tested.strides.prepare();
    const std::uint32_t second = tested.strides.prepare();
    std::vector<page*> held = {&tested.strides.take(first, 0), &tested.strides.take(first, 1)};
    ASSERT_EQ(tested.strides.consume(first, 0, 32), stride_use::finished);
    ASSERT_EQ(tested.strides.consume(second, 0, 32), stride_use::finished);
    const std::uint64_t before = tested.pages.allocated();
    EXPECT_NE(tested.strides.prepare(), stride_pool::none) << "three of five pages are held by no packet";
    EXPECT_EQ(tested.strides.prepare(), stride_pool::none);
    EXPECT_EQ(tested.pages.allocated(), before + 2) << "a pool that is dry is not asked";
    for (page* each : held)
        each->release();
    EXPECT_NE(tested.strides.prepare(), stride_pool::none);
}

} // namespace
