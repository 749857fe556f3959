// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/contract.hpp"

#include <set>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "support/devices.hpp"

namespace {

using namespace noria;

static_assert(check_backend<scripted_device<buffer_model::per_packet>>());
static_assert(check_backend<scripted_device<buffer_model::striding>>());
static_assert(check_backend<scripted_device<buffer_model::fixed_chunks>>());
static_assert(check_backend<scripted_device<buffer_model::kernel_copy>>());

enum class part { none, model, in_order, attach, configure, post, reap };

// A backend that lacks one part.
template <part Without, bool Throws = false>
struct backend_without {
    static constexpr std::conditional_t<Without == part::model, part, buffer_model> model{};
    static constexpr std::conditional_t<Without == part::in_order, part, bool> in_order{};
    result<mapping> attach(region&) noexcept(!Throws)
        requires(Without != part::attach);
    result<receive_setup> configure(const receive_setup&) noexcept(!Throws)
        requires(Without != part::configure);
    std::uint32_t post(std::span<const buffer_post>) noexcept(!Throws)
        requires(Without != part::post);
    std::uint32_t reap(std::span<completion>) noexcept(!Throws)
        requires(Without != part::reap);
};

template <class Backend>
constexpr unsigned leaves = unsigned{states_its_model<Backend>} | unsigned{attaches<Backend>} << 1 |
                            unsigned{configures<Backend>} << 2 | unsigned{takes_posts<Backend>} << 3 |
                            unsigned{reports_completions<Backend>} << 4;
static_assert(leaves<backend_without<part::none>> == 0b11111 && receive_backend<backend_without<part::none>>);
static_assert(leaves<backend_without<part::model>> == 0b11110 &&
              !receive_backend<backend_without<part::model>>);
static_assert(leaves<backend_without<part::in_order>> == 0b11110 &&
              !receive_backend<backend_without<part::in_order>>);
static_assert(leaves<backend_without<part::attach>> == 0b11101 &&
              !receive_backend<backend_without<part::attach>>);
static_assert(leaves<backend_without<part::configure>> == 0b11011 &&
              !receive_backend<backend_without<part::configure>>);
static_assert(leaves<backend_without<part::post>> == 0b10111 &&
              !receive_backend<backend_without<part::post>>);
static_assert(leaves<backend_without<part::reap>> == 0b01111 &&
              !receive_backend<backend_without<part::reap>>);
static_assert(leaves<backend_without<part::none, true>> == 0b00001, "a device's calls do not throw");
static_assert(leaves<int> == 0);

// What travels between queue and device goes through rings of descriptors: plain data of whole words, and the
// top bit of one of them belongs to the ring.
static_assert(owned_descriptor<buffer_post> && owned_descriptor<completion>);
static_assert(sizeof(buffer_post) == 16 && sizeof(completion) == 28);

TEST(contract, every_model_has_a_name) {
    std::set<std::string> names;
    for (const buffer_model each : {buffer_model::per_packet, buffer_model::striding,
                                    buffer_model::fixed_chunks, buffer_model::kernel_copy})
        names.insert(name(each));
    EXPECT_EQ(names.size(), 4u);
    EXPECT_FALSE(names.contains("?"));
    EXPECT_STREQ(name(static_cast<buffer_model>(99)), "?");
}

TEST(contract, the_flags_of_a_completion_are_bits_of_their_own_below_the_rings) {
    const std::uint32_t all[] = {completion::end_of_packet, completion::filler, completion::error,
                                 completion::checksum_ok, completion::checksum_sum};
    std::uint32_t seen = 0;
    for (const std::uint32_t each : all) {
        EXPECT_EQ(seen & each, 0u);
        EXPECT_LT(each, 1u << 31);
        seen |= each;
    }
}

} // namespace
