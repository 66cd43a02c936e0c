/* core/plugin/mailbox.h: what other threads ask of a supervisor, in the order
 * in which they asked; private to it.
 *
 * A message brings all the memory that is needed to do as it says: what was
 * committed must not fail for want of it. So asking for a stage, its end or a
 * switch waits until there is memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_MAILBOX_H
#define CORE_MAILBOX_H

#include <pthread.h>
#include <stdint.h>

struct generation;
struct runner;
struct seat_host; /* seat.h */
struct squad;
struct stage;
struct unstaging; /* staging.h */

enum message_kind {
    MESSAGE_RETURN = 0,
    MESSAGE_RECOVERED = 1,
    MESSAGE_STAGE = 2,
    MESSAGE_UNSTAGE = 3,
    MESSAGE_SWITCH = 4,
};

struct message {
    struct message *next;
    enum message_kind kind;
    struct runner *runner; /* RETURN */
    int ended;
    unsigned long handled;
    uint32_t plugin;               /* RECOVERED */
    struct stage *stage;           /* STAGE */
    struct unstaging *unstaging;   /* UNSTAGE; owned */
    struct generation *generation; /* SWITCH; held */
    struct squad *squads;          /* STAGE, SWITCH: an empty one for each of
                                      the plugins, in their order; owned */
};

struct mailbox {
    int wake; /* eventfd: readable when there are messages */
    pthread_mutex_t lock;
    struct message *first, **end; /* guarded by lock */
};

/** @return RC_OK, or RC_IO with errno set */
int mailbox_init(struct mailbox *mailbox);

/** It is empty. */
void mailbox_fini(struct mailbox *mailbox);

/** Post a copy of a message that owns nothing.
 * @return 0 when out of memory */
int mailbox_post(struct mailbox *mailbox, const struct message *message);

/** @param host  see squad_make() */
void mailbox_post_stage(struct mailbox *mailbox, const struct seat_host *host,
                        struct stage *stage);
void mailbox_post_unstage(struct mailbox *mailbox, const struct stage *stage,
                          void (*unstaged)(void *arg), void *arg);
void mailbox_post_switch(struct mailbox *mailbox, const struct seat_host *host,
                         struct generation *generation);

/** Take all messages out; message_free() each. */
struct message *mailbox_take(struct mailbox *mailbox);

/** Take the first squad out of a message, or NULL. */
struct squad *message_squad(struct message *message);

/** Free it, with all that nobody took out. */
void message_free(struct message *message);

#endif
