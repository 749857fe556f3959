// SPDX-License-Identifier: BSL-1.0
#include "common/machine.hpp"

#include <ctime>
#include <fstream>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "noria/core/clock.hpp"

namespace bench {
namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.rfind("model name", 0) == 0 || line.rfind("CPU part", 0) == 0)
            return line.substr(line.find(':') + 2);
    return "unknown";
}

// The cache of that level and kind, as the kernel prints it ("48K").
std::string cache(const std::string& level, const std::string& kind) {
    for (int i = 0; i != 8; ++i) {
        const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i);
        if (first_line(folder + "/level") == level && first_line(folder + "/type") == kind)
            return first_line(folder + "/size");
    }
    return "unknown";
}

std::vector<unsigned> allowed() {
    static const std::vector<unsigned> list = [] {
        cpu_set_t set;
        std::vector<unsigned> found;
        if (sched_getaffinity(0, sizeof set, &set) == 0)
            for (unsigned i = 0; i != CPU_SETSIZE; ++i)
                if (CPU_ISSET(i, &set))
                    found.push_back(i);
        return found;
    }();
    return list;
}

bool schedule(int policy, int priority) {
    sched_param parameters{};
    parameters.sched_priority = priority;
    return pthread_setschedparam(pthread_self(), policy, &parameters) == 0;
}

} // namespace

bool pin(unsigned n) {
    if (n >= allowed().size())
        return false;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(allowed()[n], &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

unsigned processors() {
    return static_cast<unsigned>(allowed().size());
}

real_time::real_time() {
    schedule(SCHED_FIFO, 1);
}

real_time::~real_time() {
    schedule(SCHED_OTHER, 0);
}

bool real_time::permitted() {
    static const bool answer = schedule(SCHED_FIFO, 1) && schedule(SCHED_OTHER, 0);
    return answer;
}

std::uint64_t preemptions() {
    rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return static_cast<std::uint64_t>(usage.ru_nivcsw);
}

double nanoseconds_per_tick() {
    static const double factor = [] {
        constexpr noria::nanoseconds stretch = 20'000'000;
        const noria::monotonic_clock clock;
        const noria::tick_counter ticks;
        const noria::nanoseconds began = clock.now();
        const std::uint64_t first = ticks.now();
        while (clock.now() - began < stretch) {
        }
        return static_cast<double>(clock.now() - began) / static_cast<double>(ticks.now() - first);
    }();
    return factor;
}

std::uint64_t ticks_for(double seconds) {
    return static_cast<std::uint64_t>(seconds * 1e9 / nanoseconds_per_tick());
}

double thread_seconds() {
    std::timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

nlohmann::json machine_sheet() {
    utsname system;
    uname(&system);
    return {{"cpu", cpu_model()},
            {"cores", processors()},
            {"architecture", system.machine},
            {"kernel", std::string(system.sysname) + " " + system.release},
            {"compiler", std::string("g++ compatible ") + __VERSION__},
            {"flags", BENCH_FLAGS},
            {"tsc_mhz", 1000.0 / nanoseconds_per_tick()},
            {"l1d", cache("1", "Data")},
            {"l2", cache("2", "Unified")},
            {"l3", cache("3", "Unified")}};
}

} // namespace bench
