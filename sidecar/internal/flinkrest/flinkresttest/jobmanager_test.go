package flinkresttest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
)

const job = "f2b550d7f4f0768cc59489a4dcbc9c28"

// A scripted job must look as the captured one does, through the client that reads both.
func TestScriptEqualsCapture(t *testing.T) {
	captured, scripted := flinkresttest.New(t), flinkresttest.New(t)
	captured.Replay("testdata/running/rest")
	j := scripted.AddJob(job, "lab")
	j.Fail(2, 1795345506162, "x")
	j.Complete(1, "s3://flink/ck-hashmap-inline/"+job+"/chk-1", 1795345504163)
	for id := int64(3); id <= 5; id++ {
		j.Complete(id, "s3://flink/ck-hashmap-inline/"+job+"/chk-"+string(rune('0'+id)), 1795345502162+id*2000)
	}
	j.Begin(6, 1795345514164)

	want, err := flinkrest.New(captured.URL).Checkpoints(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	got, err := flinkrest.New(scripted.URL).Checkpoints(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	shape := func(c flinkrest.Checkpoints) []flinkrest.Checkpoint {
		all := append([]flinkrest.Checkpoint{*c.Latest.Completed}, c.History[:4]...)
		for i := range all {
			all[i].Triggered, all[i].Duration = 0, 0 // of that run
		}
		return all
	}
	if diff := cmp.Diff(shape(want), shape(got)); diff != "" {
		t.Errorf("captured - scripted +:\n%s", diff)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	jm := flinkresttest.New(t)
	j := jm.AddJob(job, "lab")
	for id := int64(1); id <= 12; id++ {
		j.Complete(id, "s3://flink/x", id)
	}
	c := flinkrest.New(jm.URL)
	all, err := c.Checkpoints(t.Context(), job)
	if err != nil || len(all.History) != 10 || all.History[0].ID != 12 || all.Counts.Completed != 12 {
		t.Errorf("history of %d, newest first: %+v, %v", len(all.History), all.History, err)
	}
	if _, err := c.Checkpoint(t.Context(), job, 2); !flinkrest.IsNotFound(err) {
		t.Errorf("an evicted checkpoint: %v, want 404", err)
	}
	if d, err := c.Checkpoint(t.Context(), job, 3); err != nil || d.Type != "CHECKPOINT" {
		t.Errorf("a remembered one: %+v, %v", d, err)
	}

	j.FailOver(12, "s3://flink/x", 99)
	all, err = c.Checkpoints(t.Context(), job)
	if err != nil || len(all.History) != 0 || all.Latest.Completed != nil || all.Latest.Restored.ID != 12 || all.Counts.Restored != 1 {
		t.Errorf("after a failover to another JobManager: %+v, %v", all, err)
	}
}
