// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/work_buffers.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

// Two work buffers of 8 strides, 4 on each of 2 pages.
constexpr receive_geometry small_cut{
    .page_bytes = 1024, .strides = {256, 8}, .work_buffers = 2, .headroom = 64, .tail_overhead = 0};
constexpr rx_options options{.descriptors = 1, .packets = 5, .frame_bytes = 600, .geometry = small_cut};

struct two_work_buffers : testing::Test {
    explicit two_work_buffers(std::uint64_t how_many = 9, const rx_options& with = options)
        : memory(how_many * with.geometry.page_bytes),
          pages(page_pool::create(memory.bytes(), with.geometry.page_bytes)),
          supply(work_buffers::create(*pages, with)) {}

    accepted accept(std::uint32_t id, std::uint32_t stride, std::uint32_t strides, std::uint32_t length,
                    std::uint32_t flags = completion::end_of_packet) {
        gathered.clear();
        const completion done{
            .id = id, .offset = stride * 256, .length = length, .strides = strides, .flags = flags};
        supply->touch(done, 256);
        return supply->accept(done, dma, gathered);
    }

    memory_block memory;
    result<page_pool> pages;
    result<work_buffers> supply;
    mapping dma{memory.bytes(), 0};
    scripted_device<buffer_model::striding> device;
    frame gathered;
};

TEST_F(two_work_buffers, plans_two_sets_of_pages_and_what_packets_hold) {
    EXPECT_EQ(work_buffers::plan(options, false).pages, 2u * 2 * 2);
    EXPECT_EQ(work_buffers::plan(options, true).pages, 8u + (5 * 3 * 256 + 1023) / 1024);
    const receive_setup setup = work_buffers::setup(options);
    EXPECT_EQ(setup.descriptors, 4u);
    EXPECT_EQ(setup.posts_per_work_buffer, 2u);
    EXPECT_EQ(setup.completions, 16u) << "one a stride";
    EXPECT_EQ(setup.frame_offset, 0u) << "a frame may cross pages: there is no headroom in front of it";
    const receive_setup lean = work_buffers::setup({.geometry = lean_geometry});
    EXPECT_EQ(lean.frame_offset, 64u);
    EXPECT_EQ(lean.posts_per_work_buffer, 1u);
}

TEST_F(two_work_buffers, posts_the_pages_of_a_work_buffer_under_one_id) {
    supply->refill(device, dma);
    ASSERT_EQ(device.posted.size(), 4u);
    EXPECT_EQ(device.posted[0].id, device.posted[1].id);
    EXPECT_EQ(device.posted[2].id, device.posted[3].id);
    EXPECT_NE(device.posted[0].id, device.posted[2].id);
    for (std::uint64_t i = 0; i != 4; ++i) {
        EXPECT_EQ(device.posted[i].iova, 1024 * i);
        EXPECT_EQ(device.posted[i].length, 1024u);
    }
    EXPECT_EQ(supply->posted_pages(), 4u);
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 4u);
}

TEST_F(two_work_buffers, a_frame_lies_on_every_page_it_touches) {
    supply->refill(device, dma);
    const std::uint32_t id = device.posted[0].id;
    ASSERT_EQ(accept(id, 0, 3, 700), accepted::piece);
    ASSERT_EQ(gathered.pieces().size(), 1u);
    EXPECT_EQ(gathered.pieces()[0].truesize, 768u);
    EXPECT_EQ(gathered.pieces()[0].room, 68u) << "what is left of the last stride";
    EXPECT_EQ(gathered.pieces()[0].headroom, 0u);
    ASSERT_EQ(accept(id, 3, 3, 600), accepted::piece); // stride 3 of page 0, then 344 bytes of page 1
    ASSERT_EQ(gathered.pieces().size(), 2u);
    EXPECT_EQ(gathered.pieces()[0].length, 256u);
    EXPECT_EQ(gathered.pieces()[0].offset, 768u);
    EXPECT_EQ(gathered.pieces()[0].room, 0u) << "the frame goes on: nothing may be put behind this piece";
    EXPECT_EQ(gathered.pieces()[0].truesize, 256u);
    EXPECT_EQ(gathered.pieces()[1].length, 344u);
    EXPECT_EQ(gathered.pieces()[1].offset, 0u);
    EXPECT_EQ(gathered.pieces()[1].room, 512u - 344);
    EXPECT_EQ(gathered.pieces()[1].truesize, 512u);
    EXPECT_EQ(dma.counters().bytes_for_cpu, 1300u);
    EXPECT_EQ(accept(device.posted[2].id, 0, 2, 512), accepted::piece);
    EXPECT_EQ(gathered.pieces()[0].room, 0u) << "it fills its strides: the next byte is the next frame's";
    ASSERT_EQ(accept(id, 6, 1, 0), accepted::piece);
    EXPECT_TRUE(gathered.pieces().empty()) << "an empty frame lies nowhere";
    EXPECT_FALSE(gathered.spoiled());
}

// The short way and the long one, each on a supply of its own that is told the same: what the short one takes
// is what the other gathers, and what it does not take it has not touched.
TEST(work_buffers, a_frame_on_one_page_needs_no_gathering) {
    random_steps random;
    for (const std::uint32_t tail_overhead : {0u, 100u}) {
        for (const std::uint32_t page_bytes : {1024u, 2048u}) { // with two pages a work buffer, and with one
            rx_options with = options;
            with.geometry.page_bytes = page_bytes;
            with.geometry.tail_overhead = tail_overhead;
            struct half {
                explicit half(const rx_options& from)
                    : memory(std::size_t{9} * from.geometry.page_bytes),
                      pages(page_pool::create(memory.bytes(), from.geometry.page_bytes)),
                      supply(work_buffers::create(*pages, from)) {}
                memory_block memory;
                result<page_pool> pages;
                result<work_buffers> supply;
                mapping dma{memory.bytes(), 0};
                scripted_device<buffer_model::striding> device;
            } fast(with), slow(with);
            std::uint64_t whole = 0, not_whole = 0;
            std::uint32_t stride = 0;
            const std::uint32_t pages_each = 2048 / page_bytes;
            std::size_t buffer = 0;
            for (std::uint64_t i = random_steps::count(4'000, 400); i != 0; --i) {
                fast.supply->refill(fast.device, fast.dma);
                slow.supply->refill(slow.device, slow.dma);
                ASSERT_EQ(fast.device.posted.size(), slow.device.posted.size());
                const std::uint32_t strides = 1 + random.below(8 - stride);
                completion done{.id = fast.device.posted[buffer * pages_each].id,
                                .offset = stride * 256,
                                .length = random.below(256 * strides + 1),
                                .strides = strides,
                                .flags = completion::end_of_packet};
                switch (random.below(16)) { // now and then one field of it is a lie
                case 0:
                    done.id += 1 + random.below(70'000);
                    break;
                case 1:
                    done.offset += 256 * random.below(10);
                    break;
                case 2:
                    done.strides = random.below(20);
                    break;
                case 3:
                    done.length = random.below(3000);
                    break;
                default:
                    break;
                }
                frame gathered, unused;
                if (fast.supply->accept_whole(done, fast.dma)) {
                    ++whole;
                    ASSERT_EQ(slow.supply->accept(done, slow.dma, gathered), accepted::piece);
                    ASSERT_FALSE(gathered.spoiled());
                    ASSERT_EQ(gathered.pieces().size(), 1u);
                    const piece& one = fast.supply->piece_of(done);
                    const piece& other = gathered.pieces()[0];
                    EXPECT_EQ(one.data() - fast.memory.bytes().data(),
                              other.data() - slow.memory.bytes().data());
                    EXPECT_EQ(one.length, other.length);
                    EXPECT_EQ(one.headroom, other.headroom);
                    EXPECT_EQ(one.room, other.room);
                    EXPECT_EQ(one.truesize, other.truesize);
                    EXPECT_EQ(one.slot, other.slot);
                    EXPECT_EQ(one.number, other.number);
                } else {
                    const accepted what = slow.supply->accept(done, slow.dma, gathered);
                    ASSERT_EQ(fast.supply->accept(done, fast.dma, unused), what);
                    ASSERT_TRUE(what == accepted::refused || gathered.spoiled() || done.length == 0 ||
                                gathered.pieces().size() > 1);
                    if (what == accepted::refused)
                        continue;
                    ++not_whole;
                }
                EXPECT_EQ(fast.dma.counters().bytes_for_cpu, slow.dma.counters().bytes_for_cpu);
                EXPECT_EQ(fast.supply->posted_pages(), slow.supply->posted_pages());
                stride += done.strides;
                if (stride == 8) {
                    stride = 0;
                    ++buffer;
                }
            }
            EXPECT_GT(whole, 50u);
            EXPECT_GT(not_whole, 5u);
        }
    }
}

// As with buffers and halves: what the geometry keeps free behind a frame is not room of the packet.
TEST(work_buffers, keep_the_tail_overhead_free) {
    constexpr receive_geometry cut{
        .page_bytes = 4096, .strides = {2048, 4}, .work_buffers = 1, .headroom = 64, .tail_overhead = 320};
    memory_block memory(2 * 4096);
    auto pages = page_pool::create(memory.bytes(), 4096);
    auto supply = work_buffers::create(*pages, {.packets = 1, .frame_bytes = 1514, .geometry = cut});
    ASSERT_TRUE(supply);
    mapping dma{memory.bytes(), 0};
    scripted_device<buffer_model::striding> device;
    supply->refill(device, dma);
    frame gathered;
    const auto room_behind = [&](std::uint32_t stride, std::uint32_t length) {
        gathered.clear();
        EXPECT_EQ(supply->accept({.id = device.posted[0].id,
                                  .offset = stride * 2048,
                                  .length = length,
                                  .strides = 1,
                                  .flags = completion::end_of_packet},
                                 dma, gathered),
                  accepted::piece);
        return gathered.pieces()[0].room;
    };
    EXPECT_EQ(room_behind(0, 1514), 2048u - 64 - 1514 - 320);
    EXPECT_EQ(room_behind(1, 2048 - 64 - 320), 0u);
    EXPECT_EQ(room_behind(2, 2048 - 64 - 100), 0u) << "it does not wrap";
}

TEST_F(two_work_buffers, strides_are_used_up_whatever_the_completion_says_of_the_frame) {
    supply->refill(device, dma);
    const std::uint32_t id = device.posted[0].id;
    EXPECT_EQ(accept(id, 0, 2, 513), accepted::piece) << "longer than its strides";
    EXPECT_EQ(gathered.why(), drop_reason::device_error);
    EXPECT_TRUE(gathered.pieces().empty());
    EXPECT_EQ(accept(id, 2, 1, 10, 0), accepted::piece) << "a frame does not end: it cannot go on elsewhere";
    EXPECT_EQ(gathered.why(), drop_reason::device_error);
    EXPECT_EQ(accept(id, 3, 1, ~0u), accepted::piece);
    EXPECT_TRUE(gathered.spoiled());
    for (const std::uint32_t stride : {0u, 3u, 5u})
        EXPECT_EQ(accept(id, stride, 1, 10), accepted::refused) << "not the stride whose turn it is";
    EXPECT_EQ(accept(id, 4, 5, 10), accepted::refused) << "more than there are";
    EXPECT_EQ(accept(id, 4, 0, 10), accepted::refused);
    EXPECT_EQ(accept(id ^ 1, 4, 1, 10), accepted::refused);
    EXPECT_EQ(accept(id, 4, 4, 10, completion::filler), accepted::filler);
    EXPECT_EQ(supply->posted_pages(), 2u) << "it is used up";
    EXPECT_EQ(accept(id, 0, 1, 10), accepted::refused) << "late";
}

TEST_F(two_work_buffers, pages_go_home_when_their_buffer_is_posted_again) {
    supply->refill(device, dma);
    const std::uint32_t id = device.posted[0].id;
    ASSERT_EQ(accept(id, 0, 1, 100), accepted::piece);
    page& kept = supply->take(gathered.pieces()[0]);
    EXPECT_EQ(accept(id, 1, 7, 0, completion::filler), accepted::filler);
    EXPECT_EQ(pages->in_flight(), 4u) << "not yet: most packets are not done with them";
    supply->refill(device, dma);
    EXPECT_EQ(pages->in_flight(), 2u + 2u + 1u) << "the page that nobody kept is home and out again";
    EXPECT_EQ(kept.references(), 1u) << "only the packet holds it";
    kept.release();
    EXPECT_EQ(pages->in_flight(), 4u);
}

// 9 pages: two work buffers, and five more.
TEST_F(two_work_buffers, pages_are_taken_all_or_none) {
    std::vector<page*> gone;
    for (int i = 0; i != 6; ++i)
        gone.push_back(pages->allocate());
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 2u) << "three pages are one work buffer";
    EXPECT_EQ(supply->posted_pages(), 2u);
    EXPECT_EQ(pages->free(), 1u) << "the odd page went back";
    gone.back()->release();
    gone.pop_back();
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 4u);
    for (page* each : gone)
        each->release();
}

TEST_F(two_work_buffers, says_when_one_stays_empty_for_want_of_pages) {
    EXPECT_TRUE(supply->refill(device, dma));
    EXPECT_TRUE(supply->refill(device, dma)) << "none is idle";
    std::vector<page*> gone;
    while (page* each = pages->allocate())
        gone.push_back(each);
    const std::uint32_t id = device.posted[0].id;
    ASSERT_EQ(accept(id, 0, 8, 600), accepted::piece);
    page& kept = supply->take(gathered.pieces()[0]);
    EXPECT_TRUE(supply->replaceable(gathered)) << "strides are used up one way or the other";
    EXPECT_FALSE(supply->refill(device, dma));
    kept.release();
    EXPECT_TRUE(supply->refill(device, dma));
    for (page* each : gone)
        each->release();
}

// A frame that waits for a packet in a buffer that is used up: the others are posted, this one is not.
TEST_F(two_work_buffers, a_frame_that_waits_keeps_its_pages_and_no_other_buffer) {
    supply->refill(device, dma);
    const std::uint32_t first = device.posted[0].id, second = device.posted[2].id;
    ASSERT_EQ(accept(first, 0, 8, 0, completion::filler), accepted::filler);
    ASSERT_EQ(accept(second, 0, 8, 600), accepted::piece);
    page& under = *gathered.pieces()[0].under;
    EXPECT_TRUE(supply->refill(device, dma, {.gathered = &gathered}));
    EXPECT_EQ(device.posted.size(), 6u) << "one is posted again";
    EXPECT_TRUE(supply->refill(device, dma, {.gathered = &gathered})) << "which is all there is to post";
    EXPECT_EQ(device.posted.size(), 6u);
    EXPECT_EQ(under.references(), 5u) << "not settled";
    gathered.clear();
    EXPECT_TRUE(supply->refill(device, dma, {.gathered = &gathered}));
    EXPECT_EQ(device.posted.size(), 8u);
}

// Nor when its pages are the only ones that nobody has a reference to.
TEST_F(two_work_buffers, a_frame_that_waits_keeps_its_pages_when_there_are_no_others) {
    supply->refill(device, dma);
    std::vector<page*> gone;
    while (page* each = pages->allocate())
        gone.push_back(each);
    ASSERT_EQ(accept(device.posted[0].id, 0, 8, 600), accepted::piece);
    gone.push_back(&supply->take(gathered.pieces()[0]));
    ASSERT_EQ(accept(device.posted[2].id, 0, 8, 600), accepted::piece);
    EXPECT_FALSE(supply->refill(device, dma, {.gathered = &gathered}));
    EXPECT_EQ(device.posted.size(), 4u);
    gathered.clear();
    EXPECT_FALSE(supply->refill(device, dma, {.gathered = &gathered}));
    EXPECT_EQ(device.posted.size(), 6u) << "there are pages for one of the two";
    for (page* each : gone)
        each->release();
}

TEST_F(two_work_buffers, goes_on_where_the_device_stopped_taking) {
    device.most_a_post = 1;
    for (std::size_t i = 1; i != 5; ++i) {
        device.room = i;
        supply->refill(device, dma);
        ASSERT_EQ(device.posted.size(), i);
    }
    for (std::uint64_t i = 0; i != 4; ++i)
        EXPECT_EQ(device.posted[i].iova, 1024 * i) << "each page once, in order";
    EXPECT_EQ(device.posted[0].id, device.posted[1].id);
}

TEST_F(two_work_buffers, what_the_device_has_not_taken_all_of_it_cannot_have_filled) {
    device.room = 1;
    supply->refill(device, dma);
    const std::uint32_t id = device.posted.at(0).id;
    EXPECT_EQ(accept(id, 0, 1, 10), accepted::refused);
    device.room = 2;
    supply->refill(device, dma);
    EXPECT_EQ(accept(id, 0, 1, 10), accepted::piece);
}

TEST(work_buffers, a_frame_of_more_pages_than_a_packet_has_fragments_is_too_big) {
    constexpr receive_geometry many_pages{.page_bytes = 256, .strides = {256, 32}, .work_buffers = 1};
    memory_block memory(64 * 256);
    auto pages = page_pool::create(memory.bytes(), 256);
    auto supply = work_buffers::create(*pages, {.geometry = many_pages});
    ASSERT_TRUE(supply);
    mapping dma(memory.bytes(), 0);
    scripted_device<buffer_model::striding> device;
    supply->refill(device, dma);
    ASSERT_EQ(device.posted.size(), 32u);
    EXPECT_EQ(device.doorbells, 2u) << "16 posts a doorbell";
    frame gathered;
    const auto accept = [&](std::uint32_t stride, std::uint32_t strides) {
        gathered.clear();
        return supply->accept({.id = device.posted[0].id,
                               .offset = stride * 256,
                               .length = strides * 256,
                               .strides = strides,
                               .flags = completion::end_of_packet},
                              dma, gathered);
    };
    EXPECT_EQ(accept(0, 14), accepted::piece);
    EXPECT_FALSE(gathered.spoiled());
    EXPECT_EQ(accept(14, 18), accepted::piece);
    EXPECT_EQ(gathered.why(), drop_reason::packet_too_big);
    EXPECT_EQ(gathered.pieces().size(), 17u);
}

TEST(work_buffers, a_frame_has_headroom_where_its_work_buffer_is_one_page) {
    constexpr rx_options lean{.packets = 1, .frame_bytes = 1514, .geometry = lean_geometry};
    memory_block memory(32 * 65536);
    auto pages = page_pool::create(memory.bytes(), 65536);
    auto supply = work_buffers::create(*pages, lean);
    ASSERT_TRUE(supply);
    mapping dma(memory.bytes(), 0);
    scripted_device<buffer_model::striding> device;
    supply->refill(device, dma);
    frame gathered;
    const auto accept = [&](std::uint32_t stride, std::uint32_t strides, std::uint32_t length) {
        gathered.clear();
        return supply->accept({.id = device.posted[0].id,
                               .offset = stride * 128,
                               .length = length,
                               .strides = strides,
                               .flags = completion::end_of_packet},
                              dma, gathered);
    };
    ASSERT_EQ(accept(0, 2, 100), accepted::piece);
    ASSERT_EQ(gathered.pieces().size(), 1u);
    EXPECT_EQ(gathered.pieces()[0].offset, 64u);
    EXPECT_EQ(gathered.pieces()[0].headroom, 64u);
    EXPECT_EQ(gathered.pieces()[0].room, 256u - 164);
    EXPECT_EQ(gathered.pieces()[0].truesize, 256u);
    EXPECT_EQ(accept(2, 1, 65), accepted::piece);
    EXPECT_TRUE(gathered.spoiled()) << "with the headroom it is longer than its stride";
}

// The worked numbers again, from the wire to the packet: a filler is what is left when a frame does not fit.
struct worked {
    stride_geometry strides;
    std::uint32_t frame;
    std::uint32_t packets; // in a work buffer of 256 KiB,
    std::uint32_t filler;  // and the strides behind them
};
class work_buffers_on_a_card : public testing::TestWithParam<worked> {};

TEST_P(work_buffers_on_a_card, hold_as_many_frames_as_the_arithmetic_says) {
    const worked& row = GetParam();
    random_steps random;
    receive_geometry cut = linux_geometry;
    cut.strides = row.strides;
    receive_rig<stride_around> r({.packets = 64, .frame_bytes = row.frame, .geometry = cut});
    const auto frame = random_bytes(random, row.frame);
    constexpr std::uint32_t work_buffers = 10;                   // more than there are: they come round
    const std::uint32_t frames = work_buffers * row.packets + 1; // the last one ends the tenth
    const std::uint32_t offset =
        work_buffers::setup({.frame_bytes = row.frame, .geometry = cut}).frame_offset;
    for (std::uint32_t sent = 0; sent != frames;) {
        for (std::uint32_t n = 0; n != 50 && sent != frames; ++n, ++sent)
            r.offer(frame);
        r.step();
        r.poll(64, [&](packet_ptr packet, frame_bytes) noexcept {
            EXPECT_EQ(packet->headroom(), offset);
            packet.free(drop_reason::consumed);
        });
    }
    r.settle();
    const receive_counters& seen = r.queue().counters();
    EXPECT_EQ(seen.delivered, frames);
    EXPECT_EQ(seen.fillers, row.filler == 0 ? 0u : work_buffers);
    EXPECT_EQ(seen.filler_strides, work_buffers * row.filler);
    EXPECT_EQ(seen.wqe_err + seen.oversize + seen.buff_alloc_err + seen.refused, 0u);
}
constexpr stride_geometry jumbo = strides_for_mtu(9000), ethernet = strides_for_mtu(1500);
INSTANTIATE_TEST_SUITE_P(worked_numbers, work_buffers_on_a_card,
                         testing::Values(worked{jumbo, 64, 1024, 0}, worked{jumbo, 1514, 170, 4},
                                         worked{jumbo, 9018, 28, 16}, worked{ethernet, 64, 128, 0},
                                         worked{ethernet, 1514, 128, 0}),
                         [](const auto& row) {
                             return std::to_string(row.param.frame) + "_bytes_in_strides_of_" +
                                    std::to_string(row.param.strides.stride_bytes);
                         });

TEST(work_buffers, a_frame_with_a_stride_to_itself_has_headroom_on_any_page) {
    receive_geometry cut = linux_geometry;
    cut.strides = ethernet;
    const auto offset = [&](std::uint32_t longest) {
        return work_buffers::setup({.frame_bytes = longest, .geometry = cut}).frame_offset;
    };
    EXPECT_EQ(offset(1514), 64u);
    EXPECT_EQ(offset(2048 - 64 - 320), 64u);
    EXPECT_EQ(offset(2048 - 64 - 320 + 1), 0u) << "it could go on in the next stride, on another page";
}

// An error is counted where the strides are, and costs its frame.
TEST(work_buffers, what_the_device_calls_an_error_is_counted) {
    random_steps random;
    receive_rig<stride_around> r({.packets = 64, .frame_bytes = 1514}, {.error = 5});
    const traffic frames(random, 1514);
    for (int i = 0; i != 600; ++i) { // few of the fillers that close a work buffer have several strides
        for (int n = 0; n != 20; ++n)
            r.offer(frames.any(random));
        r.step();
        r.poll(64, [](packet_ptr packet, frame_bytes) noexcept { packet.free(drop_reason::consumed); });
    }
    r.settle();
    EXPECT_GT(r.queue().counters().wqe_err, 100u);
    EXPECT_EQ(r.queue().counters().wqe_err, r.queue().drops().of(drop_reason::device_error));
    EXPECT_GT(r.queue().counters().filler_strides, r.queue().counters().fillers);
}

TEST(work_buffers, says_what_cannot_be_cut) {
    memory_block memory(64 * 1024);
    auto pages = page_pool::create(memory.bytes(), 1024);
    const auto refused = [&](stride_geometry strides) {
        receive_geometry cut = small_cut;
        cut.strides = strides;
        return !work_buffers::create(*pages, {.geometry = cut});
    };
    EXPECT_FALSE(refused({256, 8}));
    EXPECT_TRUE(refused({256, 2})) << "half a page";
    EXPECT_TRUE(refused({2048, 8})) << "a stride longer than a page";
    EXPECT_TRUE(refused({100, 8}));
}

} // namespace
