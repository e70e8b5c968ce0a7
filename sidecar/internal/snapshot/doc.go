// Package snapshot is the port to where checkpoints and Go snapshots lie: immutable objects under keys. Its backends are the
// packages dir, s3 and memory; one suite, snapshottest.Conformance, says what each of them does. This package holds what
// they share: how an object is described, how a part of one is asked for, and how failures are told apart. Those who use
// a store declare the few methods that they need.
//
// All methods of all backends:
//
//	Stat(ctx, key) (Object, error)
//	Open(ctx, key, Part) (io.ReadCloser, Object, error)
//	Create(ctx, key, body io.Reader, size int64) (Object, error)
//	Replace(ctx, key, body []byte, etag string) (Object, error)
//	List(ctx, prefix) iter.Seq2[Object, error]
//	Delete(ctx, key) error
//
// Objects are immutable: Create makes one and fails with ErrExists if there is one. The exception is small: Replace swaps
// the object whose ETag it is given for another one, atomically, and fails with ErrChanged if it has another ETag by now;
// it is what a lease is made of. Of several callers of Create, or of Replace with one ETag, one succeeds.
//
// Open answers with the bytes of the Part and with a description of the whole object. A reader that reaches io.EOF has
// given exactly the bytes that were asked for, all of one version of the object; of a whole object whose checksum the
// store knows it has compared it. Whatever else happens is an error, never a short read.
//
// List goes through the keys that begin with prefix, which need not end at a slash, in the order of their bytes; it fills
// Key, Size and Modified. Delete of what is not there is no error, since it may have been deleted by an attempt whose
// answer was lost.
//
// All methods are safe for concurrent use. They return when ctx ends. Every error is an *Error, unless ctx ended.
package snapshot
