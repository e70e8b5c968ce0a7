// Package wal is a log of records in a local folder, from which a process that was killed comes back with all that it had
// answered. A record is answered for once [Log.Wait] returned: it is in the file then, which outlives the process. Nothing is
// synced: if the machine goes down, records at the end may be lost, and whoever uses the log must notice that by other means
// and not believe it.
//
// # Format, version 1
//
// Integers are little-endian, CRC is CRC-32C (Castagnoli). A log is a folder of files, each named by its generation in 20
// digits, with the ending ".wal"; generations follow one another without a gap.
//
//	file   = header, record...
//	header = "dreywlog", version u16, 0 u16, generation u64, CRC of the header so far u32    = 24 bytes
//	record = bytes u32, CRC of body u32, CRC of the two before u32, body                      = 12 bytes and the body
//
// A file is written from its beginning to its end. What a killed process leaves is a file that ends too early: in a header, or
// before the end of the body that the header announces. Such a record at the very end of the log was never answered for, and
// is dropped. Everything else that is not as above is damage: the whole log is refused, since nobody can tell what is missing.
package wal
