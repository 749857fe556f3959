// SPDX-License-Identifier: BSL-1.0
// The model under a driver that nobody here wrote: DPDK's for this card, the binary as Debian has it. It
// finds a card in what is the model, brings it up, sends and receives, and its counters are right. Where
// there is no DPDK this says so, and ends with 77: skipped.
#include <iostream>

#if __has_include(<rte_version.h>)
#include <rte_version.h>
#endif

#if defined(RTE_VER_YEAR) && RTE_VER_YEAR == 22 && RTE_VER_MONTH == 11 && defined(__x86_64__)

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <sys/eventfd.h>

#include <gtest/gtest.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include "hardware/model/by_hand.hpp"
#include "hardware/model/card.hpp"
#include "hardware/model/dpdk_bus.hpp"
#include "hardware/model/trapped_registers.hpp"

// Of the drivers that were loaded, the one that says it drives our card.
static constinit dpdk_23::pci_driver* the_driver = nullptr;

// Drivers make themselves known to their bus as they are loaded: here they pass us on the way.
extern "C" void rte_pci_register(dpdk_23::pci_driver* driver) {
    for (const rte_pci_id* id = driver->ids; id->vendor_id != 0; ++id)
        if (id->vendor_id == model82599::card::vendor_id && id->device_id == model82599::card::device_id)
            the_driver = driver;
    const auto bus = reinterpret_cast<void (*)(dpdk_23::pci_driver*)>(dlsym(RTLD_NEXT, "rte_pci_register"));
    bus(driver);
}

// One for the whole process, because so is DPDK.
static constinit model82599::card* the_card = nullptr;

// A driver's delay is time for the card, and not for who waits for the test.
static void let_pass(unsigned microseconds) {
    if (the_card != nullptr)
        the_card->pass(microseconds * std::uint64_t{1000});
}
extern "C" void rte_delay_us_sleep(unsigned microseconds) {
    let_pass(microseconds);
}

namespace {

using by_hand::bytes;

class third_party_driver : public testing::Test {
  public:
    static constexpr std::uint16_t queues = 4, descriptors = 256;

    static bool start_dpdk() {
        std::array<std::string, 9> words{
            "third_party_driver", "--no-huge",      "-m",           "128", "--no-pci", "--no-shconf",
            "--iova-mode=va",     "--no-telemetry", "--log-level=4"};
        std::array<char*, words.size()> arguments{};
        std::ranges::transform(words, arguments.begin(), [](std::string& word) { return word.data(); });
        return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0;
    }

    static void SetUpTestSuite() {
        ASSERT_NE(the_driver, nullptr);
        static model82599::card card({.link_delay = 5'000'000});
        the_card = &card;
        // Every access of the driver, and every delay, is time in which the card works.
        static model82599::trapped_registers registers(
            model82599::register_file::size,
            [](std::uint32_t offset) {
                the_card->pass(100);
                return the_card->read32(offset);
            },
            [](std::uint32_t offset, std::uint32_t value) { the_card->write32(offset, value); });
        rte_delay_us_callback_register(let_pass);
        rte_memseg_walk(
            [](const rte_memseg_list*, const rte_memseg* segment, void*) {
                the_card->dma().attach_at({static_cast<std::byte*>(segment->addr), segment->len},
                                          segment->iova);
                return 0;
            },
            nullptr);

        static dpdk_23::pci_device device{};
        std::strcpy(device.name, "0000:01:00.0");
        device.generic.name = device.name;
        device.id = {.class_id = 0x020000,
                     .vendor_id = model82599::card::vendor_id,
                     .device_id = model82599::card::device_id,
                     .subsystem_vendor_id = 0x8086,
                     .subsystem_device_id = 0};
        device.bars[0] = {.phys_addr = 0, .len = model82599::register_file::size, .addr = registers.base()};
        device.interrupts = rte_intr_instance_alloc(0);
        rte_intr_type_set(device.interrupts, RTE_INTR_HANDLE_VDEV);
        rte_intr_fd_set(device.interrupts, ::eventfd(0, EFD_NONBLOCK));
        device.driver = the_driver;
        device.generic.driver = &the_driver->generic;
        ASSERT_EQ(the_driver->probe(the_driver, &device), 0);
        std::cout << registers.accesses() << " register accesses to probe\n";
        pool_ = rte_pktmbuf_pool_create("packets", 8191, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, 0);
        ASSERT_NE(pool_, nullptr);
    }
    static void TearDownTestSuite() { rte_eth_dev_close(0); }

    static inline rte_mempool* pool_ = nullptr;

  protected:
    // Stopped and configured anew for each test.
    void start(std::uint64_t receive_offloads = 0, std::uint64_t transmit_offloads = 0, bool drop = false,
               std::uint32_t mtu = 1500) {
        rte_eth_dev_info info{};
        ASSERT_EQ(rte_eth_dev_info_get(0, &info), 0);
        rte_eth_conf wanted{};
        wanted.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        wanted.rxmode.mtu = mtu;
        wanted.rxmode.offloads = receive_offloads | RTE_ETH_RX_OFFLOAD_RSS_HASH;
        wanted.txmode.offloads = transmit_offloads;
        wanted.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads;
        ASSERT_EQ(rte_eth_dev_configure(0, queues, queues, &wanted), 0);
        info.default_rxconf.rx_drop_en = drop;
        info.default_rxconf.offloads = wanted.rxmode.offloads;
        info.default_txconf.offloads = wanted.txmode.offloads;
        for (std::uint16_t queue = 0; queue != queues; ++queue) {
            ASSERT_EQ(rte_eth_rx_queue_setup(0, queue, descriptors, 0, &info.default_rxconf, pool_), 0);
            ASSERT_EQ(rte_eth_tx_queue_setup(0, queue, descriptors, 0, &info.default_txconf), 0);
        }
        ASSERT_EQ(rte_eth_dev_start(0), 0);
        for (std::uint16_t queue = 0; queue != queues; ++queue) {
            ASSERT_EQ(rte_eth_dev_set_rx_queue_stats_mapping(0, queue, static_cast<std::uint8_t>(queue)), 0);
            ASSERT_EQ(rte_eth_dev_set_tx_queue_stats_mapping(0, queue, static_cast<std::uint8_t>(queue)), 0);
        }
        rte_eth_link link{};
        for (int look = 0; look != 1000 && link.link_status == 0; ++look) {
            let_pass(1000);
            ASSERT_EQ(rte_eth_link_get_nowait(0, &link), 0);
        }
        ASSERT_EQ(link.link_status, 1);
        EXPECT_EQ(link.link_speed, 10000u);
        ASSERT_EQ(rte_eth_stats_reset(0), 0);
    }
    void TearDown() override {
        EXPECT_EQ(rte_eth_dev_stop(0), 0);
        EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
        // It leaves bit 12 of DCA_RXCTRL on, against the last sentence of section 4.6.7.
        for (const model82599::fault_record& each : the_card->faults().records())
            if (each.what != model82599::fault::setting_forgotten)
                ADD_FAILURE() << each;
        the_card->faults().clear();
    }

    // All that has arrived, from all queues; who calls frees it.
    [[nodiscard]] static std::vector<rte_mbuf*> received() {
        the_card->step();
        std::vector<rte_mbuf*> all;
        for (std::uint16_t queue = 0; queue != queues; ++queue) {
            std::array<rte_mbuf*, 32> burst{};
            while (const std::uint16_t count = rte_eth_rx_burst(0, queue, burst.data(), burst.size()))
                all.insert(all.end(), burst.begin(), burst.begin() + count);
        }
        return all;
    }
    [[nodiscard]] static bytes content(const rte_mbuf* packet) {
        bytes whole;
        for (; packet != nullptr; packet = packet->next) {
            const auto* data = rte_pktmbuf_mtod(packet, const std::byte*);
            whole.insert(whole.end(), data, data + packet->data_len);
        }
        return whole;
    }
    [[nodiscard]] static rte_mbuf* packet_of(std::span<const std::byte> frame) {
        rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
        std::memcpy(rte_pktmbuf_append(packet, static_cast<std::uint16_t>(frame.size())), frame.data(),
                    frame.size());
        return packet;
    }
    [[nodiscard]] static std::vector<bytes> sent() {
        the_card->step();
        std::vector<bytes> frames;
        the_card->take_sent([&](std::span<const std::byte> frame, std::uint32_t) {
            frames.emplace_back(frame.begin(), frame.end());
        });
        return frames;
    }
    [[nodiscard]] static rte_eth_stats counters() {
        rte_eth_stats now{};
        EXPECT_EQ(rte_eth_stats_get(0, &now), 0);
        return now;
    }
};

TEST_F(third_party_driver, finds_the_card_and_its_address) {
    start();
    rte_ether_addr address{};
    ASSERT_EQ(rte_eth_macaddr_get(0, &address), 0);
    EXPECT_TRUE(std::ranges::equal(address.addr_bytes, the_card->setup().mac.bytes));
}

TEST_F(third_party_driver, receives_on_all_queues_and_counts_right) {
    start(RTE_ETH_RX_OFFLOAD_CHECKSUM);
    std::vector<bytes> expected;
    std::vector<bytes> got;
    std::uint64_t octets = 0;
    for (unsigned i = 0; i != 3000; ++i) {
        expected.push_back(by_hand::make_frame({.protocol = i % 3 == 0 ? 6u : 17u,
                                                .payload = 40 + i * 37 % 1400,
                                                .ipv6 = i % 5 == 0,
                                                .source_port = 1000 + i}));
        octets += expected.back().size();
        EXPECT_EQ(the_card->wire_in(expected.back()), model82599::arrival::queued);
        if (i % 50 == 0 || i == 2999)
            for (rte_mbuf* packet : received()) {
                got.push_back(content(packet));
                EXPECT_EQ(packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_GOOD);
                EXPECT_NE(packet->ol_flags & RTE_MBUF_F_RX_RSS_HASH, 0u);
                EXPECT_NE(packet->hash.rss, 0u);
                rte_pktmbuf_free(packet);
            }
    }
    std::ranges::sort(expected);
    std::ranges::sort(got);
    EXPECT_EQ(got, expected);
    const rte_eth_stats stats = counters();
    EXPECT_EQ(stats.ipackets, 3000u);
    EXPECT_EQ(stats.ibytes, octets);
    EXPECT_EQ(stats.imissed, 0u);
    EXPECT_EQ(stats.ierrors, 0u);
    for (std::uint16_t queue = 0; queue != queues; ++queue)
        EXPECT_GT(stats.q_ipackets[queue], 0u) << queue;
}

TEST_F(third_party_driver, sees_bad_checksums) {
    start(RTE_ETH_RX_OFFLOAD_CHECKSUM);
    bytes frame = by_hand::make_frame({.protocol = 6});
    frame.back() ^= std::byte{1};
    frame[22] ^= std::byte{1};
    the_card->wire_in(frame);
    const auto packets = received();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(packets[0]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_BAD);
    EXPECT_EQ(packets[0]->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK, RTE_MBUF_F_RX_IP_CKSUM_BAD);
    rte_pktmbuf_free(packets[0]);
}

TEST_F(third_party_driver, receives_long_frames_in_pieces_and_tags_apart) {
    start(RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_VLAN_STRIP, 0, false, 9000);
    const bytes frame = by_hand::make_frame({.payload = 8000, .tagged = true});
    EXPECT_EQ(the_card->wire_in(frame), model82599::arrival::queued);
    const auto packets = received();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(packets[0]->nb_segs, 4u);
    EXPECT_EQ(packets[0]->vlan_tci, 0x6123u);
    EXPECT_EQ(content(packets[0]), by_hand::make_frame({.payload = 8000}));
    rte_pktmbuf_free(packets[0]);
}

// 1024 descriptors and 512 KiB of packet buffer for more than that.
TEST_F(third_party_driver, counts_what_was_missed) {
    start();
    const bytes frame = by_hand::make_frame({.payload = 1400});
    unsigned missed = 0;
    for (unsigned i = 0; i != 1000; ++i) {
        missed += the_card->wire_in(frame) == model82599::arrival::missed;
        the_card->step();
    }
    EXPECT_GT(missed, 0u);
    std::size_t got = 0;
    for (auto packets = received(); !packets.empty(); packets = received()) {
        got += packets.size();
        for (rte_mbuf* packet : packets)
            rte_pktmbuf_free(packet);
    }
    const rte_eth_stats stats = counters();
    EXPECT_EQ(stats.ipackets, got);
    EXPECT_EQ(stats.imissed, missed);
    EXPECT_EQ(got + missed, 1000u);
}

TEST_F(third_party_driver, counts_what_a_queue_dropped) {
    start(0, 0, true);
    const bytes frame = by_hand::make_frame({});
    for (unsigned i = 0; i != 1000; ++i) {
        the_card->wire_in(frame);
        the_card->step();
    }
    std::size_t got = 0;
    for (rte_mbuf* packet : received()) {
        ++got;
        rte_pktmbuf_free(packet);
    }
    const rte_eth_stats stats = counters();
    EXPECT_EQ(stats.ipackets, got);
    EXPECT_EQ(stats.imissed, 0u);
    std::uint64_t dropped = 0;
    for (const std::uint64_t each : stats.q_errors)
        dropped += each;
    EXPECT_EQ(got + dropped, 1000u);
}

TEST_F(third_party_driver, sends_on_all_queues_and_counts_right) {
    start();
    std::vector<bytes> expected;
    std::vector<bytes> out;
    std::uint64_t octets = 0;
    for (unsigned i = 0; i != 3000; ++i) {
        expected.push_back(by_hand::make_frame({.payload = 40 + i * 37 % 1400, .source_port = 1000 + i}));
        octets += expected.back().size();
        rte_mbuf* packet = packet_of(expected.back());
        ASSERT_EQ(rte_eth_tx_burst(0, static_cast<std::uint16_t>(i % queues), &packet, 1), 1);
        if (i % 50 == 0 || i == 2999)
            for (bytes& frame : sent())
                out.push_back(std::move(frame));
    }
    std::ranges::sort(expected);
    std::ranges::sort(out);
    EXPECT_EQ(out, expected);
    const rte_eth_stats stats = counters();
    EXPECT_EQ(stats.opackets, 3000u);
    EXPECT_EQ(stats.obytes, octets);
    EXPECT_EQ(stats.oerrors, 0u);
}

TEST_F(third_party_driver, has_checksums_filled_in_tags_inserted_and_segments_cut) {
    start(0, RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
                 RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_VLAN_INSERT);
    rte_mbuf* packet = packet_of(by_hand::make_frame({.checksums = false}));
    packet->ol_flags =
        RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_VLAN;
    packet->vlan_tci = 0x6123;
    packet->l2_len = 14;
    packet->l3_len = 20;
    packet->l4_len = 8;
    ASSERT_EQ(rte_eth_tx_prepare(0, 0, &packet, 1), 1);
    ASSERT_EQ(rte_eth_tx_burst(0, 0, &packet, 1), 1);
    EXPECT_EQ(sent(), std::vector<bytes>{by_hand::make_frame({.tagged = true})});

    // 7000 bytes in pieces of 1400, in buffers of 1800.
    const by_hand::frame_shape shape{.protocol = 6, .payload = 7000};
    const bytes large = by_hand::make_frame({.protocol = 6, .payload = 7000, .checksums = false});
    rte_mbuf* chain = nullptr;
    for (std::size_t at = 0; at < large.size(); at += 1800) {
        rte_mbuf* piece =
            packet_of(std::span(large).subspan(at, std::min<std::size_t>(1800, large.size() - at)));
        if (chain == nullptr)
            chain = piece;
        else
            ASSERT_EQ(rte_pktmbuf_chain(chain, piece), 0);
    }
    chain->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG;
    chain->l2_len = 14;
    chain->l3_len = 20;
    chain->l4_len = 20;
    chain->tso_segsz = 1400;
    ASSERT_EQ(rte_eth_tx_prepare(0, 0, &chain, 1), 1);
    ASSERT_EQ(rte_eth_tx_burst(0, 0, &chain, 1), 1);
    const auto segments = sent();
    ASSERT_EQ(segments.size(), 5u);
    for (std::size_t i = 0; i != 5; ++i) {
        ASSERT_EQ(segments[i].size(), 54u + 1400u);
        EXPECT_EQ(by_hand::folded(by_hand::word_sum(std::span(segments[i]).subspan(14, 20))), 0xffff);
        EXPECT_EQ(by_hand::folded(by_hand::word_sum(std::span(segments[i]).subspan(34),
                                                    by_hand::pseudo_header(shape, segments[i], 1420))),
                  0xffff);
        EXPECT_TRUE(std::equal(segments[i].begin() + 54, segments[i].end(),
                               large.begin() + 54 + static_cast<std::ptrdiff_t>(1400 * i)));
    }
}

} // namespace

int main(int count, char** arguments) {
    testing::InitGoogleTest(&count, arguments);
    if (!third_party_driver::start_dpdk()) {
        std::cout << "skipped: DPDK does not start here\n";
        return 77;
    }
    return RUN_ALL_TESTS();
}

#else

int main() {
    std::cout << "skipped: there is no DPDK 22.11 here (Debian 12: libdpdk-dev), or this is no x86-64\n";
    return 77;
}

#endif
