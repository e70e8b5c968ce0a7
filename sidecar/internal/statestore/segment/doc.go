// Package segment is how the state of Go functions lies in a snapshot store: segments, which hold keys and values, and
// manifests, each of which says which segments make up the state of one subtask at one checkpoint. All of them are immutable.
//
// # Manifest, version 1
//
// A JSON object: see [Manifest]. It lists segments, oldest first. The state is what comes out if the first one is loaded and
// then the others over it, in order. A reader takes only the key groups it needs, and for those only what the manifest says
// that the segment counts for. What is named by a [Reference] is known to the last byte: the reference has the SHA-256 of the
// manifest, the manifest that of each segment's index, the index that of each section.
//
// Readers pass over members that they do not know, so that one that changes nothing about the state can come without a new version:
// "savepoint" did. In a manifest that was written before, or for an older client, it is missing, which means a checkpoint.
//
// # Segment, version 1
//
// Integers are little-endian; uvarint and varint are those of Protocol Buffers (varint is zigzag); CRC is CRC-32C
// (Castagnoli).
//
//	segment = header, section..., index
//	header  = "dreystat", version u16, kind u8 (1 base, 2 increment), 0 u8, max parallelism u16, first key group u16,
//	          last key group u16, 0 u16, CRC of the header so far u32                                  = 24 bytes
//	section = block...                                          (one for each key group that has something, in order; a
//	                                                             base has an empty one if all of it was deleted)
//	block   = raw bytes u32, stored bytes u32, payload          (compressed with S2 if the two differ)
//	payload = record...                                         (as a whole; a record does not go on in the next block)
//	record  = 1 u8, key, version uvarint, value                 (a value)
//	        | 2 u8, key, version uvarint, expires varint, value (one that is gone at an event time, ms since 1970)
//	        | 3 u8, key                                         (the key was deleted: in increments)
//	        | 4 u8, id, answer                                  (a stored answer)
//	key, value, id, answer = bytes uvarint, those bytes
//	index   = sections u32, per section: key group u16, 0 u16, records u32 + answers u32 of them, offset u64, bytes u64,
//	          version of the key group u64, SHA-256 of the section's bytes [32]                        = 68 bytes a section
//
// Sections lie one after another, from the end of the header to the beginning of the index. A key comes once in a segment.
// Answers count only if the manifest says so of the segment: they are as old as one barrier and are not carried on.
//
// A reader of this version refuses other versions.
package segment
