// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

#include "noria/core/contract.hpp"

namespace noria::inline NORIA_ABI {

// Why a set-up call failed: the code for programs, and one sentence for people that says what was expected,
// what was found and what to do. The sentence is a string literal: an error allocates nothing.
struct error {
    std::error_code code;
    const char* advice = "";
    // Where the sentence speaks of a number: what was wanted, and what was found. Otherwise both are 0.
    std::uint64_t wanted = 0;
    std::uint64_t found = 0;
};

[[nodiscard]] inline error make_error(std::errc code, const char* advice, std::uint64_t wanted = 0,
                                      std::uint64_t found = 0) noexcept {
    return {std::make_error_code(code), advice, wanted, found};
}

// A value, or the error that kept it from being made. Set-up paths only: the data path returns counts.
// Thread: as T. Cost: T plus one error.
template <class T>
class [[nodiscard("a set-up call can fail: look at the result")]] result {
    static_assert(std::is_nothrow_move_constructible_v<T>, "result<T> moves T without a way to fail");

  public:
    using value_type = T;

    result(T value) noexcept : ok_(true) { ::new (static_cast<void*>(&value_)) T(std::move(value)); }
    result(struct error failure) noexcept : failure_(failure), ok_(false) {}
    result(result&& other) noexcept : failure_(other.failure_), ok_(other.ok_) {
        if (ok_)
            ::new (static_cast<void*>(&value_)) T(std::move(other.value_));
    }
    result& operator=(result&& other) noexcept {
        if (this != &other) {
            this->~result();
            ::new (static_cast<void*>(this)) result(std::move(other));
        }
        return *this;
    }
    ~result() {
        if (ok_)
            value_.~T();
    }

    [[nodiscard]] explicit operator bool() const noexcept { return ok_; }
    [[nodiscard]] bool has_value() const noexcept { return ok_; }

    // Precondition: has_value().
    [[nodiscard]] T& value() & noexcept {
        NORIA_EXPECTS(ok_, "this result holds an error; look at error().advice");
        return value_;
    }
    [[nodiscard]] const T& value() const& noexcept {
        NORIA_EXPECTS(ok_, "this result holds an error; look at error().advice");
        return value_;
    }
    [[nodiscard]] T&& value() && noexcept {
        NORIA_EXPECTS(ok_, "this result holds an error; look at error().advice");
        return std::move(value_);
    }
    [[nodiscard]] T& operator*() & noexcept { return value(); }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(*this).value(); }
    [[nodiscard]] const T& operator*() const& noexcept { return value(); }
    [[nodiscard]] T* operator->() noexcept { return &value(); }
    [[nodiscard]] const T* operator->() const noexcept { return &value(); }

    // Precondition: !has_value().
    [[nodiscard]] const struct error& error() const noexcept {
        NORIA_EXPECTS(!ok_, "this result holds a value, not an error");
        return failure_;
    }

  private:
    struct error failure_{};
    union {
        T value_;
    };
    bool ok_;
};

} // namespace noria::inline NORIA_ABI
