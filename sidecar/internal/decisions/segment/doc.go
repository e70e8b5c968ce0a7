// Package segment is the file format of the decision log: how records lie in a file, how a reader finds one of them, and
// how it is seen that a file is missing, was moved or was edited. It knows no more of a record than its [Key].
//
// # Format, version 1
//
// All integers are little-endian. CRC is CRC-32C (Castagnoli), hashes are SHA-256. A log is a folder of segments; each is
// named by the number of its first record in 20 digits. "N.open" is being written, or waits to be sealed; "N.sealed" does not
// change any more. Numbers begin at 1, grow by one from record to record and never come again.
//
//	segment  = header, block...                                   (N.open)
//	         = header, block..., buckets, directory, footer       (N.sealed)
//	header   = "dreydlog", version u16, kind u8 (1 open, 2 sealed), codec u8 (0 none, 1 s2, 2 zstd), 0 u32,
//	           number before the first record u64, created i64 (Unix ns), hash before the first record [32],
//	           CRC of the header so far u32                                                            = 68 bytes
//	block    = block header, payload
//	block header = "dblk", stored bytes u32, raw bytes u32, records u32, number of the first record u64,
//	           earliest time i64, latest time i64 (Unix ns), hash after the last record [32],
//	           CRC of the block header so far u32                                                      = 76 bytes
//	payload  = record..., as a whole compressed by the segment's codec (stored bytes long; raw bytes long without)
//	record   = length of body u32, CRC of body u32, body
//	buckets  = bucket...; bucket = entry...; entry = block index u16, tag u16
//	directory = blocks u32, per block (offset u64, first number u64, records u32, earliest i64, latest i64, lowest epoch
//	           u64, highest epoch u64), decisions u64, jobs u32 or 0xffffffff = not listed, per job (length u16, job,
//	           lowest epoch u64, highest epoch u64), bits u8, per bucket (entries up to its end u32, CRC of bucket u32)
//	footer   = offset of buckets u64, offset of directory u64, bytes of directory u32, CRC of directory u32, last
//	           number u64, hash after the last record [32], CRC of the footer so far u32, "dreydend"          = 76 bytes
//
// The hash of a record is SHA-256(hash of the record before, body). The hash before the first record of a log is random.
// Since each block and each header carries the hash, nobody can edit, drop, insert or exchange records or files without
// changing every hash that follows; since the hash is over bodies alone, sealing a segment (other blocks, compressed)
// changes none.
//
// A record's id is looked for by h = [Hash](id): the bucket is the highest bits of h, the tag its lowest 16. An entry only
// says in which block to look; of 65,536 ids that are not there, about one a bucket entry leads to a block in vain.
//
// A block is written by one write: it is the unit of a group commit. Bytes at the end of an open segment that are no whole
// block are an unfinished write. Bytes that are no whole block but have one after them are damage.
//
// A reader of this version refuses other versions. Records may grow fields without a new version.
package segment
