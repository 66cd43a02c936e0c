/* tests/sdk/outside/part.c: the part of a plugin that is in C.
 * SPDX-License-Identifier: Apache-2.0 */
int part_add(int a, int b);

int
part_add(int a, int b)
{
    return a + b;
}
