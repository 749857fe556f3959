// SPDX-License-Identifier: BSL-1.0
#include "rings/harness.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

namespace bench {
namespace {

bool schedule(int policy, int priority) {
    sched_param parameters{};
    parameters.sched_priority = priority;
    return pthread_setschedparam(pthread_self(), policy, &parameters) == 0;
}

} // namespace

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

std::uint64_t ticks_for(double seconds) {
    return static_cast<std::uint64_t>(seconds * 1e9 / nanoseconds_per_tick());
}

} // namespace bench
