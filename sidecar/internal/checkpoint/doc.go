// Package checkpoint follows the checkpoints of Flink's jobs: it notices each one that completes, has a verified local copy
// made of it, and keeps book of both in a ledger that survives a crash at any moment.
//
// Flink is asked over REST, at most every few seconds since it caches its answers for three, and webhooks are taken
// besides; both lead to the same ledger entry. What Flink calls COMPLETED is not taken as restorable: the copier looks at
// every object the checkpoint refers to.
//
//	poll, webhook -> Ledger.See -> copy (resumable) -> verify -> rename -> Ledger.Finish -> event
//
// A crash between two of these steps leaves either nothing new or a record in state SEEN or FAILED, and at most a folder
// that is complete or named .part. The next start goes on there; each step done twice has the effect of doing it once.
package checkpoint
