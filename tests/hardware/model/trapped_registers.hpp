// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

namespace model82599 {

// A 32-bit load or store, as drivers are compiled for x86-64. (g++ makes each volatile access a move of its
// own; clang may put a load into a comparison, which this does not know.) Intel SDM volume 2, section 2.1.
struct decoded_access {
    bool is_write = false;
    std::optional<std::uint32_t> immediate; // what is written, if it stands in the instruction
    unsigned gpr = 0;                       // else the general register: its number in the instruction
    std::size_t length = 0;                 // of the instruction, bytes

    // None where the instruction is another one.
    [[nodiscard]] static std::optional<decoded_access> from(const std::uint8_t* code) noexcept {
        const std::uint8_t* at = code;
        unsigned rex = 0;
        if ((*at & 0xf0) == 0x40)
            rex = *at++;
        if ((rex & 8) != 0) // 64 bits
            return std::nullopt;
        decoded_access found;
        bool with_immediate = false;
        switch (*at++) {
        case 0x8b: // mov r32, [m]
            break;
        case 0x89: // mov [m], r32
            found.is_write = true;
            break;
        case 0xc7: // mov [m], imm32
            found.is_write = with_immediate = true;
            break;
        case 0x0f: // movdiri [m], r32: 0f 38 f9
            if (*at++ != 0x38 || *at++ != 0xf9)
                return std::nullopt;
            found.is_write = true;
            break;
        default:
            return std::nullopt;
        }
        const std::uint8_t modrm = *at++;
        const unsigned mode = modrm >> 6;
        if (mode == 3)
            return std::nullopt;
        found.gpr = (modrm >> 3 & 7) | ((rex & 4) != 0 ? 8 : 0);
        bool wide = mode == 2 || (mode == 0 && (modrm & 7) == 5);
        if ((modrm & 7) == 4) { // a scaled index follows
            const std::uint8_t sib = *at++;
            wide = wide || (mode == 0 && (sib & 7) == 5);
        }
        at += wide ? 4 : mode == 1 ? 1 : 0;
        if (with_immediate) {
            found.immediate =
                at[0] | std::uint32_t{at[1]} << 8 | std::uint32_t{at[2]} << 16 | std::uint32_t{at[3]} << 24;
            at += 4;
        }
        found.length = static_cast<std::size_t>(at - code);
        return found;
    }
};

// Registers for a driver that reaches them by plain loads and stores, because it was written for a card and
// knows nothing of models: memory that may not be touched, and a handler that does what was meant. An access
// costs about a microsecond. One at a time in a process; x86-64 only.
class trapped_registers {
  public:
    using reads = std::function<std::uint32_t(std::uint32_t offset)>;
    using writes = std::function<void(std::uint32_t offset, std::uint32_t value)>;

    // They are called one after the other, on the thread that made the access.
    trapped_registers(std::size_t bytes, reads read, writes write)
        : bytes_(bytes), read_(std::move(read)), write_(std::move(write)) {
        void* at = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        base_ = at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
        current_ = this;
        struct sigaction action{};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        ::sigaction(SIGSEGV, &action, &before_);
    }
    trapped_registers(const trapped_registers&) = delete;
    trapped_registers& operator=(const trapped_registers&) = delete;
    ~trapped_registers() {
        ::sigaction(SIGSEGV, &before_, nullptr);
        current_ = nullptr;
        if (base_ != nullptr)
            ::munmap(base_, bytes_);
    }

    // Where a driver is told that its card is. Null if there was no room for it.
    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] std::uint64_t accesses() const noexcept { return accesses_; }

  private:
    static void handle(int, siginfo_t* info, void* context) {
        auto* address = static_cast<std::byte*>(info->si_addr);
        auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
        trapped_registers* here = current_;
        const bool ours = here != nullptr && address >= here->base_ && address < here->base_ + here->bytes_;
        if (!ours || !here->carry_out(static_cast<std::uint32_t>(address - here->base_), registers))
            ::signal(SIGSEGV, SIG_DFL); // and so it happens again
    }

    [[nodiscard]] bool carry_out(std::uint32_t offset, gregset_t& registers) {
        const auto access = decoded_access::from(reinterpret_cast<const std::uint8_t*>(registers[REG_RIP]));
        if (!access)
            return false;
        const std::lock_guard one_at_a_time(mutex_);
        ++accesses_;
        // The numbers in an instruction, as the kernel calls them.
        constexpr int places[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
        greg_t& value = registers[places[access->gpr]];
        if (!access->is_write)
            value = read_(offset); // the upper half becomes 0, as the instruction would make it
        else
            write_(offset, access->immediate ? *access->immediate : static_cast<std::uint32_t>(value));
        registers[REG_RIP] += static_cast<greg_t>(access->length);
        return true;
    }

    static inline trapped_registers* current_ = nullptr;

    std::byte* base_ = nullptr;
    std::size_t bytes_;
    reads read_;
    writes write_;
    std::mutex mutex_;
    std::uint64_t accesses_ = 0;
    struct sigaction before_{};
};

} // namespace model82599
