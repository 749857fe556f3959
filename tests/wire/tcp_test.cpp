// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/tcp.hpp"

#include <gtest/gtest.h>

namespace {

// From the least bit up: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR.
TEST(Tcp, FlagsAreOneBitEach) {
    using header = noria::tcp_header;
    int bit = 1;
    for (const int flag : {header::fin, header::syn, header::rst, header::psh, header::ack, header::urg,
                           header::ece, header::cwr}) {
        EXPECT_EQ(flag, bit);
        bit *= 2;
    }
}

TEST(Tcp, ReadsAHeader) {
    const unsigned char bytes[] = {0xc0, 0x01, 0x01, 0xbb, 0x01, 0x02, 0x03, 0x04, 0xa1, 0xa2,
                                   0xa3, 0xa4, 0xa0, 0x12, 0xfa, 0xf0, 0x12, 0x34, 0x00, 0x07};
    const auto* header = noria::header_at<noria::tcp_header>(std::as_bytes(std::span(bytes)));
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->source_port, 0xc001);
    EXPECT_EQ(header->destination_port, 443);
    EXPECT_EQ(header->sequence, 0x01020304u);
    EXPECT_EQ(header->acknowledgement, 0xa1a2a3a4u);
    EXPECT_EQ(header->header_length(), 40u);
    EXPECT_EQ(header->flags, noria::tcp_header::syn | noria::tcp_header::ack);
    EXPECT_EQ(header->window, 64240);
    EXPECT_EQ(header->checksum, 0x1234);
    EXPECT_EQ(header->urgent, 7);
}

} // namespace
