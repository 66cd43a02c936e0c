/* core/inbox/cause.h: what dead letters are grouped by.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INBOX_CAUSE_H
#define CORE_INBOX_CAUSE_H

#include <stddef.h>

#define CAUSE_MAX 200 /* bytes; the rest of a longer message is cut */

/**
 * Write a message without what differs from event to event: Stripe ids
 * ("pi_3Q...") become <id>, runs of digits <n>, quoted text <text>, long hex
 * runs <hex>; blanks are single.
 *
 *   no order "A-17" for pi_3QfX2e in 250 ms  ->  no order <text> for <id> in
 * <n> ms
 *
 * @param out  CAUSE_MAX + 1 bytes
 */
void cause_of(char *out, const char *message);

#endif
