// SPDX-License-Identifier: BSL-1.0
#define _LGPL_SOURCE // the inline functions
#include <urcu/wfcqueue.h>

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

// A queue of linked nodes has no bound of its own: each producer has so many nodes, and gets them back from
// the consumer by a count, an eighth at a time. A burst is strung up in a queue of its own first and then
// joined on with one exchange; the consumer cuts all off with one exchange.
template <std::uint32_t Capacity>
class wait_free_queue {
    struct node {
        cds_wfcq_node link;
        descriptor item;
        std::uint32_t owner;
    };
    struct nodes_of_one {
        alignas(noria::thread_gap) node all[Capacity];
        alignas(noria::thread_gap) std::uint32_t sent = 0;
        __cds_wfcq_head burst_head;
        cds_wfcq_tail burst_tail;
        alignas(noria::thread_gap) std::atomic<std::uint32_t> back{0};
    };

  public:
    using item_type = descriptor;
    static constexpr bool many_producers = true;

    explicit wait_free_queue(unsigned producers) : from_(producers) {
        __cds_wfcq_init(&head_, &tail_);
        __cds_wfcq_init(&cut_head_, &cut_tail_);
        for (std::uint32_t owner = 0; owner != producers; ++owner) {
            __cds_wfcq_init(&from_[owner].burst_head, &from_[owner].burst_tail);
            for (node& one : from_[owner].all)
                one.owner = owner;
        }
    }

    struct producer_side {
        wait_free_queue& queue;
        nodes_of_one& mine;

        bool push(const descriptor& item) noexcept {
            if (room() == 0)
                return false;
            cds_wfcq_enqueue(__cds_wfcq_head_cast(&queue.head_), &queue.tail_, next(item));
            return true;
        }
        std::uint32_t push(std::span<const descriptor> items) noexcept {
            const std::uint32_t free = room();
            const auto count = static_cast<std::uint32_t>(items.size() < free ? items.size() : free);
            if (count == 0)
                return 0;
            for (std::uint32_t i = 0; i != count; ++i)
                cds_wfcq_enqueue(__cds_wfcq_head_cast(&mine.burst_head), &mine.burst_tail, next(items[i]));
            __cds_wfcq_splice_nonblocking(__cds_wfcq_head_cast(&queue.head_), &queue.tail_,
                                          __cds_wfcq_head_cast(&mine.burst_head), &mine.burst_tail);
            return count;
        }

      private:
        std::uint32_t room() const noexcept {
            return Capacity - (mine.sent - mine.back.load(std::memory_order_acquire)); // partner: give_back()
        }
        cds_wfcq_node* next(const descriptor& item) noexcept {
            node& one = mine.all[mine.sent++ % Capacity];
            cds_wfcq_node_init(&one.link);
            one.item = item;
            return &one.link;
        }
    };

    producer_side producer(unsigned i) noexcept { return {*this, from_[i]}; }
    wait_free_queue& consumer() noexcept { return *this; }

    bool pop(descriptor& item) noexcept { return take(head_, tail_, item); }
    std::uint32_t pop(std::span<descriptor> items) noexcept {
        if (cds_wfcq_empty(__cds_wfcq_head_cast(&cut_head_), &cut_tail_))
            __cds_wfcq_splice_nonblocking(__cds_wfcq_head_cast(&cut_head_), &cut_tail_,
                                          __cds_wfcq_head_cast(&head_), &tail_);
        std::uint32_t count = 0;
        while (count != items.size() && take(cut_head_, cut_tail_, items[count]))
            ++count;
        return count;
    }

  private:
    bool take(__cds_wfcq_head& head, cds_wfcq_tail& tail, descriptor& item) noexcept {
        cds_wfcq_node* const link = __cds_wfcq_dequeue_nonblocking(__cds_wfcq_head_cast(&head), &tail);
        if (link == nullptr || link == CDS_WFCQ_WOULDBLOCK)
            return false;
        const node& one = *caa_container_of(link, node, link);
        item = one.item;
        give_back(one.owner);
        return true;
    }
    void give_back(std::uint32_t owner) noexcept {
        if (++taken_[owner] % (Capacity / 8) == 0)
            from_[owner].back.store(taken_[owner], std::memory_order_release); // partner: room()
    }

    alignas(noria::thread_gap) cds_wfcq_tail tail_;
    alignas(noria::thread_gap) __cds_wfcq_head head_;
    __cds_wfcq_head cut_head_;
    cds_wfcq_tail cut_tail_;
    std::uint32_t taken_[2] = {0, 0};
    alignas(noria::thread_gap) std::vector<nodes_of_one> from_;
};

} // namespace

void add_urcu(std::vector<subject>& all) {
    all.push_back(subject_of<wait_free_queue>(
        {.name = "wfcqueue", .type = "cds_wfcq, N nodes a producer", .package = "liburcu-dev"}));
}

} // namespace bench
