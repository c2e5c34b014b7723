/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what can befall a disk. */
#include "fields_parts.h"

static const struct scn_word mode_list[] = {
    {"write", FAULT_IO_WRITE}, {"read", FAULT_IO_READ}, {"both", FAULT_IO_BOTH}};
static const struct scn_words modes = WORDS(mode_list);

#define AT(member) .offset = offsetof(struct scn_fault, member)
static const struct scn_field io_fields[] = {
    {.key = "folder",
     .type = SCN_TEXT,
     AT(io.folder),
     .fallback = ".",
     .example = "postgres",
     .help = "Where: within the platform's state folder, or an absolute path that the agent's "
             "--allow-path permits; on the disk that is meant."},
    {.key = "workers",
     .type = SCN_INTEGER,
     AT(io.workers),
     .fallback = "1",
     .min = "1",
     .max = "64",
     .example = "2",
     .help = "Processes that do it, in the target's control group, each with a file of its own "
             "that has no name and vanishes with it."},
    {.key = "mode",
     .type = SCN_WORD,
     .words = &modes,
     AT(io.mode),
     .fallback = "write",
     .help =
         "write: past the page cache where the file system allows, synced after each MiB; read: "
         "what was written once before; both: what is written is read back."},
    {.key = "size",
     .type = SCN_BYTES,
     AT(io.size),
     .fallback = "16MiB",
     .min = "1MiB",
     .max = "64GiB",
     .help = "Of each file; it is gone through again and again. Where the agent's journal lies, 5% "
             "of the file system and 256 MiB always stay."},
    {.key = "rate",
     .type = SCN_BYTES,
     AT(io.rate),
     .min = "64KiB",
     .max = "64GiB",
     .example = "10MiB",
     .help = "Bytes a second of each worker. Without it: as fast as it goes."},
};
const struct scn_shape scn_io_shape = {FIELDS(io_fields)};

#define RATE .type = SCN_BYTES, .min = "64KiB", .max = "64GiB", .example = "1MiB"
#define OPS  .type = SCN_INTEGER, .fallback = "0", .min = "0", .max = "1000000", .example = "100"
static const struct scn_field throttle_fields[] = {
    {.key = "folder",
     .type = SCN_TEXT,
     AT(throttle.folder),
     .fallback = ".",
     .example = "postgres",
     .help =
         "Within the platform's state folder, or an absolute path that the agent's --allow-path "
         "permits: the disk that it lies on is meant."},
    {.key = "readRate",
     RATE,
     AT(throttle.read_rate),
     .help = "Bytes a second that are read at most. Without it: as many as before."},
    {.key = "writeRate",
     RATE,
     AT(throttle.write_rate),
     .help = "Bytes a second that are written at most. With cgroup v1 what a process leaves to the "
             "page cache is not counted, what it syncs is. Without it: as many as before."},
    {.key = "readOps",
     OPS,
     AT(throttle.read_ops),
     .help = "Reads a second at most, 10 at least, instead of readRate. 0: as many as before."},
    {.key = "writeOps",
     OPS,
     AT(throttle.write_ops),
     .help = "Writes a second at most, 10 at least, instead of writeRate. 0: as many as before."},
};
#undef RATE
#undef OPS
const struct scn_shape scn_throttle_shape = {FIELDS(throttle_fields)};
#undef AT
