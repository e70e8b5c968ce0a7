package evaluate

import (
	"errors"
	"fmt"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/admission"
	"github.com/drey-flink/drey/sidecar/internal/idempotency"
	"github.com/drey-flink/drey/udf-bridge/invoke"
)

// Config is how functions are called.
type Config struct {
	DefaultFunction   string                   `yaml:"default_function" doc:"the function of a request that names none"`
	Deadline          time.Duration            `yaml:"deadline" doc:"the longest one call of a function may take"`
	FunctionDeadlines map[string]time.Duration `yaml:"function_deadlines" doc:"deadlines of single functions, by name"`
	Batch             Batch                    `yaml:"batch"`
	Admission         admission.Config         `yaml:"admission"`
	Idempotency       idempotency.Config       `yaml:"idempotency"`
	Quarantine        invoke.Quarantine        `yaml:"quarantine"`
}

// Batch bounds a batch request.
type Batch struct {
	MaxItems    int `yaml:"max_items" doc:"items of one batch request; more are refused with 413"`
	Parallelism int `yaml:"parallelism" doc:"items of one batch that run at once"`
}

// DefaultConfig is safe for a sidecar of two cores.
func DefaultConfig() Config {
	return Config{
		DefaultFunction: "fraud",
		Deadline:        time.Second,
		Batch:           Batch{MaxItems: 500, Parallelism: 8},
		Admission:       admission.DefaultConfig(),
		Idempotency:     idempotency.DefaultConfig(),
		Quarantine:      invoke.DefaultQuarantine(),
	}
}

// Validate returns everything that cannot work, joined.
func (c Config) Validate() error {
	var errs []error
	add := func(bad bool, format string, a ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	add(c.Deadline <= 0, "deadline: %s, must be positive", c.Deadline)
	for name, d := range c.FunctionDeadlines {
		add(d <= 0, "function_deadlines.%s: %s, must be positive", name, d)
	}
	add(c.Batch.MaxItems < 1, "batch.max_items: %d, must be at least 1", c.Batch.MaxItems)
	add(c.Batch.Parallelism < 1, "batch.parallelism: %d, must be at least 1", c.Batch.Parallelism)
	add(c.Quarantine.After < 0, "quarantine.after: %d, must not be negative", c.Quarantine.After)
	add(c.Quarantine.After > 0 && c.Quarantine.Cooldown <= 0, "quarantine.cooldown: %s, must be positive", c.Quarantine.Cooldown)
	if err := c.Admission.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("admission.%w", err))
	}
	if err := c.Idempotency.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("idempotency.%w", err))
	}
	return errors.Join(errs...)
}
