/* plugins/mirror: the digest of a state is the sum of its leaves' hashes, each
 * of path and value. A sum does not care for the order of members.
 * SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

#include <string.h>

#define DEPTH_MAX  64 /* Stripe's own stay under 20; deeper is one leaf */
#define FNV_PRIME  UINT64_C(0x100000001b3)
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)

/** The inside of an object or an array, member by member. */
struct members {
    const char *at, *end;
    int named;      /* an object */
    uint32_t place; /* in an array, from 1 on */
    peg_str name;   /* with its quotes; in an array the bytes of `place` */
    peg_str value;
};

uint64_t
digest_mix(uint64_t seed, const char *bytes, size_t len)
{
    uint64_t hash = seed ^ FNV_OFFSET;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
    }
    /* FNV leaves the low bits of a sum too regular (splitmix64's ending). */
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    return hash ^ (hash >> 31);
}

/* ---- Reading --------------------------------------------------------- */

static int
is_sign(char c)
{
    return memchr("{}[],:\" \t\r\n", c, 11) != NULL;
}

/* Behind the string, the number, the word or the sign at `at`. */
static const char *
skip_token(const char *at, const char *end)
{
    int is_string = *at == '"';
    at++;
    if (!is_string) {
        while (at < end && !is_sign(at[-1]) && !is_sign(*at)) {
            at++;
        }
        return at;
    }
    while (at < end && *at != '"') {
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    }
    return at < end ? at + 1 : end;
}

/* The next value or name, without what stands around it; empty at the end. */
static peg_str
take_value(struct members *m)
{
    while (m->at < m->end && memchr(",: \t\r\n", *m->at, 6) != NULL) {
        m->at++;
    }
    const char *start = m->at;
    int depth = 0;
    while (m->at < m->end) {
        depth += *m->at == '{' || *m->at == '[';
        depth -= *m->at == '}' || *m->at == ']';
        m->at = skip_token(m->at, m->end);
        if (depth <= 0) {
            break;
        }
    }
    return (peg_str){start, (size_t)(m->at - start)};
}

static int
is_object(peg_str value)
{
    return value.len > 0 && value.ptr[0] == '{';
}

static struct members
members_of(peg_str value)
{
    return (struct members){.at = value.ptr + 1,
                            .end = value.ptr + value.len - 1,
                            .named = is_object(value)};
}

static int
next_member(struct members *m)
{
    m->place++;
    m->name = m->named ? take_value(m)
                       : (peg_str){(const char *)&m->place, sizeof(m->place)};
    m->value = take_value(m);
    return m->value.len > 0;
}

/* The value of that name; `len` is 0 when there is none. Of two the last one
 * counts, as everywhere. */
static peg_str
find_member(peg_str object, peg_str name)
{
    peg_str found = {NULL, 0};
    struct members m = members_of(object);
    while (next_member(&m)) {
        if (m.name.len == name.len &&
            memcmp(m.name.ptr, name.ptr, name.len) == 0) {
            found = m.value;
        }
    }
    return found;
}

static int
is_left_out(peg_str text)
{
    static const char https[] = "\"https://", host[] = ".stripe.com/";
    return (text.len == 4 && memcmp(text.ptr, "null", 4) == 0) ||
           (text.len > sizeof(https) &&
            memcmp(text.ptr, https, sizeof(https) - 1) == 0 &&
            memmem(text.ptr, text.len, host, sizeof(host) - 1) != NULL);
}

/* ---- Sums ------------------------------------------------------------ */

static uint64_t
path_of(uint64_t above, const struct members *m)
{
    return digest_mix(above, m->name.ptr, m->name.len);
}

static uint64_t
sum_of(uint64_t path, peg_str value, int depth)
{
    int leaf = value.len == 0 || memchr("{[", value.ptr[0], 2) == NULL;
    if (leaf || depth == DEPTH_MAX) {
        return is_left_out(value) ? 0 : digest_mix(path, value.ptr, value.len);
    }
    uint64_t sum = 0;
    struct members m = members_of(value);
    while (next_member(&m)) {
        sum += sum_of(path_of(path, &m), m.value, depth + 1);
    }
    return sum;
}

/* Whether it is an object, and not an empty one. */
static int
has_members(peg_str value)
{
    struct members m = members_of(value);
    return m.named && next_member(&m);
}

/* Of objects `previous` has only the members that changed; everything else it
 * has as it was, as a whole. */
static uint64_t
sum_before(uint64_t path, peg_str value, peg_str previous, int depth)
{
    if (!is_object(value) || !has_members(previous) || depth == DEPTH_MAX) {
        return sum_of(path, previous, depth);
    }
    uint64_t sum = 0;
    struct members m = members_of(value);
    while (next_member(&m)) {
        peg_str was = find_member(previous, m.name);
        sum += was.len > 0
                   ? sum_before(path_of(path, &m), m.value, was, depth + 1)
                   : sum_of(path_of(path, &m), m.value, depth + 1);
    }
    m = members_of(previous); /* and what is there no longer */
    while (next_member(&m)) {
        if (find_member(value, m.name).len == 0) {
            sum += sum_of(path_of(path, &m), m.value, depth + 1);
        }
    }
    return sum;
}

uint64_t
digest_after(peg_str object)
{
    return sum_of(0, object, 0);
}

int
digest_before(uint64_t *out, peg_str object, peg_str previous)
{
    if (previous.len == 0 || !has_members(previous)) {
        return 0;
    }
    *out = sum_before(0, object, previous, 0);
    return 1;
}
