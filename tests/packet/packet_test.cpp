// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/checksum.hpp"
#include "noria/packet/coalesce.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"
#include "noria/packet/split.hpp"

#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"
#include "support/packet_model.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

constexpr std::array<std::uint32_t, 5> all_home{};

static_assert(!std::is_copy_constructible_v<packet> && !std::is_move_constructible_v<packet>,
              "there is one owner");
static_assert(!std::is_destructible_v<packet>, "it ends in its pool only");

// Several packets, clones of clones among them, that share heads and pages, and the model of each. A step
// does one random thing to one of them and to its model; the two must then agree, and so must all others,
// every page's count of references, and what is out of each pool. Resources are short on purpose, so that
// every operation fails too.
class packet_world {
  public:
    explicit packet_world(bool keep_heads)
        : all_{{.packets = 8,
                .heads = {4, 2, 3},
                .pages = 12,
                .tail_overhead = overhead,
                .keep_heads = keep_heads}} {}

    std::uint64_t failures = 0;     // steps that were refused for want of memory
    std::uint64_t refused_cuts = 0; // and those that a partial checksum was in the way of

    // What it did.
    const char* step() {
        const std::uint32_t what = random_.below(25);
        if (live_.empty() || what == 0)
            return live_.size() < 9 ? allocate() : free();
        at_ = random_.below(static_cast<std::uint32_t>(live_.size()));
        switch (what) {
        case 1:
            return build_around();
        case 2:
            return reserve();
        case 3:
        case 4:
            return put();
        case 5:
        case 6:
            return push();
        case 7:
            return pull();
        case 8:
        case 9:
        case 10:
        case 11:
            return add_fragment();
        case 12:
            return cut();
        case 13:
            return condense_or_trim();
        case 14:
            return pull_some();
        case 15:
            return may_pull_some();
        case 16:
            return random_.one_in(3) ? linearize_all() : pull_some();
        case 17:
            return expand();
        case 18:
            return clone();
        case 19:
            return read();
        case 20:
            return random_.one_in(2) ? move() : mark();
        case 21:
        case 22:
            return set_checksum();
        case 23:
            return random_.one_in(2) ? fill() : make_writable();
        default:
            return random_.one_in(2) ? free() : drop_source();
        }
    }

    // The first thing that is not as it should be, or nullptr.
    const char* disagreement() {
        ++stamp_;
        counts_.assign(all_.cells(), 0);
        for (live& each : live_) {
            if (const char* where = each.model.differs_from(*each.real))
                return where;
            if (std::exchange(each.model.head->counted, stamp_) != stamp_)
                ++counts_[all_.cell(*each.model.head->under)];
            for (const fragment& part : each.model.fragments)
                ++counts_[all_.cell(*part.under)];
        }
        for (const source& each : sources_)
            ++counts_[all_.cell(*each.under)];
        std::array<std::uint32_t, 5> out{};
        std::array<std::uint32_t, 4> kept{};
        for (page* each : pages_) {
            const std::uint32_t references = counts_[all_.cell(*each)];
            if (references != 0) {
                ++out[pool_of(each->size())];
                if (each->references() != references)
                    return "references of a page";
            } else if (each->references() != page::at_home) {
                if (each->references() != 1)
                    return "references of a page that nobody has";
                ++kept[pool_of(each->size())]; // by an idle descriptor
            }
        }
        for (std::size_t i = 0; i != 3; ++i)
            if (kept[i] != all_.packets().heads_kept(i))
                return "heads that idle descriptors keep";
        if (kept[3] != 0)
            return "a page of fragments that nobody has";
        out[4] = static_cast<std::uint32_t>(live_.size());
        return all_.in_flight() == out ? nullptr : "in_flight of a pool";
    }

    // Lets go of everything; afterwards nothing may be out, and all drops are counted.
    void clear() {
        while (!live_.empty()) {
            at_ = 0;
            free();
        }
        while (!sources_.empty())
            drop_source();
        EXPECT_EQ(all_.in_flight(), all_home);
        EXPECT_EQ(all_.packets().dropped(drop_reason::no_memory), dropped_);
    }

  private:
    struct live {
        packet_ptr real;
        model_packet model;
    };
    // A page that new bytes come from, from `next` on; the world has one reference to it.
    struct source {
        page* under;
        std::uint32_t next = 0;
    };

    packet& real() { return *live_[at_].real; }
    model_packet& model() { return live_[at_].model; }

    static std::size_t pool_of(std::uint32_t page_bytes) {
        return static_cast<std::size_t>(
            std::find(packet_fixture::bytes.begin(), packet_fixture::bytes.end(), page_bytes) -
            packet_fixture::bytes.begin());
    }

    std::vector<std::byte> random_bytes(std::uint32_t n) {
        std::vector<std::byte> bytes(n);
        for (std::byte& each : bytes)
            each = random_.byte();
        return bytes;
    }

    // Mostly what fits, sometimes the very limit, sometimes one or many too many.
    std::uint32_t around(std::uint32_t limit) {
        switch (random_.below(8)) {
        case 0:
            return limit;
        case 1:
            return limit + 1;
        case 2:
            return limit + random_.below(300);
        case 3:
            return 0;
        default:
            return random_.below(limit + 1);
        }
    }

    // The size of the head that this many bytes are given; 0 when none is to be had.
    std::uint32_t head_for(std::uint64_t wanted) {
        for (std::size_t i = 0; i != 3; ++i)
            if (packet_fixture::bytes[i] >= wanted && all_.heads_free(i) != 0)
                return packet_fixture::bytes[i];
        ++failures;
        return 0;
    }

    // The page that a head which begins at `start` was taken from; it must be of the size foreseen.
    page& head_at(const std::byte* start, std::uint32_t size) {
        page* const found = all_.pools()[pool_of(size)].page_of(start);
        EXPECT_TRUE(found != nullptr && found->data() == start) << "not a head of " << size << " bytes";
        return found != nullptr ? *found : *pages_.front();
    }

    void learn_room() {
        model().room.resize(real().headroom());
        EXPECT_TRUE(real().copy_bits(-std::int64_t{real().headroom()}, model().room));
    }

    void add(packet_ptr made, model_packet model) {
        at_ = static_cast<std::uint32_t>(live_.size());
        live_.push_back({std::move(made), std::move(model)});
        this->model().epoch = real().epoch();
        set_tag(random_.below(1u << 30));
        learn_room();
    }
    void set_tag(std::uint32_t tag) {
        model().tag = real().info().hash = tag;
        real().user_area()[47] = static_cast<std::byte>(tag);
    }

    bool descriptors_left() {
        const bool left = live_.size() != all_.packets().packets();
        failures += !left;
        return left;
    }

    const char* allocate() {
        const std::uint32_t bytes = random_.below(random_.one_in(4) ? 2200 : 400);
        const std::uint32_t headroom = random_.below(100);
        const std::uint32_t size =
            descriptors_left() ? head_for(std::uint64_t{bytes} + headroom + overhead) : 0;
        packet_ptr made = all_.packets().allocate(bytes, headroom);
        EXPECT_EQ(static_cast<bool>(made), size != 0);
        if (made) {
            model_packet model;
            model.head =
                std::make_shared<model_head>(model_head{&head_at(made->data() - headroom, size), 0, size});
            model.room.resize(headroom);
            model.behind = size - overhead - headroom;
            add(std::move(made), std::move(model));
        }
        return "allocate";
    }

    source* some_source() {
        if (sources_.empty() || (sources_.size() < 4 && random_.one_in(3))) {
            page* const fresh = all_.pages().allocate();
            if (fresh == nullptr)
                return nullptr;
            for (std::uint32_t i = 0; i != fresh->size(); ++i)
                fresh->data()[i] = random_.byte();
            sources_.push_back({fresh});
        }
        return &random_.pick(sources_);
    }

    const char* build_around() {
        source* const from = some_source();
        if (from == nullptr || from->under->size() - from->next < 300)
            return "nothing";
        const packet_pool::placement where{.offset = from->next,
                                           .headroom = random_.below(80),
                                           .bytes = random_.below(140),
                                           .room = random_.below(80),
                                           .held = 512};
        const bool possible = descriptors_left();
        from->under->hold();
        packet_ptr made = all_.packets().build_around(*from->under, where);
        EXPECT_EQ(static_cast<bool>(made), possible);
        if (!made) {
            from->under->release();
            return "build_around";
        }
        from->next += 300;
        model_packet model;
        model.head = std::make_shared<model_head>(model_head{from->under, where.offset, where.held});
        const std::byte* const first = from->under->data() + where.offset + where.headroom;
        model.room.resize(where.headroom);
        model.bytes.assign(first, first + where.bytes);
        model.headlen = where.bytes;
        model.behind = where.room;
        add(std::move(made), std::move(model));
        return "build_around";
    }

    const char* reserve() {
        const std::uint32_t n = around(std::min(model().tailroom(), 40u));
        const bool possible = model().bytes.empty() && n <= model().tailroom();
        EXPECT_EQ(real().reserve(n), possible);
        if (possible) {
            model().behind -= n;
            learn_room();
        }
        return "reserve";
    }

    const char* put() {
        const std::vector<std::byte> added = random_bytes(around(std::min(model().tailroom(), 300u)));
        const auto n = static_cast<std::uint32_t>(added.size());
        const bool possible = n <= model().tailroom() && !model().shared();
        std::byte* const tail = real().data() + real().headlen();
        const bool known = random_.one_in(2);
        std::byte* const to = known ? real().put(added) : real().put(n);
        EXPECT_EQ(to, possible ? tail : nullptr);
        if (to != nullptr) {
            if (!known)
                std::copy(added.begin(), added.end(), to);
            model().put(added, known);
        }
        return "put";
    }

    const char* push() {
        const std::vector<std::byte> added = random_bytes(around(std::min(model().headroom(), 40u)));
        const auto n = static_cast<std::uint32_t>(added.size());
        const bool possible = n <= model().headroom() && !model().shared();
        std::byte* const front = real().data();
        const bool known = random_.one_in(2);
        std::byte* const to = known ? real().push(added) : real().push(n);
        EXPECT_EQ(to, possible ? front - n : nullptr);
        if (to != nullptr) {
            if (!known)
                std::copy(added.begin(), added.end(), to);
            model().push(added, known);
        }
        return "push";
    }

    const char* pull() {
        const std::uint32_t n = around(std::min(model().headlen, 60u));
        const bool possible = n <= model().headlen;
        std::byte* const front = real().data();
        EXPECT_EQ(real().pull(n), possible ? front + n : nullptr);
        if (possible)
            model().pull(n);
        return "pull";
    }

    const char* add_fragment() {
        source* const from = some_source();
        if (from == nullptr || from->next == from->under->size())
            return "nothing";
        const std::uint32_t length = random_.below(std::min(200u, from->under->size() - from->next + 1));
        const fragment added{from->under, from->next, length,
                             random_.one_in(2) ? length : from->under->size()};
        from->under->hold();
        const bool known = random_.one_in(2);
        const packet::attached got = known ? real().add_fragment(added, sum_of({added.data(), added.length}))
                                           : real().add_fragment(added);
        if (length != 0 && (model().fragments.size() < packet::most_fragments || follows_last(added))) {
            const bool grown = model().attach(added, known);
            EXPECT_EQ(got, grown ? packet::attached::grown : packet::attached::taken);
            from->next += length;
        } else {
            EXPECT_EQ(got, packet::attached::refused);
        }
        if (got != packet::attached::taken)
            from->under->release();
        return "add_fragment";
    }
    bool follows_last(const fragment& added) {
        const fragment& last = model().fragments.back();
        return last.under == added.under && last.offset + last.length == added.offset;
    }

    const char* cut() {
        const std::uint32_t n = around(model().size());
        const bool done = real().cut(n);
        EXPECT_EQ(done, model().cut(n));
        refused_cuts += !done;
        return "cut";
    }

    const char* condense_or_trim() {
        if (random_.one_in(2)) {
            condense(real());
            model().condense();
            return "condense";
        }
        const std::uint32_t n = around(model().size());
        const bool shorter = n < model().size();
        const bool done = trim(real(), n);
        EXPECT_EQ(done, model().cut(n));
        refused_cuts += !done;
        if (shorter && done)
            model().condense();
        return "trim";
    }

    // Which head pull_tail will move to; asked before it does, since that changes what is free. None: it
    // stays.
    struct foreseen {
        bool move = false;
        std::uint32_t size = 0; // of the head; 0: none is to be had
    };
    foreseen before_pull(std::uint32_t n) {
        constexpr std::uint32_t slack = 128;
        if (n == 0 || (n <= model().behind && !model().shared()))
            return {};
        const std::uint32_t more = n > model().behind ? n - model().behind : 0;
        const std::uint64_t least = std::uint64_t{model().end()} + more + overhead;
        const std::uint32_t roomy = more == 0 ? 0 : head_for(least + slack);
        return {true, roomy != 0 ? roomy : head_for(least)};
    }
    void after_pull(foreseen how, std::uint32_t n, bool done) {
        EXPECT_EQ(done, !how.move || how.size != 0);
        if (!done)
            return;
        if (how.move)
            model().move_to(head_at(real().data() - real().headroom(), how.size), 0, how.size - overhead);
        model().gather(n);
    }

    const char* pull_some() {
        const std::uint32_t n = std::min(around(model().data_len()), model().data_len());
        const foreseen how = before_pull(n);
        const std::uint32_t epoch = real().epoch();
        const pulled done = pull_tail(real(), n);
        EXPECT_EQ(done.moved, real().epoch() != epoch);
        EXPECT_EQ(done.data, done ? real().data() : nullptr);
        after_pull(how, n, static_cast<bool>(done));
        return "pull_tail";
    }

    const char* may_pull_some() {
        const std::uint32_t n = around(model().size());
        if (n <= model().headlen || n > model().size()) {
            EXPECT_EQ(may_pull(real(), n),
                      n <= model().headlen ? pull_status::ok : pull_status::packet_too_small);
            return "may_pull";
        }
        const foreseen how = before_pull(n - model().headlen);
        const pull_status done = may_pull(real(), n);
        EXPECT_NE(done, pull_status::packet_too_small);
        after_pull(how, n - model().headlen, done == pull_status::ok);
        return "may_pull";
    }

    const char* linearize_all() {
        const foreseen how = model().fragments.empty() ? foreseen{} : before_pull(model().data_len());
        const bool done = linearize(real());
        after_pull(how, model().data_len(), done);
        return "linearize";
    }

    const char* expand() {
        const bool absurd = random_.one_in(20);
        const std::uint32_t front = absurd ? ~0u - random_.below(400) : random_.below(200);
        const std::uint32_t behind = random_.below(random_.one_in(4) ? 1500 : 200);
        const std::uint32_t size = head_for(std::uint64_t{model().end()} + front + behind + overhead);
        const bool done = real().expand_head(front, behind);
        EXPECT_EQ(done, size != 0);
        if (done)
            model().move_to(head_at(real().data() - real().headroom(), size), front, size - overhead);
        return "expand_head";
    }

    const char* make_writable() {
        const std::uint32_t headroom = random_.one_in(20) ? ~0u - random_.below(400) : random_.below(200);
        const std::uint32_t missing = headroom - std::min(headroom, model().headroom());
        if (missing == 0 && !model().shared()) {
            EXPECT_TRUE(cow_head(real(), headroom));
            return "cow_head";
        }
        const std::uint64_t growth = (std::uint64_t{missing} + 63) / 64 * 64;
        const std::uint32_t size = head_for(model().end() + growth + overhead);
        EXPECT_EQ(cow_head(real(), headroom), size != 0);
        if (size != 0)
            model().move_to(head_at(real().data() - real().headroom(), size),
                            static_cast<std::uint32_t>(growth), size - overhead);
        return "cow_head";
    }

    const char* set_checksum() {
        model().checksum = static_cast<checksum_state>(random_.below(4));
        if (model().checksum == checksum_state::complete) {
            set_complete(real(), sum_of(model().bytes));
        } else if (model().checksum == checksum_state::partial) {
            const std::uint32_t start = around(model().size()) / 2;
            const std::uint32_t field = random_.below(40);
            const packet_info before = real().info();
            const bool possible = start + field + 2 <= model().size() && field % 2 == 0;
            EXPECT_EQ(set_partial(real(), start, field), possible);
            if (!possible) {
                EXPECT_EQ(real().info(), before);
                model().checksum = before.checksum_state;
                return "set_partial";
            }
            model().sum_start = model().headroom() + start;
            model().sum_field = field;
        } else {
            real().info().checksum_state = model().checksum;
        }
        return "set_complete or set_partial";
    }

    const char* fill() {
        if (model().checksum != checksum_state::partial) {
            EXPECT_TRUE(fill_checksum(real()));
            return "fill_checksum";
        }
        const std::uint32_t field = model().field();
        const std::uint32_t missing = field + 2 - std::min(field + 2, model().headlen);
        foreseen how = before_pull(missing);
        if (missing == 0 && model().shared())
            how = {true, head_for(std::uint64_t{model().end()} + overhead)};
        const bool done = fill_checksum(real());
        after_pull(how, missing, done);
        if (done) {
            const std::uint16_t sum = udp_checksum(sum_of(std::span(model().bytes).subspan(model().start())));
            model().bytes[field] = static_cast<std::byte>(sum >> 8);
            model().bytes[field + 1] = static_cast<std::byte>(sum);
            model().checksum = checksum_state::none;
        }
        return "fill_checksum";
    }

    const char* clone() {
        const bool possible = descriptors_left();
        packet_ptr twin = real().clone();
        EXPECT_EQ(static_cast<bool>(twin), possible);
        if (twin) {
            live_.push_back({std::move(twin), model()}); // the copied shared_ptr is the second holder
            live_.back().model.epoch =
                live_.back().real->epoch(); // that of its descriptor, whatever it was before
        }
        return "clone";
    }

    const char* read() {
        const std::int64_t from =
            std::int64_t{random_.below(model().size() + model().headroom() + 8)} - model().headroom() - 4;
        std::vector<std::byte> to(around(model().size()), std::byte{0xee});
        const auto n = static_cast<std::int64_t>(to.size());
        const bool inside =
            from >= -std::int64_t{model().headroom()} && from + n <= std::int64_t{model().size()};
        const std::vector<std::byte> untouched(to);
        EXPECT_EQ(real().copy_bits(from, to), inside);
        std::vector<std::byte> all(model().room);
        all.insert(all.end(), model().bytes.begin(), model().bytes.end());
        const auto begin = all.begin() + (inside ? from + model().headroom() : 0);
        EXPECT_EQ(to, inside ? std::vector<std::byte>(begin, begin + n) : untouched);
        if (from < 0)
            return "copy_bits";

        const auto offset = static_cast<std::uint32_t>(from);
        const std::byte* const header = real().header_pointer(offset, to);
        const bool in_place = offset + to.size() <= model().headlen;
        EXPECT_EQ(header, in_place ? real().data() + offset : inside ? to.data() : nullptr);
        EXPECT_TRUE(!inside || std::equal(begin, begin + n, header));
        return "header_pointer";
    }

    const char* mark() {
        set_tag(random_.below(1u << 30));
        const std::array<std::uint32_t, 3> offsets = {random_.below(64), random_.below(64),
                                                      random_.below(64)};
        real().set_mac_header(offsets[0]);
        real().set_network_header(offsets[1]);
        real().set_transport_header(offsets[2]);
        for (std::size_t i = 0; i != 3; ++i)
            model().headers[i] = model().headroom() + offsets[i];
        return "set_..._header";
    }

    const char* move() {
        std::swap(random_.pick(live_), random_.pick(live_)); // sometimes with itself
        return "move";
    }

    const char* free() {
        std::swap(live_[at_], live_.back());
        if (random_.one_in(2)) {
            live_.back().real.free(drop_reason::no_memory);
            ++dropped_;
        } else {
            live_.back().real.free(drop_reason::consumed);
        }
        live_.pop_back();
        return "free";
    }

    const char* drop_source() {
        if (!sources_.empty()) {
            std::swap(random_.pick(sources_), sources_.back());
            sources_.back().under->release();
            sources_.pop_back();
        }
        return "release of a page";
    }

    static constexpr std::uint32_t overhead = 40;

    packet_fixture all_;
    const std::vector<page*> pages_ = all_.all_pages();
    packet_pool::owner_section entered_ = all_.packets().enter();
    random_steps random_;
    std::vector<source> sources_;
    std::vector<live> live_;
    std::uint32_t at_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t stamp_ = 0;
    std::vector<std::uint32_t> counts_;
};

class packet_with : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(heads, packet_with, testing::Bool(),
                         [](const auto& suite) { return suite.param ? "kept" : "not_kept"; });

TEST_P(packet_with, heads_agrees_with_its_model_after_every_step) {
    packet_world world(GetParam());
    const std::uint64_t steps = random_steps::count(200'000, 4'000);
    for (std::uint64_t i = 0; i != steps; ++i) {
        const char* const what = world.step();
        const char* const where = world.disagreement();
        ASSERT_EQ(where, nullptr) << where << " is wrong after step " << i << ", " << what;
        ASSERT_FALSE(testing::Test::HasFailure()) << "in step " << i << ", " << what;
    }
    EXPECT_GT(world.failures, steps / 100) << "memory was never short: the failures were not tested";
    EXPECT_GT(world.refused_cuts, steps / 10'000) << "no partial checksum was ever in the way";
    world.clear();
}

// Lengths and charges are counted in 32 bits: what no longer fits is refused, and nothing wraps.
TEST(packet, refuses_what_it_could_not_count) {
    packet_fixture all;
    constexpr std::uint32_t gigabytes = 3'000'000'000;
    std::byte never_read{};
    const basic_page_owner<std_sync> nobody{nullptr, [](void*, page&) noexcept {}};
    page huge(&never_read, gigabytes, nobody);
    huge.start(3);
    {
        const packet_ptr made = all.make(0, 10);
        ASSERT_EQ(made->add_fragment({&huge, 0, gigabytes, gigabytes}), packet::attached::taken);
        const std::uint32_t size = made->size();
        EXPECT_EQ(made->add_fragment({&huge, 0, gigabytes, gigabytes}), packet::attached::refused);
        EXPECT_EQ(made->add_fragment({&huge, 0, 1, gigabytes}), packet::attached::refused)
            << "the charge wraps too";
        EXPECT_EQ(made->size(), size);
        EXPECT_EQ(made->truesize(), 256 + sizeof(packet) + gigabytes);

        packet_ptr more = all.make(0, 0);
        ASSERT_EQ(more->add_fragment({&huge, 0, gigabytes, gigabytes}), packet::attached::taken);
        EXPECT_FALSE(try_coalesce(*made, more));
        EXPECT_TRUE(more);
        EXPECT_EQ(shift(*made, *more, gigabytes), 0u);
        EXPECT_FALSE(linearize(*made)) << "no head is that large";
        EXPECT_EQ(made->size(), size);
    }
    EXPECT_EQ(huge.references(), 1u);
}

TEST(packet, add_fragment_that_grows_the_last_one_takes_no_reference) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 10);
    page* const under = all.pages().allocate();
    EXPECT_EQ(made->add_fragment({under, 0, 100, 256}), packet::attached::taken);
    EXPECT_EQ(made->add_fragment({under, 100, 50, 256}), packet::attached::grown);
    EXPECT_EQ(under->references(), 1u);
    ASSERT_EQ(made->fragments().size(), 1u);
    EXPECT_EQ(made->fragments()[0].length, 150u);
    EXPECT_EQ(made->truesize(), sizeof(packet) + 256 + 512);
    under->hold();
    EXPECT_EQ(made->add_fragment({under, 151, 50, 256}), packet::attached::taken) << "a byte lies between";
    EXPECT_EQ(made->fragments().size(), 2u);
}

TEST(packet, add_fragment_refuses_nothing_and_one_too_many) {
    packet_fixture all({.pages = 20});
    const packet_ptr made = all.make(0, 10, std::vector<std::uint32_t>(packet::most_fragments, 10));
    EXPECT_EQ(made->fragments().size(), packet::most_fragments);
    const packet_state before(*made);
    page* const last = made->fragments().back().under;
    EXPECT_EQ(made->add_fragment({last, 100, 10, 10}), packet::attached::refused) << "full";
    EXPECT_EQ(made->add_fragment({last, 10, 0, 10}), packet::attached::refused)
        << "no bytes, though they would follow";
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_EQ(made->add_fragment({last, 10, 10, 10}), packet::attached::grown) << "growing needs no place";
}

// Who goes first does not matter: the other has the head to itself again, and the page goes home once.
class clone_and_original : public testing::TestWithParam<bool> {};

TEST_P(clone_and_original, when_one_is_freed_the_other_is_writable_again) {
    packet_fixture all;
    packet_ptr original = all.make(16, 100, {50});
    packet_ptr twin = original->clone();
    ASSERT_TRUE(twin);
    EXPECT_EQ(original->data(), twin->data());
    EXPECT_EQ(original->fragments()[0].under->references(), 2u);
    for (packet* each : {original.get(), twin.get()}) {
        const packet_state before(*each);
        EXPECT_TRUE(each->head_shared());
        EXPECT_EQ(each->push(1), nullptr);
        EXPECT_EQ(each->put(0), nullptr);
        EXPECT_EQ(packet_state(*each), before);
    }
    packet_ptr& first = GetParam() ? original : twin;
    packet_ptr& second = GetParam() ? twin : original;
    first.free(drop_reason::consumed);
    EXPECT_FALSE(second->head_shared());
    EXPECT_NE(second->push(16), nullptr);
    EXPECT_EQ(second->fragments()[0].under->references(), 1u);
    EXPECT_EQ(all.in_flight(), (std::array<std::uint32_t, 5>{1, 0, 0, 1, 1}));
    packet_ptr again = second->clone();
    EXPECT_TRUE(second->head_shared() && again->head_shared());
    second.free(drop_reason::consumed);
    EXPECT_NE(again->push(0), nullptr);
    again.free(drop_reason::consumed);
    EXPECT_EQ(all.in_flight(), all_home);
}
INSTANTIATE_TEST_SUITE_P(freed_first, clone_and_original, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "original" : "clone"; });

TEST(packet, clone_copies_what_came_with_the_packet) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100);
    original->info() = {.timestamp = 1,
                        .hash = 2,
                        .vlan = 3,
                        .port = 4,
                        .queue = 5,
                        .checksum = 6,
                        .checksum_start = 7,
                        .checksum_state = checksum_state::partial,
                        .checksum_level = 8};
    for (std::size_t i = 0; i != 48; ++i)
        original->user_area()[i] = static_cast<std::byte>(i);
    original->set_network_header(14);
    const packet_ptr twin = original->clone();
    EXPECT_EQ(twin->info(), original->info());
    EXPECT_EQ(std::memcmp(twin->user_area().data(), original->user_area().data(), 48), 0);
    EXPECT_EQ(twin->network_header(), twin->data() + 14);
    twin->info().hash = 99;
    twin->user_area()[0] = std::byte{99};
    EXPECT_EQ(original->info().hash, 2u) << "from here on each has its own";
    EXPECT_EQ(original->user_area()[0], std::byte{0});
}

TEST(packet, clone_changes_nothing_when_descriptors_are_out) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100, {50, 60});
    for (const std::uint32_t left : {0u, 1u}) {
        const packet_shortage few(all, left);
        const packet_state before(*original);
        const auto out = all.in_flight();
        const packet_ptr twin = original->clone();
        EXPECT_EQ(static_cast<bool>(twin), left != 0);
        if (!twin) {
            EXPECT_EQ(packet_state(*original), before);
            EXPECT_EQ(all.in_flight(), out);
        }
    }
    EXPECT_FALSE(original->head_shared());
}

TEST(packet, header_offsets_stay_true_while_bytes_come_and_go_in_front) {
    packet_fixture all;
    const packet_ptr made = all.make(32, 100);
    made->set_mac_header(0);
    made->set_network_header(14);
    made->set_transport_header(34);
    std::byte* const front = made->data();
    ASSERT_NE(made->pull(14), nullptr);
    EXPECT_EQ(made->network_header(), made->data());
    EXPECT_EQ(made->mac_header(), front);
    ASSERT_NE(made->push(30), nullptr);
    EXPECT_EQ(made->transport_header(), front + 34);
    const std::byte old = *made->transport_header();
    ASSERT_TRUE(made->expand_head(64, 0));
    EXPECT_EQ(made->headroom(), 32u + 14 - 30 + 64);
    EXPECT_EQ(made->mac_header(), made->data() + 16);
    EXPECT_EQ(*made->transport_header(), old);
}

// Offsets have 16 bits. A head may be larger, but then nothing may be remembered wrongly.
TEST(packet, expand_head_never_cuts_a_header_offset) {
    memory_block memory(std::size_t{131'072} + 2048);
    page_pool large = std::move(page_pool::create(memory.bytes().first(131'072), 131'072)).value();
    page_pool small = std::move(page_pool::create(memory.bytes().subspan(131'072), 2048)).value();
    page_pool* const heads[] = {&small, &large};
    packet_pool pool = std::move(packet_pool::create({.packets = 1, .heads = heads})).value();
    const packet_ptr made = pool.allocate(100, 1000);
    ASSERT_NE(made->put(100), nullptr);
    made->set_transport_header(34);
    const packet_state before(*made);
    EXPECT_FALSE(made->expand_head(0xffff - 1034 + 1, 0));
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_FALSE(set_partial(*made, 0xffff, 0));
    ASSERT_TRUE(set_partial(*made, 50, 0));
    EXPECT_FALSE(made->expand_head(0xffff - 1034, 0)) << "the checksum begins later";
    EXPECT_TRUE(made->expand_head(0xffff - 1050, 0));
    EXPECT_EQ(made->transport_header(), made->data() + 34);
    EXPECT_FALSE(set_partial(*made, 51, 0));
    EXPECT_TRUE(fill_checksum(*made));
}

TEST(packet, for_each_piece_goes_where_the_bytes_are) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    std::vector<std::pair<std::byte*, std::size_t>> pieces;
    const auto collect = [&](std::byte* from, std::size_t bytes) noexcept {
        pieces.emplace_back(from, bytes);
    };
    const auto of = [&](std::int64_t offset, std::size_t length) {
        pieces.clear();
        made->for_each_piece(offset, length, collect);
        return pieces;
    };
    using list = std::vector<std::pair<std::byte*, std::size_t>>;
    std::byte* const front = made->data();
    std::byte* const first = made->fragments()[0].data();
    std::byte* const second = made->fragments()[1].data();
    EXPECT_EQ(of(-16, 226), (list{{front - 16, 116}, {first, 50}, {second, 60}}));
    EXPECT_EQ(of(10, 90), (list{{front + 10, 90}}));
    EXPECT_EQ(of(100, 50), (list{{first, 50}}));
    EXPECT_EQ(of(149, 2), (list{{first + 49, 1}, {second, 1}}));
    EXPECT_EQ(of(170, 40), (list{{second + 20, 40}}));
    for (const std::int64_t offset : {-16, 0, 100, 150, 210})
        EXPECT_EQ(of(offset, 0), list{}) << "never a piece of nothing";
}

TEST(packet, copy_bits_believes_no_range_outside) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    std::array<std::byte, 4> to{};
    constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t offset :
         {std::int64_t{147}, std::int64_t{151}, std::int64_t{-17}, std::int64_t{1} << 32, highest, lowest})
        EXPECT_FALSE(made->copy_bits(offset, to)) << offset;
    for (const std::int64_t offset : {std::int64_t{151}, std::int64_t{-17}, highest, lowest})
        EXPECT_FALSE(made->copy_bits(offset, {})) << "no bytes, but not there: " << offset;
    for (const std::int64_t offset : {-16, 0, 50, 100, 101, 150})
        EXPECT_TRUE(made->copy_bits(offset, {})) << "nothing, into nowhere: " << offset;
    EXPECT_EQ(made->header_pointer(~0u, to), nullptr);
    EXPECT_EQ(made->header_pointer(~0u - 2, to), nullptr) << "the sum would wrap";
}

TEST(packet, reserve_moves_only_what_is_empty) {
    packet_fixture all;
    const packet_ptr made = all.packets().allocate(200);
    EXPECT_FALSE(made->reserve(257));
    EXPECT_TRUE(made->reserve(56));
    EXPECT_EQ(made->headroom(), 56u);
    EXPECT_FALSE(made->reserve(201));
    ASSERT_NE(made->put(1), nullptr);
    EXPECT_FALSE(made->reserve(0));
}

#if NORIA_CONTRACT == 2
TEST(packet_death_test, gather_without_room_or_right) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 250, {20});
    EXPECT_DEATH(made->gather(21), "pull_tail\\(packet, n\\) makes the room");
    EXPECT_DEATH(made->gather(7), "pull_tail\\(packet, n\\) makes the room");
    const packet_ptr twin = made->clone();
    EXPECT_DEATH(made->gather(1), "pull_tail\\(packet, n\\) makes the room");
}
#endif

} // namespace

// Views tell by the epoch: one that was made of a packet must not pass for one of its successor.
TEST(packet, a_descriptor_that_is_used_again_has_another_epoch) {
    packet_fixture all({.keep_heads = false});
    const packet_pool::owner_section entered = all.packets().enter();
    const packet_ptr source = all.make(16, 100, {});
    packet_ptr first = all.make(16, 100, {});
    const packet* const place = first.get();
    const std::uint32_t epoch = first->epoch();
    first.free(drop_reason::consumed);
    const packet_ptr twin = source->clone();
    ASSERT_EQ(twin.get(), place);
    EXPECT_NE(twin->epoch(), epoch);
}
