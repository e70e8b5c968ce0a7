// Package rowcodec is the row codec of Drey: how rows of SQL values cross between a JVM and Go, or between a client and the
// sidecar. ROWCODEC.md beside this file specifies it; testdata/golden has messages that every implementation must write and
// read, and others that every implementation must refuse.
//
// There are three implementations. This one works on values that nobody has Go or Java types for: tools and tests use it, and
// it is the easiest one to read. Package udf has prepared plans for Go types, and dev.drey.flink.udf.codec writers and readers
// for Flink's internal data structures; both are made for the hot path and are tested against this one.
//
// A value has the form that it has in JSON:
//
//	NULL                      nil
//	BOOLEAN                   bool
//	TINYINT .. BIGINT         int64 (also taken: int, json.Number, a whole float64)
//	FLOAT, DOUBLE             float32, float64; "NaN", "Infinity", "-Infinity" and "-0" as strings
//	DECIMAL                   a string with as many decimals as the scale: "12.50"
//	CHAR, VARCHAR             a string; Hex, {"hex": "ff"}, if it is not UTF-8
//	BINARY, VARBINARY         Hex, {"hex": "00ff"}
//	DATE                      "2026-11-23"
//	TIME                      "12:34:56.789"
//	TIMESTAMP                 "2026-11-23T12:34:56.123456789"
//	TIMESTAMP_LTZ             "2026-11-23T12:34:56.123456789Z"
//	INTERVAL YEAR TO MONTH    months, like an INT
//	INTERVAL DAY TO SECOND    milliseconds, like a BIGINT
//	ARRAY, ROW                []any
//	MAP, MULTISET             []any of [key, value]; the value of a MULTISET is how often the key is in it
package rowcodec
