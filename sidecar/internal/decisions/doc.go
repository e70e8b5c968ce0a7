// Package decisions is the decision log: every decision with what is needed to explain it and to decide it again, appended to
// segments that are bounded in number, found by id, and chained by hashes, so that it can be shown that nothing was changed.
//
// # Writing
//
// Log.Append encodes a decision, masks what is to be masked, and copies it to a queue in memory; one goroutine (Log.Run) writes
// what has gathered there as one block, every Config.CommitEvery, and makes it durable every Config.SyncEvery. So:
//
//   - What Append took is lost by a kill -9 within CommitEvery, by a power cut within SyncEvery; Log.Flush waits for both.
//   - A crash leaves at most an unfinished block at the end of the last segment; the next start cuts it and notes that. A start
//     that follows no stop in the log is a crash, and the place where decisions may be missing.
//   - A disk that is slow or full stops the writer, which tries again; then the queue fills, and Config.Policy says what
//     happens: callers wait (block), the oldest in the queue are given up (drop_oldest), or ever fewer are kept (sample). Each
//     decision that is lost is counted by why, in Log.Status and, as soon as the disk takes it, in the log at that place.
//
// When a segment is long or old enough the next one begins, and a second goroutine seals it: compressed, with an index. The
// oldest segments are dropped when all are longer than Config.MaxBytes or they are older than Config.MaxAge; a note in the log
// says so before it happens. Notes are records like decisions, in the same chain.
//
// # Masking
//
// The values of the fields that Config.Mask names stand nowhere in the log, nor in its queue: "***" is there instead. Masking
// goes by names of JSON fields in inputs and results. What a function makes of a value it does not know: mask "reasons", too,
// if they quote a masked field, and "error" for the messages of errors. The id is never masked, or nobody could find it.
//
// # Reading
//
// A Reader needs the folder only: it works beside the writer, in another process, and after the writer is gone. It sees whole
// blocks. Reader.Lookup reads one block of each segment whose index has the id, and the segments not yet sealed.
//
// # What the chain shows
//
// Reader.Verify finds a record that was edited, inserted or removed, segments that are missing, exchanged or of another log,
// and everything that the disk damaged. Who can write to the folder can cut off the end, or write all of it anew with hashes
// that fit: that shows only against a head (Status.Head, Report.Head) that was noted elsewhere.
//
// # Format
//
// Files, blocks and the chain: package segment. The body of a record is a Protocol Buffers message, id and time first:
//
//	message Record {
//	  string id = 1;
//	  fixed64 time = 2;               // ns since 1970
//	  Note note = 3;                  // a record with it is no decision
//	  string job = 4;  string operator = 5;  uint32 subtask = 6;  uint64 epoch = 7;  uint64 fence = 8;
//	  string function = 9;  string build = 10;
//	  bytes input = 11;  bytes result = 12;                         // JSON
//	  string error_code = 13;  string error_message = 14;
//	  repeated StateRead state = 15;  repeated string rules = 16;
//	  bool replayed = 17;
//	  uint32 masked = 18;  uint32 omitted = 19;                     // bits: 1 input, 2 result, 4 state, 8 error
//	  string key = 20;  uint32 key_group = 21;                      // of the state that it is about
//	  uint64 version = 22;  uint32 writes = 23;                     // of the key group after it; how many of it are its own
//	  sint64 watermark = 24;                                        // ms since 1970
//	  string session = 25;  uint64 restored = 26;
//	  uint32 state_unnamed = 27;                                    // reads that were too many to be among state
//	}
//	message StateRead { string state = 1;  string key = 2;  uint64 version = 3; }
//	message Note {
//	  string kind = 1;  uint64 decisions = 2;  uint64 bytes = 3;  string reason = 4;
//	  uint64 head_seq = 5;  bytes head_hash = 6;  string build = 7;
//	}
//
// Fields may be added; a reader passes over those it does not know.
package decisions
