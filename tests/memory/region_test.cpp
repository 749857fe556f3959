// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/region.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/wait.h>

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

// The same memory through the descriptor alone, as another process would map it.
class second_mapping {
  public:
    second_mapping(int fd, std::size_t bytes) : bytes_(bytes) {
        void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        data_ = at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
    }
    ~second_mapping() {
        if (data_ != nullptr)
            ::munmap(data_, bytes_);
    }
    std::byte* data() const { return data_; }

  private:
    std::byte* data_;
    std::size_t bytes_;
};

TEST_P(region_from, is_shared_through_its_descriptor_when_asked) {
    for (const bool prefault : {false, true}) {
        result<region> made = region::map(
            {.bytes = region::huge_page_bytes + 1, .best = GetParam(), .prefault = prefault, .shared = true});
        ASSERT_TRUE(made) << made.error().advice;
        const std::span<std::byte> memory = made->bytes();
        ASSERT_EQ(memory.size(), 2 * region::huge_page_bytes);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % region::huge_page_bytes, 0u);
        EXPECT_GE(made->got(), GetParam());
        EXPECT_EQ(memory.front(), std::byte{0});
        memory.front() = std::byte{1};
        memory.back() = std::byte{2};
        const second_mapping other(made->fd(), memory.size());
        ASSERT_NE(other.data(), nullptr);
        EXPECT_EQ(other.data()[0], std::byte{1}) << "its first byte is the region's first";
        EXPECT_EQ(other.data()[memory.size() - 1], std::byte{2});
        other.data()[4096] = std::byte{3};
        EXPECT_EQ(memory[4096], std::byte{3});
    }
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

TEST(region, is_seen_by_another_process_and_sees_it) {
    result<region> made = region::map({.bytes = 1, .best = backing::plain_pages, .shared = true});
    ASSERT_TRUE(made) << made.error().advice;
    made->bytes()[0] = std::byte{7};
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) { // with the descriptor alone: its own copy of our mapping is not looked at
        const second_mapping other(made->fd(), region::huge_page_bytes);
        const bool seen = other.data() != nullptr && other.data()[0] == std::byte{7};
        if (seen)
            other.data()[1] = std::byte{8};
        ::_exit(seen ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(made->bytes()[1], std::byte{8});
}

TEST(region, cannot_be_cut_short_by_those_it_is_shared_with) {
    result<region> made = region::map({.bytes = 1, .best = backing::plain_pages, .shared = true});
    ASSERT_TRUE(made) << made.error().advice;
    EXPECT_EQ(::ftruncate(made->fd(), 4096), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(::ftruncate(made->fd(), 2 * region::huge_page_bytes), -1);
    made->bytes().back() = std::byte{1}; // would be a SIGBUS
}

TEST(region, has_a_descriptor_only_while_it_is_shared_and_lives) {
    int fd = -1;
    {
        const result<region> alone = region::map({.bytes = 1, .best = backing::plain_pages});
        ASSERT_TRUE(alone);
        EXPECT_EQ(alone->fd(), -1);
        result<region> shared = region::map({.bytes = 1, .best = backing::plain_pages, .shared = true});
        ASSERT_TRUE(shared);
        fd = shared->fd();
        region moved = std::move(*shared);
        EXPECT_EQ(moved.fd(), fd);
        EXPECT_EQ(shared->fd(), -1);
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << "no program that we start inherits it by accident";
    }
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1) << "closed with the region";
}

TEST(region, is_locked_when_asked) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    if (limit.rlim_cur < 2 * region::huge_page_bytes)
        GTEST_SKIP() << "this process may lock only " << limit.rlim_cur << " bytes";
    for (const bool shared : {false, true}) {
        result<region> made =
            region::map({.bytes = 1, .best = backing::plain_pages, .locked = true, .shared = shared});
        ASSERT_TRUE(made) << made.error().advice;
        const std::string locked = kernels_word(made->bytes().data(), "Locked:");
        if (locked.empty())
            GTEST_SKIP() << "this kernel does not tell what is locked";
        EXPECT_EQ(std::stoul(locked), region::huge_page_bytes / 1024) << "KiB";
    }
    result<region> later =
        region::map({.bytes = 1, .best = backing::plain_pages, .prefault = false, .locked = true});
    ASSERT_TRUE(later) << later.error().advice;
    EXPECT_NE(kernels_word(later->bytes().data(), "VmFlags:").find(" lo"), std::string::npos);
    EXPECT_EQ(std::stoul(kernels_word(later->bytes().data(), "Rss:")), 0u)
        << "locked page by page, as touched";
}

// For a child, which gives up what it may do: the limits of the parent stay.
[[noreturn]] void ask_for_more_than_may_be_locked() {
    const rlimit little{64 * 1024, 64 * 1024};
    if ((::geteuid() == 0 && ::setuid(65534) != 0) || ::setrlimit(RLIMIT_MEMLOCK, &little) != 0)
        ::_exit(2);
    const result<region> made = region::map({.bytes = 1, .best = backing::plain_pages, .locked = true});
    if (made || made.error().code != std::errc::operation_not_permitted)
        ::_exit(3);
    std::array<char, 256> text{};
    if (region::lock_advice(region::huge_page_bytes - 1, text) != std::string_view(text.data()).size() + 1)
        ::_exit(4);
    std::fprintf(stderr, "%s\n%s\n", made.error().advice, text.data());
    ::_exit(0);
}

TEST(region_death_test, says_the_limit_and_the_need_when_it_cannot_be_locked) {
    EXPECT_EXIT(ask_for_more_than_may_be_locked(), testing::ExitedWithCode(0),
                "ulimit -l.*\n2048 KiB .* may lock 64 KiB .*`ulimit -l 2048`");
}

TEST(region, cuts_its_lock_advice_to_the_room_there_is) {
    std::array<char, 256> whole{};
    const std::size_t size = region::lock_advice(1000, whole);
    ASSERT_LE(size, whole.size());
    std::array<char, 11> part{};
    part.back() = 'x';
    EXPECT_EQ(region::lock_advice(1000, std::span<char>(part).first(10)), size);
    EXPECT_EQ(std::string_view(part.data()), std::string_view(whole.data()).substr(0, 9));
    EXPECT_EQ(part.back(), 'x');
    EXPECT_EQ(region::lock_advice(1000, {}), size);
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
                    refusal{{.bytes = std::size_t{1} << 60, .shared = true}, std::errc::not_enough_memory},
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
