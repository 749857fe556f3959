// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "noria/core/result.hpp"

namespace qtest {

// Is there such a program on the path?
[[nodiscard]] inline bool installed(const char* program) {
    const char* const path = std::getenv("PATH");
    std::string folders = path != nullptr ? path : "/usr/bin:/bin";
    for (std::size_t begin = 0; begin <= folders.size();) {
        const std::size_t end = std::min(folders.find(':', begin), folders.size());
        const std::string file = folders.substr(begin, end - begin) + "/" + program;
        if (::access(file.c_str(), X_OK) == 0)
            return true;
        begin = end + 1;
    }
    return false;
}

// A program that we started. It ends with this object, and also when the thread that started it ends in any
// other way: nothing stays behind of a test that was killed.
class process {
  public:
    // Set-up. arguments[0] is looked up on the path. It inherits `passed` under the same numbers, and of our
    // other descriptors those that are not marked close-on-exec.
    [[nodiscard]] static noria::result<process> start(std::vector<std::string> arguments,
                                                      std::span<const int> passed) {
        std::vector<char*> argv;
        for (std::string& each : arguments)
            argv.push_back(each.data());
        argv.push_back(nullptr);
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid < 0)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "no process could be started: see `ulimit -u`");
        if (pid == 0) { // from here on only what is safe after a fork among threads
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent)
                ::_exit(127);
            ::setpgid(0, 0); // Ctrl-C is for us, who then still talk to it
            for (const int fd : passed)
                ::fcntl(fd, F_SETFD, 0);
            ::execvp(argv[0], argv.data());
            ::_exit(127);
        }
        return process(pid);
    }

    process(process&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    process& operator=(process&&) = delete;
    ~process() { end(); }

    [[nodiscard]] pid_t id() const noexcept { return pid_; }

    // Ends it at once, and waits until it is gone.
    void end() noexcept {
        if (pid_ == 0)
            return;
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
    }

  private:
    explicit process(pid_t pid) noexcept : pid_(pid) {}

    pid_t pid_;
};

} // namespace qtest
