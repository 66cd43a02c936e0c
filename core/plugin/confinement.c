/* core/plugin/confinement.c: what a runner may do, on the wire.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/confinement.h"

#include "error.h"
#include "plugin/wire.h"

void
confinement_put(struct wire_writer *writer, const struct confinement *c)
{
    wire_put_u32(writer, c->level);
    wire_put_u32(writer, c->is_required);
    wire_put_cstr(writer, c->data_dir);
    wire_put_u32(writer, c->port_count);
    for (uint32_t i = 0; i < c->port_count; i++) {
        wire_put_u32(writer, c->ports[i]);
    }
    wire_put_i64(writer, c->uid);
    wire_put_i64(writer, c->gid);
    wire_put_u32(writer, c->keep_core);
    wire_put_i64(writer, c->files);
    wire_put_i64(writer, c->file_bytes);
    wire_put_i64(writer, c->memory_bytes);
    wire_put_i64(writer, c->processes);
}

int
confinement_get(struct wire_reader *reader, struct confinement *c)
{
    c->level = wire_get_u32(reader);
    c->is_required = wire_get_u32(reader);
    c->data_dir = wire_get_str(reader, NULL);
    c->port_count = wire_get_u32(reader);
    if (c->level > SANDBOX_STRICT || c->port_count > CONFINEMENT_PORTS_MAX) {
        return RC_INVALID;
    }
    for (uint32_t i = 0; i < c->port_count; i++) {
        c->ports[i] = wire_get_u32(reader);
    }
    c->uid = wire_get_i64(reader);
    c->gid = wire_get_i64(reader);
    c->keep_core = wire_get_u32(reader);
    c->files = wire_get_i64(reader);
    c->file_bytes = wire_get_i64(reader);
    c->memory_bytes = wire_get_i64(reader);
    c->processes = wire_get_i64(reader);
    return reader->failed ? RC_INVALID : RC_OK;
}
