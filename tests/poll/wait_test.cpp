// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/wait.hpp"

#include <poll.h>

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "noria/poll/poller.hpp"
#include "support/poll_source.hpp"
#include "support/random.hpp"

namespace {

using noria::poll_instance;

bool readable(int fd) {
    pollfd asked{fd, POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

TEST(PollSleep, DoesNotSleepWhileThereIsSomethingToDo) {
    noria::poller poller;
    poll_source source{.waiting = 1'000};
    poll_instance instance(poller, source);
    noria::poll_sleep sleep;
    instance.schedule();
    sleep.wait(poller); // or the test hangs
    EXPECT_FALSE(sleep.prepare(poller));
    (void)poller.cycle();
    sleep.wait(poller); // it was cut off
    poller.disable(instance);
    EXPECT_TRUE(sleep.prepare(poller));
    EXPECT_TRUE(sleep.finish(poller)) << "still nothing";
}

TEST(PollSleep, AnFdBecomesReadableWhenSomethingIsScheduled) {
    noria::poller poller;
    poll_source source{.waiting = 1};
    poll_instance instance(poller, source);
    noria::event_poll_sleep sleep(*noria::eventfd_sleep::open());
    ASSERT_TRUE(sleep.prepare(poller));
    EXPECT_FALSE(readable(sleep.fd()));
    instance.schedule();
    EXPECT_TRUE(readable(sleep.fd()));
    EXPECT_FALSE(sleep.finish(poller));
    EXPECT_FALSE(readable(sleep.fd())) << "acknowledged";
    EXPECT_EQ(poller.cycle().work_done, 1u);

    instance.schedule();
    EXPECT_FALSE(readable(sleep.fd())) << "nobody is woken who does not sleep";
    EXPECT_FALSE(sleep.prepare(poller));
    poller.disable(instance);
}

// Somebody found us asleep, and is held up before he rings; we got up for another reason meanwhile. When he
// rings at last it is for nothing: once, and not for as long as nobody comes.
TEST(PollSleep, AWakeThatComesLateIsForgottenAgain) {
    struct played {
        bool something = false;
        noria::poll_waker armed{};
        bool arm(const noria::poll_waker& waker) noexcept {
            armed = waker;
            return !something;
        }
        bool disarm() noexcept { return !something; }
    } loop;
    noria::event_poll_sleep sleep(*noria::eventfd_sleep::open());
    const auto ring = [&] { loop.armed.function(loop.armed.context); };
    ASSERT_TRUE(sleep.prepare(loop));
    loop.something = true;
    EXPECT_FALSE(sleep.finish(loop));
    ring();
    EXPECT_FALSE(readable(sleep.fd())) << "who is awake is not woken";
    EXPECT_FALSE(sleep.prepare(loop));
    ring();
    EXPECT_FALSE(readable(sleep.fd())) << "nor who stays awake";

    loop.something = false;
    ASSERT_TRUE(sleep.prepare(loop));
    ring();
    EXPECT_TRUE(readable(sleep.fd())) << "it cannot know that this one is late";
    EXPECT_TRUE(sleep.finish(loop)) << "there is still nothing";
    EXPECT_FALSE(readable(sleep.fd()));
}

// Spins for as long as it was told, then asks the sleeper.
TEST(AdaptiveWait, SpinsFirstAndSleepsThen) {
    struct ticking {
        noria::nanoseconds* time;
        noria::nanoseconds now() noexcept { return *time += 10; }
    };
    struct counting {
        int sleeps = 0;
        void wait(noria::poller&) noexcept { ++sleeps; }
    } sleeper;
    noria::nanoseconds time = 0;
    noria::poller poller;
    poll_source source{.waiting = 1};
    poll_instance instance(poller, source);
    noria::adaptive_wait<counting, ticking> waiting(sleeper, 100, ticking{&time});
    wait_for_work(poller, waiting);
    EXPECT_EQ(sleeper.sleeps, 1);
    EXPECT_EQ(time, 110u) << "not before its time was over";
    instance.schedule();
    wait_for_work(poller, waiting);
    EXPECT_EQ(sleeper.sleeps, 1) << "there was work at the first look";
    poller.disable(instance);
}

struct last_source {
    bool over = false;
    std::uint32_t poll(std::uint32_t) noexcept {
        over = true;
        return 0;
    }
    bool rearm() noexcept { return true; }
};
// One call at a time, and the answer is waited for, so that the poller goes to sleep between any two.
struct echo {
    std::atomic<std::uint32_t> asked{0}, answered{0};
    std::uint32_t poll(std::uint32_t) noexcept {
        answered = asked.load();
        return 0;
    }
    bool rearm() noexcept { return true; }
};

template <class Policy>
void expect_each_call_answered(Policy&& policy) {
    const auto calls = static_cast<std::uint32_t>(random_steps::count(300, 50));
    noria::poller poller;
    last_source last;
    echo source;
    poll_instance stop(poller, last), instance(poller, source);
    std::thread driver([&] {
        // [thread]
        while (!last.over) {
            (void)poller.cycle();
            if (!last.over)
                wait_for_work(poller, policy);
        }
        // [/thread]
    });
    for (std::uint32_t call = 1; call <= calls; ++call) {
        source.asked = call;
        instance.schedule();
        while (source.answered != call)
            std::this_thread::yield();
    }
    instance.synchronise();
    stop.schedule();
    driver.join();
}

TEST(WaitForWork, WakesForEachCallWhateverThePolicy) {
    expect_each_call_answered(noria::spin_wait());
    expect_each_call_answered(noria::pause_wait());
    expect_each_call_answered(noria::yield_wait());
    noria::poll_sleep asleep;
    expect_each_call_answered(asleep);
    noria::event_poll_sleep on_fd(*noria::eventfd_sleep::open());
    expect_each_call_answered(on_fd);
    expect_each_call_answered(noria::adaptive_wait(asleep, 1'000));
}

} // namespace
