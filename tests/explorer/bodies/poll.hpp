// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "explorer/bodies/notifier.hpp"
#include "explorer/explorer.hpp"
#include "noria/poll/background.hpp"
#include "noria/poll/busy_poll.hpp"
#include "noria/poll/instance.hpp"
#include "noria/poll/poller.hpp"
#include "noria/poll/wait.hpp"

// Instances between pollers, devices and those who control them. A lost call shows as a frame that is left
// where nothing is scheduled, or as a poller that is asleep for ever; two threads in one poll as a data race.

namespace bodies {

struct stopped_clock {
    [[nodiscard]] noria::nanoseconds now() const noexcept { return 0; }
};

template <class Sync>
using model_poller = noria::basic_poller<stopped_clock, Sync>;

constexpr noria::poll_budget one_a_turn{.packets = 2, .weight = 1};

// A device with an interrupt that it masks when it has raised it. The two orders here are the device's, and
// the least that it needs: whoever unmasks sees the frames of before, or is called.
template <class Sync>
struct model_device {
    template <class Instance>
    void raise(Instance& instance) noexcept {
        frames.fetch_add(1, std::memory_order_relaxed);
        if (unmasked.exchange(0, std::memory_order_release) == 1)
            instance.schedule();
    }

    // A frame that came without a word about the interrupt: the caller schedules whenever he likes.
    void bring() noexcept { frames.fetch_add(1, std::memory_order_relaxed); }

    std::uint32_t poll(std::uint32_t budget) noexcept {
        touch();
        const std::uint32_t waiting = frames.load(std::memory_order_relaxed);
        const std::uint32_t done = waiting < budget ? waiting : budget;
        if (done != 0)
            frames.fetch_sub(done, std::memory_order_relaxed);
        return done;
    }
    bool rearm() noexcept {
        unmasked.exchange(1, std::memory_order_acquire);
        if (frames.load(std::memory_order_relaxed) == 0)
            return true;
        // Either it is masked again by us, or by the device, which then calls.
        return unmasked.exchange(0, std::memory_order_relaxed) == 0;
    }

    [[nodiscard]] bool empty() const noexcept { return frames.load(std::memory_order_relaxed) == 0; }

    // What one thread at a time may do: those who poll, and those who have disabled.
    void touch() noexcept {
        std::uint32_t before = 0;
        Sync::read(state, before);
        Sync::write(state, before + 1);
    }

    typename Sync::template atomic<std::uint32_t> frames{0}, unmasked{1};
    typename Sync::template cell<std::uint32_t> state;
};

// The same without an interrupt of its own: all is left to the instance.
template <class Sync>
struct called_device {
    void bring() noexcept { device.bring(); }
    void touch() noexcept { device.touch(); }
    std::uint32_t poll(std::uint32_t budget) noexcept { return device.poll(budget); }
    static bool rearm() noexcept { return true; }
    [[nodiscard]] bool empty() const noexcept { return device.empty(); }

    model_device<Sync> device;
};

// Ends the loop of a poller's thread: schedule it last.
struct last_call {
    std::uint32_t poll(std::uint32_t) noexcept {
        seen = true;
        return 0;
    }
    static bool rearm() noexcept { return true; }
    bool seen = false;
};

// Nothing is left behind where nothing is scheduled.
template <class Poller, class Device>
void expect_served(Poller& poller, Device& device) {
    while (poller.pending())
        (void)poller.cycle();
    explorer::check(device.empty(), "no call is lost");
}

// A device, the poller that serves it, and the instance between the two: what most bodies have.
template <class Sync, class Device = called_device<Sync>>
struct served_device {
    explicit served_device(noria::poll_budget budget = one_a_turn) : poller(budget) {}

    // A frame comes, and somebody says so.
    void call() noexcept {
        device.bring();
        instance.schedule();
    }
    void expect_served() { bodies::expect_served(poller, device); }

    Device device;
    model_poller<Sync> poller;
    noria::basic_poll_instance<Sync> instance{poller, device};
};

// The device raises at any point of the poller's turn, rearm, and way to sleep.
template <class Sync, class Sleep, std::uint32_t Frames>
struct raised_at_any_point {
    static constexpr unsigned threads = 2;

    void thread(unsigned index) {
        if (index == 0) {
            for (std::uint32_t i = 0; i != Frames; ++i)
                rx.device.raise(rx.instance);
        } else {
            for (std::uint32_t taken = 0; taken != Frames;) {
                taken += rx.poller.cycle().work_done;
                if (taken != Frames)
                    sleep.wait(rx.poller);
            }
        }
    }
    void finish() { rx.expect_served(); }

    served_device<Sync, model_device<Sync>> rx;
    noria::basic_poll_sleep<Sync, Sleep> sleep;
};

// Two threads call, in the middle of a turn and between turns, and every call is answered by a poll that sees
// what was written before it. A turn of one frame is never the last; a turn of two may be.
template <class Sync, std::uint32_t Weight>
struct called_by_two {
    static constexpr unsigned threads = 3;

    void thread(unsigned index) {
        if (index < 2) {
            rx.call();
        } else {
            (void)rx.poller.cycle();
        }
    }
    void finish() { rx.expect_served(); }

    served_device<Sync> rx{{.packets = 2, .weight = Weight}};
};

// Whoever enables has prepared the device, and somebody else calls.
template <class Sync>
struct enabled_and_called {
    static constexpr unsigned threads = 3;

    enabled_and_called() { rx.instance.disable(); }
    void thread(unsigned index) {
        if (index == 0) {
            rx.device.touch();
            rx.instance.enable();
        } else if (index == 1) {
            rx.call();
        } else {
            (void)rx.poller.cycle();
        }
    }
    void finish() { rx.expect_served(); }

    served_device<Sync> rx;
};

// After synchronise() the turns of before are over.
template <class Sync>
struct waited_for {
    static constexpr unsigned threads = 2;

    waited_for() { rx.call(); }
    void thread(unsigned index) {
        if (index == 0) {
            (void)rx.poller.cycle();
        } else {
            rx.instance.synchronise(noria::basic_pause_wait<Sync>());
            rx.device.touch();
        }
    }
    void finish() { rx.expect_served(); }

    served_device<Sync> rx{{.packets = 3, .weight = 1}};
};

// The device is taken away from its poller, something is done to it, and it is given back.
template <class Sync>
struct disabled_between_turns {
    static constexpr unsigned threads = 2;

    disabled_between_turns() { rx.call(); }
    void thread(unsigned index) {
        if (index == 0) {
            while (!given_back.load(std::memory_order_relaxed)) {
                (void)rx.poller.cycle();
                Sync::relax();
            }
        } else {
            rx.instance.disable(noria::basic_pause_wait<Sync>());
            rx.device.touch();
            rx.device.bring();
            rx.instance.enable();
            given_back.store(true, std::memory_order_relaxed);
            rx.instance.schedule();
        }
    }
    void finish() { rx.expect_served(); }

    served_device<Sync> rx;
    typename Sync::template atomic<bool> given_back{false};
};

// The same while a third thread calls. Those who wait sleep, so that nobody spins for one who has no turn.
template <class Sync>
struct disabled_and_called {
    static constexpr unsigned threads = 3;

    void thread(unsigned index) {
        if (index == 0) {
            while (!end.seen) {
                (void)rx.poller.cycle();
                cycles.fetch_add(1, std::memory_order_release);
                explorer::wake(cycles);
                if (!end.seen)
                    sleep.wait(rx.poller);
            }
        } else if (index == 1) {
            rx.instance.disable(next_cycle{cycles});
            rx.device.touch();
            rx.instance.enable();
            last.schedule();
        } else {
            rx.call();
        }
    }
    void finish() { rx.expect_served(); }

    struct next_cycle {
        typename Sync::template atomic<std::uint32_t>& cycles;
        std::uint32_t seen = 0;
        void wait() noexcept {
            explorer::sleep_while(cycles, seen);
            seen = cycles.load(std::memory_order_acquire);
        }
    };
    last_call end;
    typename Sync::template atomic<std::uint32_t> cycles{0};
    served_device<Sync> rx;
    noria::basic_poll_sleep<Sync, model_futex> sleep;
    noria::basic_poll_instance<Sync> last{rx.poller, end};
};

// Its own poller takes it out of its list, at whatever point of a call, beside a reader who may have it.
template <class Sync, bool Reader>
struct disabled_on_its_own_thread {
    static constexpr unsigned threads = Reader ? 3 : 2;

    void thread(unsigned index) {
        if (index == 0) {
            rx.call();
        } else if (index == 1) {
            rx.poller.disable(rx.instance, noria::basic_pause_wait<Sync>());
            rx.device.touch();
            rx.instance.enable();
            (void)rx.poller.cycle();
        } else {
            (void)noria::busy_poll(rx.instance, 0, stopped_clock(), 1);
        }
    }
    void finish() { rx.expect_served(); }

    served_device<Sync> rx;
};

// Disabled, moved and enabled, it has left its poller for good, and that one may go.
template <class Sync>
struct moved_before_its_poller_goes {
    static constexpr unsigned threads = 2;

    void thread(unsigned index) {
        if (index == 0) {
            device.bring();
            rx.schedule();
        } else {
            first.disable(rx, noria::basic_pause_wait<Sync>());
            rx.move_to(second);
            rx.enable();
        }
    }
    void finish() {
        explorer::check(!first.pending(), "nobody comes to a poller that was left");
        expect_served(second, device);
    }

    called_device<Sync> device;
    model_poller<Sync> first{one_a_turn}, second{one_a_turn};
    noria::basic_poll_instance<Sync> rx{first, device};
};

// An instance moves to another poller while both are driven and it is called. What the mover wrote before is
// there in every turn that the second gives.
template <class Sync>
struct moved_between_pollers {
    static constexpr unsigned threads = 3;

    moved_between_pollers() {
        device.bring();
        rx.schedule();
    }
    void thread(unsigned index) {
        if (index == 0) {
            Sync::write(prepared, 1u);
            rx.move_to(second);
            device.bring();
            rx.schedule();
        } else if (index == 1) {
            (void)first.cycle();
        } else {
            device.owner = this;
            device.second_driver = Sync::self();
            (void)second.cycle();
        }
    }
    void finish() {
        while (first.pending())
            (void)first.cycle();
        expect_served(second, device);
    }

    struct watching {
        std::uint32_t poll(std::uint32_t budget) noexcept {
            if (second_driver == Sync::self()) {
                std::uint32_t ready = 0;
                Sync::read(owner->prepared, ready);
                explorer::check(ready == 1, "what came before the move is there after it");
            }
            return frames.poll(budget);
        }
        bool rearm() noexcept { return true; }
        void bring() noexcept { frames.bring(); }
        [[nodiscard]] bool empty() const noexcept { return frames.empty(); }
        called_device<Sync> frames;
        moved_between_pollers* owner = nullptr;
        const void* second_driver = nullptr;
    };
    watching device;
    typename Sync::template cell<std::uint32_t> prepared;
    model_poller<Sync> first{one_a_turn}, second{one_a_turn};
    noria::basic_poll_instance<Sync> rx{first, device};
};

// A reader polls the device itself, beside the poller.
template <class Sync>
struct polled_by_its_reader {
    static constexpr unsigned threads = 3;

    void thread(unsigned index) {
        if (index == 0) {
            rx.call();
        } else if (index == 1) {
            (void)rx.poller.cycle();
        } else {
            (void)noria::busy_poll(rx.instance, 0, stopped_clock(), 1);
        }
    }
    void finish() { rx.expect_served(); }

    served_device<Sync> rx;
};

// Something that a sleeper leaves for whoever wakes it.
template <class Sync>
struct bedside {
    static void woken(void* self) noexcept {
        auto& left = static_cast<bedside*>(self)->left;
        std::uint32_t found = 0;
        Sync::read(left, found);
        explorer::check(found == 1, "the waker finds what was left for it");
        static_cast<bedside*>(self)->wakes.fetch_add(1, std::memory_order_relaxed);
    }
    typename Sync::template cell<std::uint32_t> left;
    typename Sync::template atomic<std::uint32_t> wakes{0};
    noria::poll_waker waker{woken, this};
};

// A user's own loop arms the poller, and finds either something to do or itself woken.
template <class Sync>
struct armed_by_a_loop {
    static constexpr unsigned threads = 3;

    void thread(unsigned index) {
        if (index < 2) {
            device.bring();
            rx[index].schedule();
        } else {
            Sync::write(bed.left, 1u);
            armed = poller.arm(bed.waker);
        }
    }
    void finish() {
        explorer::check(bed.wakes.load(std::memory_order_relaxed) == (armed ? 1 : 0),
                        "one wake for each arming, and none without");
        explorer::check(!poller.disarm(), "who was woken is not armed");
        expect_served(poller, device);
    }

    called_device<Sync> device;
    bedside<Sync> bed;
    bool armed = false;
    model_poller<Sync> poller{one_a_turn};
    noria::basic_poll_instance<Sync> rx[2]{{poller, device}, {poller, device}};
};

// Two threads that drive one poller in turn, both asleep when there is nothing for them to do. The work is
// more than a cycle does, so that it changes hands.
template <class Sync, class Sleep>
struct shared_with_the_background {
    static constexpr unsigned threads = 2;

    shared_with_the_background() {
        for (unsigned frame = 0; frame != 3; ++frame)
            rx.device.bring();
        rx.instance.schedule();
    }
    void thread(unsigned index) {
        if (index == 0) {
            auto here = shared.foreground();
            while (!end.seen) {
                (void)here.cycle();
                if (!end.seen)
                    noria::wait_for_work(here, sleep[0]);
            }
        } else {
            auto there = shared.background();
            noria::wait_for_work(there, sleep[1]);
            while (there.drives())
                (void)there.cycle();
            last.schedule();
        }
    }
    void finish() { rx.expect_served(); }

    last_call end;
    served_device<Sync> rx;
    noria::basic_poll_instance<Sync> last{rx.poller, end};
    noria::basic_poll_background<model_poller<Sync>, Sync> shared{rx.poller, 1};
    noria::basic_poll_sleep<Sync, Sleep> sleep[2];
};

// Each side asleep by its own means when the poller is passed to it.
template <class Sync>
struct passed_to_a_sleeper {
    static constexpr unsigned threads = 2;

    passed_to_a_sleeper() {
        rx.device.bring();
        rx.call();
    }
    void thread(unsigned index) {
        if (index == 0) {
            auto here = shared.foreground();
            (void)here.cycle(); // cut off, and passed on
            Sync::write(beds[0].left, 1u);
            armed[0] = here.arm(beds[0].waker);
        } else {
            auto there = shared.background();
            Sync::write(beds[1].left, 1u);
            armed[1] = there.arm(beds[1].waker);
            (void)there.cycle(); // its own, perhaps: then passed back
        }
    }
    void finish() {
        const bool passed_back = shared.foreground().drives();
        explorer::check(beds[1].wakes.load(std::memory_order_relaxed) == (armed[1] ? 1 : 0),
                        "the background is woken once for its arming");
        explorer::check(passed_back || (armed[0] && beds[0].wakes.load(std::memory_order_relaxed) == 0),
                        "the foreground sleeps until the poller is passed back");
        // Where it came back first, the foreground armed the poller itself.
        const bool woken = beds[0].wakes.load(std::memory_order_relaxed) == 1;
        explorer::check(!passed_back || !armed[0] || woken || shared.foreground().disarm(),
                        "and then it is woken, or was awake");
        while (shared.background().drives())
            (void)shared.background().cycle();
        rx.expect_served();
    }

    bedside<Sync> beds[2];
    bool armed[2]{};
    served_device<Sync> rx;
    noria::basic_poll_background<model_poller<Sync>, Sync> shared{rx.poller, 1};
};

} // namespace bodies
