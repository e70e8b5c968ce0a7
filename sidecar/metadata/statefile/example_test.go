package statefile_test

import (
	"fmt"
	"log"
	"os"

	"github.com/drey-flink/drey/sidecar/metadata"
	"github.com/drey-flink/drey/sidecar/metadata/statefile"
)

// The entries of a list state of byte[], as each subtask of the operator stored them.
func Example() {
	data, err := os.ReadFile("../testdata/inline/_metadata")
	if err != nil {
		log.Fatal(err)
	}
	checkpoint, err := metadata.Parse(data)
	if err != nil {
		log.Fatal(err)
	}
	operator, ok := checkpoint.Operator(metadata.FromUID("go-udf-state"))
	if !ok {
		log.Fatal("the job has no such operator")
	}
	for _, subtask := range operator.Subtasks {
		list, ok := subtask.ManagedOperator.State("go-udf-list")
		if !ok {
			continue // finished, or it stored nothing
		}
		// This state is small and lies in _metadata; for others, open the file that metadata.Locate answers.
		stream, err := statefile.Section(subtask.ManagedOperator.Stream, nil, 0)
		if err != nil {
			log.Fatal(err)
		}
		state, err := statefile.OpenOperator(stream, stream.Size(), statefile.Limits{})
		if err != nil {
			log.Fatal(err)
		}
		for entry, err := range state.ByteEntries(list) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%d: %s\n", subtask.Index, entry)
		}
	}
	// Output:
	// 0: subtask-0-entry-0-count-202
	// 0: subtask-0-entry-1-count-202
	// 0: subtask-0-entry-2-count-202
	// 1: subtask-1-entry-0-count-200
	// 1: subtask-1-entry-1-count-200
	// 1: subtask-1-entry-2-count-200
}
