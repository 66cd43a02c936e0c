/* core/config/inifile_parser.h: what inih's reader (inifile_parse.c) and its
 * handler (inifile_pairs.c) share. Private to these two.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INIFILE_PARSER_H
#define CORE_INIFILE_PARSER_H

struct config_report;
struct inifile;
struct inifile_entry;
struct inifile_section;

/* inih keeps names in 50 bytes and cuts longer ones. */
#define NAME_BYTES_MAX 49

struct parser {
    struct inifile *ini;
    struct config_report *report;
    const char *path;
    const char *at, *end; /* what inih has not seen yet */

    const char *line, *line_end; /* what it saw last, without the newline */
    int number;                  /* of that line */
    int taken;                   /* inih found a key or a value in it */
    int broken;                  /* a mistake in it is reported already */

    struct inifile_section *section; /* NULL: none that is worth keeping */
    int lost;      /* below a bad header: keys are passed over */
    int continues; /* to inih an indented line continues a value now */
    struct inifile_entry *entry; /* that value; NULL if it was not kept */
    int out_of_memory;
};

#define PARSE_ERROR(p, ...)                                                    \
    report_error((p)->report, (p)->path, (p)->number, __VA_ARGS__)

/** An ini_handler: keys and values as inih found them. The section it names may
 * be cut, so parser->section counts. */
int parser_take_pair(void *user, const char *section, const char *key,
                     const char *value);

#endif
