/* core/runner/seccomp.h: system calls that plugin code cannot make.
 *
 * A list of what is denied, with EPERM, and not of what is allowed: plugins use
 * any library, and libc changes its system calls between releases; the failure
 * would look like a plugin's bug. What is denied here no handler needs.
 * Source: seccomp(2), kernel Documentation/userspace-api/seccomp_filter.rst.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SECCOMP_H
#define CORE_SECCOMP_H

struct error;

/**
 * Deny them to this process and all it starts, for good. Needs no_new_privs.
 *
 * @param parent_pid   the daemon: it cannot be sent signals either
 * @param deny_network  1: no sockets but pairs
 * @return RC_OK; RC_NOT_FOUND when the kernel, or this processor, has no such
 *         filters; RC_IO
 */
int seccomp_deny(int parent_pid, int deny_network, struct error *err);

#endif
