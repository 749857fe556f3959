// SPDX-License-Identifier: BSL-1.0
#include <readerwriterqueue/readerwriterqueue.h>

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

template <std::uint32_t Capacity>
struct reader_writer : one_object<reader_writer<Capacity>> {
    using item_type = descriptor;

    explicit reader_writer(unsigned) : queue(Capacity) {}

    bool push(const descriptor& item) noexcept { return queue.try_enqueue(item); }
    bool pop(descriptor& item) noexcept { return queue.try_dequeue(item); }

    moodycamel::ReaderWriterQueue<descriptor> queue;
};

} // namespace

void add_readerwriterqueue(std::vector<subject>& all) {
    all.push_back(subject_of<reader_writer>({.name = "ReaderWriterQueue",
                                             .type = "moodycamel::ReaderWriterQueue<T>(N), try_enqueue",
                                             .package = "libreaderwriterqueue-dev",
                                             .index_ring = true}));
}

} // namespace bench
