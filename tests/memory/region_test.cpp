// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/region.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace {

using namespace noria;

static_assert(!std::is_copy_constructible_v<region> && std::is_nothrow_move_constructible_v<region>);

// What the kernel says of the mapping that `address` lies in: its line of /proc/self/smaps that begins with
// `field`. Nothing under an emulator, which makes the file up.
std::string kernels_word(const void* address, const std::string& field) {
    if (std::getenv("NORIA_TEST_EMULATED") != nullptr)
        return "";
    std::ifstream maps("/proc/self/smaps");
    bool there = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t first = 0;
        std::uintptr_t last = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &first, &last) == 2) {
            const auto at = reinterpret_cast<std::uintptr_t>(address);
            there = first <= at && at < last;
        } else if (there && line.starts_with(field)) {
            return line.substr(field.size());
        }
    }
    return "";
}

class region_from : public testing::TestWithParam<backing> {};

TEST_P(region_from, is_zeroed_writable_aligned_and_of_whole_huge_pages) {
    for (const std::size_t bytes : {std::size_t{1}, region::huge_page_bytes, region::huge_page_bytes + 1}) {
        result<region> made = region::map({.bytes = bytes, .best = GetParam()});
        ASSERT_TRUE(made) << made.error().advice;
        const std::span<std::byte> memory = made->bytes();
        EXPECT_EQ(memory.size(), round_up(bytes, region::huge_page_bytes));
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % region::huge_page_bytes, 0u);
        for (std::size_t at = 0; at < memory.size(); at += 4096) {
            ASSERT_EQ(memory[at], std::byte{0});
            memory[at] = std::byte{1};
        }
        memory.back() = std::byte{1};
    }
}

TEST_P(region_from, says_what_it_got_and_that_is_not_better_than_asked) {
    result<region> made = region::map({.bytes = 1, .best = GetParam()});
    ASSERT_TRUE(made) << made.error().advice;
    EXPECT_GE(made->got(), GetParam());
    const std::string flags = kernels_word(made->bytes().data(), "VmFlags:");
    if (flags.empty())
        GTEST_SKIP() << "this kernel does not tell what its mappings are made of";
    EXPECT_EQ(made->got() == backing::huge_pages, flags.find(" ht") != std::string::npos) << flags;
    EXPECT_EQ(made->got() == backing::transparent_huge_pages, flags.find(" hg") != std::string::npos)
        << flags;
}

INSTANTIATE_TEST_SUITE_P(every_backing, region_from,
                         testing::Values(backing::huge_pages, backing::transparent_huge_pages,
                                         backing::plain_pages),
                         [](const auto& tested) {
                             std::string words = name(tested.param);
                             for (char& letter : words)
                                 letter = letter == ' ' ? '_' : letter;
                             return words;
                         });

TEST(region, pays_for_page_faults_only_when_asked) {
    for (const bool prefault : {false, true}) {
        result<region> made = region::map({.bytes = 1, .best = backing::plain_pages, .prefault = prefault});
        ASSERT_TRUE(made) << made.error().advice;
        const std::string resident = kernels_word(made->bytes().data(), "Rss:");
        if (resident.empty())
            GTEST_SKIP() << "this kernel does not tell what is resident";
        EXPECT_EQ(std::stoul(resident), prefault ? region::huge_page_bytes / 1024 : 0u) << "KiB";
    }
}

TEST(region, moves_with_its_memory) {
    result<region> first = region::map({.bytes = 1});
    result<region> second = region::map({.bytes = 3 * region::huge_page_bytes});
    ASSERT_TRUE(first && second);
    const std::byte* const of_first = first->bytes().data();
    const std::byte* const of_second = second->bytes().data();
    first->bytes()[0] = std::byte{1};
    second->bytes()[0] = std::byte{2};
    *first = std::move(*second);
    EXPECT_EQ(first->bytes().data(), of_second);
    EXPECT_EQ(first->bytes().size(), 3 * region::huge_page_bytes);
    EXPECT_EQ(first->bytes()[0], std::byte{2});
    const region last = std::move(*first);
    EXPECT_EQ(last.bytes().data(), of_second);
    EXPECT_EQ(second->bytes().data(), of_first) << "assignment swaps; the old memory goes with the old owner";
}

TEST(region, is_unmapped_with_its_owner) {
    const std::byte* at = nullptr;
    {
        result<region> made = region::map({.bytes = 1, .best = backing::plain_pages});
        ASSERT_TRUE(made);
        at = made->bytes().data();
    }
    unsigned char resident[region::huge_page_bytes / 4096];
    EXPECT_EQ(::mincore(const_cast<std::byte*>(at), region::huge_page_bytes, resident), -1);
    EXPECT_EQ(errno, ENOMEM) << "nothing is mapped there";
}

struct refusal {
    region_request request;
    std::errc code;
};
class region_refuses : public testing::TestWithParam<refusal> {};

TEST_P(region_refuses, with_a_code_and_advice) {
    const result<region> made = region::map(GetParam().request);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, GetParam().code);
    EXPECT_GT(std::string(made.error().advice).size(), 20u);
}

constexpr std::size_t everything = ~std::size_t{0};

INSTANTIATE_TEST_SUITE_P(
    what_cannot_be, region_refuses,
    testing::Values(refusal{{.bytes = 0}, std::errc::invalid_argument},
                    refusal{{.bytes = everything}, std::errc::invalid_argument},
                    refusal{{.bytes = everything - 2 * region::huge_page_bytes},
                            std::errc::not_enough_memory},
                    refusal{{.bytes = std::size_t{1} << 60}, std::errc::not_enough_memory},
                    refusal{{.bytes = 1, .numa_node = 1022}, std::errc::invalid_argument},
                    refusal{{.bytes = 1, .numa_node = 1023}, std::errc::invalid_argument},
                    refusal{{.bytes = 1, .numa_node = 1024}, std::errc::invalid_argument},
                    refusal{{.bytes = 1, .numa_node = 0x7fff'ffff}, std::errc::invalid_argument}));

TEST(region, takes_the_node_that_every_machine_has) {
    const result<region> made = region::map({.bytes = 1, .numa_node = 0});
    if (!made && made.error().code == std::errc::invalid_argument &&
        ::access("/sys/devices/system/node/node0", F_OK) != 0)
        GTEST_SKIP() << "this kernel knows no NUMA nodes";
    if (!made && std::getenv("NORIA_TEST_EMULATED") != nullptr)
        GTEST_SKIP() << "the emulator knows no mbind";
    EXPECT_TRUE(made) << made.error().advice;
}

TEST(backing, has_a_name_each) {
    EXPECT_STREQ(name(backing::huge_pages), "huge pages");
    EXPECT_STREQ(name(backing::transparent_huge_pages), "transparent huge pages");
    EXPECT_STREQ(name(backing::plain_pages), "plain pages");
    EXPECT_STREQ(name(static_cast<backing>(9)), "?");
}

} // namespace
