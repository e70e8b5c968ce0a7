package fraud

import (
	"math"
	"strconv"
	"time"
)

// The score is a sum of log-odds: each signal says how many times likelier fraud becomes (e to the weight), and a
// person can add them up again by hand. They are set by judgement, not fitted: fraud labels are rare, and a rule that
// must explain itself to a customer has to stay readable.
const (
	prior = -4.6 // one transaction in a hundred

	// The walkthrough's rule: an amount below 1.00 that tests a stolen card, then more than 500.00 within a minute.
	// Alone it must reach alertFrom.
	smallThenLarge = 6.5
	smallBelow     = 1.00
	largeAbove     = 500.00
	quick          = int64(time.Minute / time.Millisecond)

	// The same pair, slower, is worth a look: honest customers make it too.
	smallThenLargeSlow = 3.5
	slow               = int64(time.Hour / time.Millisecond)

	newDevice = 1.8 // a new phone: frequent and honest
	newRegion = 1.8 // a journey: frequent and honest
	newBoth   = 1.2 // both at once is more than their sum: people travel with the phone they have

	// Families and offices share a device; beyond a few accounts each doubling adds 2.2 * ln 2 = 1.5.
	shared     = 3
	perSharing = 2.2
	sharingMax = 6.0

	// What is at stake, by the order of magnitude.
	amountFrom = 100.0
	perAmount  = 0.9
	amountMax  = 3.0

	reviewFrom = 0.25
	alertFrom  = 0.75
)

// weigh adds up the signals of a valid transaction and says in words what each one saw.
func weigh(t *Transaction) (logOdds float64, reasons []string) {
	logOdds = prior
	add := func(weight float64, reason string) {
		logOdds += weight
		reasons = append(reasons, reason)
	}

	if t.PreviousAmount != nil && t.PreviousTimestamp != nil && *t.PreviousAmount < smallBelow && t.Amount > largeAbove {
		// Out of order (a negative gap) is no pair: the small amount did not come first.
		switch gap := t.Timestamp - *t.PreviousTimestamp; {
		case gap < 0:
		case gap <= quick:
			add(smallThenLarge, pair(*t.PreviousAmount, t.Amount)+" within "+strconv.FormatInt(gap/1000, 10)+" s")
		case gap <= slow:
			add(smallThenLargeSlow, pair(*t.PreviousAmount, t.Amount)+" after "+strconv.FormatInt(gap/60_000, 10)+" min")
		}
	}

	device, region := isTrue(t.NewDevice), isTrue(t.NewRegion)
	switch {
	case device && region:
		add(newDevice+newRegion+newBoth, "new device in a new region"+named(t.Region))
	case device:
		add(newDevice, "new device")
	case region:
		add(newRegion, "new region"+named(t.Region))
	}

	if n := t.AccountsOnDevice; n != nil && *n > shared {
		weight := min(perSharing*math.Log(float64(*n)/shared), sharingMax)
		add(weight, strconv.FormatInt(*n, 10)+" accounts on this device")
	}

	if t.Amount > amountFrom {
		weight := min(perAmount*math.Log(t.Amount/amountFrom), amountMax)
		logOdds += weight
		if t.Amount > largeAbove { // below that it only tips the scales
			reasons = append(reasons, "large amount "+money(t.Amount))
		}
	}
	return logOdds, reasons
}

func pair(small, large float64) string {
	return "small amount " + money(small) + " followed by " + money(large)
}

func money(amount float64) string {
	if amount >= 1e15 { // cents are lost anyway, and hundreds of digits help nobody
		return strconv.FormatFloat(amount, 'g', 4, 64)
	}
	return strconv.FormatFloat(amount, 'f', 2, 64)
}

func isTrue(b *bool) bool { return b != nil && *b }

func named(s *string) string {
	if s == nil || *s == "" {
		return ""
	}
	return " " + *s
}
