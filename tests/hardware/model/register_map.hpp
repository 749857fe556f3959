// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <utility>

#include "offsets.hpp"
#include "register_file.hpp"
#include "statistics.hpp"

// Every register that the card has, as far as a driver of it goes: where, how it may be used, who answers,
// and what it holds after a reset. 82599 section 8.2.

namespace model82599 {

namespace detail {

inline void declare_general(register_file& file) {
    file.declare(at::ctrl, access::read_write, owner::general);
    file.declare(at::status, access::read_only, owner::general);
    file.declare(at::ctrl_ext, access::read_write);
    file.declare(0x0020, access::read_write); // ESDP: software pins
    file.declare(0x0028, access::read_write); // I2CCTL
    file.declare(0x0200, access::read_write); // LEDCTL
    file.declare(0x0048, access::read_write); // TCPTIMER
    file.declare(at::eec, access::read_write, owner::nobody,
                 1u << 9 | 1u << 8); // ARD, and there is an EEPROM
    file.declare(at::eerd, access::read_write, owner::general);
    file.declare(0x1001c, access::read_write); // FLA
    file.declare(at::swsm, access::read_write, owner::general);
    file.declare(at::fwsm, access::read_only);
    file.declare(at::gssr, access::read_write);
}

inline void declare_interrupts(register_file& file) {
    file.declare(at::eicr, access::read_write, owner::interrupts);
    file.declare(at::eics, access::write_only, owner::interrupts);
    file.declare(at::eiac, access::read_write);
    file.declare(at::eims, access::read_write, owner::interrupts);
    file.declare(at::eimc, access::write_only, owner::interrupts);
    file.declare(at::eiam, access::read_write, owner::interrupts);
    file.declare(at::gpie, access::read_write);
    file.declare(at::eics_ex, access::write_only, owner::interrupts, 0, 2);
    file.declare(at::eims_ex, access::read_write, owner::interrupts, 0, 2);
    file.declare(at::eimc_ex, access::write_only, owner::interrupts, 0, 2);
    file.declare(at::eiam_ex, access::read_write, owner::interrupts, 0, 2);
    file.declare(at::ivar, access::read_write, owner::nobody, 0, 64);
    file.declare(at::ivar_misc, access::read_write);
    file.declare(at::eitr(0), access::read_write, owner::interrupts, 0, 24);
    file.declare(at::eitr(24), access::read_write, owner::interrupts, 0, 128 - 24);
}

inline void declare_link(register_file& file) {
    file.declare(at::hlreg0, access::read_write, owner::nobody, 1u << 0 | 1u << 1 | 1u << 10);
    file.declare(0x4244, access::read_only); // HLREG1
    file.declare(at::msca, access::read_write, owner::link);
    file.declare(at::msrwd, access::read_write);
    file.declare(at::maxfrs, access::read_write, owner::nobody, 1518u << 16);
    file.declare(at::autoc, access::read_write, owner::link, 0xc09c'6000);
    file.declare(at::links, access::read_only, owner::link);
    file.declare(0x42a8, access::read_write); // AUTOC2
    file.declare(at::anlp1, access::read_only);
    file.declare(0x3d00, access::read_write, owner::nobody, 0, 1);     // FCCFG
    file.declare(0x3200, access::read_write, owner::nobody, 0, 4);     // FCTTV
    file.declare(0x3220, access::read_write, owner::nobody, 0, 8);     // FCRTL
    file.declare(0x3260, access::read_write, owner::nobody, 0, 8);     // FCRTH
    file.declare(0x32a0, access::read_write);                          // FCRTV
    file.declare(0x4294, access::read_write, owner::nobody, 1u << 13); // MFLCN
}

inline void declare_receive(register_file& file) {
    for (std::uint32_t queue = 0; queue != 128; ++queue) {
        const std::uint32_t ring = at::receive_ring(queue);
        for (const std::uint32_t place :
             {at::base_low, at::base_high, at::length, at::head, at::tail, at::control})
            file.declare(ring + place, access::read_write, owner::receive);
        file.declare(ring + 0x2c, access::read_write); // RSCCTL
        file.declare(at::srrctl(queue), access::read_write, owner::nobody,
                     0x0402); // 2 KiB, headers 256 bytes
        file.declare(at::dca_rxctrl(queue), access::read_write, owner::nobody, 1u << 12);
    }
    file.declare(at::rdrxctl, access::read_write, owner::general, 1u << 3); // DMAIDONE
    file.declare(at::rxctrl, access::read_write, owner::general);
    file.declare(at::rxpbsize, access::read_write, owner::nobody, 512u << 10);
    file.declare(at::rxpbsize + 4, access::read_write, owner::nobody, 0, 7);
    file.declare(at::rxcsum, access::read_write);
    file.declare(0x5008, access::read_write); // RFCTL
    file.declare(at::fctrl, access::read_write);
    file.declare(at::vlnctrl, access::read_write, owner::nobody, 0x8100);
    file.declare(at::mcstctrl, access::read_write);
    file.declare(at::mta, access::read_write, owner::nobody, 0, 128);
    file.declare(at::psrtype, access::read_write, owner::nobody, 0, 16);
    file.declare(at::mrqc, access::read_write);
    file.declare(at::reta, access::read_write, owner::nobody, 0, 32);
    file.declare(at::rssrk, access::read_write, owner::nobody, 0, 10);
    file.declare(at::secrxctrl, access::read_write);
    file.declare(at::secrxstat, access::read_only, owner::nobody, 1);
    file.declare(at::vfta, access::read_write, owner::nobody, 0, 128);
    file.declare(at::ral, access::read_write, owner::nobody, 0, 256);
}

inline void declare_transmit(register_file& file) {
    for (std::uint32_t queue = 0; queue != 128; ++queue) {
        const std::uint32_t ring = at::transmit_ring(queue);
        for (const std::uint32_t place :
             {at::base_low, at::base_high, at::length, at::head, at::tail, at::control})
            file.declare(ring + place, access::read_write, owner::transmit);
        file.declare(ring + 0x0c, access::read_write, owner::nobody, 1u << 11); // DCA_TXCTRL
        file.declare(ring + at::head_write_back_low, access::read_write, owner::nobody, 0, 2);
    }
    file.declare(at::rttdcs, access::read_write);
    file.declare(at::dmatxctl, access::read_write, owner::nobody, 0x8100'0000);
    file.declare(at::dtxtcpflgl, access::read_write, owner::nobody, 0x0ff6'0ff6); // TCP flags of segments
    file.declare(at::dtxtcpflgh, access::read_write, owner::nobody, 0x0f7f);
    file.declare(at::mtqc, access::read_write, owner::general);
    file.declare(at::dtxmxszrq, access::read_write, owner::nobody, 0x10);
    file.declare(0xcc00, access::read_write, owner::nobody, 160u << 10); // TXPBSIZE
    file.declare(0xcc04, access::read_write, owner::nobody, 0, 7);
    file.declare(0x4950, access::read_write, owner::nobody, 0x96); // TXPBTHRESH
    file.declare(0x4954, access::read_write, owner::nobody, 0, 7);
    file.declare(0x8800, access::read_write);                  // SECTXCTRL
    file.declare(0x8804, access::read_only, owner::nobody, 1); // SECTXSTAT
}

inline void declare_statistics(register_file& file) {
    const auto counters = [&](std::uint32_t offset, std::uint32_t count = 1, std::uint32_t step = 4) {
        file.declare(offset, access::clear_on_read, owner::statistics, statistics_block::leftover, count,
                     step);
    };
    counters(0x4000, 3);        // CRCERRS, ILLERRC, ERRBC
    counters(0x4010);           // MSPDC
    counters(0x4034, 2);        // MLFC, MRFC
    counters(0x4040);           // RLEC
    counters(0x3f60);           // LXONTXC
    counters(0x3f68);           // LXOFFTXC
    counters(0x41a4, 2);        // LXONRXCNT, LXOFFRXCNT
    counters(0x3fa0, 8);        // MPC
    counters(0x405c, 6);        // PRC64 to PRC1522
    counters(0x4074, 4);        // GPRC, BPRC, MPRC, GPTC
    counters(0x4088, 4);        // GORCL, GORCH, GOTCL, GOTCH
    counters(0x40a4, 4);        // RUC, RFC, ROC, RJC
    counters(0x40c0, 2);        // TORL, TORH
    counters(0x40d0, 2);        // TPR, TPT
    counters(0x40d8, 6);        // PTC64 to PTC1522
    counters(0x40f0, 2);        // MPTC, BPTC
    counters(0x4120);           // XEC
    counters(0x1030, 16, 0x40); // QPRC
    counters(0x1034, 16, 0x40); // QBRC, low and high
    counters(0x1038, 16, 0x40);
    counters(0x1430, 16, 0x40);                                     // QPRDC
    counters(0x6030, 16, 0x40);                                     // QPTC
    counters(0x8700, 32);                                           // QBTC, low and high
    file.declare(0x2300, access::read_write, owner::nobody, 0, 32); // RQSMR
    file.declare(0x8600, access::read_write, owner::nobody, 0, 32); // TQSM
}

// What is there, and the model does nothing with: a driver for more than frames sets it to rest, or counts
// it.
inline void declare_rest(register_file& file) {
    file.declare(0x10150, access::read_only);                          // FACTPS
    file.declare(0x4208, access::read_write);                          // PCS1GLCTL
    file.declare(0x4218, access::read_write);                          // PCS1GANA
    file.declare(0x42d0, access::read_only);                           // MMNGC
    file.declare(0x4904, access::read_write);                          // RTTDQSEL
    file.declare(0x4984, access::read_write);                          // RTTBCNRC
    file.declare(0x8220, access::read_write);                          // PFDTXGSWC
    file.declare(0xa600, access::read_write, owner::nobody, ~0u, 256); // MPSAR
    file.declare(0xf100, access::read_write, owner::nobody, 0, 64);    // PFVLVF
    file.declare(0xf200, access::read_write, owner::nobody, 0, 128);   // PFVLVFB
    file.declare(0xf400, access::read_write, owner::nobody, 0, 128);   // PFUTA
    for (const auto& [offset, count] : {std::pair(0x241cu, 1u),        // FCOERPDC
                                        {0x2424, 3},                   // FCLAST, FCOEPRC, FCOEDWRC
                                        {0x3240, 8},                   // PXON2OFFCNT
                                        {0x3f00, 16},                  // PXONTXC, PXOFFTXC
                                        {0x40b4, 2},                   // MNGPRC, MNGPDC
                                        {0x4140, 16},                  // PXONRXCNT, PXOFFRXCNT
                                        {0x5118, 1},                   // FCCRC
                                        {0x8784, 2},                   // FCOEPTC, FCOEDWTC
                                        {0x8a3c, 5},                   // LinkSec, sent
                                        {0x8f40, 17},                  // LinkSec, received
                                        {0xcf90, 1},                   // MNGPTC
                                        {0xee50, 4}})                  // FDIRUSTAT to FDIRMISS
        file.declare(offset, access::clear_on_read, owner::statistics, statistics_block::leftover, count);
}

} // namespace detail

inline void declare_registers(register_file& file) {
    detail::declare_general(file);
    detail::declare_interrupts(file);
    detail::declare_link(file);
    detail::declare_receive(file);
    detail::declare_transmit(file);
    detail::declare_statistics(file);
    detail::declare_rest(file);
}

} // namespace model82599
