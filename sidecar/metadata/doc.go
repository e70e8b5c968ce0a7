// Package metadata reads the _metadata file of an Apache Flink checkpoint or savepoint, without a JVM.
//
// A completed checkpoint is a directory with one _metadata file: the list of every operator, of the subtasks of each, and
// of handles that say where the state of each subtask lies: inside _metadata itself (small states), in a file beside it, in
// a file anywhere else, or in a segment of a file that many subtasks share. [Parse] turns the file into a typed [Metadata];
// [Metadata.Files] lists the objects that must exist for the checkpoint to be restorable; [Describe] sums it up for people
// and programs. What is in the state files is the subject of package statefile, below this one.
//
// # The layout
//
// Integers are big-endian; UTF is Java's modified UTF-8 after a u16 length in bytes (java.io.DataOutput.writeUTF). Versions 3
// (since Flink 1.11), 4 (as in 1.20), 5, 6 (as in 2.1 and 2.3) and 7 (announced for 2.4) are read. The sources are the classes
// Checkpoints and metadata.MetadataV2V3SerializerBase, MetadataV3Serializer to MetadataV7Serializer and
// ChannelStateHandleSerializerV1 and V2 of org.apache.flink.runtime.checkpoint.
//
//	file     = i32 0x4960672d, i32 version, i64 checkpoint id,
//	           i32 n, master*, i32 n, operator*,
//	           [version >= 4: CheckpointProperties in Java serialization, to the end of the file]
//	master   = i32 0xc96b1696, i32 length, { i32 version, UTF name, i32 n, bytes }
//	operator = [version >= 5: UTF name, UTF uid], 16 bytes id, i32 parallelism, i32 max parallelism,
//	           stream (coordinator: null or inline), i32 n (-1: fully finished), subtask*
//	subtask  = i32 index (negative: subtask -(index+1) is finished and nothing follows)
//	           i32 0|1 [opstate] (managed), i32 0|1 [opstate] (raw), keyed (managed), keyed (raw),
//	           i32 n, channel* (input), i32 n, channel* (output),
//	           [version >= 7: u8 0|1 [i64 id of the checkpoint that the state was taken over from]]
//	stream   = u8 0                                                   null
//	         | u8 1, UTF name, i32 n, bytes                           [InlineHandle]
//	         | u8 2, i64 size, UTF path                               [FileHandle]
//	         | u8 3, key groups, stream                               [KeyGroupsHandle]
//	         | u8 6, UTF path, i64 size                               [RelativeHandle]
//	         | u8 15, i64 start, i64 size, i32 scope, UTF path, UTF id [SegmentHandle]
//	         | u8 16                                                  [EmptySegmentHandle]
//	opstate  = u8 0 | u8 4|17, i32 n, {UTF name, u8 mode, i32 n, i64 offset*}*,
//	           [17: UTF task-owned directory, UTF shared directory, u8 empty], stream  [OperatorHandle]
//	keyed    = u8 0
//	         | u8 3|7|12, key groups, stream, [12: UTF id]            [KeyGroupsHandle]
//	         | u8 5|11, i64 checkpoint, UTF backend, i32 first, i32 n, [11: i64 size], stream meta,
//	           i32 n, {UTF name, stream}* (shared), i32 n, {UTF name, stream}* (private), [11: UTF id]  [IncrementalHandle]
//	         | u8 8|14, i32 first, i32 n, i64 size, i32 n, keyed* (materialized), i32 n, keyed* (changes),
//	           i64 materialization, [14: i64 checkpoint], UTF id      [ChangelogHandle]
//	         | u8 9, i32 first, i32 n, i64 from, i64 to, i32 n, {i32 key group, i32 n, bytes}*, UTF id  [ChangelogMemoryHandle]
//	         | u8 10|13, i32 first, i32 n, i32 n, {i64 offset, stream}*, i64 size, i64 size, UTF id, [13: UTF storage]
//	                                                                  [ChangelogStreamHandle]
//	key groups = i32 first, i32 n, i64 offset*n
//	channel  = [version >= 6: u8 1 (input) | 2 (output): as below
//	                        | u8 3 (input) | 4 (output), i32 subtask, i64 size, stream, i32 n, bytes]
//	           i32 subtask, i32 gate or partition, i32 channel or subpartition, i32 n, i64 offset*, i64 size, stream
//	                                                                  [ChannelHandle]
//
// # Untrusted input
//
// The file comes from an object store, so nothing in it is believed: every count and length is compared with the bytes that
// are left before anything is allocated, nesting is bounded, and a file is walked once without allocating and only built
// when all of it is sound. The result takes at most about twelve times the size of the file in the worst made-up case, and
// about its size in practice. Paths are data, too: see [Location] for what is refused.
package metadata
