// Package udf is what a Go developer imports to write a function for Flink.
//
// A package of user functions exports Register and names its functions there:
//
//	type Payment struct {
//		Account int64
//		Amount  float64
//		Country *string // a pointer may be NULL
//	}
//
//	type Risk struct {
//		Score   float64
//		Reasons []string
//	}
//
//	func Register(r *udf.Registry) {
//		udf.Scalar(r, "risk_score", riskScore, udf.Doc("risk of one payment"))
//	}
//
//	func riskScore(ctx context.Context, p Payment) (Risk, error) { ... }
//
// [Scalar] gives one value for one row, [Table] any number of rows, [Aggregate] one value for many rows. [JSON] and [Raw]
// take and return encoded bytes. The same function runs unchanged wherever Drey places it: in the TaskManager, called by
// SQL, or in the sidecar, called with JSON.
//
// # Types
//
// The Go types are read once, at registration: each exported field of the input struct is one argument, named by its
// `udf:"name"` tag or by the field's name in snake_case; any other input type is a single argument, "value". A struct as
// result is a ROW. The fields of an embedded struct are the row's own, and `udf:"-"` leaves a field out.
//
//	bool                            BOOLEAN
//	int8, int16, int32              TINYINT, SMALLINT, INT
//	int64, int                      BIGINT
//	float32, float64                FLOAT, DOUBLE
//	decimal.Decimal                 DECIMAL(38, 18), or as tagged
//	string                          STRING, or as tagged CHAR(n), VARCHAR(n)
//	[]byte                          BYTES, or as tagged BINARY(n), VARBINARY(n)
//	udf.Date                        DATE
//	udf.TimeOfDay                   TIME(3)
//	udf.Timestamp                   TIMESTAMP(9), or as tagged
//	time.Time                       TIMESTAMP_LTZ(9), or as tagged
//	udf.Months                      INTERVAL YEAR TO MONTH
//	time.Duration                   INTERVAL DAY TO SECOND(3)
//	[]T, map[K]V                    ARRAY, MAP
//	udf.Multiset[T]                 MULTISET
//	struct                          ROW
//	*T, udf.Null[T]                 the same, nullable
//
// (decimal.Decimal is that of github.com/shopspring/decimal.) What follows a comma in a tag refines the type of the field:
// `udf:"amount,DECIMAL(10, 2)"`, `udf:",VARCHAR(20)"`; [Returns] does so for a result that is no struct. A type that has
// no counterpart in Flink is an error of the registration that names the field and says what would do ([Registry.Err]).
//
// NULL never turns into zero: an argument that is neither a pointer nor a Null is NOT NULL in SQL, and the planner refuses
// a column that may be NULL, unless the function is registered with [NullOnNull]. A nil slice or map in a result is an
// empty one.
//
// What a function returns is checked and never changed: a decimal with too many digits, a string that is too long or not
// UTF-8, a time finer than its type keeps are a [*ResultError] that names the field. CHAR(n) and BINARY(n) are not padded.
// Strings come in as Flink has them, which does not check that they are UTF-8.
//
// # Calls
//
// What a function is given is its own: it may keep and change it, but for the bytes of Raw, which are Java's. Short strings
// and bytes of many calls share blocks of 4 KiB: strings.Clone what is kept for long, or it keeps its block. It must be
// safe for concurrent use. Its context has a deadline, counted from when it is first asked, and ends with the call;
// [Opened] has what its [Open] prepared. A panic is an error of the call, as is one in a goroutine that is started by
// [Go]; in one that is started by a go statement it ends the process, and in the TaskManager that is all its jobs.
//
// Package udftest runs a function as Flink would, and finds what would fail a job.
//
// # JSON
//
// In the sidecar the fields of the event are the arguments. Decimals are numbers (strings are read too), times as RFC 3339
// has them without what the type lacks, BYTES base64, intervals whole months or milliseconds, a MULTISET a list of pairs
// of an element and its count. Keys of a MAP that are not strings stand as the text of their JSON.
package udf
