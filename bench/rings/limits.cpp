// SPDX-License-Identifier: BSL-1.0
#include "noria/core/cacheline.hpp"
#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

// What the machine itself can do, measured by the same loops: nothing that goes from core to core is faster.

namespace bench {
namespace {

// A line that goes there and back: the two "rings" of a round trip are the same line, or one line each way.
// No item, only its number: a line with a single word in it.
struct alignas(noria::thread_gap) lone_line {
    std::atomic<std::uint64_t> number{0};
};

sample ping_pong(const request& asked, std::atomic<std::uint64_t>& there, std::atomic<std::uint64_t>& back) {
    const auto meet = std::make_unique<rendezvous>();
    constexpr std::uint64_t end = ~std::uint64_t{0};
    std::thread echo([&] {
        pin(1);
        const real_time now;
        const std::uint64_t before = preemptions();
        for (std::uint64_t expected = 1;; expected += 2) {
            std::uint64_t came;
            while ((came = there.load(std::memory_order_acquire)) != expected && came != end)
                wait_a_little(asked.pause);
            if (came == end)
                break;
            back.store(expected + 1, std::memory_order_release);
        }
        finish(*meet, 0, preemptions() - before);
    });
    const noria::tick_counter clock;
    std::uint64_t number = 0;
    std::uint64_t ticks = 0;
    std::uint64_t trips = 0;
    std::uint64_t preempted = 0;
    {
        const real_time now;
        for (const double share : {0.25, 1.0}) {
            const std::uint64_t first = number;
            preempted = preemptions();
            const std::uint64_t began = clock.now();
            do {
                for (int i = 0; i != 16; ++i) {
                    there.store(number + 1, std::memory_order_release);
                    number += 2;
                    while (back.load(std::memory_order_acquire) != number)
                        wait_a_little(asked.pause);
                }
                ticks = clock.now() - began;
            } while (ticks < ticks_for(asked.seconds * share));
            preempted = preemptions() - preempted;
            trips = (number - first) / 2;
        }
    }
    there.store(end, std::memory_order_release);
    echo.join();
    return {static_cast<double>(ticks) * nanoseconds_per_tick() / static_cast<double>(trips),
            preempted + meet->preempted.load(std::memory_order_relaxed) != 0};
}

sample one_line(std::uint32_t, const request& asked) {
    const auto line = std::make_unique<lone_line>();
    return ping_pong(asked, line->number, line->number);
}

sample two_lines(std::uint32_t, const request& asked) {
    const auto lines = std::make_unique<lone_line[]>(2);
    return ping_pong(asked, lines[0].number, lines[1].number);
}

// Lines one way, as fast as they go: four descriptors a line, of which the last is written last and says
// that the line is there. Always so many lines as in the range that streams best, asked for ahead.
class line_stream {
  public:
    using item_type = descriptor;
    static constexpr std::uint32_t lines = 256;
    static constexpr std::uint32_t ahead = 32;
    static constexpr std::uint32_t chunk = lines / 8;
    static constexpr std::uint32_t in_a_line = noria::cache_line / sizeof(descriptor);

    explicit line_stream(unsigned) {}
    line_stream& producer(unsigned) noexcept { return *this; }
    line_stream& consumer() noexcept { return *this; }

    template <class Fill>
    std::uint32_t place(std::uint32_t, Fill fill) noexcept {
        if (written_ + ahead - free_until_ >= lines) {
            free_until_ = head_.load(std::memory_order_acquire); // partner: the store in look()
            if (written_ + ahead - free_until_ >= lines)
                return 0;
        }
        noria::std_sync::prefetch_write(&lines_[(written_ + ahead) % lines]);
        line& to = lines_[written_ % lines];
        for (std::uint32_t i = 0; i + 1 != in_a_line; ++i)
            fill(to.items[i], i);
        descriptor last;
        fill(last, in_a_line - 1);
        to.items[in_a_line - 1].length = last.length;
        to.items[in_a_line - 1].flags = last.flags;
        ++written_;
        to.mark().store(last.address + 1, std::memory_order_release); // partner: the load in look()
        return in_a_line;
    }

    template <class See>
    std::uint32_t look(std::uint32_t, See see) noexcept {
        line& from = lines_[read_ % lines];
        const std::uint64_t number = std::uint64_t{in_a_line} * (read_ + 1);
        if (from.mark().load(std::memory_order_acquire) != number) // partner: the store in place()
            return 0;
        for (std::uint32_t i = 0; i + 1 != in_a_line; ++i)
            see(from.items[i], i);
        descriptor last = from.items[in_a_line - 1];
        last.address = number - 1;
        see(last, in_a_line - 1);
        if (++read_ % chunk == 0)
            head_.store(read_, std::memory_order_release); // partner: the load in place()
        return in_a_line;
    }

    // So that the loops compile; the stream is measured in place only.
    bool push(const descriptor&) noexcept { return false; }
    bool pop(descriptor&) noexcept { return false; }

  private:
    struct alignas(noria::cache_line) line {
        descriptor items[in_a_line];

        std::atomic_ref<std::uint64_t> mark() noexcept {
            return std::atomic_ref(items[in_a_line - 1].address);
        }
    };

    alignas(noria::thread_gap) line lines_[lines]{};
    alignas(noria::thread_gap) std::uint64_t written_ = 0;
    std::uint64_t free_until_ = 0;
    alignas(noria::thread_gap) std::uint64_t read_ = 0;
    alignas(noria::thread_gap) std::atomic<std::uint64_t> head_{0};
};

} // namespace

void add_limits(std::vector<subject>& all) {
    const auto add = [&](const char* name, const char* type, std::vector<work> works,
                         sample (*run)(std::uint32_t, const request&)) {
        all.push_back(
            {.name = name, .type = type, .from = origin::limit, .works = std::move(works), .run = run});
    };
    add("limit: one line", "one cache line there and back", {work::round_trip}, one_line);
    add("limit: two lines", "one cache line there, another back", {work::round_trip}, two_lines);
    add("limit: stream", "lines of four descriptors one way, 256 of them, asked for ahead", {work::in_place},
        [](std::uint32_t, const request& asked) {
            return stream<line_stream, bursts_in_place, false>(asked);
        });
}

} // namespace bench
