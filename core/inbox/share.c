/* core/inbox/share.c: whose turn it is among fresh, aged and replayed
 * deliveries.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/engine.h"

enum inbox_class
engine_share(unsigned turn)
{
    /* Spread, not in blocks: however few claims are wished for at a time, each
     * class gets its share of them. */
    static const enum inbox_class turns[] = {
        INBOX_FRESH, INBOX_AGED,  INBOX_FRESH,    INBOX_FRESH, INBOX_AGED,
        INBOX_FRESH, INBOX_FRESH, INBOX_REPLAYED, INBOX_AGED,  INBOX_FRESH,
        INBOX_FRESH, INBOX_AGED,  INBOX_FRESH};
    return turns[turn % (sizeof(turns) / sizeof(turns[0]))];
}
