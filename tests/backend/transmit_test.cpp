// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/transmit.hpp"

#include <gtest/gtest.h>

#include "support/transmit.hpp"

namespace {

using namespace noria;

enum class part { none, attach, configure, transmit, reap };

// A transmit backend that lacks one part.
template <part Without, bool Throws = false>
struct backend_without {
    result<mapping> attach(region&) noexcept(!Throws)
        requires(Without != part::attach);
    result<transmit_setup> configure_transmit(const transmit_setup&) noexcept(!Throws)
        requires(Without != part::configure);
    std::uint32_t transmit(std::span<const transmit_post>) noexcept(!Throws)
        requires(Without != part::transmit);
    std::uint32_t reap_sent(std::span<transmit_report>) noexcept(!Throws)
        requires(Without != part::reap);
};

template <class Backend>
constexpr unsigned leaves = unsigned{attaches<Backend>} | unsigned{configures_transmit<Backend>} << 1 |
                            unsigned{transmits<Backend>} << 2 | unsigned{reports_sent<Backend>} << 3;
static_assert(leaves<backend_without<part::none>> == 0b1111 && transmit_backend<backend_without<part::none>>);
static_assert(leaves<backend_without<part::attach>> == 0b1110 &&
              !transmit_backend<backend_without<part::attach>>);
static_assert(leaves<backend_without<part::configure>> == 0b1101 &&
              !transmit_backend<backend_without<part::configure>>);
static_assert(leaves<backend_without<part::transmit>> == 0b1011 &&
              !transmit_backend<backend_without<part::transmit>>);
static_assert(leaves<backend_without<part::reap>> == 0b0111 &&
              !transmit_backend<backend_without<part::reap>>);
static_assert(leaves<backend_without<part::none, true>> == 0, "a device's calls do not throw");
static_assert(check_transmit<scripted_transmitter>());
static_assert(!receive_backend<scripted_transmitter>, "neither half needs the other");

// A short way for plain packets that lacks one part.
enum class plain_part { none, room, places, takes, put, commit, ring };
template <plain_part Without, bool Throws>
struct plain_places_without {
    bool takes(std::uint32_t) noexcept(!Throws)
        requires(Without != plain_part::takes);
    void put(std::uint64_t, std::uint32_t, std::uint32_t) noexcept(!Throws)
        requires(Without != plain_part::put);
};
template <plain_part Without, bool Throws = false>
struct short_way_without {
    using places = plain_places_without<Without, Throws>;

    std::uint32_t plain_room(std::uint32_t) noexcept(!Throws)
        requires(Without != plain_part::room);
    places plain_places() noexcept(!Throws)
        requires(Without != plain_part::places);
    void commit_plain(const places&) noexcept(!Throws)
        requires(Without != plain_part::commit);
    void ring_plain() noexcept(!Throws)
        requires(Without != plain_part::ring);
};
static_assert(transmits_plain<short_way_without<plain_part::none>>);
static_assert(!transmits_plain<short_way_without<plain_part::none, true>>);
static_assert(!transmits_plain<short_way_without<plain_part::room>> &&
              !transmits_plain<short_way_without<plain_part::places>> &&
              !transmits_plain<short_way_without<plain_part::takes>> &&
              !transmits_plain<short_way_without<plain_part::put>> &&
              !transmits_plain<short_way_without<plain_part::commit>> &&
              !transmits_plain<short_way_without<plain_part::ring>>);
static_assert(!transmits_plain<scripted_transmitter>, "nobody needs it");

static_assert(owned_descriptor<transmit_post> && owned_descriptor<transmit_report>);
static_assert(sizeof(transmit_post) == 40 && sizeof(transmit_report) == 8);

TEST(transmit, the_flags_are_bits_of_their_own_below_the_rings) {
    const std::uint32_t all[] = {transmit_report::sent, transmit_report::memory_free, transmit_report::error};
    std::uint32_t seen = 0;
    for (const std::uint32_t each : all) {
        EXPECT_EQ(seen & each, 0u);
        EXPECT_LT(each, 1u << 31);
        seen |= each;
    }
    EXPECT_LT(std::uint32_t{transmit_post::end_of_packet}, 1u << 31);
}

} // namespace
