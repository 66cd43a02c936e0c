/* pegboard/plugin.hpp: a plugin as a C++ class. C++17 and newer; it needs
 * exceptions, and not RTTI. No part of the ABI: it is compiled into the plugin,
 * and all that crosses is pegboard/plugin.h.
 *
 * One file, and so longer than ours are: what an author looks for is below the
 * class that the next comment shows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEGBOARD_PLUGIN_HPP
#define PEGBOARD_PLUGIN_HPP

#include <pegboard/plugin.h>

#include <chrono>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

/*
 *   class hello
 *   {
 *   public:
 *       static constexpr const char *events[] = {"payment_intent.succeeded"};
 *
 *       explicit hello(peg::context host) : host_(host)
 *       {
 *       }
 *
 *       peg::verdict
 *       handle(const peg::event &ev)
 *       {
 *           auto amount = ev.i64("data.object.amount");
 *           if (!amount) {
 *               return ev.fail("no amount");
 *           }
 *           host_.info("paid: %lld", static_cast<long long>(*amount));
 *           return peg::verdict::done;
 *       }
 *
 *   private:
 *       peg::context host_;
 *   };
 *
 *   PEGBOARD_PLUGIN(hello, "hello", "1.0");
 *
 * The class is the plugin's own; there is nothing to inherit. It must have
 *   events            static constexpr array of const char *: names, "prefix.*"
 *                     or "*"
 *   a constructor     from peg::context, as init() in C, with the options in
 *                     place
 *   handle()          peg::verdict from const peg::event &
 *
 * and may have
 *   options           static constexpr array of peg_option
 *   self_test()       void or bool: an exception or false says "not well"
 * It is made once, before any event, and destroyed when the daemon lets the
 * process go, which is not promised.
 *
 * No exception leaves the plugin. What() of one that is thrown
 *   by the constructor   is logged as an error: this version is refused
 *   by handle()          is the reason, and the verdict is PEG_RETRY
 *   by self_test()       is logged as an error
 *   by the destructor    is logged as a warning, if it is noexcept(false); one
 *                        that is not ends the process, as anywhere in C++
 *
 * Every string_view given out here has a NUL behind it, so that its data() can
 * be printed with %s. What an event gives lives until handle() returns, what an
 * option gives as long as the object. */

#if defined(__GNUC__)
#define PEG_METHOD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PEG_METHOD_PRINTF(fmt, args)
#endif

namespace peg
{

using std::chrono::milliseconds;

/** What handle() returns; see plugin.h. */
enum class verdict : std::int32_t {
    done = PEG_DONE,
    skip = PEG_SKIP,
    retry = PEG_RETRY,
    fail = PEG_FAIL,
};

enum class level : std::int32_t {
    error = PEG_LOG_ERROR,
    warn = PEG_LOG_WARN,
    info = PEG_LOG_INFO,
    debug = PEG_LOG_DEBUG,
};

enum class kind : std::int32_t {
    absent = PEG_KIND_ABSENT,
    null = PEG_KIND_NULL,
    boolean = PEG_KIND_BOOL,
    number = PEG_KIND_NUMBER,
    string = PEG_KIND_STRING,
    array = PEG_KIND_ARRAY,
    object = PEG_KIND_OBJECT,
};

using text = std::optional<std::string_view>;

namespace detail
{

inline text
text_if(std::int32_t status, const peg_str &value)
{
    if (status != PEG_OK) {
        return std::nullopt;
    }
    return std::string_view(value.ptr, value.len);
}

template <typename T>
inline std::optional<T>
value_if(std::int32_t status, T value)
{
    if (status != PEG_OK) {
        return std::nullopt;
    }
    return value;
}

} /* namespace detail */

/* ---- The context ---------------------------------------------------- */

/** The runner: options and log. Small, to be copied; valid as long as the
 * object. Only the log may be used from other threads. */
class context
{
  public:
    explicit context(peg_ctx *ctx) : ctx_(ctx)
    {
    }

    /* Options: nullopt when it has no value or is of another type; so an option
     * with a default, or a required one, can be read with '*'. */

    /** A string or a path. */
    text option_str(const char *name) const
    {
        peg_str value{};
        std::int32_t status = peg_option_str(ctx_, name, &value);
        return detail::text_if(status, value);
    }

    /** An int, or a size in bytes. */
    std::optional<std::int64_t> option_i64(const char *name) const
    {
        std::int64_t value = 0;
        std::int32_t status = peg_option_i64(ctx_, name, &value);
        return detail::value_if(status, value);
    }

    std::optional<bool> option_bool(const char *name) const
    {
        std::int64_t value = 0;
        std::int32_t status = peg_option_i64(ctx_, name, &value);
        return detail::value_if(status, value != 0);
    }

    std::optional<milliseconds> option_duration(const char *name) const
    {
        std::int64_t value = 0;
        std::int32_t status = peg_option_i64(ctx_, name, &value);
        return detail::value_if(status, milliseconds(value));
    }

    /** Item `index` of a list, from 0; nullopt behind the last. */
    text option_item(const char *name, std::uint32_t index) const
    {
        peg_str value{};
        std::int32_t status = peg_option_item(ctx_, name, index, &value);
        return detail::text_if(status, value);
    }

    /* The log. */

    void log(level how, std::string_view line) const
    {
        ctx_->host->log(ctx_, static_cast<std::int32_t>(how), line.data(),
                        line.size());
    }

    /** As printf(): an error needs a person, a warning may. */
    PEG_METHOD_PRINTF(2, 3)
    void error(const char *fmt, ...) const
    {
        std::va_list args;
        va_start(args, fmt);
        peg_vlog(ctx_, PEG_LOG_ERROR, fmt, args);
        va_end(args);
    }

    PEG_METHOD_PRINTF(2, 3)
    void warn(const char *fmt, ...) const
    {
        std::va_list args;
        va_start(args, fmt);
        peg_vlog(ctx_, PEG_LOG_WARN, fmt, args);
        va_end(args);
    }

    PEG_METHOD_PRINTF(2, 3)
    void info(const char *fmt, ...) const
    {
        std::va_list args;
        va_start(args, fmt);
        peg_vlog(ctx_, PEG_LOG_INFO, fmt, args);
        va_end(args);
    }

    PEG_METHOD_PRINTF(2, 3)
    void debug(const char *fmt, ...) const
    {
        std::va_list args;
        va_start(args, fmt);
        peg_vlog(ctx_, PEG_LOG_DEBUG, fmt, args);
        va_end(args);
    }

    /** For the functions of plugin.h. */
    peg_ctx *get() const
    {
        return ctx_;
    }

  private:
    peg_ctx *ctx_;
};

/* ---- The event ------------------------------------------------------ */

#if PEG_TARGET_MINOR >= 1

/** The store refused. When it leaves handle(), the event is tried again. */
class store_error : public std::exception
{
  public:
    explicit store_error(std::int32_t status) noexcept : status_(status)
    {
    }

    const char *what() const noexcept override
    {
        return status_ == PEG_FAILED ? "the store cannot tell now"
                                     : "beyond a limit of the store";
    }

    /** PEG_FAILED or PEG_RANGE. */
    std::int32_t status() const noexcept
    {
        return status_;
    }

  private:
    std::int32_t status_;
};

#endif

/** One delivery, until handle() returns. */
class event
{
  public:
    explicit event(const peg_event *ev) : ev_(ev)
    {
    }

    event(const event &) = delete;
    event &operator=(const event &) = delete;

    /* Facts; see PEG_META_* in plugin.h. */

    std::string_view id() const
    {
        return meta(PEG_META_ID).value_or(std::string_view());
    }

    std::string_view type() const
    {
        return meta(PEG_META_TYPE).value_or(std::string_view());
    }

    /** Idempotency key: the same on every attempt. */
    std::string_view key() const
    {
        return meta(PEG_META_KEY).value_or(std::string_view());
    }

    text account() const
    {
        return meta(PEG_META_ACCOUNT);
    }

    text api_version() const
    {
        return meta(PEG_META_API_VERSION);
    }

    text object_id() const
    {
        return meta(PEG_META_OBJECT_ID);
    }

    text signature() const
    {
        return meta(PEG_META_SIGNATURE);
    }

    text change() const
    {
        return meta(PEG_META_CHANGE);
    }

    text snapshot_event() const
    {
        return meta(PEG_META_SNAPSHOT_EVENT);
    }

    bool livemode() const
    {
        return number(PEG_META_LIVEMODE).value_or(0) != 0;
    }

    bool thin() const
    {
        return number(PEG_META_THIN).value_or(0) != 0;
    }

    bool replay() const
    {
        return number(PEG_META_REPLAY).value_or(0) != 0;
    }

    /** 1 for the first call with this delivery. */
    std::int64_t attempt() const
    {
        return number(PEG_META_ATTEMPT).value_or(1);
    }

    /** Seconds since 1970 UTC, by Stripe. */
    std::optional<std::int64_t> created_s() const
    {
        return number(PEG_META_CREATED);
    }

    /** Milliseconds since 1970 UTC, by pegboard. */
    std::int64_t received_ms() const
    {
        return number(PEG_META_RECEIVED).value_or(0);
    }

    /* Values of the JSON: nullopt when there is none at the path, or null, or
     * one of another kind, or an integer that does not fit. Where these differ
     * ask value_kind(), or peg_get_*() with get(). */

    /** Unescaped. */
    text str(const char *path) const
    {
        peg_str value{};
        std::int32_t status = peg_get_str(ev_, path, &value);
        return detail::text_if(status, value);
    }

    /** Exact over all of int64_t. */
    std::optional<std::int64_t> i64(const char *path) const
    {
        std::int64_t value = 0;
        std::int32_t status = peg_get_i64(ev_, path, &value);
        return detail::value_if(status, value);
    }

    std::optional<bool> boolean(const char *path) const
    {
        std::int32_t value = 0;
        std::int32_t status = peg_get_bool(ev_, path, &value);
        return detail::value_if(status, value != 0);
    }

    /** Elements of an array, members of an object. */
    std::optional<std::uint32_t> length(const char *path) const
    {
        std::uint32_t value = 0;
        std::int32_t status = peg_get_length(ev_, path, &value);
        return detail::value_if(status, value);
    }

    /** The value's own bytes. */
    text raw(const char *path) const
    {
        peg_str value{};
        std::int32_t status = peg_get_raw(ev_, path, &value);
        return detail::text_if(status, value);
    }

    /** The whole event, exactly as signed. */
    std::string_view body() const
    {
        return raw("").value_or(std::string_view());
    }

    kind value_kind(const char *path) const
    {
        return static_cast<kind>(peg_get_kind(ev_, path));
    }

    /* Verdicts with a reason, which the operator reads: return ev.fail("...").
     * The text is copied. */

    verdict skip(std::string_view why) const
    {
        reason(why);
        return verdict::skip;
    }

    verdict fail(std::string_view why) const
    {
        reason(why);
        return verdict::fail;
    }

    verdict retry(std::string_view why) const
    {
        reason(why);
        return verdict::retry;
    }

    /** Not before `delay` from now. */
    verdict retry(milliseconds delay, std::string_view why) const
    {
        peg_retry_after(ev_, delay.count());
        reason(why);
        return verdict::retry;
    }

    void reason(std::string_view why) const
    {
        ev_->host->reason(ev_, why.data(), why.size());
    }

    /** Until this process is killed for taking too long. */
    milliseconds time_left() const
    {
        return milliseconds(peg_ms_left(ev_));
    }

    /** Memory that is gone when handle() has returned, aligned for any type.
     * Throws std::bad_alloc. */
    void *scratch(std::size_t size) const
    {
        void *memory = peg_scratch(ev_, size);
        if (memory == nullptr) {
            throw std::bad_alloc();
        }
        return memory;
    }

#if PEG_TARGET_MINOR >= 1

    /* The store: see peg_store_get(). All throw store_error. */

    text store_get(const char *name) const
    {
        peg_str value{};
        std::int32_t status = peg_store_get(ev_, name, &value);
        if (status != PEG_OK && status != PEG_ABSENT) {
            throw store_error(status);
        }
        return detail::text_if(status, value);
    }

    void store_put(const char *name, std::string_view bytes) const
    {
        must(peg_store_put(ev_, name, bytes.data(), bytes.size()));
    }

    void store_delete(const char *name) const
    {
        must(peg_store_delete(ev_, name));
    }

#endif

    /** For the functions of plugin.h. */
    const peg_event *get() const
    {
        return ev_;
    }

  private:
    text meta(std::int32_t field) const
    {
        peg_str value{};
        std::int32_t status = peg_meta_str(ev_, field, &value);
        return detail::text_if(status, value);
    }

    std::optional<std::int64_t> number(std::int32_t field) const
    {
        std::int64_t value = 0;
        std::int32_t status = peg_meta_i64(ev_, field, &value);
        return detail::value_if(status, value);
    }

#if PEG_TARGET_MINOR >= 1
    static void must(std::int32_t status)
    {
        if (status != PEG_OK) {
            throw store_error(status);
        }
    }
#endif

    const peg_event *ev_;
};

/* ---- The descriptor ------------------------------------------------- */

namespace detail
{

/* Whether a class has a member, and which. */

template <typename T, typename = void> struct has_events : std::false_type {
};

template <typename T>
struct has_events<T, std::void_t<decltype(T::events)>> : std::true_type {
};

template <typename T, typename = void> struct has_options : std::false_type {
};

template <typename T>
struct has_options<T, std::void_t<decltype(T::options)>> : std::true_type {
};

template <typename T, typename = void> struct has_self_test : std::false_type {
};

template <typename T>
struct has_self_test<T, std::void_t<decltype(std::declval<T &>().self_test())>>
    : std::true_type {
};

template <typename T, typename = void> struct handles : std::false_type {
};

template <typename T>
struct handles<T, std::void_t<decltype(std::declval<T &>().handle(
                      std::declval<const event &>()))>>
    : std::is_same<decltype(std::declval<T &>().handle(
                       std::declval<const event &>())),
                   verdict> {
};

/* Hand what() of the exception in flight to `tell`, which does not throw. */
template <typename Tell>
inline void
explain(Tell tell) noexcept
{
    try {
        throw;
    } catch (const std::exception &e) {
        tell(e.what());
    } catch (...) {
        tell("an exception that is no std::exception");
    }
}

/* The four callbacks, behind which no exception gets. */
template <typename T> struct entry {
    static T *self(const peg_ctx *ctx)
    {
        return static_cast<T *>(ctx->user);
    }

    static std::int32_t init(peg_ctx *ctx) noexcept
    {
        try {
            ctx->user = new T(context(ctx));
            return 0;
        } catch (...) {
            explain([ctx](const char *what) {
                context(ctx).log(level::error, what);
            });
            return 1;
        }
    }

    static std::int32_t handle(peg_ctx *ctx, const peg_event *ev) noexcept
    {
        try {
            const event delivery(ev);
            return static_cast<std::int32_t>(self(ctx)->handle(delivery));
        } catch (...) {
            explain([ev](const char *what) { event(ev).reason(what); });
            return PEG_RETRY;
        }
    }

    static void shutdown(peg_ctx *ctx) noexcept
    {
        T *object = self(ctx);
        ctx->user = nullptr;
        try {
            delete object;
        } catch (...) {
            explain([ctx](const char *what) {
                context(ctx).log(level::warn, what);
            });
        }
    }

    static std::int32_t self_test(peg_ctx *ctx) noexcept
    {
        try {
            if constexpr (std::is_same_v<decltype(self(ctx)->self_test()),
                                         bool>) {
                return self(ctx)->self_test() ? 0 : 1;
            } else {
                self(ctx)->self_test();
                return 0;
            }
        } catch (...) {
            explain([ctx](const char *what) {
                context(ctx).log(level::error, what);
            });
            return 1;
        }
    }
};

/* T::events with the NULL that ends it. */
template <typename T> struct events_of {
    static constexpr std::size_t count =
        sizeof(T::events) / sizeof(T::events[0]);

    struct list {
        const char *names[count + 1];
    };

    static constexpr list make()
    {
        list made{};
        for (std::size_t i = 0; i < count; i++) {
            made.names[i] = T::events[i];
        }
        return made;
    }

    static constexpr list value = make();
};

template <typename T>
constexpr void
judge()
{
    static_assert(has_events<T>::value,
                  "the class lacks: static constexpr const char *events[] = "
                  "{\"charge.*\"}; (public)");
    static_assert(std::is_constructible_v<T, context>,
                  "the class lacks a public constructor from peg::context");
    static_assert(handles<T>::value,
                  "the class lacks: peg::verdict handle(const peg::event &ev) "
                  "(public)");
}

template <typename T>
constexpr peg_plugin
describe(const char *name, const char *version, const char *summary = nullptr)
{
    judge<T>();
    peg_plugin made{};
    made.size = static_cast<std::uint32_t>(sizeof(peg_plugin));
    made.abi_major = PEG_ABI_MAJOR;
    made.needs_minor = PEG_TARGET_MINOR;
    made.name = name;
    made.version = version;
    made.summary = summary;
    if constexpr (has_events<T>::value) {
        made.events = events_of<T>::value.names;
    }
    if constexpr (has_options<T>::value) {
        made.options = T::options;
        made.option_count = static_cast<std::uint32_t>(sizeof(T::options) /
                                                       sizeof(T::options[0]));
        made.option_stride = static_cast<std::uint32_t>(sizeof(T::options[0]));
    }
    if constexpr (std::is_constructible_v<T, context> && handles<T>::value) {
        made.init = &entry<T>::init;
        made.handle = &entry<T>::handle;
        made.shutdown = &entry<T>::shutdown;
    }
    if constexpr (has_self_test<T>::value) {
        made.self_test = &entry<T>::self_test;
    }
    return made;
}

} /* namespace detail */
} /* namespace peg */

/**
 * Define the plugin, once, outside of all namespaces:
 *   PEGBOARD_PLUGIN(class, "name", "version");
 *   PEGBOARD_PLUGIN(class, "name", "version", "one line about it");
 */
#define PEGBOARD_PLUGIN(type, ...)                                             \
    constexpr struct peg_plugin pegboard_plugin_v1 =                           \
        peg::detail::describe<type>(__VA_ARGS__)

#endif
