// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/export.hpp"

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "noria/backend/loopback.hpp"
#include "noria/queue.hpp"
#include "support/exported.hpp"

namespace {

using noria::drop_reason;
using queues_type = std::span<const noria::exported_queue>;

std::string prometheus(queues_type queues) {
    return exported([&](std::span<char> to) { return noria::export_prometheus(to, queues); });
}
std::string json(queues_type queues) {
    return exported([&](std::span<char> to) { return noria::export_json(to, queues); });
}

struct queue_counts {
    noria::link_counters link;
    noria::drop_histogram drops;
};

// A queue whose name is all that has to be escaped.
constexpr std::string_view nasty = "a\"b\\c\nd\tz";

// --- Prometheus: a reader of the exposition format, as strict as its description, for what is in use here.

class prometheus_reader {
  public:
    // Name and labels in one key, as written back unescaped: metric{label=value,...}.
    std::map<std::string, std::uint64_t> samples;
    std::map<std::string, std::string> help, type;

    explicit prometheus_reader(const std::string& text) {
        EXPECT_TRUE(text.empty() || text.back() == '\n') << "the last line ends in a line feed too";
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);)
            line.starts_with('#') ? take_head(line) : take_sample(line);
    }

  private:
    static bool is_name(const std::string& name) {
        bool good = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0;
        for (const char c : name)
            good = good && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_');
        return good;
    }

    void take_head(const std::string& line) {
        std::istringstream words(line);
        std::string hash, keyword, metric, rest;
        words >> hash >> keyword >> metric;
        std::getline(words >> std::ws, rest);
        EXPECT_TRUE(is_name(metric)) << line;
        EXPECT_FALSE(rest.empty()) << line;
        if (keyword == "HELP") {
            EXPECT_TRUE(help.emplace(metric, rest).second) << "a second HELP: " << line;
        } else {
            EXPECT_EQ(keyword, "TYPE") << line;
            EXPECT_EQ(rest, "counter") << line;
            EXPECT_TRUE(type.emplace(metric, rest).second) << "a metric in two groups: " << line;
            EXPECT_TRUE(help.contains(metric)) << line;
            current_ = metric;
        }
    }

    void take_sample(const std::string& line) {
        const std::size_t brace = line.find('{');
        ASSERT_NE(brace, line.npos) << line;
        std::string key = line.substr(0, brace);
        EXPECT_EQ(key, current_) << "outside of the group of its metric: " << line;
        EXPECT_TRUE(key.ends_with("_total")) << "a counter's name: " << line;
        std::size_t at = brace;
        do {
            const std::size_t equals = line.find("=\"", ++at);
            ASSERT_NE(equals, line.npos) << line;
            EXPECT_TRUE(is_name(line.substr(at, equals - at))) << line;
            key += (key.find('{') == key.npos ? '{' : ',') + line.substr(at, equals - at) + '=';
            for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
                if (line[at] == '\\') {
                    ASSERT_LT(++at, line.size()) << line;
                    ASSERT_NE(std::string("\\\"n").find(line[at]), std::string::npos) << line;
                    key += line[at] == 'n' ? '\n' : line[at];
                } else {
                    key += line[at];
                }
            }
            ASSERT_LT(++at, line.size()) << line;
        } while (line[at] == ',');
        ASSERT_EQ(line.substr(at, 2), "} ") << line;
        std::uint64_t value = 0;
        ASSERT_TRUE(noria::detail::to_number(std::string_view(line).substr(at + 2), value)) << line;
        EXPECT_TRUE(samples.emplace(key + '}', value).second) << "twice: " << line;
    }

    std::string current_;
};

TEST(ExportPrometheus, WritesEveryCounterOfEveryQueue) {
    queue_counts first;
    queue_counts second;
    first.link.rx_packets.add(7);
    second.link.rx_packets.add(std::numeric_limits<std::uint64_t>::max());
    second.link.tx_dropped.add(1);
    first.drops.count(drop_reason::consumed, 99);
    first.drops.count(drop_reason::no_memory, 4);
    second.drops.count(noria::user_drop_reason(1, 2), 5);
    const noria::exported_queue queues[] = {{"rx0", values(first.link), &first.drops},
                                            {"rx1", values(second.link), &second.drops}};
    const std::string text = prometheus(queues);
    EXPECT_TRUE(text.starts_with("# HELP noria_rx_packets_total Good packets received, those dropped later "
                                 "included.\n"
                                 "# TYPE noria_rx_packets_total counter\n"
                                 "noria_rx_packets_total{queue=\"rx0\"} 7\n"
                                 "noria_rx_packets_total{queue=\"rx1\"} 18446744073709551615\n"))
        << text;
    EXPECT_TRUE(text.ends_with("noria_drops_total{queue=\"rx0\",reason=\"no_memory\"} 4\n"
                               "noria_drops_total{queue=\"rx1\",reason=\"user\"} 5\n"))
        << text;
    const prometheus_reader read(text);
    EXPECT_EQ(read.samples.at("noria_tx_dropped_total{queue=rx1}"), 1u);
    EXPECT_EQ(read.samples.size(), 2 * std::size(noria::link_fields<std::uint64_t>) + 2) << text;
    EXPECT_EQ(read.type.size(), std::size(noria::link_fields<std::uint64_t>) + 1);
    EXPECT_EQ(read.help.size(), read.type.size());
}

TEST(ExportPrometheus, EscapesLabels) {
    queue_counts counts;
    counts.link.rx_bytes.add(3);
    const noria::exported_queue queues[] = {{nasty, values(counts.link), &counts.drops}};
    const prometheus_reader read(prometheus(queues));
    EXPECT_EQ(read.samples.at("noria_rx_bytes_total{queue=" + std::string(nasty) + "}"), 3u);
}

TEST(ExportPrometheus, NoQueueIsATextToo) {
    EXPECT_TRUE(prometheus_reader(prometheus({})).samples.empty());
}

// --- JSON: a reader of RFC 8259 for objects, arrays, strings and whole numbers: what is in use here.

class json_reader {
  public:
    // What is at each path: /0/link/rx_packets.
    std::map<std::string, std::string> values;

    explicit json_reader(std::string text) : text_(std::move(text)) {
        take_value("");
        skip();
        EXPECT_EQ(at_, text_.size()) << "something behind the value";
    }

  private:
    void skip() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
            ++at_;
    }
    char peek() {
        skip();
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(char c) { return peek() == c && ++at_ != 0; }

    std::string take_string() {
        std::string string;
        EXPECT_TRUE(take('"')) << "at " << at_;
        while (at_ < text_.size() && text_[at_] != '"') {
            const auto c = static_cast<unsigned char>(text_[at_++]);
            EXPECT_GE(c, 0x20) << "a control character that was not escaped";
            if (c != '\\') {
                string += static_cast<char>(c);
            } else if (const char escape = text_.at(at_++); escape == 'u') {
                std::uint32_t code = 0;
                EXPECT_TRUE(noria::detail::to_number(std::string_view(text_).substr(at_, 4), code, 16));
                EXPECT_LT(code, 0x80u);
                string += static_cast<char>(code);
                at_ += 4;
            } else {
                EXPECT_TRUE(escape == '"' || escape == '\\') << escape;
                string += escape;
            }
        }
        ++at_;
        return string;
    }

    void take_value(const std::string& path) {
        if (take('{')) {
            if (take('}'))
                return;
            do {
                skip();
                const std::string name = take_string();
                ASSERT_TRUE(take(':')) << "at " << at_;
                take_value(path + '/' + name);
            } while (take(','));
            ASSERT_TRUE(take('}')) << "at " << at_;
        } else if (take('[')) {
            if (take(']'))
                return;
            int index = 0;
            do
                take_value(path + '/' + std::to_string(index++));
            while (take(','));
            ASSERT_TRUE(take(']')) << "at " << at_;
        } else if (peek() == '"') {
            EXPECT_TRUE(values.emplace(path, take_string()).second) << path << " is there twice";
        } else {
            const std::size_t begin = at_;
            while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0)
                ++at_;
            const std::string digits = text_.substr(begin, at_ - begin);
            ASSERT_FALSE(digits.empty()) << "no value at " << begin;
            EXPECT_TRUE(digits == "0" || digits[0] != '0') << digits;
            EXPECT_TRUE(values.emplace(path, digits).second) << path << " is there twice";
        }
    }

    std::string text_;
    std::size_t at_ = 0;
};

TEST(ExportJson, WritesEveryCounterOfEveryQueue) {
    queue_counts first;
    queue_counts second;
    second.link.rx_packets.add(std::numeric_limits<std::uint64_t>::max());
    first.drops.count(drop_reason::consumed, 99);
    first.drops.count(drop_reason::no_memory, 4);
    first.drops.count(drop_reason::full_ring, 3);
    second.drops.count(noria::user_drop_reason(1, 2), 5);
    const noria::exported_queue queues[] = {{"rx0", values(first.link), &first.drops},
                                            {nasty, values(second.link), &second.drops}};
    const std::string text = json(queues);
    EXPECT_EQ(text.back(), '\n');
    const json_reader read(text);
    EXPECT_EQ(read.values.at("/0/queue"), "rx0");
    EXPECT_EQ(read.values.at("/1/queue"), nasty);
    EXPECT_EQ(read.values.at("/0/link/rx_packets"), "0");
    EXPECT_EQ(read.values.at("/1/link/rx_packets"), "18446744073709551615");
    EXPECT_EQ(read.values.at("/0/drops/no_memory"), "4");
    EXPECT_EQ(read.values.at("/0/drops/full_ring"), "3");
    EXPECT_EQ(read.values.at("/1/drops/user"), "5");
    EXPECT_EQ(read.values.size(), 2 * (1 + std::size(noria::link_fields<std::uint64_t>)) + 3) << text;
}

TEST(Export, WhatNobodyCountsIsLeftOut) {
    const noria::exported_queue queues[] = {{.name = "nic", .link = {.rx_missed = 7}}};
    EXPECT_EQ(prometheus_reader(prometheus(queues)).samples.at("noria_rx_missed_total{queue=nic}"), 7u);
    EXPECT_TRUE(json(queues).ends_with("\"drops\":{}}]\n"));
    EXPECT_EQ(json_reader(json(queues)).values.at("/0/link/rx_missed"), "7");
}

TEST(ExportJson, NoQueueIsAnEmptyArray) {
    EXPECT_EQ(json({}), "[]\n");
}

// As docs/reference/counters.md has it.
// [metrics]
// What a monitor reads of one queue. On the thread that polls it; `freed` is what the consumer counts.
template <class Card, class Queue>
std::string metrics(const Card& card, const Queue& queue, const noria::drop_histogram& freed) {
    noria::link_values link;
    link.rx_over_errors = queue.counters().oversize;
    link.rx_errors = queue.drops().of(drop_reason::device_error) + link.rx_over_errors;
    link.rx_packets = queue.counters().frames - link.rx_errors; // good ones, those dropped later included
    link.rx_bytes = queue.counters().bytes;                     // of those delivered
    link.rx_missed = card.missed();                             // the host never saw these
    link.rx_dropped = queue.drops().of(drop_reason::no_memory) + freed.dropped();
    const noria::exported_queue queues[] = {{"rx0", link, &queue.drops()}, {"rx0 consumer", {}, &freed}};

    std::string text(noria::export_prometheus({}, queues), ' '); // without room it says how much it needs
    (void)noria::export_prometheus(text, queues);
    return text;
}
// [/metrics]

TEST(Export, SumsUpACardAQueueAndItsConsumer) {
    using card_type = noria::backend::loopback<noria::buffer_model::per_packet>;
    using queue_type = noria::rx_queue<
        card_type, noria::strategy<noria::fresh_buffers, noria::wrap, noria::shortage::drop_and_recycle>>;
    const noria::rx_options options{.descriptors = 64, .packets = 96, .frame_bytes = 500};
    card_type card{{.error = 10}};
    auto memory = noria::region::map({.bytes = queue_type::region_bytes(options)});
    ASSERT_TRUE(memory);
    auto queue = queue_type::create(card, *memory, options);
    ASSERT_TRUE(queue);

    const std::vector<std::byte> wire(500);
    noria::drop_histogram freed;
    std::vector<noria::packet_ptr> kept; // until there is no memory
    std::uint64_t delivered = 0;
    const auto consume = [&](noria::packet_ptr packet) noexcept {
        if (++delivered % 4 != 0)
            return kept.push_back(std::move(packet));
        freed.count(drop_reason::filter);
        packet.free(drop_reason::filter);
    };
    for (int i = 0; i != 1000; ++i)
        (void)card.offer({.bytes = wire}); // more than it has room for
    for (int i = 0; i != 100; ++i) {
        (void)queue->poll(64, consume);
        (void)card.step();
    }
    const auto all = prometheus_reader(metrics(card, *queue, freed)).samples;
    const auto link = [&](const std::string& name) { return all.at("noria_" + name + "_total{queue=rx0}"); };
    EXPECT_EQ(link("rx_missed"), card.missed());
    EXPECT_NE(link("rx_missed"), 0u);
    EXPECT_NE(link("rx_errors"), 0u);
    EXPECT_EQ(link("rx_packets") + link("rx_errors") + link("rx_missed"), 1000u);
    EXPECT_EQ(link("rx_bytes"), 500 * delivered);
    const std::uint64_t no_memory = all.at("noria_drops_total{queue=rx0,reason=no_memory}");
    EXPECT_NE(no_memory, 0u);
    EXPECT_EQ(all.at("noria_drops_total{queue=rx0 consumer,reason=filter}"), delivered / 4);
    EXPECT_EQ(link("rx_dropped"), no_memory + delivered / 4);
    EXPECT_EQ(link("rx_packets"), delivered + no_memory);
}

// Any name of a queue comes back as it was, from both.
RC_GTEST_PROP(Export, AnyNameComesBack, ()) {
    const auto name = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    queue_counts counts;
    counts.link.rx_errors.add(6);
    const noria::exported_queue queues[] = {{name, values(counts.link), &counts.drops}};
    RC_ASSERT(json_reader(json(queues)).values.at("/0/queue") == name);
    RC_ASSERT(prometheus_reader(prometheus(queues)).samples.at("noria_rx_errors_total{queue=" + name + "}") ==
              6u);
}

} // namespace
