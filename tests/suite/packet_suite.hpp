// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "adapter.hpp"
#include "model.hpp"

// A conformance suite for packet buffers. It does random things to several live packets, clones of clones
// among them, that share heads and pages, and the same to a model of each. After every step all packets must
// agree with their models in bytes, lengths, fragments, addresses and what they are charged for, every page
// in its number of references, and the pools in what is out.
//
// The buffer is reached through an adapter. docs/how-to/test_your_own_buffer.md says what one has to have; an
// operation that it has no function for is left out.

namespace suite {

template <class Adapter, class Choices>
class packet_suite {
  public:
    using packet = typename Adapter::packet;
    using page = typename Adapter::page;
    using model_type = model_packet<page>;
    using fragment = model_fragment<page>;
    using head_type = model_head<page>;
    using offers = suite::offers<Adapter>;

    packet_suite(Adapter& adapter, Choices& choices) : adapter_(adapter), choices_(choices) {
        for (tally& each : tallies_)
            each.in_shortage.resize(shortages());
    }
    packet_suite(const packet_suite&) = delete;
    packet_suite& operator=(const packet_suite&) = delete;

    // Does the adapter have it? What it has not is left out.
    [[nodiscard]] static constexpr bool has(operation what) {
        return offers::all[static_cast<std::size_t>(what)];
    }

    // What of a packet and of the pools is not compared, for want of a function that says it.
    [[nodiscard]] static std::vector<const char*> not_compared() {
        std::vector<const char*> missing;
        const auto note = [&missing](bool there, const char* what) {
            if (!there)
                missing.push_back(what);
        };
        note(
            requires(Adapter& a, census<Adapter> out) { a.miscounted(out); },
            "miscounted: leaks are not seen");
        note(shortages() != 0, "shortages: no allocation is made to fail");
        note(offers::fragments, "fragments");
        note(offers::pages, "references");
        note(offers::truesize, "truesize");
        note(requires(Adapter& a, packet& p) { a.tailroom(p); }, "tailroom");
        note(requires(Adapter& a, packet& p) { a.head_shared(p); }, "head_shared");
        note(offers::epoch, "epoch");
        note(requires(Adapter& a) { a.dropped(); }, "dropped");
        note(requires(Adapter& a, packet& p) { a.tag(p); }, "tag");
        note(offers::headers, "header");
        note(offers::checksum, "checksum_of");
        return missing;
    }

    // Is there anything that it could fail for?
    [[nodiscard]] static constexpr bool can_fail(operation what) {
        if constexpr (requires { Adapter::cannot_fail; })
            for (const operation each : Adapter::cannot_fail)
                if (each == what)
                    return false;
        return what != operation::free;
    }

    // One operation on one packet and its model. False when they differ: failure() says in what. Nothing may
    // be done after that.
    [[nodiscard]] bool step() {
        ++steps_;
        doing_ = nullptr;
        touched_.clear();
        wrong_ = nullptr;
        choose();
        compare();
        if (!failure_.empty())
            tell_the_story();
        return failure_.empty();
    }

    // Frees everything; then nothing may be out. Not after something was wrong.
    [[nodiscard]] bool finish() {
        touched_.clear();
        while (!live_.empty()) {
            at_ = live_.size() - 1;
            free_one();
        }
        while (!sources_.empty())
            drop_source();
        doing_ = nullptr;
        compare();
        return failure_.empty();
    }

    [[nodiscard]] const std::string& failure() const { return failure_; }
    // How many there were, those that were tried in a shortage first with each try.
    [[nodiscard]] std::uint64_t operations_tried() const { return tried_; }
    [[nodiscard]] const std::array<tally, operations>& tallies() const { return tallies_; }
    [[nodiscard]] static constexpr std::uint32_t shortages() {
        if constexpr (requires { Adapter::shortages; })
            return static_cast<std::uint32_t>(Adapter::shortages.size());
        else
            return 0;
    }

  private:
    enum class outcome : std::uint8_t { done, refused, no_memory };
    static constexpr std::array<const char*, 3> outcome_names{"done", "refused", "no memory"};
    struct past {
        std::uint64_t step;
        operation what;
        outcome how;
    };
    struct live {
        packet real;
        model_type model;
        std::array<past, 5> last{}; // what was done with it, the latest in front
        std::size_t known = 0;

        void note(const past& now) {
            std::shift_right(last.begin(), last.end(), 1);
            last.front() = now;
            known = std::min(known + 1, last.size());
        }
    };
    // A page that new bytes come from, from `next` on; the suite has one reference to it.
    struct source {
        page under;
        std::uint32_t next = 0;
    };
    using bytes_type = std::vector<std::byte>;
    using input = std::span<const std::byte>;

    static constexpr packet_rules rules = Adapter::rules;
    static constexpr std::size_t most_live = 8;

    packet& real() { return live_[at_].real; }
    model_type& model() { return live_[at_].model; }

    // A buffer may have no fragments.
    std::size_t fragments_of(packet& of) {
        if constexpr (offers::fragments)
            return adapter_.fragments(of);
        else
            return 0;
    }
    std::pair<fragment, const std::byte*> fragment_of(packet& of, std::size_t i) {
        if constexpr (offers::fragments)
            return {adapter_.fragment(of, i), adapter_.fragment_data(of, i)};
        else
            return {};
    }

    // ---- what is to be done, and with what

    void choose() {
        using suite_type = packet_suite;
        static constexpr std::array actions{&suite_type::allocate_one,
                                            &suite_type::build_around,
                                            &suite_type::reserve,
                                            &suite_type::put,
                                            &suite_type::put,
                                            &suite_type::push,
                                            &suite_type::push,
                                            &suite_type::pull,
                                            &suite_type::add_one_fragment,
                                            &suite_type::add_one_fragment,
                                            &suite_type::add_one_fragment,
                                            &suite_type::add_many_fragments,
                                            &suite_type::cut,
                                            &suite_type::trim,
                                            &suite_type::condense,
                                            &suite_type::pull_tail,
                                            &suite_type::pull_tail,
                                            &suite_type::may_pull,
                                            &suite_type::linearize,
                                            &suite_type::expand_head,
                                            &suite_type::cow_head,
                                            &suite_type::pad_to,
                                            &suite_type::copy_bits,
                                            &suite_type::header_pointer,
                                            &suite_type::store_bits,
                                            &suite_type::clone,
                                            &suite_type::clone,
                                            &suite_type::copy,
                                            &suite_type::pcopy,
                                            &suite_type::split,
                                            &suite_type::shift,
                                            &suite_type::try_coalesce,
                                            &suite_type::set_checksum,
                                            &suite_type::fill_checksum,
                                            &suite_type::mark,
                                            &suite_type::drop_source,
                                            &suite_type::free_one,
                                            &suite_type::free_one};
        if (live_.empty())
            return allocate();
        at_ = choices_.below(static_cast<std::uint32_t>(live_.size()));
        touch(at_);
        if (live_.size() > most_live && choices_.one_in(3))
            return free_one();
        (this->*choices_.pick(actions))();
    }
    void touch(std::size_t which) { touched_.push_back(which); }

    // Mostly what fits, sometimes the very limit, sometimes one or many too many.
    std::uint32_t around(std::uint32_t limit) {
        switch (choices_.below(8)) {
        case 0:
            return limit;
        case 1:
            return limit + 1;
        case 2:
            return limit + choices_.below(300);
        case 3:
            return 0;
        default:
            return choices_.below(limit + 1);
        }
    }
    // Where to cut: also close to the field that a partial checksum is to be written to.
    std::uint32_t some_cut() {
        if (model().has(checksum_state::partial) && choices_.one_in(3))
            return model().field() + choices_.below(4);
        return around(model().size());
    }
    // Bytes that no others are, without a choice for each: a fuzzer has better things to choose.
    bytes_type fresh_bytes(std::uint32_t n) {
        bytes_type made(n);
        fill(made);
        return made;
    }
    void fill(std::span<std::byte> to) {
        for (std::byte& each : to) {
            noise_ = noise_ * 6364136223846793005u + 1442695040888963407u;
            each = static_cast<std::byte>(noise_ >> 56);
        }
    }
    std::size_t some_other() {
        const std::size_t other = choices_.below(static_cast<std::uint32_t>(live_.size()));
        touch(other);
        return other;
    }

    // ---- what can be expected

    // The usable bytes of the head that would be had for so many; 0: none.
    std::uint32_t head_for(std::uint64_t bytes) { return adapter_.head_for(bytes); }
    bool descriptors_left(std::size_t n = 1) { return adapter_.descriptors_left() >= n; }
    std::size_t descriptors_of(const model_type& of) {
        return rules.heads_are_descriptors ? 1 + of.fragments.size() : 1;
    }
    bool writable(const model_type& of) { return rules.sees_sharing || !of.shared(); }

    struct foreseen {
        bool move = false;
        std::uint32_t usable = 0; // of the head it moves to; 0: none is to be had
        [[nodiscard]] bool possible() const { return !move || usable != 0; }
    };
    // Of making `n` bytes of the fragments linear.
    foreseen before_pull(std::uint32_t n) {
        if (n == 0 || (n <= model().behind() && !model().shared()))
            return {};
        const std::uint32_t more = n > model().behind() ? n - model().behind() : 0;
        const std::uint64_t least = std::uint64_t{model().head->usable} + more;
        const std::uint32_t roomy = more == 0 ? 0 : head_for(least + rules.pull_slack);
        return {true, roomy != 0 ? roomy : head_for(least)};
    }
    void after_pull(const foreseen& how, std::uint32_t n) {
        if (how.move)
            moved(how.usable, 0);
        model().gather(n);
    }
    // The packet has another head now.
    void moved(std::uint32_t usable, std::uint32_t more_headroom) {
        const head_type fresh = adapter_.head_of(real());
        expect(fresh.usable == usable, "the new head is of another size than was to be had");
        expect(fresh.start != model().head->start, "the head did not move");
        if constexpr (offers::epoch)
            expect(adapter_.epoch(real()) != std::exchange(model().epoch, adapter_.epoch(real())),
                   "addresses moved, the epoch did not");
        if (failure_.empty())
            model().move_to(fresh, more_headroom);
    }

    void expect(bool is_so, const char* otherwise) {
        if (!is_so)
            fail(otherwise);
    }
    template <class Is, class Should>
    void expect_same(const Is& is, const Should& should, const char* what) {
        if (!(is == should))
            fail(std::string(what) + ": " + shown(is) + " where " + shown(should) + " was expected");
    }
    // Only what was wrong first is of interest.
    void fail(const std::string& what) {
        if (failure_.empty())
            failure_ =
                "step " + std::to_string(steps_) + ", " + (doing_ ? doing_ : "at the end") + ": " + what;
    }
    // An address is shown by where it lies in the packet.
    template <class Value>
    std::string shown(const Value& of) {
        if constexpr (std::is_same_v<Value, bool>)
            return of ? "true" : "false";
        else if constexpr (std::is_integral_v<Value>)
            return std::to_string(of);
        else if constexpr (std::is_convertible_v<Value, const std::byte*>)
            return of == nullptr ? "null" : "data() + " + std::to_string(of - model().data());
        else
            return "what it is";
    }
    void count(operation what, outcome how) {
        ++tried_;
        const bool makes_one = what == operation::allocate || what == operation::build_around;
        for (const std::size_t which : touched_) // with the one that is made nothing else was done
            if (which < live_.size() && (!makes_one || (which == at_ && how == outcome::done)))
                live_[which].note({steps_, what, how});
        tally& of = tallies_[static_cast<std::size_t>(what)];
        ++(how == outcome::done ? of.done : how == outcome::refused ? of.refused : of.short_of_memory);
    }
    void begin(operation what) { doing_ = operation_names[static_cast<std::size_t>(what)]; }

    // What was done last with the packet that is wrong, or that was to be changed.
    void tell_the_story() {
        const live* const of = wrong_ != nullptr ? wrong_ : at_ < live_.size() ? &live_[at_] : nullptr;
        if (of == nullptr)
            return;
        const char* heading = "\n  what was done last with this packet:";
        for (std::size_t i = of->known; i-- != 0;) {
            const past& then = of->last[i];
            if (then.step == steps_)
                continue;
            failure_ += std::exchange(heading, "");
            failure_ += "\n    step " + std::to_string(then.step) + ", " +
                        operation_names[static_cast<std::size_t>(then.what)] + ": " +
                        outcome_names[static_cast<std::size_t>(then.how)];
        }
    }

    // An operation that may need memory: `attempt` does it and says how it went. Now and then it is tried in
    // one shortage after the other, until it succeeds; what fails must leave no trace.
    template <class Attempt>
    void with_memory(operation what, Attempt attempt) {
        begin(what);
        if constexpr (shortages() != 0) {
            if (choices_.one_in(6)) {
                const std::uint32_t first = choices_.below(shortages());
                for (std::uint32_t tried = 0; tried != shortages() && failure_.empty(); ++tried) {
                    const std::uint32_t i = (first + tried) % shortages();
                    adapter_.begin_shortage(i);
                    dump(before_);
                    const outcome how = attempt();
                    if (how != outcome::done) {
                        dump(after_);
                        expect(before_ == after_, "it failed and changed something");
                    }
                    adapter_.end_shortage();
                    count(what, how);
                    if (how == outcome::done)
                        return;
                    if (how == outcome::no_memory)
                        ++tallies_[static_cast<std::size_t>(what)].in_shortage[i];
                }
            }
        }
        if (failure_.empty())
            count(what, attempt());
    }
    static outcome memory(bool done) { return done ? outcome::done : outcome::no_memory; }
    static outcome sense(bool done) { return done ? outcome::done : outcome::refused; }

    // All there is to see of the packets that take part.
    void dump(std::vector<std::uint64_t>& to) {
        to.clear();
        const auto add = [&to](auto value) {
            if constexpr (std::is_pointer_v<decltype(value)>)
                to.push_back(reinterpret_cast<std::uintptr_t>(value));
            else
                to.push_back(static_cast<std::uint64_t>(value));
        };
        const auto add_bytes = [&add](const std::byte* first, std::size_t n) {
            for (std::size_t i = 0; i != n; ++i)
                add(std::to_integer<std::uint64_t>(first[i]));
        };
        for (const std::size_t which : touched_) {
            packet& of = live_[which].real;
            add(adapter_.data(of)), add(adapter_.headroom(of)), add(adapter_.headlen(of));
            add(adapter_.size(of)), add(adapter_.room_behind_tail(of));
            if constexpr (offers::truesize)
                add(adapter_.truesize(of));
            add_bytes(adapter_.data(of) - adapter_.headroom(of),
                      adapter_.headroom(of) + adapter_.headlen(of));
            for (std::size_t i = 0; i != fragments_of(of); ++i) {
                const auto [part, first] = fragment_of(of, i);
                add(first), add(part.length), add(part.truesize);
                if constexpr (offers::pages)
                    if (part.page != page{})
                        add(adapter_.references(part.page));
                add_bytes(first, part.length);
            }
            if constexpr (requires { adapter_.state(of, add); })
                adapter_.state(of, add);
        }
    }

    // ---- the operations

    void add_live(packet made, model_type model) {
        at_ = live_.size();
        touch(at_);
        live_.push_back({std::move(made), std::move(model)});
        learn_epoch();
    }
    void learn_epoch() {
        if constexpr (offers::epoch)
            model().epoch = adapter_.epoch(real());
    }
    void set_tag(std::uint32_t tag) {
        if constexpr (requires { adapter_.set_tag(real(), tag); }) {
            adapter_.set_tag(real(), tag);
            model().tag = tag;
        }
    }
    // A packet that was just made: what its head is, and what is in the headroom.
    model_type beginning(packet& made) {
        model_type fresh;
        fresh.head = std::make_shared<head_type>(adapter_.head_of(made));
        const std::byte* const start = fresh.head->start;
        fresh.room.assign(start, start + adapter_.headroom(made));
        return fresh;
    }

    void allocate_one() {
        if (live_.size() < most_live)
            allocate();
    }
    void allocate() {
        const std::uint32_t bytes = choices_.below(choices_.one_in(4) ? 2200 : 400);
        const std::uint32_t headroom = choices_.below(100);
        with_memory(operation::allocate, [&] {
            const std::uint32_t usable = rules.heads_are_descriptors || descriptors_left()
                                             ? head_for(std::uint64_t{bytes} + headroom)
                                             : 0;
            packet made = adapter_.allocate(bytes, headroom);
            expect_same(static_cast<bool>(made), usable != 0, "success, as far as memory goes");
            if (made && failure_.empty()) {
                model_type fresh = beginning(made);
                expect(fresh.head->usable == usable && fresh.headroom() == headroom, "room");
                add_live(std::move(made), std::move(fresh));
                set_tag(choices_.below(1u << 30));
            }
            return memory(usable != 0);
        });
    }

    source* some_source() {
        if constexpr (offers::pages) {
            if (sources_.empty() || (sources_.size() < 4 && choices_.one_in(3))) {
                const page fresh = adapter_.take_page();
                if (fresh == page{})
                    return nullptr;
                fill({adapter_.page_data(fresh), adapter_.page_bytes(fresh)});
                sources_.push_back({fresh});
            }
            return &choices_.pick(sources_);
        }
        return nullptr;
    }
    void drop_source() {
        if constexpr (offers::pages) {
            if (!sources_.empty()) {
                std::swap(choices_.pick(sources_), sources_.back());
                adapter_.release(sources_.back().under);
                sources_.pop_back();
            }
        }
    }

    void build_around() {
        if constexpr (offers::build_around) {
            source* const from = some_source();
            if (from == nullptr || adapter_.page_bytes(from->under) - from->next < 300)
                return;
            const placement<page> where{.page = from->under,
                                        .offset = from->next,
                                        .headroom = choices_.below(80),
                                        .bytes = choices_.below(140),
                                        .room = choices_.below(80),
                                        .truesize = 512};
            with_memory(operation::build_around, [&] {
                const bool possible = descriptors_left();
                adapter_.hold(where.page);
                packet made = adapter_.build_around(where);
                expect_same(static_cast<bool>(made), possible, "success, as far as memory goes");
                if (!made) {
                    adapter_.release(where.page);
                    return memory(possible);
                }
                from->next += 300;
                model_type fresh;
                const std::byte* const start = adapter_.page_data(where.page) + where.offset;
                fresh.head = std::make_shared<head_type>(
                    head_type{where.page, start, where.headroom + where.bytes + where.room, where.truesize});
                const std::byte* const first = start + where.headroom;
                fresh.room.assign(start, first);
                fresh.bytes.assign(first, first + where.bytes);
                fresh.headlen = where.bytes;
                add_live(std::move(made), std::move(fresh));
                set_tag(choices_.below(1u << 30));
                return memory(possible);
            });
        }
    }

    void reserve() {
        if constexpr (offers::reserve) {
            begin(operation::reserve);
            const std::uint32_t n = around(std::min(model().tailroom(), 40u));
            const bool possible = model().bytes.empty() && n <= model().tailroom();
            expect_same(adapter_.reserve(real(), n), possible, "result");
            if (possible) {
                const std::byte* const more = model().data();
                model().room.insert(model().room.end(), more, more + n);
            }
            count(operation::reserve, sense(possible));
        }
    }

    void put() {
        begin(operation::put);
        const bytes_type added = fresh_bytes(around(std::min(model().tailroom(), 300u)));
        const bool possible = added.size() <= model().tailroom() && !model().shared();
        if (!writable(model()) ||
            (!model().fragments.empty() && (added.empty() || rules.puts_behind_fragments)))
            return;
        const std::byte* const tail = model().data() + model().headlen;
        bool known = false;
        if constexpr (requires { adapter_.put(real(), input(added)); })
            known = choices_.one_in(2);
        const std::byte* const at =
            add_bytes(added, known, [&](auto what) -> decltype(adapter_.put(real(), what)) {
                return adapter_.put(real(), what);
            });
        expect_same(at, (possible ? tail : nullptr), "result");
        if (possible)
            model().put(added, known);
        count(operation::put, sense(possible));
    }
    void push() {
        begin(operation::push);
        const bytes_type added = fresh_bytes(around(std::min(model().headroom(), 40u)));
        const bool possible = added.size() <= model().headroom() && !model().shared();
        if (!writable(model()))
            return;
        bool known = false;
        if constexpr (requires { adapter_.push(real(), input(added)); })
            known = choices_.one_in(2);
        const std::byte* const at =
            add_bytes(added, known, [&](auto what) -> decltype(adapter_.push(real(), what)) {
                return adapter_.push(real(), what);
            });
        expect_same(at, (possible ? model().data() - added.size() : nullptr), "result");
        if (possible)
            model().push(added, known);
        count(operation::push, sense(possible));
    }
    // By an operation that takes how many they are, or the bytes themselves.
    template <class Operation>
    std::byte* add_bytes(const bytes_type& added, bool known, Operation apply) {
        if constexpr (requires { apply(input(added)); })
            if (known)
                return apply(input(added));
        std::byte* const to = apply(static_cast<std::uint32_t>(added.size()));
        if (to != nullptr)
            std::copy(added.begin(), added.end(), to);
        return to;
    }

    void pull() {
        begin(operation::pull);
        const std::uint32_t n = around(std::min(model().headlen, 60u));
        const bool possible = n <= model().headlen;
        expect_same(adapter_.pull(real(), n), (possible ? model().data() + n : nullptr), "result");
        if (possible)
            model().pull(n);
        count(operation::pull, sense(possible));
    }

    void add_one_fragment() { add_fragment(200); }
    // Until there are as many as there can be, now and then.
    void add_many_fragments() {
        if (!choices_.one_in(4))
            return add_one_fragment();
        for (std::uint32_t i = 0; i <= std::min(rules.most_fragments, 20u) && failure_.empty(); ++i)
            add_fragment(20);
    }
    void add_fragment(std::uint32_t longest) {
        if constexpr (offers::pages) {
            source* const from = some_source();
            if (from == nullptr || from->next == adapter_.page_bytes(from->under))
                return;
            const std::uint32_t page_bytes = adapter_.page_bytes(from->under);
            const std::uint32_t length = choices_.below(std::min(longest, page_bytes - from->next + 1));
            const fragment added{from->under, from->next, length, choices_.one_in(2) ? length : page_bytes};
            bool known = false;
            if constexpr (requires { adapter_.add_fragment(real(), added, std::uint16_t{}); })
                known = choices_.one_in(2);
            const input its_bytes(adapter_.page_data(added.page) + added.offset, length);
            with_memory(operation::add_fragment, [&] {
                const bool sane = (length != 0 || !rules.drops_empty_fragments) &&
                                  (follows_last(added) || model().fragments.size() < rules.most_fragments);
                const bool memory = !rules.heads_are_descriptors || descriptors_left();
                adapter_.hold(added.page);
                attached got;
                if constexpr (requires { adapter_.add_fragment(real(), added, std::uint16_t{}); })
                    got = known ? adapter_.add_fragment(real(), added, sum_of(its_bytes))
                                : adapter_.add_fragment(real(), added);
                else
                    got = adapter_.add_fragment(real(), added);
                if (got != attached::taken)
                    adapter_.release(added.page);
                if (!sane || !memory) {
                    expect(got == attached::refused, "result");
                    return sane ? outcome::no_memory : outcome::refused;
                }
                const bool grown = model().append(added, page_bytes, rules);
                expect(got == (grown ? attached::grown : attached::taken), "result");
                model().append_bytes(its_bytes);
                model().changed(known);
                from->next += length;
                return outcome::done;
            });
        }
    }
    bool follows_last(const fragment& added) {
        if (!rules.joins_fragments || model().fragments.empty())
            return false;
        const fragment& last = model().fragments.back();
        return last.page == added.page && last.offset + last.length == added.offset;
    }

    void cut() {
        if constexpr (offers::cut) {
            begin(operation::cut);
            const std::uint32_t n = some_cut();
            if (!rules.cuts_anywhere && n > model().size())
                return;
            const bool possible = model().may_cut(n, rules);
            expect_same(adapter_.cut(real(), n), possible, "result");
            if (possible)
                model().cut(n, rules);
            count(operation::cut, sense(possible));
        }
    }
    void trim() {
        if constexpr (offers::trim) {
            begin(operation::trim);
            const std::uint32_t n = some_cut();
            const bool shorter = n < model().size();
            const bool possible = model().may_cut(n, rules);
            expect_same(adapter_.trim(real(), n), possible, "result");
            if (possible && shorter) {
                model().cut(n, rules);
                model().condense();
            }
            count(operation::trim, sense(possible));
        }
    }
    void condense() {
        if constexpr (offers::condense) {
            begin(operation::condense);
            const std::size_t before = model().fragments.size();
            adapter_.condense(real());
            model().condense();
            count(operation::condense, sense(model().fragments.size() != before));
        }
    }

    void pull_tail() {
        if constexpr (offers::pull_tail) {
            const std::uint32_t n = std::min(around(model().data_len()), model().data_len());
            with_memory(operation::pull_tail, [&] {
                const foreseen how = before_pull(n);
                const pulled got = adapter_.pull_tail(real(), n);
                expect_same(got.data != nullptr, how.possible(), "success, as far as memory goes");
                if (got.data != nullptr) {
                    expect(got.moved == how.move, "whether it says that it moved");
                    after_pull(how, n);
                    expect(got.data == model().data(), "the address it says");
                }
                return memory(how.possible());
            });
        }
    }
    void may_pull() {
        if constexpr (offers::may_pull) {
            const std::uint32_t n = around(model().size());
            const std::uint32_t missing = n > model().headlen ? n - model().headlen : 0;
            with_memory(operation::may_pull, [&] {
                const bool enough = n <= model().size();
                const foreseen how = enough ? before_pull(missing) : foreseen{};
                const pull_status got = adapter_.may_pull(real(), n);
                expect(got == (!enough          ? pull_status::packet_too_small
                               : how.possible() ? pull_status::ok
                                                : pull_status::no_memory),
                       "result");
                if (got == pull_status::ok)
                    after_pull(how, missing);
                return enough ? memory(how.possible()) : outcome::refused;
            });
        }
    }
    void linearize() {
        if constexpr (offers::linearize) {
            if (!writable(model()))
                return;
            with_memory(operation::linearize, [&] {
                const std::uint32_t n = model().data_len();
                if (!rules.linearize_finds_room) {
                    const bool possible = model().fragments.empty() || n <= model().behind();
                    expect_same(adapter_.linearize(real()), possible, "result");
                    if (possible) {
                        model().headlen += n;
                        model().fragments.clear();
                    }
                    return sense(possible);
                }
                const foreseen how = before_pull(n);
                expect_same(adapter_.linearize(real()), how.possible(), "success, as far as memory goes");
                if (how.possible())
                    after_pull(how, n);
                return memory(how.possible());
            });
        }
    }

    void expand_head() {
        if constexpr (offers::expand_head) {
            const bool absurd = choices_.one_in(20);
            const std::uint32_t front = absurd ? ~0u - choices_.below(400) : choices_.below(200);
            const std::uint32_t behind = choices_.below(choices_.one_in(4) ? 1500 : 200);
            with_memory(operation::expand_head, [&] {
                const std::uint32_t usable = head_for(std::uint64_t{model().head->usable} + front + behind);
                expect_same(adapter_.expand_head(real(), front, behind), usable != 0,
                            "success, as far as memory goes");
                if (usable != 0)
                    moved(usable, front);
                return absurd ? sense(usable != 0) : memory(usable != 0);
            });
        }
    }
    void cow_head() {
        if constexpr (offers::cow_head) {
            const std::uint32_t headroom =
                choices_.one_in(20) ? ~0u - choices_.below(400) : choices_.below(200);
            with_memory(operation::cow_head, [&] {
                const std::uint32_t missing = headroom - std::min(headroom, model().headroom());
                const bool move = missing != 0 || model().shared();
                const std::uint64_t steps =
                    (std::uint64_t{missing} + rules.headroom_steps - 1) / rules.headroom_steps;
                const std::uint64_t growth = steps * rules.headroom_steps;
                const foreseen how{move, move ? head_for(model().head->usable + growth) : 0};
                expect_same(adapter_.cow_head(real(), headroom), how.possible(),
                            "success, as far as memory goes");
                if (move && how.possible())
                    moved(how.usable, static_cast<std::uint32_t>(growth));
                return memory(how.possible());
            });
        }
    }
    void pad_to() {
        if constexpr (offers::pad_to) {
            const std::uint32_t n = around(model().size() + 40);
            with_memory(operation::pad_to, [&] {
                foreseen how;
                const std::uint32_t behind = n - std::min(n, model().headlen);
                const std::uint32_t missing = behind - std::min(behind, model().behind());
                if (n > model().size() && (missing != 0 || model().shared()))
                    how = {true, head_for(std::uint64_t{model().head->usable} + missing)};
                expect_same(adapter_.pad_to(real(), n), how.possible(), "success, as far as memory goes");
                if (how.possible() && n > model().size()) {
                    after_pull(how, model().data_len());
                    model().put(bytes_type(n - model().size()), true);
                }
                return memory(how.possible());
            });
        }
    }

    // A range in and around the packet; a negative offset is in the headroom.
    struct range {
        std::int64_t offset;
        std::uint32_t length;
        bool inside;
    };
    range some_range() {
        range some{std::int64_t{choices_.below(model().size() + model().headroom() + 8)} -
                       model().headroom() - 4,
                   around(choices_.one_in(2) ? 16 : model().size()), false};
        some.inside = some.offset >= -std::int64_t{model().headroom()} &&
                      some.offset + std::int64_t{some.length} <= std::int64_t{model().size()};
        return some;
    }
    bytes_type bytes_in(const range& of) {
        bytes_type all(model().room);
        all.insert(all.end(), model().bytes.begin(), model().bytes.end());
        const auto first = all.begin() + (of.offset + model().headroom());
        return {first, first + of.length};
    }
    void copy_bits() {
        if constexpr (offers::copy_bits) {
            begin(operation::copy_bits);
            const range asked = some_range();
            bytes_type to(asked.length, std::byte{0xee});
            const bytes_type untouched(to);
            expect_same(adapter_.copy_bits(real(), asked.offset, to), asked.inside, "result");
            expect(to == (asked.inside ? bytes_in(asked) : untouched), "bytes");
            count(operation::copy_bits, sense(asked.inside));
        }
    }
    void header_pointer() {
        if constexpr (offers::header_pointer) {
            begin(operation::header_pointer);
            range asked = some_range();
            if (asked.offset < 0)
                asked.offset = 0;
            asked.inside = asked.offset + std::int64_t{asked.length} <= std::int64_t{model().size()};
            if (asked.length == 0)
                return;
            bytes_type scratch(asked.length, std::byte{0xee});
            const auto offset = static_cast<std::uint32_t>(asked.offset);
            const std::byte* const got = adapter_.header_pointer(real(), offset, scratch);
            expect((got != nullptr) == asked.inside, "result");
            if (asked.inside && failure_.empty()) {
                const bool in_head = offset + asked.length <= model().headlen;
                expect(in_head ? got == model().data() + offset
                               : rules.reads_fragments_in_place || got == scratch.data(),
                       "the address it says");
                const bytes_type bytes = bytes_in(asked);
                expect(std::equal(bytes.begin(), bytes.end(), got), "bytes");
            }
            count(operation::header_pointer, sense(asked.inside));
        }
    }
    void store_bits() {
        if constexpr (offers::store_bits) {
            begin(operation::store_bits);
            const range asked = some_range();
            const bytes_type stored = fresh_bytes(asked.length);
            bool allowed = asked.inside;
            if (asked.inside && asked.length != 0) {
                allowed = asked.offset >= std::int64_t{model().headlen} || !model().shared();
                std::int64_t here = model().headlen;
                for (const fragment& part : model().fragments) {
                    const std::int64_t next = here + part.length;
                    if (asked.offset < next && here < asked.offset + std::int64_t{asked.length})
                        allowed = allowed && adapter_.references(part.page) == 1;
                    here = next;
                }
            }
            if (!rules.sees_sharing && !allowed && asked.inside)
                return;
            expect_same(adapter_.store_bits(real(), asked.offset, stored), allowed, "result");
            if (allowed && asked.length != 0) {
                for (std::uint32_t i = 0; i != asked.length; ++i) {
                    const std::int64_t place = asked.offset + i;
                    (place < 0 ? model().room[static_cast<std::size_t>(place + model().headroom())]
                               : model().bytes[static_cast<std::size_t>(place)]) = stored[i];
                }
                model().changed(asked.offset + std::int64_t{asked.length} <=
                                0); // what is in front is in no sum
            }
            count(operation::store_bits, sense(allowed));
        }
    }

    void clone() {
        if constexpr (offers::clone) {
            if (live_.size() >= most_live + 3)
                return;
            with_memory(operation::clone, [&] {
                const bool possible = descriptors_left(descriptors_of(model()));
                packet twin = adapter_.clone(real());
                expect_same(static_cast<bool>(twin), possible, "success, as far as memory goes");
                if (twin)
                    add_live(std::move(twin),
                             model_type(model())); // the copied shared_ptr is the second holder
                return memory(possible);
            });
        }
    }
    void copy() {
        if constexpr (offers::copy) {
            if (model().bytes.empty() && !rules.copies_nothing)
                return;
            with_memory(operation::copy, [&] {
                if constexpr (!rules.copies_headroom) {
                    const bool possible = adapter_.can_copy(real());
                    packet made = adapter_.copy(real());
                    expect_same(static_cast<bool>(made), possible, "success, as far as memory goes");
                    if (made) {
                        model_type fresh = beginning(made);
                        fresh.bytes = model().bytes;
                        fresh.headlen = adapter_.headlen(made);
                        fresh.tag = model().tag;
                        for (std::size_t i = 0; i != fragments_of(made); ++i)
                            fresh.fragments.push_back(fragment_of(made, i).first);
                        add_live(std::move(made), std::move(fresh));
                    }
                    return memory(possible);
                } else {
                    return copied(model().headroom(), model().size(), adapter_,
                                  [](Adapter& a, packet& of, std::uint32_t) { return a.copy(of); });
                }
            });
        }
    }
    void pcopy() {
        if constexpr (offers::pcopy) {
            const std::uint32_t headroom = choices_.below(200);
            with_memory(operation::pcopy, [&] {
                return copied(headroom, model().headlen, adapter_,
                              [](Adapter& a, packet& of, std::uint32_t room) { return a.pcopy(of, room); });
            });
        }
    }
    // A packet with a head of its own, with the first `linear` bytes in it.
    template <class Make>
    outcome copied(std::uint32_t headroom, std::uint32_t linear, Adapter& adapter, Make make) {
        const std::uint32_t usable = descriptors_left() ? head_for(std::uint64_t{headroom} + linear) : 0;
        packet made = make(adapter, real(), headroom);
        expect_same(static_cast<bool>(made), usable != 0, "success, as far as memory goes");
        if (!made || !failure_.empty())
            return memory(usable != 0);
        model_type fresh = beginning(made);
        expect(fresh.head->usable == usable && fresh.headroom() == headroom, "room");
        const model_type& from = model();
        if (linear != from.size())
            fresh.fragments = from.fragments;
        const std::uint32_t kept = std::min(headroom, from.headroom()); // of the old headroom
        if (failure_.empty())
            std::copy(from.room.end() - kept, from.room.end(), fresh.room.end() - kept);
        fresh.bytes = from.bytes;
        fresh.headlen = linear;
        fresh.tag = from.tag;
        fresh.checksum = from.checksum;
        const std::int64_t up = std::int64_t{headroom} - from.headroom();
        for (std::size_t i = 0; i != 3; ++i)
            fresh.headers[i] = std::max<std::int64_t>(from.headers[i] + up, 0);
        fresh.checksum.start =
            static_cast<std::uint32_t>(std::max<std::int64_t>(fresh.checksum.start + up, 0));
        add_live(std::move(made), std::move(fresh));
        return outcome::done;
    }

    void split() {
        if constexpr (offers::split) {
            const std::size_t from = at_;
            if (live_.size() < most_live && !choices_.one_in(4))
                allocate();
            at_ = from;
            const std::size_t other = choices_.one_in(4) ? some_other() : live_.size() - 1;
            touch(other);
            begin(operation::split);
            if (other == from || !failure_.empty())
                return;
            model_type& rest = live_[other].model;
            const std::uint32_t at = some_cut();
            const std::uint32_t linear = at < model().headlen ? model().headlen - at : 0;
            const bool possible = at <= model().size() && rest.bytes.empty() && linear <= rest.tailroom() &&
                                  (linear == 0 || !rest.shared()) &&
                                  (at == model().size() || model().may_cut(at, rules));
            expect_same(adapter_.split(real(), at, live_[other].real), possible, "result");
            if (possible)
                model().split(at, rest);
            count(operation::split, sense(possible));
        }
    }

    void shift() {
        if constexpr (offers::shift) {
            begin(operation::shift);
            const std::size_t other = some_other();
            model_type& to = live_[other].model;
            if (other == at_)
                return;
            if (choices_.one_in(2) && adapter_.pull(real(), model().headlen) != nullptr)
                model().pull(model().headlen);
            const std::uint32_t asked = around(model().size());
            const std::uint32_t n = std::min(asked, model().size());
            bool possible = n != 0 && model().headlen == 0 && !model().has(checksum_state::partial);
            model_type after(to);
            if (possible) {
                for (const fragment& part : model().first_fragments(n))
                    after.append(part, adapter_.page_bytes(part.page), rules);
                after.joined(model().checksum, n);
                possible = after.fragments.size() <= rules.most_fragments;
            }
            const std::uint32_t got = adapter_.shift(live_[other].real, real(), asked);
            expect(got == (possible ? n : 0), "result");
            if (possible) {
                after.append_bytes(input(model().bytes).first(n));
                to = std::move(after);
                model().gather(n); // as if they became linear, and were pulled
                model().headlen = 0;
                model().bytes.erase(model().bytes.begin(), model().bytes.begin() + n);
                model().sum_again();
            }
            count(operation::shift, sense(possible));
        }
    }

    void try_coalesce() {
        if constexpr (offers::try_coalesce) {
            begin(operation::try_coalesce);
            const std::size_t other = some_other();
            if (other == at_)
                return;
            model_type& to = model();
            model_type& from = live_[other].model;
            const bool copies = from.size() <= to.tailroom();
            const bool steals = !copies && from.headlen != 0;
            const std::size_t pieces = from.fragments.size() + (steals ? 1 : 0);
            const bool possible = !to.shared() && !from.has(checksum_state::partial) &&
                                  (copies || (to.fragments.size() + pieces <= rules.most_fragments &&
                                              !(steals && from.shared())));
            expect_same(adapter_.try_coalesce(real(), live_[other].real), possible, "result");
            count(operation::try_coalesce, sense(possible));
            if (!possible)
                return;
            to.joined(from.checksum, from.size());
            if (copies) {
                to.headlen += from.size();
            } else {
                if (steals) {
                    const auto offset = from.data() - adapter_.page_data(from.head->page);
                    to.fragments.push_back({from.head->page, static_cast<std::uint32_t>(offset), from.headlen,
                                            from.head->truesize});
                }
                to.fragments.insert(to.fragments.end(), from.fragments.begin(), from.fragments.end());
            }
            to.append_bytes(from.bytes);
            expect(!live_[other].real, "the packet that was appended is still there");
            forget(other);
        }
    }

    void set_checksum() {
        if constexpr (offers::checksum) {
            begin(operation::set_partial);
            checksum wanted;
            wanted.state = static_cast<checksum_state>(choices_.one_in(2) ? choices_.below(4) : 3); // partial
            wanted.level = wanted.state == checksum_state::unnecessary
                               ? static_cast<std::uint8_t>(choices_.below(4))
                               : std::uint8_t{0};
            if (wanted.state == checksum_state::complete)
                wanted.sum = sum_of(model().bytes);
            bool possible = true;
            if (wanted.state == checksum_state::partial) {
                wanted.start = around(model().size()) / 2;
                wanted.field = choices_.below(40);
                possible = wanted.start + wanted.field + 2 <= model().size() && wanted.field % 2 == 0;
                count(operation::set_partial, sense(possible));
            }
            expect_same(adapter_.set_checksum(real(), wanted), possible, "result");
            if (possible) {
                model().checksum = wanted;
                model().checksum.start += model().headroom();
            }
        }
    }
    void fill_checksum() {
        if constexpr (offers::checksum) {
            if (!model().has(checksum_state::partial) && !choices_.one_in(8))
                set_checksum();
            with_memory(operation::fill_checksum, [&] {
                if (!model().has(checksum_state::partial)) {
                    expect(adapter_.fill_checksum(real()), "result");
                    return outcome::done;
                }
                const std::uint32_t field = model().field();
                const std::uint32_t missing = field + 2 - std::min(field + 2, model().headlen);
                foreseen how = before_pull(missing);
                if (missing == 0 && model().shared())
                    how = {true, head_for(model().head->usable)};
                expect_same(adapter_.fill_checksum(real()), how.possible(), "success, as far as memory goes");
                if (how.possible() && failure_.empty()) {
                    after_pull(how, missing);
                    std::uint32_t sum = 0xffffu ^ sum_of(input(model().bytes).subspan(model().start()));
                    sum = sum == 0 ? 0xffff : sum;
                    model().bytes[field] = static_cast<std::byte>(sum >> 8);
                    model().bytes[field + 1] = static_cast<std::byte>(sum);
                    model().checksum.state = checksum_state::none;
                }
                return memory(how.possible());
            });
        }
    }

    void mark() {
        set_tag(choices_.below(1u << 30));
        if constexpr (offers::headers) {
            for (std::uint32_t i = 0; i != 3; ++i) {
                const std::uint32_t offset = choices_.below(64);
                adapter_.set_header(real(), i, offset);
                model().headers[i] = model().headroom() + offset;
            }
        }
        std::swap(choices_.pick(live_), choices_.pick(live_)); // sometimes with itself
    }

    // The packet at `at_`.
    void free_one() {
        begin(operation::free);
        const bool dropped = choices_.one_in(2);
        adapter_.free(live_[at_].real, dropped);
        dropped_ += dropped;
        if constexpr (requires { adapter_.dropped(); })
            expect(adapter_.dropped() == dropped_, "the count of drops");
        count(operation::free, outcome::done);
        forget(at_);
    }
    void forget(std::size_t which) {
        std::swap(live_[which], live_.back());
        live_.pop_back();
    }

    // ---- the comparison

    // All packets, not only those that took part: an operation must leave the others alone.
    void compare() {
        for (live& each : live_)
            if (failure_.empty()) {
                compare(each);
                wrong_ = failure_.empty() ? nullptr : &each;
            }
        if (failure_.empty())
            take_census();
    }

    void compare(live& of) {
        const model_type& should = of.model;
        packet& is = of.real;
        const std::byte* const data = adapter_.data(is);
        expect_same(adapter_.size(is), should.size(), "size");
        expect_same(adapter_.headlen(is), should.headlen, "headlen");
        expect_same(adapter_.headroom(is), should.headroom(), "headroom");
        expect_same(adapter_.room_behind_tail(is), should.behind(), "the room behind tail");
        expect(data == should.data(), "data() is somewhere else");
        if constexpr (offers::truesize)
            expect_same(adapter_.truesize(is), should.truesize() + rules.descriptor_truesize, "truesize");
        if constexpr (requires { adapter_.head_shared(is); })
            expect_same(adapter_.head_shared(is), should.shared(), "head_shared()");
        if constexpr (offers::epoch)
            expect(adapter_.epoch(is) == should.epoch, "the epoch changed");
        if constexpr (requires { adapter_.tag(is); })
            expect(adapter_.tag(is) == should.tag, "what came with the packet is lost");
        if constexpr (offers::headers)
            for (std::uint32_t i = 0; i != 3; ++i)
                expect(adapter_.header(is, i) == should.head->start + should.headers[i],
                       "a header offset is wrong");
        if constexpr (requires { adapter_.tailroom(is); })
            expect_same(adapter_.tailroom(is), should.tailroom(), "tailroom");
        if constexpr (offers::checksum)
            compare_checksum(adapter_.checksum_of(is), should);
        expect_same(fragments_of(is), should.fragments.size(), "the number of fragments");
        if (!failure_.empty())
            return;
        expect(std::equal(should.room.begin(), should.room.end(), data - should.headroom()),
               "bytes of the headroom");
        auto next = should.bytes.begin() + should.headlen;
        expect(std::equal(should.bytes.begin(), next, data), "linear bytes");
        for (std::size_t i = 0; i != should.fragments.size() && failure_.empty(); ++i) {
            auto [part, first] = fragment_of(is, i);
            if constexpr (!offers::truesize)
                part.truesize = should.fragments[i].truesize;
            expect(part == should.fragments[i], "a fragment is not as it should be");
            if (!failure_.empty())
                return;
            expect(std::equal(next, next + part.length, first), "bytes of a fragment");
            next += part.length;
        }
    }
    void compare_checksum(const checksum& is, const model_type& should) {
        expect(is.state == should.checksum.state, "the checksum's state is wrong");
        if (is.state == checksum_state::unnecessary)
            expect(is.level == should.checksum.level, "the checksum's level is wrong");
        if (is.state == checksum_state::complete)
            expect(same_sum(is.sum, should.checksum.sum), "the complete checksum is wrong");
        if (is.state == checksum_state::partial)
            expect(is.start == should.start() && is.field == should.checksum.field,
                   "the place of the partial checksum is wrong");
    }

    // Who holds which page, counted from what the models hold.
    void take_census() {
        ++censuses_;
        pages_.clear();
        packets_.clear();
        std::uint32_t heads = 0;
        for (live& each : live_) {
            packets_.push_back(&each.real);
            head_type& head = *each.model.head;
            const bool first = std::exchange(head.counted, censuses_) != censuses_;
            heads += first;
            if (first || !rules.counts_head_once)
                hold(head.page);
            for (const fragment& part : each.model.fragments)
                hold(part.page);
        }
        for (const source& each : sources_)
            hold(each.under);
        if constexpr (offers::pages)
            for (const auto& [which, references] : pages_)
                expect(adapter_.references(which) == references,
                       "a page has too many references, or too few");
        if constexpr (requires(census<Adapter> out) { adapter_.miscounted(out); })
            if (const char* what = adapter_.miscounted(census<Adapter>{pages_, packets_, heads}))
                expect(false, what);
    }
    void hold(page which) {
        if (which == page{})
            return;
        const auto same = [which](const auto& each) { return each.first == which; };
        const auto known = std::find_if(pages_.begin(), pages_.end(), same);
        if (known != pages_.end())
            ++known->second;
        else
            pages_.emplace_back(which, 1);
    }

    Adapter& adapter_;
    Choices& choices_;
    std::vector<live> live_;
    std::vector<source> sources_;
    std::size_t at_ = 0;
    std::vector<std::size_t> touched_;
    const live* wrong_ = nullptr; // null: none, or it cannot be said which
    const char* doing_ = nullptr;
    std::string failure_;
    std::uint64_t steps_ = 0;
    std::uint64_t tried_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t noise_ = 1;
    std::array<tally, operations> tallies_{};
    std::uint64_t censuses_ = 0;
    std::vector<std::pair<page, std::uint32_t>> pages_;
    std::vector<const packet*> packets_;
    std::vector<std::uint64_t> before_, after_;
};

} // namespace suite
