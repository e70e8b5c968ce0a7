// Package checkpoint follows the checkpoints of Flink's jobs: it notices each one that completes, has a verified local copy
// made of it, and keeps book of both in a ledger that survives a crash at any moment.
//
// Flink is asked over REST, at most every few seconds since it caches its answers for three, and webhooks are taken
// besides; both lead to the same ledger entry. What Flink calls COMPLETED is not taken as restorable: the copier looks at
// every object the checkpoint refers to.
//
//	poll, webhook -> Ledger.See -> copy (resumable) -> verify -> rename -> Ledger.Finish -> event
//
// A job's run is one submission of it: its number of the last copied checkpoint, LastRecovered, only grows, and begins anew
// with the next run, from what that was restored from. What came and went between two polls, since Flink remembers ten
// checkpoints, is counted and told of. Of two checkpoints the newer one is that which the ledger saw later; no clock is asked.
//
// Everything is bounded: copies of a job (Config.Retain), jobs that ended (Config.RetainEnded), records and pending checkpoints
// of a job, events.
//
// A crash between two of these steps leaves either nothing new or a record in state SEEN or FAILED, and at most a folder
// that is complete or named .part. The next start goes on there; each step done twice has the effect of doing it once.
package checkpoint
