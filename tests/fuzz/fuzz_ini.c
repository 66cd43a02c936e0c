/* tests/fuzz/fuzz_ini.c: any bytes as a configuration file, read whole: a
 * config or at least one error, never both or neither.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "config/report.h"
#include "error.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
print_nowhere(struct config_report *report)
{
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere != NULL) {
        report_print(report, nowhere);
        fclose(nowhere);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("ini", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    struct config *config = NULL;
    struct config_report report = {0};
    int rc = config_load(&config, path, &report);
    if ((rc == RC_OK) != (config != NULL) ||
        (rc == RC_INVALID) != (report.errors > 0)) {
        abort();
    }
    print_nowhere(&report);
    report_fini(&report);
    config_close(config);
    close(fd);
    return 0;
}
