package flights

import _ "embed"

//go:embed coefficients.json
var coefficientsFile []byte

// File is coefficients.json: the model, and where it comes from.
type File struct {
	Provenance Provenance `json:"provenance"`

	// Threshold is the score from which a departure is an alert, ReviewThreshold from which it is a review.
	Threshold       float64 `json:"threshold"`
	ReviewThreshold float64 `json:"review_threshold"`
	Intercept       float64 `json:"intercept"`

	Vocabulary Vocabulary   `json:"vocabulary"`
	Terms      []TermFile   `json:"terms"`
	Baseline   BaselineFile `json:"baseline"`
}

// TermFile holds the coefficients of one term by level, in log-odds. Levels that no fitted flight had are left out and
// count 0. The coefficients of a term are 0 on average over the fitted flights.
type TermFile struct {
	Name   string             `json:"name"`
	Levels map[string]float64 `json:"levels"`
}

// BaselineFile is the plain logistic regression.
type BaselineFile struct {
	Threshold float64          `json:"threshold"`
	Intercept float64          `json:"intercept"`
	Weights   []BaselineWeight `json:"weights"`
}

// BaselineWeight multiplies (value - mean) / deviation.
type BaselineWeight struct {
	Name      string  `json:"name"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
	Weight    float64 `json:"weight"`
}

// Provenance says how the file was made and how good it is. There is no date and no random number in it: the same data
// gives the same bytes.
type Provenance struct {
	Command      string       `json:"command"`
	Data         string       `json:"data"`
	DataSHA256   string       `json:"data_sha256"`
	Label        string       `json:"label"`
	Randomness   string       `json:"randomness"`
	FittedMonths []int32      `json:"fitted_months"`
	JudgedMonths []int32      `json:"judged_months"`
	FittedRows   int          `json:"fitted_rows"`
	Selection    Selection    `json:"selection"`
	Judged       Comparison   `json:"judged"`
	ByMonth      []MonthlyAUC `json:"by_month"`
}

// Selection says how what is not a coefficient was chosen: inside the fitted months, each validation month predicted by
// a fit of the months before it.
type Selection struct {
	ValidationMonths []int32 `json:"validation_months"`
	ShrinkageRule    string  `json:"shrinkage_rule"`
	Shrinkage        float64 `json:"shrinkage"`
	RareShrinkage    float64 `json:"rare_shrinkage"`
	LogLoss          float64 `json:"log_loss"`
	AUC              float64 `json:"auc"`
	BaselineLogLoss  float64 `json:"baseline_log_loss"`
	BaselineAUC      float64 `json:"baseline_auc"`
	ThresholdRule    string  `json:"threshold_rule"`
	ReviewRule       string  `json:"review_rule"`
}

// Comparison holds the judged months: the model and the baseline, each at its own threshold, and the model at its
// threshold for a review.
type Comparison struct {
	Rows     int     `json:"rows"`
	BaseRate float64 `json:"base_rate"`
	Model    Metrics `json:"model"`
	Review   Metrics `json:"model_at_review"`
	Baseline Metrics `json:"baseline"`
}

// Metrics are of one estimator at one threshold. FlagRate is the share of departures at or above it.
type Metrics struct {
	Threshold float64 `json:"threshold"`
	FlagRate  float64 `json:"flag_rate"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	AUC       float64 `json:"auc"`
}

// MonthlyAUC is one judged month.
type MonthlyAUC struct {
	Month    int32   `json:"month"`
	Rows     int     `json:"rows"`
	BaseRate float64 `json:"base_rate"`
	Model    float64 `json:"model_auc"`
	Baseline float64 `json:"baseline_auc"`
}
