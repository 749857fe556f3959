// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Frames with random stacks of headers: tags, IPv4 with options and fragments, IPv6 with extension headers,
// transports, and in half of them a tunnel. Well-formed but for some lengths. Choices is random_steps or
// fuzz_choices.
template <class Choices>
class random_frame {
  public:
    explicit random_frame(Choices& choices) : choices_(choices) {
        ethernet(true);
        if (choices_.one_in(4))
            frame_.resize(frame_.size() + choices_.below(20), 0xff); // padding
    }
    [[nodiscard]] std::vector<std::uint8_t> bytes() const { return frame_; }

  private:
    void byte(unsigned value) { frame_.push_back(static_cast<std::uint8_t>(value)); }
    void word(unsigned value) {
        byte(value >> 8);
        byte(value & 255);
    }
    void any(std::size_t n) {
        for (; n != 0; --n)
            byte(static_cast<unsigned>(choices_.byte()));
    }
    void store(std::size_t at, std::size_t value) {
        frame_[at] = static_cast<std::uint8_t>(value >> 8);
        frame_[at + 1] = static_cast<std::uint8_t>(value);
    }

    void ethernet(bool outer) {
        any(12);
        for (unsigned tags = choices_.below(3); tags != 0; --tags) {
            word(tags == 2 ? 0x88a8 : 0x8100);
            any(2);
        }
        network(outer);
    }
    void network(bool outer) {
        const bool v4 = choices_.one_in(2);
        word(v4 ? 0x0800 : 0x86dd);
        datagram(v4, outer);
    }

    void datagram(bool v4, bool outer) {
        static constexpr unsigned plain[] = {6, 17, 1, 58, 50, 59};
        static constexpr unsigned tunnels[] = {4, 41, 47, 17};
        const bool tunnel = outer && choices_.one_in(2);
        const unsigned protocol = tunnel ? choices_.pick(tunnels) : choices_.pick(plain);
        // 0 whole, 1 the first piece of a datagram, 2 a later one
        const unsigned piece = choices_.one_in(4) ? 1 + choices_.below(2) : 0;
        const std::size_t start = frame_.size();
        if (v4) {
            const unsigned options = choices_.one_in(3) ? choices_.below(11) : 0;
            word((0x45 + options) << 8);
            any(4); // length, identification
            word(piece == 0   ? (choices_.one_in(2) ? 0x4000u : 0u)
                 : piece == 1 ? 0x2000u
                              : 1 + choices_.below(0x1fff));
            any(1);
            byte(protocol);
            any(2 + 8 + 4 * options);
        } else {
            static constexpr unsigned extensions[] = {0, 43, 51, 60, 135};
            word(0x6000 | choices_.below(0x1000));
            any(4); // flow label, length
            std::vector<unsigned> chain;
            for (unsigned n = choices_.one_in(2) ? choices_.below(8) : 0; n != 0; --n)
                chain.push_back(choices_.pick(extensions));
            if (piece != 0 || choices_.one_in(8))
                chain.push_back(44);
            chain.push_back(protocol);
            byte(chain.front());
            any(1 + 32);
            for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
                byte(chain[i + 1]);
                if (chain[i] == 44) {
                    any(1);
                    word(piece == 0 ? 0 : piece == 1 ? 1 : (1 + choices_.below(0x1fff)) << 3);
                    any(4);
                } else {
                    const unsigned length = choices_.below(4);
                    byte(length);
                    any((chain[i] == 51 ? (length + 2) * 4 : (length + 1) * 8) - 2);
                }
            }
        }
        if (piece != 2)
            transport(protocol, tunnel);
        any(choices_.below(30));
        const unsigned early = choices_.one_in(8) ? choices_.below(60) : 0; // it ends before what it carries
        store(start + (v4 ? 2 : 4), frame_.size() - start - (v4 ? 0 : 40) - early);
        if (!v4 && choices_.one_in(8)) // a jumbogram, or a lie
            store(start + 4, 0);
    }

    void transport(unsigned protocol, bool tunnel) {
        const std::size_t start = frame_.size();
        if (protocol == 6) {
            const unsigned options = choices_.one_in(2) ? choices_.below(11) : 0;
            any(20 + 4 * options);
            frame_[start + 12] = static_cast<std::uint8_t>((5 + options) << 4);
        } else if (protocol == 17) {
            any(8);
            if (tunnel) {
                store(start + 2, 4789);
                byte(8);
                any(7);
                ethernet(false);
            }
        } else if (protocol == 1 || protocol == 58) {
            any(8);
        } else if (protocol == 4 || protocol == 41) {
            datagram(protocol == 4, false);
        } else if (protocol == 47) {
            static constexpr unsigned flags[] = {0, 0x2000, 0x3000, 0xb000, 0x8000};
            const unsigned set = choices_.pick(flags);
            word(set);
            const std::size_t type = frame_.size();
            any(2 + ((set & 0x8000) != 0 ? 4 : 0) + ((set & 0x2000) != 0 ? 4 : 0) +
                ((set & 0x1000) != 0 ? 4 : 0));
            if (choices_.one_in(2)) {
                store(type, 0x6558);
                ethernet(false);
            } else {
                const bool v4 = choices_.one_in(2);
                store(type, v4 ? 0x0800 : 0x86dd);
                datagram(v4, false);
            }
        }
    }

    Choices& choices_;
    std::vector<std::uint8_t> frame_;
};
