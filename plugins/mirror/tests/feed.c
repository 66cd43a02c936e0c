/* tests/feed: hands the events on stdin, one a line, to the mirror at the dsn
 * that is its argument, in this order and in one process. Says for each what
 * became of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/testing.h>

#include <stdlib.h>

int
main(int argc, char **argv)
{
    pegt_host *host = pegt_open(&pegboard_plugin_v1);
    PEGT_CHECK(host, argc == 2);
    PEGT_CHECK(host, pegt_set_option(host, "dsn", argv[1]) == PEGT_OK);
    PEGT_CHECK(host, pegt_init(host) == PEGT_OK);
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        PEGT_CHECK(host, pegt_set_event(host, line) == PEGT_OK);
        int verdict = pegt_handle(host);
        printf("%d %s\n", verdict, pegt_reason(host));
    }
    free(line);
    pegt_close(host);
    return 0;
}
