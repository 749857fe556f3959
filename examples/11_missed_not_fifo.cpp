// SPDX-License-Identifier: BSL-1.0
// The incident "missed, not fifo": a consumer is too slow, the FIFO of the card runs over, and the counter
// called fifo stays at 0. Which counter moves instead depends on who gives way, and so does the file it is
// in.
//
//   g++ -std=c++20 -O2 -Iinclude examples/11_missed_not_fifo.cpp -o missed && ./missed [--seed N] [--svg
//   FILE]

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "noria/backend/loopback.hpp"
#include "noria/poll/backlog.hpp"
#include "noria/queue.hpp"
#include "noria/stats.hpp"
#include "support/chart.hpp"
#include "support/incident.hpp"

namespace {

using shown = unsigned long long; // what printf takes
using noria::drop_reason;
using noria::shortage;

constexpr std::uint64_t ticks = 2000; // there is no other time here
constexpr std::uint64_t stall_from = 500;
constexpr std::uint64_t stall_to = 800;
constexpr std::uint32_t frame_bytes = 500;

template <class T>
T or_exit(noria::result<T> made) {
    if (!made) {
        std::fprintf(stderr, "%s\n", made.error().advice);
        std::exit(1);
    }
    return *std::move(made);
}

enum class trouble : unsigned char { slow_reader, short_backlog, nobody_polls, bad_cable };

struct outcome {
    noria::link_values link{};
    noria::receive_counters queue{};
    noria::softnet_row cpu{};
    noria::loss_ledger frames{};
    bool always_closed = true;
    std::vector<chart::point> in_fifo{}, lost{};
};

// Where packets end: what is behind a cpu's backlog.
struct reader {
    std::uint64_t* has_read;
    void operator()(noria::packet_ptr&& packet) const noexcept {
        packet.free(drop_reason::consumed);
        ++*has_read;
    }
};

// A card, a queue that gives way in one of three manners, a backlog and a reader.
template <shortage Answer>
class receiver {
  public:
    receiver(trouble what, std::uint32_t cpu, std::uint64_t seed) : what_(what), cpu_(cpu), random_(seed) {}

    outcome run() {
        outcome seen;
        const auto look = [&](std::uint64_t tick) {
            seen.link = link();
            seen.frames = ledger();
            seen.always_closed = seen.always_closed && seen.frames.closes();
            if (tick % 100 == 0 && tick <= ticks) {
                seen.in_fifo.push_back({tick, card_.fifo_waiting()});
                seen.lost.push_back({tick, seen.link.rx_missed + seen.link.rx_dropped});
            }
        };
        std::uint64_t tick = 0;
        for (; tick != ticks; ++tick) {
            for (std::uint64_t arrive = random_() % 9; arrive != 0; --arrive) // four on the average
                card_.offer({.bytes = wire_});
            turn(what_ != trouble::nobody_polls || tick < stall_from || tick >= stall_to);
            look(tick);
        }
        for (; seen.frames.held != 0 && tick != 2 * ticks; ++tick) { // the wire is silent, the rest is read
            turn(true);
            look(tick);
        }
        seen.queue = queue_.counters();
        seen.cpu = backlog_.row(cpu_);
        return seen;
    }

  private:
    using card_type = noria::backend::loopback<noria::buffer_model::per_packet>;
    using queue_type = noria::rx_queue<card_type, noria::strategy<noria::fresh_buffers, noria::wrap, Answer>>;
    using backlog_type = noria::backlog<noria::packet_ptr, reader, {.max_backlog = 100}>;

    void turn(bool polled) noexcept {
        card_.step();
        const auto take = [this](noria::packet_ptr packet) noexcept {
            if (to_backlog_.push(std::move(packet)))
                return;
            packet.free(drop_reason::cpu_backlog);
            refused_.count(drop_reason::cpu_backlog);
        };
        if (polled)
            static_cast<void>(queue_.poll(64, take));
        const bool slow = what_ == trouble::slow_reader || what_ == trouble::short_backlog;
        static_cast<void>(backlog_.poll(slow ? 3 : 8));
    }

    // [link]
    // What a driver reports: of the card what the card counts, and of the host what was thrown away there.
    [[nodiscard]] noria::link_values link() const noexcept {
        noria::link_values link;
        link.rx_errors = link.rx_crc_errors = queue_.drops().of(drop_reason::device_error);
        link.rx_packets = card_.moved() - link.rx_errors; // good ones, those dropped later included
        link.rx_bytes = link.rx_packets * frame_bytes;
        link.rx_missed = card_.missed();
        link.rx_dropped = queue_.drops().of(drop_reason::no_memory) + refused_.of(drop_reason::cpu_backlog);
        return link;
    }
    // [/link]

    // [ledger]
    [[nodiscard]] noria::loss_ledger ledger() const noexcept {
        noria::loss_ledger card, host;
        card.offered = card_.offered();
        card.delivered = card_.moved();
        card.drop(drop_reason::rx_missed, card_.missed());
        card.held = card_.fifo_waiting();
        host.offered = queue_.counters().delivered + queue_.drops().dropped();
        host.delivered = has_read_;
        host.add_drops(queue_.drops());
        host.add_drops(refused_);
        host.held = queue_.packets_out();
        return joined(card, host); // what the card moved and the queue has not looked at is held between them
    }
    // [/ledger]

    trouble what_;
    std::uint32_t cpu_;
    std::mt19937_64 random_;
    std::array<std::byte, frame_bytes> wire_{};
    // A reader that falls behind keeps packets: all there are, or as many as the backlog takes, which is 100.
    noria::rx_options options_{.descriptors = 64,
                               .packets = what_ == trouble::short_backlog ? 1024u : 96u,
                               .frame_bytes = frame_bytes};
    card_type card_{{.error = what_ == trouble::bad_cable ? 50u : 0u}};
    noria::region memory_ = or_exit(noria::region::map({.bytes = queue_type::region_bytes(options_)}));
    queue_type queue_ = or_exit(queue_type::create(card_, memory_, options_));
    std::uint64_t has_read_ = 0;
    backlog_type backlog_{reader{&has_read_}};
    typename backlog_type::sender to_backlog_ = backlog_.from_own_cpu();
    noria::drop_histogram refused_;
};

template <shortage Answer>
outcome run(trouble what, std::uint32_t cpu, std::uint64_t seed) {
    return receiver<Answer>(what, cpu, seed).run();
}

struct act {
    const char* interface;
    const char* what;
    outcome (*play)(trouble what, std::uint32_t cpu, std::uint64_t seed);
    trouble with;
};

constexpr act acts[] = {
    {"leave", "slow reader, leave_in_ring", &run<shortage::leave_in_ring>, trouble::slow_reader},
    {"drop", "slow reader, drop_and_recycle", &run<shortage::drop_and_recycle>, trouble::slow_reader},
    {"hole", "slow reader, hole_in_ring", &run<shortage::hole_in_ring>, trouble::slow_reader},
    {"behind", "slow reader, its backlog is full", &run<shortage::leave_in_ring>, trouble::short_backlog},
    {"stall", "nobody polls for 300 ticks", &run<shortage::leave_in_ring>, trouble::nobody_polls},
    {"cable", "a bad cable", &run<shortage::leave_in_ring>, trouble::bad_cable}};

// Exporters say how much room they want, and so they are asked twice.
template <class Export>
std::string text_of(Export fill) {
    std::string text(fill(std::span<char>()), ' ');
    static_cast<void>(fill(std::span<char>(text)));
    return text;
}

void print_table(const std::vector<outcome>& all) {
    std::printf("                                                        rx_     rx_     rx_    rx_fifo_\n"
                "                                    offered    read  missed  dropped  errors    errors\n");
    for (std::size_t i = 0; i != all.size(); ++i) {
        const noria::link_values& link = all[i].link;
        std::printf("%-34s  %7llu %7llu %7llu  %7llu %7llu   %7llu\n", acts[i].what,
                    shown{all[i].frames.offered}, shown{all[i].frames.delivered}, shown{link.rx_missed},
                    shown{link.rx_dropped}, shown{link.rx_errors}, shown{link.rx_fifo_errors});
    }
}

// /proc/net/dev of a machine with one interface for each act.
std::string net_dev(const std::vector<outcome>& all) {
    // [net_dev]
    std::vector<noria::net_dev_row> rows;
    for (std::size_t i = 0; i != all.size(); ++i)
        rows.push_back(to_net_dev_row(acts[i].interface, all[i].link));
    return text_of([&](std::span<char> to) { return export_net_dev(to, rows); });
    // [/net_dev]
}

// The lines of ethtool -S that matter, in the words of Intel's 10 Gbit driver.
std::string ethtool(const outcome& seen) {
    // [ethtool]
    const noria::named_count counts[] = {{"rx_packets", seen.link.rx_packets},
                                         {"rx_missed", seen.link.rx_missed},
                                         {"rx_dropped", seen.link.rx_dropped},
                                         {"rx_fifo_errors", seen.link.rx_fifo_errors},
                                         {"buff_alloc_err", seen.queue.buff_alloc_err}};
    return text_of(
        [&](std::span<char> to) { return export_ethtool(to, counts, noria::vocabularies::ixgbe); });
    // [/ethtool]
}

chart::figure draw(const std::vector<outcome>& all) {
    chart::panel fifo{"In the FIFO of the card", "tick", "frames", {}};
    chart::panel lost{"Column drop of /proc/net/dev", "tick", "frames", {}};
    for (const std::size_t i : {0u, 1u, 2u}) {
        const chart::shape how = i == 2 ? chart::shape::dots : chart::shape::line;
        fifo.shown.push_back({acts[i].interface, all[i].in_fifo, how});
        lost.shown.push_back({acts[i].interface, all[i].lost, how});
    }
    return {"A reader that is too slow, under three policies",
            "Left, what waits in the FIFO of the card: it fills to 512 frames with leave_in_ring and "
            "hole_in_ring, and is empty with drop_and_recycle. Right, the drop column: it rises with all "
            "three, first with drop_and_recycle.",
            {fifo, lost}};
}

void claim(bool holds, const act& about, const char* what) {
    incident::claim(holds, (std::string(about.what) + ": " + what).c_str());
}

void check(const act& about, const outcome& seen, const noria::net_dev_row& row) {
    const noria::link_values& link = seen.link;
    const noria::receive_counters& queue = seen.queue;
    const std::string_view name = about.interface;
    claim(seen.always_closed && seen.frames.held == 0, about, "every frame is accounted for at every moment");
    claim(row.of(noria::net_dev_column::rx_fifo) == 0, about, "fifo stays 0");
    claim(row.of(noria::net_dev_column::rx_drop) == link.rx_missed + link.rx_dropped, about, "drop has both");
    claim(row.of(noria::net_dev_column::rx_errs) == row.of(noria::net_dev_column::rx_frame), about,
          "errs, frame");
    claim((link.rx_missed > 100) == (name == "leave" || name == "hole" || name == "stall"), about,
          "who misses");
    claim((link.rx_dropped > 100) == (name == "drop" || name == "behind"), about, "who drops");
    claim((link.rx_errors > 100) == (name == "cable"), about, "who has errors");
    claim((link.rx_missed != 0) + (link.rx_dropped != 0) + (link.rx_errors != 0) == 1, about,
          "one counter moves");
    claim(name != "leave" || (queue.held_back != 0 && queue.holes == 0), about, "a frame waits in the ring");
    claim(name != "drop" || (queue.held_back == 0 && queue.holes == 0), about, "the ring stays full");
    claim(name != "hole" || (queue.held_back == 0 && queue.holes != 0), about, "the ring has holes");
    claim(name != "drop" || queue.buff_alloc_err == link.rx_dropped, about,
          "each drop was a failed allocation");
    claim(seen.cpu.of(noria::softnet_column::dropped) == (name == "behind" ? link.rx_dropped : 0), about,
          "softnet");
}

} // namespace

int main(int count, char** words) {
    const chart::arguments told = chart::read_arguments(count, words);
    std::vector<outcome> all;
    std::vector<noria::softnet_row> cpus;
    for (const act& each : acts) {
        all.push_back(each.play(each.with, static_cast<std::uint32_t>(all.size()), told.seed));
        cpus.push_back(all.back().cpu);
    }
    print_table(all);
    const std::string file = net_dev(all);
    std::printf("\n%s\n", file.c_str());
    for (const std::size_t i : {0u, 1u, 2u})
        std::printf("%s: %s", acts[i].interface, ethtool(all[i]).c_str());
    std::printf("\n%s\n", text_of([&](std::span<char> to) { return export_softnet(to, cpus); }).c_str());

    const chart::figure figure = draw(all);
    print(figure);
    if (told.svg != nullptr && !write_svg(told.svg, figure))
        return 1;

    noria::net_dev_reader reader(file);
    noria::net_dev_row row;
    for (std::size_t i = 0; i != all.size(); ++i) {
        claim(reader.next(row) == noria::row_status::row && row.name == acts[i].interface, acts[i],
              "it has a row");
        check(acts[i], all[i], row);
    }
}
