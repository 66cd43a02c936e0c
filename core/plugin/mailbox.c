/* core/plugin/mailbox.c: what other threads ask of a supervisor.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/mailbox.h"

#include "error.h"
#include "plugin/generation.h"
#include "plugin/squad.h"
#include "plugin/staging.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long to wait for memory at a time. */
#define MEMORY_WAIT_NS 10000000

/* ---- The box -------------------------------------------------------- */

int
mailbox_init(struct mailbox *mailbox)
{
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mailbox->wake >= 0 ? RC_OK : RC_IO;
}

void
mailbox_fini(struct mailbox *mailbox)
{
    if (mailbox->wake >= 0) {
        close(mailbox->wake);
    }
    pthread_mutex_destroy(&mailbox->lock);
}

/* Takes the message over. */
static void
put(struct mailbox *mailbox, struct message *message)
{
    pthread_mutex_lock(&mailbox->lock);
    *mailbox->end = message;
    mailbox->end = &message->next;
    pthread_mutex_unlock(&mailbox->lock);
    uint64_t one = 1;
    (void)!write(mailbox->wake, &one, sizeof(one)); /* full: awake already */
}

struct message *
mailbox_take(struct mailbox *mailbox)
{
    uint64_t count;
    (void)!read(mailbox->wake, &count, sizeof(count)); /* only resets it */
    pthread_mutex_lock(&mailbox->lock);
    struct message *all = mailbox->first;
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return all;
}

/* ---- Messages ------------------------------------------------------- */

struct squad *
message_squad(struct message *message)
{
    struct squad *squad = message->squads;
    if (squad != NULL) {
        message->squads = squad->next;
        squad->next = NULL;
    }
    return squad;
}

void
message_free(struct message *message)
{
    if (message == NULL) {
        return;
    }
    while (message->squads != NULL) {
        squad_free(message_squad(message));
    }
    generation_drop(message->generation);
    free(message->unstaging);
    free(message);
}

static struct message *
make(enum message_kind kind)
{
    struct message *message = calloc(1, sizeof(*message));
    if (message != NULL) {
        message->kind = kind;
    }
    return message;
}

static int
add_squad(struct message *message, const struct seat_host *host,
          struct generation *generation, const struct plugin *plugin)
{
    struct squad **end = &message->squads;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = squad_make(host, generation, plugin);
    return *end != NULL;
}

static struct message *
make_stage(const struct seat_host *host, struct stage *stage)
{
    struct message *message = make(MESSAGE_STAGE);
    int is_whole = message != NULL;
    for (size_t i = 0; is_whole && i < stage->count; i++) {
        is_whole = add_squad(message, host, stage->generation,
                             stage->plugins[i].plugin);
    }
    if (!is_whole) {
        message_free(message);
        return NULL;
    }
    message->stage = stage;
    return message;
}

static struct message *
make_switch(const struct seat_host *host, struct generation *generation)
{
    struct message *message = make(MESSAGE_SWITCH);
    int is_whole = message != NULL;
    for (size_t i = 0; is_whole && i < generation->plugin_count; i++) {
        is_whole =
            add_squad(message, host, generation, &generation->plugins[i]);
    }
    if (!is_whole) {
        message_free(message);
        return NULL;
    }
    message->generation = generation_hold(generation);
    return message;
}

static struct message *
make_unstage(const struct unstaging *content)
{
    struct message *message = make(MESSAGE_UNSTAGE);
    struct unstaging *unstaging = malloc(sizeof(*unstaging));
    if (message == NULL || unstaging == NULL) {
        free(message);
        free(unstaging);
        return NULL;
    }
    *unstaging = *content;
    message->unstaging = unstaging;
    return message;
}

static void
wait_for_memory(void)
{
    struct timespec pause = {.tv_nsec = MEMORY_WAIT_NS};
    nanosleep(&pause, NULL);
}

/* ---- Posting -------------------------------------------------------- */

int
mailbox_post(struct mailbox *mailbox, const struct message *content)
{
    struct message *message = malloc(sizeof(*message));
    if (message == NULL) {
        return 0;
    }
    *message = *content;
    put(mailbox, message);
    return 1;
}

void
mailbox_post_stage(struct mailbox *mailbox, const struct seat_host *host,
                   struct stage *stage)
{
    struct message *message;
    while ((message = make_stage(host, stage)) == NULL) {
        wait_for_memory();
    }
    put(mailbox, message);
}

void
mailbox_post_unstage(struct mailbox *mailbox, const struct stage *stage,
                     void (*unstaged)(void *arg), void *arg)
{
    const struct unstaging content = {
        .stage = stage, .fn = unstaged, .arg = arg};
    struct message *message;
    while ((message = make_unstage(&content)) == NULL) {
        wait_for_memory();
    }
    put(mailbox, message);
}

void
mailbox_post_switch(struct mailbox *mailbox, const struct seat_host *host,
                    struct generation *generation)
{
    struct message *message;
    while ((message = make_switch(host, generation)) == NULL) {
        wait_for_memory();
    }
    put(mailbox, message);
}
