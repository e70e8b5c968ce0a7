package server

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/replay/resubmit"
	"github.com/drey-flink/drey/sidecar/internal/replay/source"
	"github.com/drey-flink/drey/sidecar/internal/rules"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/webhook"
)

// How often and for how long Flink is asked while a job is restarted.
const (
	resubmitPoll     = 500 * time.Millisecond
	resubmitPatience = 3 * time.Minute
)

// replayEvents are the kinds of events of replays that have ended.
var replayEvents = map[replay.State]checkpoint.Kind{
	replay.Completed: checkpoint.EventReplayCompleted, replay.Failed: checkpoint.EventReplayFailed, replay.Cancelled: checkpoint.EventReplayCancelled,
}

// noteEnd puts the end of a replay among the events of checkpoints, if there are any.
func (s *sidecar) noteEnd(r replay.Replay) {
	if s.watch == nil {
		return
	}
	text := fmt.Sprintf("replay %s, %s", r.ID, r.Mode)
	switch {
	case r.Error != "":
		text += ": " + r.Error
	case r.Summary != nil:
		text += fmt.Sprintf(": of %d decisions %d are different", r.Summary.Decisions, r.Summary.Different)
	case r.NewJob != "":
		text += ": job " + r.NewJob + " goes on from there"
	}
	if err := s.watch.Note(checkpoint.Event{Kind: replayEvents[r.State], Job: r.Job, Checkpoint: r.CheckpointID, Path: r.Path, Message: text}); err != nil {
		s.log.Warn("the events lack a replay that has ended", "replay", r.ID, "error", err)
	}
}

// keepReplays opens replay, if the configuration says so. It needs nothing of the outside until it is asked for something.
func (s *sidecar) keepReplays(ctx context.Context, keeper *stateful.Keeper) error {
	c := s.Config.Replay
	if !c.Enabled {
		return nil
	}
	hooks := webhook.DefaultConfig()
	hooks.URLs, hooks.SecretFile = c.Webhooks, c.WebhookSecret
	if err := hooks.Validate(); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	sender := webhook.New(hooks, s.log)
	deps := replay.Deps{Functions: s.service, Ended: func(r replay.Replay, told func()) {
		s.noteEnd(r)
		body, err := json.Marshal(r)
		if err != nil {
			s.log.Error("a replay that ended", "replay", r.ID, "error", err)
			return
		}
		sender.Send(r.ID+"/"+string(r.State), body, told)
	}}
	if s.rules != nil {
		deps.Rules = func(function string) string {
			if function != rules.FunctionName {
				return ""
			}
			return s.rules.Status().Version
		}
	}
	var err error
	if deps.Build, err = buildHash(); err != nil {
		return fmt.Errorf("replay: hash of this program: %w", err)
	}
	if s.watch != nil {
		deps.Checkpoints = source.Finder{Watch: s.watch.Watch, Flink: s.watch.Flink()}
		deps.Jobs = resubmit.Runner{Flink: s.watch.Flink(), Poll: resubmitPoll, Patience: resubmitPatience}
		deps.Leader, deps.Owner, deps.Holder = s.watch.Exclusive, s.watch.Owner(), s.watch.ExclusiveHolder
	}
	if s.decisions != nil {
		deps.Decisions = flushed{s.decisions.reader, s.decisions.Log}
	}
	if s.stateStore != nil {
		deps.Snapshots, deps.Local = s.stateStore, keeper
	}
	modes := make([]replay.Mode, len(c.Modes))
	for i, mode := range c.Modes {
		modes[i] = replay.Mode(mode)
	}
	m, err := replay.New(replay.Config{Folder: c.Folder(s.Config.DataDir), KeepFinished: c.KeepFinished, MaxDifferences: c.MaxDifferences, Modes: modes}, deps, s.log)
	if err != nil {
		return err
	}
	s.replays = m
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	go func() {
		defer close(sent)
		sender.Run(ctx)
	}()
	s.onDown(func() error {
		stop()
		<-ended
		<-sent
		return m.Close()
	})
	return nil
}
