// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/resource.h>
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
    bool locked = false;                // never swapped out, from the first touch on; needs `ulimit -l`
    bool shared = false;                // other processes can map the same memory through fd()
};

// Memory that a device may be given: mapped once at set-up, unmapped when the region goes. It asks for huge
// pages, since one translation then covers 2 MiB of packets, and says what it got: no silent fallback.
// Source: mmap(2), mlock2(2), memfd_create(2), set_mempolicy(2).
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
        const bool mapped = (request.best == backing::huge_pages && made.map_huge(request.shared)) ||
                            made.map_aligned(request.best, request.shared);
        if (!mapped)
            return make_error(std::errc::not_enough_memory,
                              "the system did not map the region: ask for less, or raise its limits "
                              "(ulimit -v, and for shared memory ulimit -n)");
        if (request.numa_node >= 0 && !made.prefer(request.numa_node))
            return make_error(std::errc::invalid_argument, "the memory could not be bound to that NUMA node: "
                                                           "see `numactl --hardware` for those there are");
        if (request.prefault && !made.prefault())
            return make_error(std::errc::not_enough_memory,
                              "the system has not as much memory to share: ask for less");
        if (request.locked && !made.lock(request.prefault))
            return make_error(
                std::errc::operation_not_permitted,
                "the region could not be locked: raise the limit on locked memory (ulimit -l, "
                "memlock in limits.conf) or ask for less; region::lock_advice() has the numbers");
        return made;
    }

    // Set-up. What to do when a region of `bytes` cannot be locked, in one sentence with the numbers of this
    // process: its limit now, and what was asked. Fills `text`, ends it with a 0, and returns the size that
    // the whole sentence needs with it. Privileged processes (CAP_IPC_LOCK) have no limit.
    [[gnu::cold, gnu::noinline]] static std::size_t lock_advice(std::size_t bytes,
                                                                std::span<char> text) noexcept {
        const std::size_t kib = round_up(bytes, huge_page_bytes) / 1024;
        char limit[24] = "unlimited";
        rlimit now{};
        if (::getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_cur != RLIM_INFINITY)
            std::snprintf(limit, sizeof limit, "%llu KiB",
                          static_cast<unsigned long long>(now.rlim_cur / 1024));
        const int length = std::snprintf(text.data(), text.size(),
                                         "%zu KiB were to be locked and this process may lock %s in all: "
                                         "raise it with `ulimit -l %zu` or more",
                                         kib, limit, kib);
        return static_cast<std::size_t>(length) + 1;
    }

    region(region&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
          file_(std::exchange(other.file_, -1)), backing_(other.backing_) {}
    region& operator=(region&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(file_, other.file_);
        std::swap(backing_, other.backing_);
        return *this;
    }
    ~region() {
        if (data_ != nullptr)
            ::munmap(data_, size_);
        if (file_ >= 0)
            ::close(file_);
    }

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] backing got() const noexcept { return backing_; }
    // What another process maps (MAP_SHARED, bytes().size() from offset 0) to see the same memory: it goes
    // there by fork or in a message of a Unix socket, and stays the region's. It can be neither shortened nor
    // made longer. -1 for a region that is not shared.
    [[nodiscard]] int fd() const noexcept { return file_; }

  private:
    region() = default;

    [[nodiscard]] bool map_huge(bool shared) noexcept {
        constexpr int huge = MAP_HUGETLB | (21 << MAP_HUGE_SHIFT);
        // Files have the size of their pages in the same bits as mappings.
        if (shared && !make_file(MFD_HUGETLB | (21u << MAP_HUGE_SHIFT)))
            return false;
        void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                          shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | huge, file_, 0);
        if (at == MAP_FAILED)
            return false;
        data_ = static_cast<std::byte*>(at);
        backing_ = backing::huge_pages;
        return true;
    }

    // Plain pages on a huge-page boundary, so that the kernel can put huge ones under them. Mapping more and
    // cutting off both ends is the only portable way to that alignment; a file goes over what is left, so
    // that its first byte is the region's.
    [[nodiscard]] bool map_aligned(backing best, bool shared) noexcept {
        if (shared && !make_file(0))
            return false;
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
        if (shared &&
            ::mmap(data_, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_, 0) == MAP_FAILED)
            return false;
        const bool thp =
            best != backing::plain_pages &&
            !transparent_huge_pages_forbidden(shared ? "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
                                                     : "/sys/kernel/mm/transparent_hugepage/enabled") &&
            ::madvise(data_, size_, MADV_HUGEPAGE) == 0;
        backing_ = thp ? backing::transparent_huge_pages : backing::plain_pages;
        return true;
    }

    // Sealed at its size: who has the descriptor could otherwise cut the memory away under us.
    [[nodiscard]] bool make_file(unsigned flags) noexcept {
        if (file_ >= 0)
            ::close(file_); // of huge pages, which could not be mapped
        file_ = ::memfd_create("noria region", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
        return file_ >= 0 && ::ftruncate(file_, static_cast<off_t>(size_)) == 0 &&
               ::fcntl(file_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    }

    [[nodiscard]] bool lock(bool all_now) noexcept {
        return ::mlock2(data_, size_, all_now ? 0 : MLOCK_ONFAULT) == 0;
    }

    // A file's memory is asked for first, where its lack is a return value and not a signal.
    [[nodiscard]] bool prefault() noexcept {
        if (file_ >= 0 && ::fallocate(file_, 0, 0, static_cast<off_t>(size_)) != 0)
            return false;
        for (std::size_t at = 0; at < size_; at += 4096)
            data_[at] = std::byte{};
        return true;
    }

    // madvise says yes even where the system was told never to do it.
    [[nodiscard]] static bool transparent_huge_pages_forbidden(const char* setting) noexcept {
        char text[64];
        const int file = ::open(setting, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return false;
        const ssize_t length = ::read(file, text, sizeof text);
        ::close(file);
        for (const char* word : {"[never]", "[deny]"})
            if (length > 0 &&
                ::memmem(text, static_cast<std::size_t>(length), word, std::strlen(word)) != nullptr)
                return true;
        return false;
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
    int file_ = -1;
    backing backing_ = backing::plain_pages;
};

} // namespace noria::inline NORIA_ABI
