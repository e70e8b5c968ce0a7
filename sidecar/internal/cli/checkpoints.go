package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/pull"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// requests is how many objects are asked for at the same time.
const requests = 16

func (p *program) checkpoints() *cobra.Command {
	cmd := &cobra.Command{
		Use: "checkpoints", Short: "What is in Flink's checkpoints, and whether they can be restored", Args: cobra.NoArgs,
		Long: `Reads checkpoints and savepoints of Flink 1.11 to 2.4 without a JVM: what is in them, whether every object that they need
is there, and the state itself. Flink's COMPLETED is never taken as restorable.
` + storesHelp,
		Example: `  drey checkpoints list --flink http://127.0.0.1:8081
  drey checkpoints show s3://flink/checkpoints/7a5d.../chk-42
  drey checkpoints show ./_metadata -o json                       a file alone, offline
  drey checkpoints show latest --dev --dump-state go-udf/entries
  drey checkpoints verify 42 --flink http://127.0.0.1:8081        exit 0 only if every object is there
  drey checkpoints pull 42 --flink http://127.0.0.1:8081 --to copy
  drey checkpoints watch --server http://127.0.0.1:8080`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.checkpointsList(), p.checkpointsShow(), p.checkpointsVerify(), p.checkpointsPull(), p.checkpointsWatch())
	return cmd
}

func (p *program) checkpointsShow() *cobra.Command {
	var s sources
	var output, state string
	cmd := &cobra.Command{
		Use: "show CHECKPOINT", Short: "Show what is in a checkpoint, or print the entries of a state", Args: cobra.ExactArgs(1),
		Long: `Shows the operators of a checkpoint, the state of each subtask and the files that it needs. Only _metadata is read.

--dump-state OPERATOR/STATE prints the entries of one state, a JSON object a line: {"subtask","index","base64"}, and for keyed
and broadcast state the key. OPERATOR is a uid, an id or a name. List, union and broadcast state can be read, and keyed state of
the heap backend and of canonical savepoints if its serializers are Flink's own.
` + storesHelp,
		Example: `  drey checkpoints show ./_metadata -o json
  drey checkpoints show s3://flink/ck/7a5d.../chk-42 --s3-endpoint http://127.0.0.1:7070 --s3-path-style
  drey checkpoints show ./chk-42 --map s3://flink=./bucket-copy --dump-state go-udf/entries`,
	}
	s.askFlags(cmd)
	s.storeFlags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&state, "dump-state", "", "print the entries of one state, as `OPERATOR/STATE`")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		c, files, err := s.open(ctx, p, args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, files.Close()) }()
		if state != "" {
			return p.dumpState(ctx, c, state)
		}
		d, err := c.Describe()
		if err != nil {
			return err
		}
		return p.print(output, d, func(w io.Writer) { describe(w, c, d) })
	}
	return cmd
}

// describe is a checkpoint for people.
func describe(w io.Writer, c *contents.Checkpoint, d *metadata.Description) {
	kind := "checkpoint"
	if d.Snapshot != nil && d.Snapshot.Savepoint {
		kind = "savepoint"
	}
	fmt.Fprintf(w, "%s %d, %s in %d files, _metadata of version %d with %s\n\n", kind, d.CheckpointID, byteSize(d.TotalSize), len(d.Files), d.Version, byteSize(c.Size))
	row(w, "OPERATOR", "NAME", "UID", "PARALLELISM", "STATES", "SIZE")
	for i := range d.Operators {
		o := &d.Operators[i]
		size := o.CoordinatorBytes
		for j := range o.Subtasks {
			size += o.Subtasks[j].Size
		}
		row(w, o.ID.String(), orDash(o.Name), orDash(o.UID), fmt.Sprintf("%d of %d", o.Parallelism, o.MaxParallelism), stateNames(o), byteSize(size))
	}
}

// stateNames are the states of an operator, with the number of their entries; of keyed state, whose names are in the files, the
// kind.
func stateNames(o *metadata.OperatorDescription) string {
	entries := map[string]int{}
	var names []string
	add := func(name string, n int) {
		if _, known := entries[name]; !known {
			names = append(names, name)
		}
		entries[name] += n
	}
	for i := range o.Subtasks {
		for name, state := range o.Subtasks[i].OperatorState {
			add(name+" "+strings.ToLower(state.Mode), state.Entries)
		}
		for _, keyed := range o.Subtasks[i].KeyedState {
			add("keyed "+keyed.Type, int(keyed.KeyGroups[1]-keyed.KeyGroups[0])+1)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, entries[name])
		if strings.HasPrefix(name, "keyed ") {
			names[i] += " key groups"
		}
	}
	return orDash(strings.Join(names, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (p *program) dumpState(ctx context.Context, c *contents.Checkpoint, name string) error {
	operator, state, err := c.SplitStateName(name)
	if err != nil {
		return usageError{err}
	}
	out := bufio.NewWriter(p.stdout)
	lines := json.NewEncoder(out)
	err = c.DumpState(ctx, operator, state, func(e contents.Entry) error { return lines.Encode(e) })
	return errors.Join(unlessInterrupted(ctx, err), out.Flush())
}

func (p *program) checkpointsVerify() *cobra.Command {
	var s sources
	var output string
	cmd := &cobra.Command{
		Use: "verify CHECKPOINT", Short: "Exit 0 only if everything the checkpoint needs is there", Args: cobra.ExactArgs(1),
		Long: `Looks at every object that a checkpoint refers to, and names each that does not exist or has not the size that the state in
it needs. The exit code is 0 if there is none, 1 otherwise, or if it could not be found out. A copy that drey checkpoints pull has
made is read byte by byte and compared with its checksums.
` + storesHelp,
		Example: `  drey checkpoints verify s3://flink/ck/7a5d.../chk-42
  drey checkpoints verify latest --dev && echo restorable`,
	}
	s.askFlags(cmd)
	s.storeFlags(cmd)
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		c, files, err := s.open(ctx, p, args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, files.Close()) }()
		return p.verify(ctx, c, output)
	}
	return cmd
}

// verdict is the document of verify.
type verdict struct {
	ID         int64              `json:"checkpoint_id"`
	Path       string             `json:"path"`
	Restorable bool               `json:"restorable"`
	Files      int                `json:"files"`
	Problems   []contents.Problem `json:"problems"`
}

func (p *program) verify(ctx context.Context, c *contents.Checkpoint, output string) error {
	files, err := c.Meta.Files(c.Dir)
	if err != nil {
		return err
	}
	v := verdict{ID: c.Meta.CheckpointID, Path: c.File.String(), Files: len(files)}
	if v.Problems, err = c.Verify(ctx, requests); err != nil {
		return fmt.Errorf("it cannot be told whether checkpoint %d can be restored: %w", v.ID, err)
	}
	if c.Dir.IsLocal() {
		if err := contents.CheckCopy(ctx, c.Dir.Path); err != nil {
			v.Problems = append(v.Problems, contents.Problem{URL: c.Dir.String(), Reason: err.Error()})
		}
	}
	v.Restorable = len(v.Problems) == 0
	if v.Problems == nil {
		v.Problems = []contents.Problem{}
	}
	err = p.print(output, v, func(w io.Writer) {
		for _, problem := range v.Problems {
			fmt.Fprintf(w, "%s: %s\n", problem.URL, problem.Reason)
		}
		switch {
		case v.Restorable && v.Files == 0:
			fmt.Fprintf(w, "checkpoint %d: all of its state is in _metadata\n", v.ID)
		case v.Restorable:
			fmt.Fprintf(w, "checkpoint %d: %d files, all there\n", v.ID, v.Files)
		}
	})
	if err == nil && !v.Restorable {
		err = fmt.Errorf("checkpoint %d cannot be restored: %d of %d files are not as it needs them", v.ID, len(v.Problems), v.Files)
	}
	return err
}

func (p *program) checkpointsPull() *cobra.Command {
	var s sources
	var output, to string
	var operators []string
	cmd := &cobra.Command{
		Use: "pull CHECKPOINT --to DIR", Short: "Make a verified local copy; one that was interrupted goes on", Args: cobra.ExactArgs(1),
		Long: `Copies _metadata and what the checkpoint needs of every file, or of those of some operators, to a folder that appears when all is
there: with checksums of what was read in its manifest.json. Interrupted, run it again: only what is missing is fetched. The copy
can be read as the checkpoint itself: drey checkpoints show DIR.
` + storesHelp,
		Example: `  drey checkpoints pull latest --dev --to ./copy
  drey checkpoints pull s3://flink/ck/7a5d.../chk-42 --operator go-udf --to ./copy`,
	}
	s.askFlags(cmd)
	s.storeFlags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&to, "to", "", "folder of the copy; must not exist, or be the same copy")
	cmd.Flags().StringArrayVar(&operators, "operator", nil, "copy the state of this operator only (`uid`, id or name); may be given again")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if to == "" {
			return usageError{errors.New("--to DIR is missing: where the copy goes")}
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		c, files, err := s.open(ctx, p, args[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, files.Close()) }()
		items, err := c.Items(ctx, operators)
		if err != nil {
			return err
		}
		result, err := pull.Pull(ctx, to, items, pull.Options{})
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		folder, err := filepath.Abs(to)
		if err != nil {
			return err
		}
		pulled := struct {
			ID         int64  `json:"checkpoint_id"`
			Folder     string `json:"folder"`
			Files      int    `json:"files"`
			Bytes      int64  `json:"bytes"`
			Downloaded int64  `json:"downloaded"`
		}{c.Meta.CheckpointID, folder, len(result.Manifest.Files), result.Manifest.Bytes(), result.Downloaded}
		return p.print(output, pulled, func(w io.Writer) {
			fmt.Fprintf(w, "checkpoint %d: %d files, %s (%s fetched now) in %s\n", pulled.ID, pulled.Files, byteSize(pulled.Bytes), byteSize(pulled.Downloaded), folder)
		})
	}
	return cmd
}
