// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

// A stack of its own for each thread of a body, and the switch from one to another. An execution is a few
// dozen switches, so they decide how many executions a second there are: on x86-64 a switch is 15
// instructions, elsewhere it is the C library's, which asks the system to save the signal mask each time.

namespace explorer {

#if defined(__x86_64__)

// Puts the registers that a call preserves on the stack, changes stacks, and takes them off that one.
[[gnu::naked, gnu::noinline]] inline void switch_stack(void** /*from: rdi*/, void* /*to: rsi*/) {
    asm("push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
        "ret");
}

#endif

class fiber {
  public:
    // The next switch to this fiber calls `entry`, which never returns, at the top of the stack; whatever was
    // going on there is forgotten.
    void start(void (*entry)()) {
        if (!stack_)
            stack_ = std::make_unique_for_overwrite<stack>();
#if defined(__x86_64__)
        // What switch_stack takes off: six registers and where to go; and above, where entry would return to.
        auto* const top = reinterpret_cast<std::uintptr_t*>(stack_->bytes + sizeof stack_->bytes);
        top[-1] = 0;
        top[-2] = reinterpret_cast<std::uintptr_t>(entry);
        saved_ = top - 8;
#else
        getcontext(&saved_);
        saved_.uc_stack.ss_sp = stack_->bytes;
        saved_.uc_stack.ss_size = sizeof stack_->bytes;
        saved_.uc_link = nullptr;
        makecontext(&saved_, entry, 0);
#endif
    }

    // From this fiber, which is running, to another.
    void switch_to(fiber& other) {
#if defined(__x86_64__)
        switch_stack(&saved_, other.saved_);
#else
        swapcontext(&saved_, &other.saved_);
#endif
    }

  private:
    struct stack {
        alignas(16) std::byte bytes[128 * 1024];
    };

    std::unique_ptr<stack> stack_; // the program's own stack has none here
#if defined(__x86_64__)
    void* saved_ = nullptr;
#else
    ucontext_t saved_;
#endif
};

} // namespace explorer
