// Package pull makes a verified local copy of objects, or of ranges of them: all of it, or nothing under its name.
//
//	folder.part/       while it is made
//	  a/b              a file; the ranges lie at the offsets that they have in the object, with holes between
//	  journal.part     which blocks of which files are there
//	folder/            when it is complete: the files, synced, and manifest.json
//	folder.lock        excludes another process that makes the same copy; removed at the end
//
// A pull that was interrupted, by a crash even, goes on at the next call: of each file the blocks that are there and have
// the right checksum are kept, if the object still has the ETag that it had. Only what is missing is fetched. Blocks are
// written in place and not synced one by one; a block that power took away has the wrong checksum then.
//
// What is fetched is compared with the size that is expected and with the checksum that the store knows of the whole object,
// if it knows one. All bytes of a file are of one version of its object: fetching goes on with If-Match. The manifest has
// a checksum (CRC-64/NVME) of each range, by which Verify finds later damage.
//
// Memory does not grow with what is pulled, but for its list.
package pull
