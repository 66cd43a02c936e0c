/* core/template/envelope.h: what stands around the object of a test event.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ENVELOPE_H
#define CORE_ENVELOPE_H

struct cJSON;
struct error;
struct sample;
struct sample_names;

/** What goes into one. All borrowed but the sample's members. */
struct envelope {
    const char *type;
    const char *twin;           /* snapshot type that a thin one mirrors */
    const char *account;        /* or NULL */
    struct sample_names *names; /* with time and mode */
    struct sample *sample;      /* object NULL: a thin event refers to none */
};

/**
 * Build a snapshot event around the sample, whose members it takes over.
 *
 * @param event  set on success only; the caller owns it: cJSON_Delete()
 * @return RC_OK, RC_NOMEM, RC_IO
 */
int envelope_snapshot(struct cJSON **event, const struct envelope *envelope,
                      struct error *err);

/** Build a thin event that refers to the sample, which stays the caller's.
 * RC_INVALID when the object does not say what it is. */
int envelope_thin(struct cJSON **event, const struct envelope *envelope,
                  struct error *err);

#endif
