// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "hardware/dma_space.hpp"
#include "hardware/file_descriptor.hpp"
#include "hardware/qtest/process.hpp"
#include "noria/core/bits.hpp"
#include "noria/core/result.hpp"

namespace qtest {

// The machine's memory: a file that QEMU and we have mapped both. There is no IOMMU, so an iova is an offset
// in the file. What was given out stays given out until the machine goes.
class memory {
  public:
    [[nodiscard]] static noria::result<memory> create(std::size_t bytes) noexcept {
        hardware::file_descriptor file(::memfd_create("qtest memory", MFD_CLOEXEC));
        if (!file || ::ftruncate(file.fd(), static_cast<off_t>(bytes)) != 0)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "no file in memory for the machine: see `ulimit -f` and `ulimit -n`");
        void* const at =
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.fd(), 0);
        if (at == MAP_FAILED)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "the machine's memory could not be mapped: ask for less");
        return memory(std::move(file), {static_cast<std::byte*>(at), bytes});
    }

    memory(memory&& other) noexcept
        : file_(std::move(other.file_)), all_(std::exchange(other.all_, {})), used_(other.used_),
          attached_(other.attached_), attached_count_(other.attached_count_) {}
    memory& operator=(memory&&) = delete;
    ~memory() {
        if (!all_.empty())
            ::munmap(all_.data(), all_.size());
    }

    // Models hardware::dma_space.
    [[nodiscard]] noria::result<hardware::dma_memory> allocate(std::size_t bytes,
                                                               std::size_t alignment) noexcept {
        const auto at = take(bytes, alignment);
        if (!at)
            return at.error();
        return hardware::dma_memory{all_.subspan(*at, bytes), *at};
    }

    // Puts the machine's memory in the place of the region's own, with the bytes that are there. A region
    // that is attached twice has one iova. Precondition: it outlives the machine, and nobody else uses it for
    // the moment.
    [[nodiscard]] noria::result<noria::mapping> attach(noria::region& region) noexcept {
        const std::span<std::byte> bytes = region.bytes();
        for (const auto& known : std::span(attached_).first(attached_count_))
            if (known.bytes.data() == bytes.data() && known.bytes.size() == bytes.size())
                return noria::mapping(bytes, known.iova);
        if (region.fd() >= 0)
            return noria::make_error(std::errc::not_supported,
                                     "a region that is shared with others cannot be QEMU's as well: map it "
                                     "without `shared`");
        if (attached_count_ == attached_.size())
            return noria::make_error(std::errc::not_enough_memory,
                                     "16 regions are attached (`wanted` were more): use fewer and larger",
                                     attached_count_ + 1, attached_.size());
        const auto at = take(bytes.size(), 4096);
        if (!at)
            return at.error();
        for (std::size_t done = 0; done != bytes.size();) {
            const ssize_t wrote = ::pwrite(file_.fd(), bytes.data() + done, bytes.size() - done,
                                           static_cast<off_t>(*at + done));
            if (wrote <= 0)
                return noria::make_error(std::errc::not_enough_memory,
                                         "the system has not as much memory to share: attach less");
            done += static_cast<std::size_t>(wrote);
        }
        if (::mmap(bytes.data(), bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_.fd(),
                   static_cast<off_t>(*at)) == MAP_FAILED)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "the machine's memory could not take the region's place");
        attached_[attached_count_++] = {bytes, *at};
        return noria::mapping(bytes, *at);
    }

    // All of it, as the device sees it.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return all_; }
    [[nodiscard]] int fd() const noexcept { return file_.fd(); }

  private:
    memory(hardware::file_descriptor file, std::span<std::byte> all) noexcept
        : file_(std::move(file)), all_(all) {}

    [[nodiscard]] noria::result<std::uint64_t> take(std::size_t bytes, std::size_t alignment) noexcept {
        const std::uint64_t at = noria::round_up(used_, std::uint64_t{alignment});
        if (bytes > all_.size() || at > all_.size() - bytes)
            return noria::make_error(std::errc::not_enough_memory,
                                     "the machine's memory (`found` bytes left, `wanted` asked for) is used "
                                     "up: start it with more",
                                     bytes, all_.size() - used_);
        used_ = at + bytes;
        return at;
    }

    struct known_region {
        std::span<std::byte> bytes;
        std::uint64_t iova = 0;
    };

    hardware::file_descriptor file_;
    std::span<std::byte> all_;
    std::uint64_t used_ = 1 << 20; // below, a PC has holes for its BIOS and its screen
    std::array<known_region, 16> attached_{};
    std::size_t attached_count_ = 0;
};

static_assert(hardware::dma_space<memory>);

} // namespace qtest
