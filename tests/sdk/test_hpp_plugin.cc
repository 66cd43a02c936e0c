/* tests/sdk/test_hpp_plugin.cc: a plugin on pegboard/plugin.hpp that uses all
 * of it, and throws where it is told to.
 * SPDX-License-Identifier: Apache-2.0 */
#define PEG_TARGET_MINOR 1
#include <pegboard/plugin.hpp>

#include <map>
#include <stdexcept>
#include <string>

namespace
{

class plus
{
  public:
    static constexpr const char *events[] = {"payment_intent.succeeded",
                                             "charge.*"};
    static constexpr peg_option options[] = {
        {"throw", PEG_OPTION_STRING, 0, "nowhere", "where to throw"},
        {"greeting", PEG_OPTION_STRING, 0, nullptr, "no default"},
        {"wait", PEG_OPTION_DURATION, 0, "2s", "a time"},
        {"size", PEG_OPTION_SIZE, 0, "1K", "a size"},
        {"loud", PEG_OPTION_BOOL, 0, "yes", "a switch"},
        {"names", PEG_OPTION_LIST, 0, "a, b", "some names"},
    };

    explicit plus(peg::context host)
        : host_(host), where_(*host.option_str("throw"))
    {
        if (where_ == "init") {
            throw std::runtime_error("no database at " + where_);
        }
        host_.debug(
            "%s, %lld ms, %lld bytes, %d, %s, %d",
            host.option_str("greeting") ? "greeting" : "no greeting",
            static_cast<long long>(host.option_duration("wait")->count()),
            static_cast<long long>(*host.option_i64("size")),
            *host.option_bool("loud") ? 1 : 0,
            host.option_item("names", 1)->data(),
            host.option_item("names", 2) ? 1 : 0);
    }

    plus(const plus &) = delete;
    plus &operator=(const plus &) = delete;

    ~plus() noexcept(false)
    {
        host_.info("%d at the end", seen_);
        if (where_ == "shutdown") {
            throw std::runtime_error("cannot let go");
        }
    }

    peg::verdict handle(const peg::event &ev)
    {
        seen_++;
        ev.store_put("lost", "unless done");
        if (where_ == "handle") {
            throw std::runtime_error("cannot " + where_);
        }
        if (where_ == "int") {
            throw 42;
        }
        if (where_ == "store") {
            ev.store_put("", "a key without a name");
        }
        ev.store_delete("lost");
        return where_ == "nowhere" ? count(ev) : answer(ev);
    }

    void self_test()
    {
        if (where_ == "self_test") {
            throw std::runtime_error("not well");
        }
    }

  private:
    /* The ways to answer. */
    peg::verdict answer(const peg::event &ev) const
    {
        using namespace std::chrono_literals;
        static const std::map<std::string, peg::verdict> plain = {
            {"done", peg::verdict::done},
            {"retry", peg::verdict::retry},
            {"shutdown", peg::verdict::done},
        };
        if (where_ == "late") {
            return ev.retry(3s, "in " + std::to_string(3) + " s");
        }
        if (where_ == "skip") {
            return ev.skip("not mine");
        }
        if (where_ == "fail") {
            return ev.fail("never");
        }
        return plain.at(where_);
    }

    peg::verdict count(const peg::event &ev)
    {
        if (ev.str("data.object.amount") || ev.i64("data.object.nothing") ||
            ev.value_kind("data.object.amount") != peg::kind::number ||
            ev.boolean("livemode") != false || ev.time_left().count() <= 0 ||
            ev.body().substr(0, 1) != "{" || ev.livemode() || ev.thin()) {
            return ev.fail("a getter is wrong");
        }
        auto before = ev.store_get("count");
        int count = before ? std::stoi(std::string(*before)) + 1 : 1;
        ev.store_put("count", std::to_string(count));
        void *memory = ev.scratch(100);
        host_.log(peg::level::info,
                  std::string(ev.key()) + " " + std::string(*ev.object_id()));
        host_.info(
            "%s %lld, attempt %d, %u members, count %d%s", ev.type().data(),
            static_cast<long long>(*ev.i64("data.object.amount")),
            static_cast<int>(ev.attempt()), *ev.length("data.object.metadata"),
            count, memory == nullptr ? ", no memory" : "");
        return peg::verdict::done;
    }

    peg::context host_;
    std::string where_;
    int seen_ = 0;
};

} /* namespace */

PEGBOARD_PLUGIN(plus, "plus", "1.0", "a plugin in C++");
