// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/inbox.hpp"

#include <array>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

struct node {
    std::size_t thread = 0;
    std::size_t number = 0;
    node* next = nullptr;
};
using inbox = noria::basic_poll_inbox<node>;

std::vector<std::size_t> numbers(node* from) {
    std::vector<std::size_t> all;
    for (; from != nullptr; from = from->next)
        all.push_back(from->number);
    return all;
}

TEST(PollInbox, GivesWhatCameInTheOrderItCame) {
    inbox in;
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(in.take(), nullptr);
    std::array<node, 3> nodes{{{0, 1}, {0, 2}, {0, 3}}};
    for (node& each : nodes)
        in.push(each);
    EXPECT_FALSE(in.empty());
    EXPECT_EQ(numbers(in.take()), (std::vector<std::size_t>{1, 2, 3}));
    EXPECT_TRUE(in.empty());
    in.push(nodes[1]);
    EXPECT_EQ(numbers(in.take()), (std::vector<std::size_t>{2}));
}

TEST(PollInbox, WakesOnceForEachArming) {
    inbox in;
    int woken = 0;
    const noria::poll_waker waker{[](void* count) noexcept { ++*static_cast<int*>(count); }, &woken};
    node first, second;
    EXPECT_FALSE(in.disarm()) << "nothing is armed";
    EXPECT_TRUE(in.arm(waker));
    EXPECT_TRUE(in.empty()) << "a sleeper is not something to take";
    EXPECT_EQ(in.take(), nullptr);
    in.push(first);
    EXPECT_EQ(woken, 1);
    in.push(second);
    EXPECT_EQ(woken, 1);
    EXPECT_FALSE(in.arm(waker)) << "there is something to take";
    EXPECT_FALSE(in.disarm());
    EXPECT_EQ(in.take(), &first);
    EXPECT_EQ(first.next, &second) << "the waker is no node";
    EXPECT_EQ(second.next, nullptr);

    EXPECT_TRUE(in.arm(waker));
    EXPECT_TRUE(in.disarm());
    in.push(first);
    EXPECT_EQ(woken, 1) << "disarmed";
}

TEST(PollInbox, KeepsTheOrderOfEachOfManyThreads) {
    const std::size_t each_sends = random_steps::count(20'000, 1'000);
    std::vector<std::vector<node>> nodes(3);
    inbox in;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t != 3; ++t) {
        nodes[t].resize(each_sends);
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i != each_sends; ++i) {
                nodes[t][i].thread = t;
                nodes[t][i].number = i;
                in.push(nodes[t][i]);
            }
        });
    }
    std::array<std::size_t, 3> next{};
    bool ordered = true;
    for (std::size_t taken = 0; taken != 3 * each_sends;) {
        node* each = in.take();
        if (each == nullptr)
            std::this_thread::yield();
        for (; each != nullptr; each = each->next, ++taken)
            ordered = ordered && each->number == next[each->thread]++;
    }
    for (std::thread& each : threads)
        each.join();
    EXPECT_TRUE(ordered);
}

#if NORIA_CONTRACT == 2
TEST(PollInboxDeathTest, HasOneSleeper) {
    inbox in;
    const noria::poll_waker waker{[](void*) noexcept {}, nullptr};
    ASSERT_TRUE(in.arm(waker));
    EXPECT_DEATH((void)in.arm(waker), "one poller, one sleeper");
}
#endif

} // namespace
