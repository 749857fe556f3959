// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/packet_pool.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "noria/packet/coalesce.hpp"
#include "noria/packet/copy.hpp"
#include "noria/packet/split.hpp"
#include "support/packet_fixture.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

static_assert(!std::is_copy_constructible_v<packet_pool> &&
              std::is_nothrow_move_constructible_v<packet_pool>);
static_assert(!std::is_copy_constructible_v<packet_ptr> && std::is_nothrow_move_constructible_v<packet_ptr>);

constexpr std::array<std::uint32_t, 5> all_home{};

TEST(packet_pool, allocates_an_empty_packet_with_the_room_asked_for) {
    packet_fixture all;
    const packet_ptr made = all.packets().allocate(100, 64);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->size(), 0u);
    EXPECT_EQ(made->headroom(), 64u);
    EXPECT_EQ(made->tailroom(), 256u - 64);
    EXPECT_TRUE(made->is_linear());
    EXPECT_FALSE(made->head_shared());
    EXPECT_EQ(made->truesize(), 256 + sizeof(packet));
    EXPECT_EQ(made->info().hash, 0u);
    EXPECT_EQ(made->info().checksum_state, checksum_state::none);
    EXPECT_EQ(all.packets().in_flight(), 1u);
}

TEST(packet_pool, a_reused_descriptor_remembers_nothing_of_its_last_packet) {
    packet_fixture all({.packets = 1});
    packet_ptr made = all.make(10, 20, {30});
    made->info().hash = 7;
    made->info().checksum_state = checksum_state::complete;
    made->set_network_header(5);
    made = {};
    made = all.packets().allocate(100);
    EXPECT_EQ(made->info().hash, 0u);
    EXPECT_EQ(made->info().checksum_state, checksum_state::none);
    EXPECT_EQ(made->network_header(), made->data());
    EXPECT_TRUE(made->is_linear());
    EXPECT_EQ(made->truesize(), 256 + sizeof(packet));
}

TEST(packet_pool, builds_around_bytes_that_are_there) {
    packet_fixture all;
    page* const under = all.pages().allocate();
    under->data()[600] = std::byte{42};
    const packet_ptr made = all.packets().build_around(
        *under, {.offset = 512, .headroom = 88, .bytes = 60, .room = 364, .held = 512});
    ASSERT_TRUE(made);
    EXPECT_EQ(made->data(), under->data() + 600);
    EXPECT_EQ(made->size(), 60u);
    EXPECT_EQ(made->headlen(), 60u);
    EXPECT_EQ(made->headroom(), 88u);
    EXPECT_EQ(made->tailroom(), 364u);
    EXPECT_EQ(made->truesize(), 512 + sizeof(packet));
    EXPECT_EQ(under->references(), 1u) << "the caller's, which is now the packet's";
}

TEST(packet_pool, an_idle_descriptor_keeps_its_head_until_somebody_needs_it) {
    packet_fixture all({.packets = 2, .heads = {2, 1, 1}});
    packet_ptr first = all.packets().allocate(100, 16);
    const std::byte* const head = first->data() - 16;
    first = {};
    EXPECT_EQ(all.packets().heads_kept(0), 1u);
    EXPECT_EQ(all.pools()[0].in_flight(), 1u) << "for its pool the head is out";
    EXPECT_EQ(all.packets().in_flight(), 0u) << "but no packet is";

    first = all.packets().allocate(200);
    EXPECT_EQ(first->data(), head) << "the next packet of that size begins with it";
    EXPECT_EQ(first->truesize(), 256 + sizeof(packet));
    EXPECT_EQ(all.packets().heads_kept(0), 0u);
    first = {};

    // Descriptors are short: both are had, though one must let go of its head.
    page* const under = all.pages().allocate();
    under->hold();
    const packet_ptr around[] = {all.packets().build_around(*under, {.bytes = 64, .held = 1024}),
                                 all.packets().build_around(*under, {.bytes = 64, .held = 1024})};
    EXPECT_TRUE(around[0] && around[1]);
    EXPECT_EQ(all.pools()[0].in_flight(), 0u);
}

TEST(packet_pool, a_kept_head_is_there_for_a_packet_that_needs_another_one) {
    packet_fixture all({.packets = 4, .heads = {2, 1, 1}});
    packet_ptr moving = all.packets().allocate(100);
    all.packets().allocate(100).free(drop_reason::consumed);
    EXPECT_EQ(all.pools()[0].free(), 0u);
    EXPECT_TRUE(moving->expand_head(0, 0));
    EXPECT_EQ(moving->truesize(), 256 + sizeof(packet)) << "not a larger one";
    EXPECT_EQ(all.packets().heads_kept(0), 0u);
}

TEST(packet_pool, gives_kept_heads_back_when_it_goes) {
    memory_block memory(4 * 256);
    page_pool heads = *page_pool::create(memory.bytes(), 256);
    page_pool* const sizes[] = {&heads};
    {
        packet_pool packets = *packet_pool::create({.packets = 4, .heads = sizes});
        packets.allocate(100).free(drop_reason::consumed);
        EXPECT_EQ(heads.in_flight(), 1u);
    }
    EXPECT_EQ(heads.in_flight(), 0u);
}

// A page of 64-byte strides, and one frame of it held: what is charged is what cannot be had back meanwhile.
TEST(packet_pool, a_short_frame_that_pins_a_page_is_charged_for_the_page) {
    packet_fixture all;
    page* const under = all.pages().allocate();
    const packet_ptr made = all.packets().build_around(*under, {.bytes = 64, .held = under->size()});
    EXPECT_EQ(made->truesize(), 1024 + sizeof(packet));
    EXPECT_EQ(made->size(), 64u);
}

// Every way to run dry, one resource after the other, leaves nothing behind.
TEST(packet_pool, allocate_gives_back_what_it_took_when_the_rest_is_out) {
    packet_fixture all({.keep_heads = false}); // a kept one would be had where none is left
    for (std::uint32_t packets = 0; packets != 3; ++packets)
        for (std::uint32_t heads = 0; heads != 3; ++heads) {
            const packet_shortage few_packets(all, packets);
            const shortage few_small(all.pools()[0], heads), no_medium(all.pools()[1], 0),
                no_large(all.pools()[2], 0);
            const auto before = all.in_flight();
            {
                std::vector<packet_ptr> made;
                while (packet_ptr next = all.packets().allocate(100))
                    made.push_back(std::move(next));
                EXPECT_EQ(made.size(), std::min(packets, heads));
                const auto dry = all.in_flight();
                EXPECT_FALSE(all.packets().allocate(100));
                EXPECT_FALSE(all.packets().allocate(~0u, ~0u)) << "the sum would wrap";
                EXPECT_EQ(all.in_flight(), dry);
            }
            EXPECT_EQ(all.in_flight(), before);
        }
    EXPECT_EQ(all.in_flight(), all_home);
}

TEST(packet_pool, build_around_leaves_the_reference_to_the_caller_when_descriptors_are_out) {
    packet_fixture all;
    page* const under = all.pages().allocate();
    {
        const packet_shortage one_left(all, 1);
        const packet_ptr made = all.packets().build_around(*under, {.bytes = 8, .held = 8});
        EXPECT_TRUE(made);
        under->hold();
        EXPECT_FALSE(all.packets().build_around(*under, {.bytes = 8, .held = 8}));
        EXPECT_EQ(under->references(), 2u);
    }
    EXPECT_EQ(under->references(), 1u);
    under->release();
    EXPECT_EQ(all.in_flight(), all_home);
}

TEST(packet_pool, every_free_has_a_reason) {
    packet_fixture all;
    all.make(0, 1).free(drop_reason::filter);
    all.make(0, 1).free(drop_reason::consumed);
    {
        const packet_ptr forgotten = all.make(0, 1);
    }
    packet_ptr gone = all.make(0, 1);
    gone.free(drop_reason::filter);
    gone.free(drop_reason::filter); // empty by now
    EXPECT_EQ(all.packets().dropped(drop_reason::filter), 2u);
    EXPECT_EQ(all.packets().dropped(drop_reason::consumed), 0u) << "it is no drop";
    EXPECT_EQ(all.packets().consumed(), 1u);
    EXPECT_EQ(all.packets().dropped(drop_reason::not_specified), 1u) << "a reason nobody gave is a drop";
    EXPECT_EQ(all.in_flight(), all_home);
}

TEST(packet_ptr, has_one_packet_and_hands_it_on) {
    packet_fixture all;
    packet_ptr first = all.make(0, 1);
    packet* const address = first.get();
    packet_ptr second = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_EQ(&*second, address);
    first = all.make(0, 2);
    first = std::move(second);
    EXPECT_EQ(first.get(), address);
    EXPECT_EQ(all.packets().in_flight(), 1u) << "what it had before went home";
    packet_ptr& alias = first;
    first = std::move(alias);
    EXPECT_EQ(first.get(), address);
    packet* const loose = first.release();
    EXPECT_FALSE(first);
    packet_ptr again(loose);
    first.swap(again);
    EXPECT_EQ(first->size(), 1u);
}

TEST(packet_pool, moves_while_packets_are_out) {
    memory_block memory(512);
    page_pool heads = std::move(page_pool::create(memory.bytes(), 256)).value();
    page_pool* const sizes[] = {&heads};
    result<packet_pool> made = packet_pool::create({.packets = 2, .heads = sizes});
    ASSERT_TRUE(made);
    packet_ptr out = made->allocate(1);
    packet_pool moved = std::move(*made);
    EXPECT_EQ(moved.in_flight(), 1u);
    EXPECT_EQ(moved.packets(), 2u);
    out = {};
    EXPECT_EQ(moved.in_flight(), 0u);
    packet_pool idle = std::move(packet_pool::create({.packets = 1, .heads = sizes})).value();
    idle = std::move(moved);
    EXPECT_EQ(idle.packets(), 2u);
}

TEST(packet_pool, refuses_what_cannot_be_with_advice) {
    memory_block memory(4096);
    page_pool small = std::move(page_pool::create(memory.bytes().first(256), 256)).value();
    page_pool large = std::move(page_pool::create(memory.bytes().subspan(1024), 1024)).value();
    page_pool* const upside_down[] = {&large, &small};
    page_pool* const in_order[] = {&small, &large};
    page_pool* const equal[] = {&small, &small, &large};
    page_pool* const too_many[] = {&small, &small, &small, &small, &small};
    page_pool* const one_missing[] = {&small, nullptr};
    const packet_pool_request wrong[] = {
        {.packets = 0, .heads = in_order},    {.packets = ~0u, .heads = in_order},
        {.packets = 4, .heads = upside_down}, {.packets = 4, .heads = equal},
        {.packets = 4, .heads = too_many},    {.packets = 4, .heads = in_order, .tail_overhead = 256},
        {.packets = 4, .heads = one_missing},
    };
    for (const packet_pool_request& request : wrong) {
        const result<packet_pool> made = packet_pool::create(request);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, std::errc::invalid_argument);
        EXPECT_GT(std::string(made.error().advice).size(), 20u);
    }
    EXPECT_TRUE(packet_pool::create({.packets = 4, .heads = in_order, .tail_overhead = 255}));
    const result<packet_pool> no_heads = packet_pool::create({.packets = 4});
    ASSERT_TRUE(no_heads) << "enough to build around pages";
}

// One owner makes packets and clones them; other threads read and free in any order. The mailboxes order
// nothing on the way back, so the sanitizer sees it if a page, a share or a descriptor came home without its
// history.
TEST(packet_pool, packets_and_clones_come_home_from_many_threads) {
    constexpr std::size_t readers = 2;
    packet_fixture all({.packets = 8, .heads = {4, 1, 1}, .pages = 4});
    random_steps random;
    std::atomic<packet*> mailbox[readers] = {};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (std::atomic<packet*>& mine : mailbox)
        threads.emplace_back([&] {
            for (;;) {
                packet* const got = mine.load(std::memory_order_acquire);
                if (got == nullptr) {
                    if (over.load(std::memory_order_acquire))
                        break;
                    std::this_thread::yield();
                    continue;
                }
                mine.store(nullptr, std::memory_order_relaxed);
                packet_ptr read(got);
                const std::vector<std::byte> bytes = bytes_of(*read);
                for (const std::byte each : bytes)
                    EXPECT_EQ(each, bytes.front()) << "written while it was held";
                read.free(drop_reason::consumed);
            }
        });
    const auto send = [&](packet_ptr what) {
        std::atomic<packet*>& to = random.pick(mailbox);
        while (to.load(std::memory_order_relaxed) != nullptr)
            std::this_thread::yield();
        to.store(what.release(), std::memory_order_release);
    };
    {
        const auto packets_entered = all.packets().enter();
        const auto heads_entered = all.pools()[0].enter();
        const auto pages_entered = all.pages().enter();
        for (int round = 0; round != 5'000; ++round) {
            packet_ptr made = all.packets().allocate(64, 16);
            page* const under = made ? all.pages().allocate() : nullptr;
            if (under == nullptr) {
                std::this_thread::yield();
                continue;
            }
            const auto mark = random.byte();
            std::memset(made->put(64), static_cast<int>(mark), 64);
            std::memset(under->data(), static_cast<int>(mark), 64);
            EXPECT_EQ(made->add_fragment({under, 0, 64, 1024}), packet::attached::taken);
            for (std::uint32_t clones = random.below(3); clones-- != 0;)
                if (packet_ptr twin = made->clone())
                    send(std::move(twin));
            if (random.one_in(2)) {
                while (made->head_shared())
                    std::this_thread::yield();
                std::memset(made->push(16), static_cast<int>(~mark), 16); // nobody reads it any more
                std::memset(made->data(), static_cast<int>(~mark), made->headlen());
                ASSERT_TRUE(made->cut(made->headlen()));
            }
            send(std::move(made));
        }
    }
    over.store(true, std::memory_order_release);
    for (std::thread& each : threads)
        each.join();
    EXPECT_EQ(all.in_flight(), all_home);
}

// made = in flight + dropped + consumed, whatever became of each packet and on whatever thread.
TEST(packet_pool, what_was_made_is_out_or_dropped_or_consumed) {
    packet_fixture all({.packets = 12, .pages = 4});
    random_steps random;
    std::vector<packet_ptr> out;
    std::uint64_t made = 0, dropped = 0, consumed = 0;
    const auto keep = [&](packet_ptr one) {
        if (!one)
            return;
        ++made;
        out.push_back(std::move(one));
    };
    const auto free = [&](packet_ptr one) {
        constexpr drop_reason reasons[] = {drop_reason::consumed, drop_reason::consumed, drop_reason::filter,
                                           drop_reason::not_specified, user_drop_reason(3, 4)};
        const drop_reason reason = random.pick(reasons);
        ++(reason == drop_reason::consumed ? consumed : dropped);
        one.free(reason);
    };
    std::optional<packet_pool::owner_section> entered(std::in_place, all.packets());
    page* const under = all.pages().allocate();
    const std::uint64_t steps = random_steps::count(20'000, 2'000);
    for (std::uint64_t step = 0; step != steps; ++step) {
        const std::uint32_t what = random.below(9);
        if (what < 2) {
            keep(all.packets().allocate(random.below(3000))); // some are too large for any head
        } else if (what == 2) {
            under->hold();
            packet_ptr around = all.packets().build_around(*under, {.bytes = 9, .held = 9});
            if (!around)
                under->release();
            keep(std::move(around));
        } else if (!out.empty()) {
            std::swap(random.pick(out), out.back());
            packet& last = *out.back();
            if (what == 3) {
                keep(last.clone());
            } else if (what == 4) {
                keep(copy(last));
            } else if (what == 5) {
                keep(pcopy(last, 20));
            } else if (what == 6 && out.size() > 1) {
                consumed += try_coalesce(last, out.front()); // swallowed is consumed
                if (!out.front())
                    out.erase(out.begin());
            } else {
                packet_ptr gone = std::move(out.back());
                out.pop_back();
                if (random.one_in(2))
                    free(std::move(gone));
                else if (random.one_in(50))
                    std::thread([&] { free(std::move(gone)); }).join();
                else
                    out.push_back(std::move(gone));
            }
        }
        ASSERT_EQ(all.packets().consumed(), consumed) << "step " << step << ", operation " << what;
        ASSERT_EQ(all.packets().made(), made);
        ASSERT_EQ(all.packets().dropped(), dropped);
        ASSERT_EQ(made, all.packets().in_flight() + dropped + consumed);
    }
    EXPECT_GT(consumed, steps / 100);
    EXPECT_GT(dropped, steps / 100);
    out.clear();
    under->release();
    EXPECT_EQ(all.packets().consumed(), consumed) << "forgotten ones are drops";
    EXPECT_EQ(all.packets().made(), consumed + all.packets().dropped());
    // And every drop has its reason: the library's one by one, those of users together.
    std::uint64_t by_reason = all.packets().dropped(user_drop_reason(1, 1));
    for (std::size_t i = 0; i != drop_reason_count; ++i)
        by_reason += all.packets().dropped(static_cast<drop_reason>(i));
    EXPECT_EQ(by_reason, all.packets().dropped());
}

// A buffer of another library.
struct lender {
    std::array<std::byte, 300> memory{};
    int told = 0;
    std::thread::id teller{};

    static void release(void* self, std::span<std::byte> bytes) noexcept {
        lender& mine = *static_cast<lender*>(self);
        EXPECT_EQ(bytes.data(), mine.memory.data());
        EXPECT_EQ(bytes.size(), mine.memory.size());
        mine.teller = std::this_thread::get_id();
        ++mine.told;
    }
};

struct wrapping {
    explicit wrapping(std::uint32_t packets = 4, std::uint32_t buffers = 2)
        : pool(
              packet_pool::create({.packets = packets, .heads = heads, .foreign_buffers = buffers}).value()) {
    }

    memory_block memory{4 * 512};
    page_pool head_pool = page_pool::create(memory.bytes(), 512).value();
    page_pool* const heads[1] = {&head_pool};
    packet_pool pool;
};

TEST(packet_pool, wraps_what_is_not_its_own) {
    wrapping all;
    lender from;
    packet_ptr made = all.pool.wrap(from.memory, &from, lender::release);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->data(), from.memory.data());
    EXPECT_EQ(made->headlen(), 300u);
    EXPECT_EQ(made->headroom(), 0u);
    EXPECT_EQ(made->truesize(), 300 + sizeof(packet));
    made = {};
    EXPECT_EQ(from.told, 1);

    made = all.pool.wrap(from.memory, {.headroom = 64, .bytes = 100, .room = 136, .held = 300}, &from,
                         lender::release);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->push(64), from.memory.data());
    EXPECT_EQ(made->put(136), from.memory.data() + 164);
    made.free(drop_reason::consumed);
    EXPECT_EQ(from.told, 2);
}

TEST(packet_pool, tells_the_lender_once_when_clone_split_and_shift_have_all_let_go) {
    wrapping all(8);
    lender from;
    for (int last = 0; last != 4; ++last) {
        packet_ptr made = all.pool.wrap(from.memory, &from, lender::release);
        packet_ptr around = all.pool.allocate(0);
        ASSERT_TRUE(try_coalesce(*around, made) || !made) << "with room it was copied";
        made = all.pool.allocate(0);
        ASSERT_NE(made->put(512), nullptr); // no room: so what comes behind must be attached
        packet_ptr wrapped = all.pool.wrap(from.memory, &from, lender::release);
        const int told = from.told;
        ASSERT_TRUE(try_coalesce(*made, wrapped));
        ASSERT_EQ(made->fragments().size(), 1u);
        packet_ptr twin = made->clone();
        packet_ptr rest = all.pool.allocate(0);
        ASSERT_TRUE(split(*made, 512 + 200, *rest));
        packet_ptr shifted = all.pool.allocate(0);
        ASSERT_EQ(shift(*shifted, *rest, 50), 50u);
        packet_ptr* const holders[] = {&made, &twin, &rest, &shifted};
        for (int i = 1; i != 4; ++i)
            holders[(last + i) % 4]->free(drop_reason::consumed);
        EXPECT_EQ(from.told, told) << "one has it still";
        std::thread::id where;
        std::thread([&] {
            where = std::this_thread::get_id();
            holders[last]->free(drop_reason::consumed);
        }).join();
        EXPECT_EQ(from.told, told + 1);
        EXPECT_EQ(from.teller, where) << "on the thread of the last release";
    }
    EXPECT_EQ(all.pool.in_flight(), 0u);
}

TEST(packet_pool, memory_that_could_not_be_wrapped_is_still_the_callers) {
    wrapping all(2, 1);
    lender from, other;
    packet_ptr made = all.pool.wrap(from.memory, &from, lender::release);
    ASSERT_TRUE(made);
    EXPECT_FALSE(all.pool.wrap(other.memory, &other, lender::release)) << "as many as were asked for are out";
    EXPECT_EQ(all.pool.in_flight(), 1u);
    packet_ptr twin = made->clone();
    ASSERT_TRUE(twin);
    twin = {};
    made = {};
    EXPECT_EQ(from.told, 1);
    const packet_ptr both[] = {all.pool.allocate(1), all.pool.allocate(1)};
    EXPECT_FALSE(all.pool.wrap(other.memory, &other, lender::release)) << "no descriptor";
    EXPECT_EQ(other.told, 0);
    EXPECT_FALSE(wrapping(1, 0).pool.wrap(other.memory, &other, lender::release)) << "none was asked for";
}

#if NORIA_CONTRACT == 2
TEST(packet_pool_death_test, a_pool_that_goes_inside_its_own_section) {
    EXPECT_DEATH(
        {
            std::optional<packet_pool> pool(packet_pool::create({.packets = 1}).value());
            const packet_pool::owner_section entered = pool->enter();
            pool.reset();
        },
        "inside the owner's section of this pool: leave it");
}

TEST(packet_pool_death_test, a_pool_that_goes_while_what_it_wrapped_is_held) {
    EXPECT_DEATH(
        {
            lender from;
            page* held = nullptr;
            wrapping all;
            packet_ptr made = all.pool.allocate(0);
            static_cast<void>(made->put(512));
            packet_ptr wrapped = all.pool.wrap(from.memory, &from, lender::release);
            static_cast<void>(try_coalesce(*made, wrapped));
            held = made->fragments()[0].under;
            held->hold();
            made = {};
        },
        "wrapped memory is still held");
}

TEST(packet_pool_death_test, a_lender_that_nobody_can_tell) {
    lender from;
    wrapping all;
    EXPECT_DEATH(static_cast<void>(all.pool.wrap(from.memory, &from, nullptr)), "give a function");
}

TEST(packet_pool_death_test, a_pool_that_goes_before_its_packets) {
    EXPECT_DEATH(
        {
            packet_fixture all;
            static_cast<void>(all.make(0, 1).release());
        },
        "packets are still out");
}

TEST(packet_pool_death_test, what_is_built_around_lies_on_its_page_and_is_charged_for) {
    packet_fixture all;
    page* const under = all.pages().allocate();
    EXPECT_DEATH(
        static_cast<void>(all.packets().build_around(*under, {.bytes = 64, .room = 1000, .held = 1024})),
        "on its page");
    EXPECT_DEATH(
        static_cast<void>(all.packets().build_around(*under, {.headroom = 1024, .room = ~0u, .held = 1})),
        "on its page");
    EXPECT_DEATH(static_cast<void>(all.packets().build_around(*under, {.bytes = 64})), "charged for");
    EXPECT_DEATH(static_cast<void>(all.packets().build_around(*under, {.bytes = 64, .room = 1, .held = 64})),
                 "charged for");
    under->release();
}
#endif

} // namespace
