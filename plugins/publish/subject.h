/* plugins/publish/subject.h: the subject of an event's message, from a template
 * such as "stripe.{livemode}.{type}".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_SUBJECT_H
#define PUBLISH_SUBJECT_H

/* Of a subject, with its NUL: room for the longest type and account that an
 * event can have, beside a template. A server takes 4096. */
#define SUBJECT_MAX 1024

struct subject_values {
    const char *type;    /* stays several tokens: "invoice.paid" is two */
    const char *account; /* "" for none */
    int live;
};

/** @return NULL, or what is wrong with the template */
const char *subject_check(const char *template);

/**
 * Write an event's subject. Whatever is in the values, it has no blank, no
 * wildcard, no empty token, and as many of its own dots as the template.
 *
 * @param template  one that subject_check() found right
 * @return 0, or -1 when it is too long
 */
int subject_make(char out[SUBJECT_MAX], const char *template,
                 const struct subject_values *values);

/**
 * Write the subjects that a template can make, as a stream is given them:
 * "stripe.>" for "stripe.{type}".
 *
 * @return 0, or -1 when its first token is not fixed: that would be everything
 */
int subject_cover(char out[SUBJECT_MAX], const char *template);

#endif
