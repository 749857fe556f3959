// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "explorer/bodies/backlog.hpp"
#include "explorer/bodies/descriptor_ring.hpp"
#include "explorer/bodies/device_ring.hpp"
#include "explorer/bodies/fan_in.hpp"
#include "explorer/bodies/foreign_ring.hpp"
#include "explorer/bodies/hybrid_ring.hpp"
#include "explorer/bodies/memory.hpp"
#include "explorer/bodies/mpsc_ring.hpp"
#include "explorer/bodies/notifier.hpp"
#include "explorer/bodies/packet.hpp"
#include "explorer/bodies/poll.hpp"
#include "explorer/bodies/published.hpp"
#include "explorer/bodies/shared.hpp"
#include "explorer/bodies/spsc_ring.hpp"
#include "explorer/explorer.hpp"

// Every order in include/ is needed: tests/scripts/ordered_sites.py lists them, each is weakened in turn, and
// some body must fail. An order that no body misses is too strong, or not tested.

namespace {

using explorer::sync;
using namespace bodies;

struct proof {
    const char* name;
    explorer::verdict (*explore)(explorer::bounds);
    explorer::verdict (*at_random)(std::uint64_t executions, std::uint64_t seed);
};
template <class Body>
proof row(const char* name) {
    return {name, explorer::explore<Body>, explorer::explore_at_random<Body>};
}

// The bodies that answer for the orders. Small ones first: they kill faster.
const std::vector<proof> proofs{
    row<spsc<sync, one_by_one, 1>>("spsc_ring of one, one by one"),
    row<spsc<sync, in_bursts, 2>>("spsc_ring of two, in bursts"),
    row<spsc<sync, in_part, 3>>("spsc_ring of three, in place and in part"),
    row<descriptor_ring_one_way<sync, 2, 1>>("descriptor_ring of two, one by one"),
    row<descriptor_ring_one_way<sync, 3, 2>>("descriptor_ring of three, in bursts"),
    row<device_ring_there_and_back<sync, done_descriptor, 2>>("device_ring with a done bit"),
    row<device_ring_there_and_back<sync, lap_descriptor, 3>>("device_ring with a lap bit"),
    row<device_ring_there_and_back<sync, done_descriptor, 1, 1, true>>("device_ring with a doorbell"),
    row<hybrid_ring_there<sync, taking::singly, 2, 2>>("hybrid_ring of two, one by one"),
    row<hybrid_ring_there<sync, taking::in_bursts, 3, 2>>("hybrid_ring of three, in bursts"),
    row<foreign_halves<sync, 2>>("foreign_ring of two"),
    row<two_sleepers<sync, model_futex, 1, 3>>("notifier of two sleepers"),
    row<one_bell<sync, model_futex>>("notifier of two producers"),
    row<fan_in_body<sync, 1, 2>>("fan_in of rings of one"),
    row<mpsc_ring_body<sync, 1, 1, 2>>("mpsc_ring of one, one by one"),
    row<mpsc_ring_body<sync, 2, 2, 2>>("mpsc_ring of two, in bursts"),
    row<create_and_attach<sync, 1>>("shared ring, created and found"),
    row<role_handed_on<sync, 2>>("shared ring, role handed on"),
    row<role_of_the_dead<sync, 1>>("shared ring, role of the dead"),
    row<page_of_three<sync>>("page of three holders"),
    row<return_ring_lapped<sync>>("return_ring, second lap"),
    row<recycled<sync>>("recycler"),
    row<return_ring_closed<sync>>("return_ring, closed"),
    row<pool_that_goes<sync>>("pool that goes"),
    row<published_whole<sync, 2, 3>>("published, three times"),
    row<head_alone_again<sync>>("head that is alone again"),
    row<head_of_clones<sync>>("head of three clones"),
    row<raised_at_any_point<sync, model_futex, 1>>("poller of a device that raises"),
    row<waited_for<sync>>("instance waited for"),
    row<called_by_two<sync, 1>>("instance that two call, one frame a turn"),
    row<called_by_two<sync, 2>>("instance that two call, two frames a turn"),
    row<armed_by_a_loop<sync>>("poller armed by a loop"),
    row<passed_to_a_sleeper<sync>>("poller passed to a sleeper"),
    row<polled_by_its_reader<sync>>("instance polled by its reader"),
    row<moved_between_pollers<sync>>("instance moved"),
    row<enabled_and_called<sync>>("instance enabled and called"),
    row<disabled_between_turns<sync>>("instance disabled"),
    row<backlog_passed<sync, 0, 1>>("backlog of one, passed"),
    row<backlog_rearmed<sync>>("backlog of three, rearmed"),
};

// Header, line, which order of the call.
using site = std::tuple<std::string, unsigned, unsigned>;

struct ordered_call {
    site where;
    std::memory_order order;
    std::string call;
};

std::memory_order order_named(std::string_view name) {
    using enum std::memory_order;
    for (const auto order : {acquire, release, acq_rel, seq_cst})
        if (name == explorer::name_of(order))
            return order;
    ADD_FAILURE() << "no order of this name: " << name;
    return relaxed;
}

std::vector<ordered_call> ordered_calls() {
    std::vector<ordered_call> all;
    std::ifstream list(ORDERED_SITES);
    std::string header, order, call;
    for (unsigned line, which;
         list >> header >> line >> which >> order && std::getline(list >> std::ws, call);)
        all.push_back({{header, line, which}, order_named(order), call});
    return all;
}

// The compiler names a header by the path it found it by.
std::string header_at(explorer::place where) {
    const std::string_view file = where.file;
    const auto begin = file.rfind("noria/");
    const auto folder = file.rfind("include/noria/");
    return std::string(file.substr(folder != file.npos ? folder + 8 : begin != file.npos ? begin : 0));
}

// Notes which sites a body comes to.
struct survey final : explorer::order_hook {
    std::memory_order order_at(explorer::place where, unsigned argument, std::memory_order written) override {
        if (known.insert({where.file, where.line, argument}).second)
            visited.insert({header_at(where), where.line, argument});
        return written;
    }
    std::set<std::tuple<const char*, unsigned, unsigned>> known;
    std::set<site> visited;
};

// Weakens one.
struct weakened final : explorer::order_hook {
    weakened(const site& where, std::memory_order to) : target(where), instead(to) {}
    std::memory_order order_at(explorer::place where, unsigned argument, std::memory_order written) override {
        const bool here = where.line == std::get<1>(target) && argument == std::get<2>(target) &&
                          std::string_view(where.file).ends_with(std::get<0>(target));
        return here ? instead : written;
    }
    const site& target;
    std::memory_order instead;
};

// Sets a hook for as long as it lives.
class hooked {
  public:
    explicit hooked(explorer::order_hook& hook) { explorer::world::get().watch_orders(&hook); }
    hooked(const hooked&) = delete;
    hooked& operator=(const hooked&) = delete;
    ~hooked() { explorer::world::get().watch_orders(nullptr); }
};

// To relaxed; a two-sided order loses each of its sides alone as well.
std::vector<std::memory_order> weaker_than(std::memory_order order) {
    using enum std::memory_order;
    if (order == acq_rel)
        return {relaxed, acquire, release};
    if (order == seq_cst)
        return {relaxed, acquire, release, acq_rel};
    return {relaxed};
}

TEST(order_mutants, every_order_is_missed_by_a_named_check) {
    const auto calls = ordered_calls();
    ASSERT_FALSE(calls.empty()) << "no list of ordered calls at " << ORDERED_SITES;

    std::vector<std::set<site>> visits;
    for (const proof& each : proofs) {
        survey notes;
        const hooked hook(notes);
        const explorer::verdict found = each.at_random(300, 1);
        ASSERT_TRUE(found.held) << each.name << " fails as it is: " << found.story;
        visits.push_back(notes.visited);
    }

    // The body that misses the order, and what it says; empty if there is none.
    const auto killer_of = [&](const site& where, std::memory_order weaker) -> std::string {
        weakened order(where, weaker);
        const hooked hook(order);
        for (std::size_t i = 0; i != proofs.size(); ++i)
            if (visits[i].contains(where))
                if (const auto found = proofs[i].explore({.executions = 300'000}); !found.held)
                    return std::string(proofs[i].name) + ": " + found.story.substr(0, found.story.find('\n'));
        return "";
    };

    for (const ordered_call& each : calls) {
        const auto& [header, line, which] = each.where;
        const std::string name = header + ':' + std::to_string(line) + ' ' + each.call;
        if (std::ranges::none_of(visits, [&](const auto& sites) { return sites.contains(each.where); })) {
            ADD_FAILURE() << name << ": no body comes here; add one to the table in " << __FILE__;
            continue;
        }
        for (const std::memory_order weaker : weaker_than(each.order)) {
            const std::string mutant =
                name + ", " + explorer::name_of(each.order) + " to " + explorer::name_of(weaker);
            const std::string killer = killer_of(each.where, weaker);
            EXPECT_NE(killer, "") << mutant << ": no body misses it; it is too strong, or not tested";
            std::cout << mutant << ": missed by " << killer << '\n';
        }
    }
}

} // namespace
