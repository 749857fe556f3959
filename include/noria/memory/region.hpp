// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "noria/core/bits.hpp"
#include "noria/core/result.hpp"

namespace noria::inline NORIA_ABI {

// What a region is really made of, from the best to the last.
enum class backing : unsigned char { huge_pages, transparent_huge_pages, plain_pages };

[[nodiscard]] constexpr const char* name(backing kind) noexcept {
    switch (kind) {
    case backing::huge_pages:
        return "huge pages";
    case backing::transparent_huge_pages:
        return "transparent huge pages";
    case backing::plain_pages:
        return "plain pages";
    }
    return "?";
}

struct region_request {
    std::size_t bytes = 0;
    backing best = backing::huge_pages; // where to begin; what cannot be had falls to the next
    int numa_node = -1;                 // preferred node; -1: where the first touch happens
    bool prefault = true;               // pay for the page faults now, not on the data path
};

// Memory that a device may be given: mapped once at set-up, unmapped when the region goes. It asks for huge
// pages, since one translation then covers 2 MiB of packets, and says what it got: no silent fallback.
class region {
  public:
    static constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

    // Set-up. The size is rounded up to whole huge pages.
    [[nodiscard]] static result<region> map(region_request request) noexcept {
        if (request.bytes == 0)
            return make_error(std::errc::invalid_argument,
                              "a region of 0 bytes was asked for: say how many you need");
        if (request.bytes > ~std::size_t{0} - 2 * huge_page_bytes)
            return make_error(std::errc::invalid_argument,
                              "more bytes were asked for than an address space has");
        region made;
        made.size_ = round_up(request.bytes, huge_page_bytes);
        const bool mapped =
            (request.best == backing::huge_pages && made.map_huge()) || made.map_aligned(request.best);
        if (!mapped)
            return make_error(
                std::errc::not_enough_memory,
                "the system did not map the region: ask for less, or raise its limits (ulimit -v)");
        if (request.numa_node >= 0 && !made.prefer(request.numa_node))
            return make_error(std::errc::invalid_argument, "the memory could not be bound to that NUMA node: "
                                                           "see `numactl --hardware` for those there are");
        if (request.prefault)
            for (std::size_t at = 0; at < made.size_; at += 4096)
                made.data_[at] = std::byte{};
        return made;
    }

    region(region&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
          backing_(other.backing_) {}
    region& operator=(region&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(backing_, other.backing_);
        return *this;
    }
    ~region() {
        if (data_ != nullptr)
            ::munmap(data_, size_);
    }

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] backing got() const noexcept { return backing_; }

  private:
    region() = default;

    [[nodiscard]] bool map_huge() noexcept {
        void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1, 0);
        if (at == MAP_FAILED)
            return false;
        data_ = static_cast<std::byte*>(at);
        backing_ = backing::huge_pages;
        return true;
    }

    // Plain pages on a huge-page boundary, so that the kernel can put huge ones under them. Mapping more and
    // cutting off both ends is the only portable way to that alignment.
    [[nodiscard]] bool map_aligned(backing best) noexcept {
        const std::size_t with_slack = size_ + huge_page_bytes;
        void* at = ::mmap(nullptr, with_slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            return false;
        auto* start = static_cast<std::byte*>(at);
        const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) & (huge_page_bytes - 1);
        if (before != 0)
            ::munmap(start, before);
        ::munmap(start + before + size_, with_slack - before - size_);
        data_ = start + before;
        const bool thp = best != backing::plain_pages && ::madvise(data_, size_, MADV_HUGEPAGE) == 0 &&
                         !transparent_huge_pages_forbidden();
        backing_ = thp ? backing::transparent_huge_pages : backing::plain_pages;
        return true;
    }

    // madvise says yes even where the system was told never to do it.
    [[nodiscard]] static bool transparent_huge_pages_forbidden() noexcept {
        char text[64];
        const int file = ::open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return false;
        const ssize_t length = ::read(file, text, sizeof text);
        ::close(file);
        constexpr char never[] = "[never]";
        return length > 0 &&
               ::memmem(text, static_cast<std::size_t>(length), never, sizeof never - 1) != nullptr;
    }

    [[nodiscard]] bool prefer(int node) noexcept {
        constexpr int longest_node = 1023;
        if (node > longest_node)
            return false;
        unsigned long mask[(longest_node + 1) / (8 * sizeof(unsigned long))] = {};
        mask[static_cast<unsigned>(node) / (8 * sizeof(unsigned long))] =
            1ul << (static_cast<unsigned>(node) % (8 * sizeof(unsigned long)));
        // The kernel looks at one bit less than it is told of.
        return ::syscall(SYS_mbind, data_, size_, MPOL_PREFERRED, mask, longest_node + 2, 0) == 0;
    }

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    backing backing_ = backing::plain_pages;
};

} // namespace noria::inline NORIA_ABI
