// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/index.hpp"

// Memory that goes on where it ends: the same pages mapped twice, back to back, so that byte size() is byte 0
// again and whatever would go round the end of a ring lies in one piece behind it.
//
//   auto memory = mirrored_memory::for_slots<descriptor>(1000);
//   spsc_ring<descriptor, {.capacity = dynamic, .mirrored = true}> ring(memory->slots<descriptor>(), 1000);
//
// It costs twice the addresses and, on processors that translate page by page, up to twice the TLB entries.
// It pays where a burst is handed on whole (a system call, a checksum), and not where it is only looped over.

namespace noria::inline NORIA_ABI {

// Mapped at set-up, unmapped when it goes; move-only. Zeroed and shared with the children of a fork.
// Source: memfd_create(2), mmap(2) with MAP_FIXED.
class mirrored_memory {
  public:
    // Set-up. `bytes` is a whole number of pages: the two mappings meet at the edge of one.
    [[nodiscard]] static result<mirrored_memory> map(std::size_t bytes) noexcept {
        const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        if (bytes == 0 || bytes % page_bytes != 0)
            return make_error(
                std::errc::invalid_argument,
                "mirrored memory is a whole number of pages (sysconf(_SC_PAGESIZE), often 4096): "
                "for a ring, raise the capacity until slots_for(capacity) slots are");
        if (bytes > ~std::size_t{0} / 4)
            return make_error(std::errc::invalid_argument,
                              "more bytes were asked for than an address space has");
        const int file = ::memfd_create("noria mirrored ring", MFD_CLOEXEC);
        if (file < 0)
            return make_error(std::errc::too_many_files_open,
                              "the system gave no memfd: close some files or raise the limit (ulimit -n)");
        mirrored_memory made;
        const bool mapped = ::ftruncate(file, static_cast<off_t>(bytes)) == 0 && made.map_twice(file, bytes);
        ::close(file); // the mappings keep the memory
        if (!mapped)
            return make_error(
                std::errc::not_enough_memory,
                "the system did not map the memory twice: ask for less, or raise its limits (ulimit -v)");
        return made;
    }

    // Memory of exactly the slots of a ring of `capacity` elements.
    template <plain_element T>
    [[nodiscard]] static result<mirrored_memory> for_slots(std::uint32_t capacity) noexcept {
        if (capacity == 0 || capacity > max_ring_capacity)
            return make_error(std::errc::invalid_argument, "a ring holds 1 to 2^31 items: ask for as many");
        return map(std::size_t{slots_for(capacity)} * sizeof(T));
    }

    mirrored_memory(mirrored_memory&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    mirrored_memory& operator=(mirrored_memory&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~mirrored_memory() {
        if (data_ != nullptr)
            ::munmap(data_, 2 * size_);
    }

    // The memory once.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    // Both mappings in a row: byte size() + i is byte i.
    [[nodiscard]] std::span<std::byte> twice() const noexcept { return {data_, 2 * size_}; }

    // Both mappings as slots, for a mirrored ring. Precondition: size() is a multiple of sizeof(T), as
    // for_slots<T>() has made it.
    template <plain_element T>
    [[nodiscard]] std::span<T> slots() const noexcept {
        NORIA_EXPECTS(size_ % sizeof(T) == 0, "the slots must fill the memory: map it with for_slots()");
        return {reinterpret_cast<T*>(data_), 2 * size_ / sizeof(T)};
    }

  private:
    mirrored_memory() = default;

    // A reservation of twice the size first, and then the same file over each half: the addresses behind a
    // first mapping might not be free.
    [[nodiscard]] bool map_twice(int file, std::size_t bytes) noexcept {
        void* const reserved = ::mmap(nullptr, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (reserved == MAP_FAILED)
            return false;
        data_ = static_cast<std::byte*>(reserved);
        size_ = bytes;
        for (std::byte* half : {data_, data_ + bytes})
            if (::mmap(half, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, 0) ==
                MAP_FAILED)
                return false;
        return true;
    }

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace noria::inline NORIA_ABI
