// Package good uses names that look like dangers and are none.
package good

import (
	"context"
	"log"
	"os"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

type process struct{}

// Exit is a method of the same name.
func (process) Exit(int) {}

// Register is as it should be.
func Register(r *udf.Registry) {
	udf.Scalar(r, "good", func(_ context.Context, in int64) (int64, error) {
		log.Print("fine")
		process{}.Exit(1)
		_, err := os.Stat("/")
		return in, err
	})
}
