// Package statefile reads the state that a Flink checkpoint's handles point to: operator state (list, union and broadcast
// state), and keyed state of the heap backend and of canonical savepoints. Package metadata finds the handles.
//
// The caller brings the bytes: a stream is an io.ReaderAt and a size, and [Section] cuts it from what a handle names, be that
// inline bytes, a file or a segment of one. Nothing is read ahead but a window of 64 KiB, and no length is believed before as
// many bytes have been seen, so memory is bounded by the largest entry, which in turn is bounded by [Limits].
//
// # Operator state
//
// One stream for a subtask (org.apache.flink.runtime.state.DefaultOperatorStateBackendSnapshotStrategy). The handle in
// _metadata has the offset of each entry, so the header need not be understood to read them, but for its one flag:
//
//	stream = i32 6, u8 compressed, i16 n, state*, i16 n, state* (broadcast), payload
//	state  = UTF name, i32 kind, i32 n, {UTF option, UTF value}*, i32 n, {UTF role, i32 2, serializer}*
//
// (OperatorBackendSerializationProxy, StateMetaInfoSnapshotReadersWriters.) A list entry of byte[] is an i32 length and the bytes
// (BytePrimitiveArraySerializer). A broadcast state has one offset, where an i32 count is followed by keys and values.
//
// With execution.checkpointing.snapshot-compression the payload is in the framing format of snappy. The stream identifier stands
// once, after the header, and the writer flushes before each entry: so an offset is that of a chunk, and a reader begins in
// the midst of a framed stream. An entry may take several chunks.
//
// # Keyed state
//
//	stream = i32 6, u8 compressed, i32 2, serializer (of the key), i16 n, state*, key group*
//
// (KeyedBackendSerializationProxy.) The handle has the offset of each key group. The heap backend writes
//
//	key group = i32 number, { u16 state, i32 count, {namespace, key, value}* }*        one block for each state, in any order
//	                     or { u16 state, i32 count, {i64 time, key, namespace}* }      for timers
//
// each block framed by itself if compressed (HeapSnapshotStrategy, CopyOnWriteStateMapSnapshot,
// HeapPriorityQueueStateSnapshot), and a canonical savepoint of any backend
//
//	key group = u16 state, { i32 n, key, i32 n, value }*
//
// framed as a whole if compressed (FullSnapshotAsyncWriter), where the top bit of the first byte of a key tells that after its
// value a u16 follows: 0xffff at the end of the key group, else the state of the next entries. A key is the key group in one
// byte, or two if the maximum parallelism is above 128, then the key and the namespace, and for map state the key in the map
// (CompositeKeySerializationUtils).
//
// What a serializer of the user's writes has no length in front, and what its description in the header holds has neither: so
// keyed state is read only if every serializer of the stream is one that this package knows; see [Encoding]. The files of
// RocksDB and ForSt are a database's own and are not read at all.
package statefile
