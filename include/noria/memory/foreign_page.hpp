// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/memory/page.hpp"

namespace noria::inline NORIA_ABI {

// A page over memory that is not the library's: a mapped file, a buffer of another library. Packets hold it
// like any other page; when the last reference goes, on whatever thread, `release` is called once and says so
// to the one whose memory it is.
//
// It begins with one reference, its maker's, which is given back with under().release(), or goes to a packet
// that is wrapped around it. It stays where it is until `release` has been called, and may go from in there.
class foreign_page {
  public:
    using release_function = void(void* context, std::span<std::byte> bytes) noexcept;

    // Set-up. At most 4 GiB - 1 of bytes.
    foreign_page(std::span<std::byte> bytes, void* context, release_function* release) noexcept
        : context_(context), release_(release), owner_{this, &take_back},
          page_(bytes.data(), static_cast<std::uint32_t>(bytes.size()), owner_) {
        NORIA_EXPECTS(bytes.size() <= ~std::uint32_t{0}, "a page is smaller than 4 GiB: make several");
        page_.start(1);
    }
    foreign_page(const foreign_page&) = delete;
    foreign_page& operator=(const foreign_page&) = delete;
    ~foreign_page() {
        NORIA_EXPECTS(page_.references() == page::at_home,
                      "somebody still holds this page: keep it until its release function was called");
    }

    [[nodiscard]] page& under() noexcept { return page_; }

  private:
    static void take_back(void* self, page& released) noexcept {
        const foreign_page& done = *static_cast<foreign_page*>(self);
        done.release_(done.context_, {released.data(), released.size()});
    }

    void* context_;
    release_function* release_;
    basic_page_owner<std_sync> owner_;
    page page_;
};

} // namespace noria::inline NORIA_ABI
