// Package fraud decides about card transactions: the function behind the job that every Flink user knows from the
// fraud-detection walkthrough, and the one to copy when you write your own.
//
// The function is pure. What must be remembered between two events of an account (the amount just before, the devices
// and regions it was seen on) lives in Flink's keyed state and comes with the event; so the function gives the same
// answer when Flink sends the event again after a restore.
package fraud

import (
	"context"
	"fmt"
	"math"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Transaction is one payment and what Flink remembers of its account. Amounts are in the account's currency, times in
// milliseconds since 1970. What is nil is unknown and neither raises nor lowers the score.
type Transaction struct {
	AccountID int64   `udf:"accountId"`
	Timestamp int64   `udf:"timestamp"`
	Amount    float64 `udf:"amount"`

	Device *string `udf:"device"`
	IP     *string `udf:"ip"`
	Region *string `udf:"region"`

	// PreviousAmount and PreviousTimestamp are of the account's transaction just before this one.
	PreviousAmount    *float64 `udf:"previousAmount"`
	PreviousTimestamp *int64   `udf:"previousTimestamp"`
	// NewDevice and NewRegion say that the account was never seen there before.
	NewDevice *bool `udf:"newDevice"`
	NewRegion *bool `udf:"newRegion"`
	// AccountsOnDevice counts the accounts that used this device so far, this one included.
	AccountsOnDevice *int64 `udf:"accountsOnDevice"`
}

// Verdict is the answer. Score is the estimated probability of fraud; Reasons name what raised it, strongest rule first.
type Verdict struct {
	Score    float64
	Decision string
	Reasons  []string
}

// The decisions: let it pass, have a person look at it, stop it.
const (
	Pass   = "pass"
	Review = "review"
	Alert  = "alert"
)

// Register adds the function to a registry.
func Register(r *udf.Registry) {
	udf.Scalar(r, "fraud", score,
		udf.Doc("risk that a card transaction is fraud, from its amount, the amount just before, device and region"),
		udf.Deterministic(true))
}

func score(_ context.Context, t Transaction) (Verdict, error) {
	if err := t.validate(); err != nil {
		return Verdict{}, err
	}
	logOdds, reasons := weigh(&t)
	v := Verdict{Score: 1 / (1 + math.Exp(-logOdds)), Decision: Pass, Reasons: reasons}
	switch {
	case v.Score >= alertFrom:
		v.Decision = Alert
	case v.Score >= reviewFrom:
		v.Decision = Review
	}
	return v, nil
}

// validate refuses what cannot be a transaction. The same record gives the same error each time: a retry is useless,
// and the job's on-error choice decides what becomes of the record.
func (t *Transaction) validate() error {
	switch {
	case t.Timestamp < 0:
		return fmt.Errorf("timestamp %d is negative; send milliseconds since 1970", t.Timestamp)
	case !isAmount(t.Amount):
		return fmt.Errorf("amount %v is not an amount of money; send a finite number that is not negative", t.Amount)
	case t.PreviousAmount != nil && !isAmount(*t.PreviousAmount):
		return fmt.Errorf("previousAmount %v is not an amount of money; send a finite number that is not negative, or null", *t.PreviousAmount)
	case t.PreviousTimestamp != nil && *t.PreviousTimestamp < 0:
		return fmt.Errorf("previousTimestamp %d is negative; send milliseconds since 1970, or null", *t.PreviousTimestamp)
	case t.AccountsOnDevice != nil && *t.AccountsOnDevice < 0:
		return fmt.Errorf("accountsOnDevice %d is negative; send a count, or null", *t.AccountsOnDevice)
	}
	return nil
}

// isAmount is false for NaN too: a function linked into another Go program may get what JSON cannot carry.
func isAmount(a float64) bool { return a >= 0 && !math.IsInf(a, 1) }
