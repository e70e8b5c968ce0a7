package flights

import (
	"context"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

var update = flag.Bool("update", false, "write what the golden events score now")

// golden is an event as a job sends it, and its answer. The events are records of the judged months, and one that
// nobody knows anything about.
type golden struct {
	Name  string         `json:"name"`
	Event jsontext.Value `json:"event"`
	Want  Out            `json:"want"`
}

func TestGoldenEvents(t *testing.T) {
	path := filepath.Join("testdata", "golden.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	function := registered(t)
	seen := map[string]bool{}
	for i := range cases {
		c := &cases[i]
		t.Run(c.Name, func(t *testing.T) {
			answer, err := function.CallJSON(context.Background(), c.Event)
			if err != nil {
				t.Fatal(err)
			}
			var got Out
			if err := json.Unmarshal(answer, &got); err != nil {
				t.Fatalf("%s: %v", answer, err)
			}
			seen[got.Decision] = true
			got.Score = math.Round(got.Score*1e4) / 1e4
			if *update {
				c.Want = got
				return
			}
			if diff := cmp.Diff(c.Want, got); diff != "" {
				t.Errorf("answer (-want +got), if coefficients.json was made again run this test with -update:\n%s", diff)
			}
		})
	}
	if len(seen) != 3 {
		t.Errorf("the golden events reach the decisions %v only", seen)
	}
	if *update {
		text, err := json.Marshal(cases, jsontext.Multiline(true))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func registered(t testing.TB) *udf.Function {
	t.Helper()
	r := udf.NewRegistry()
	Register(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	f, ok := r.Lookup("flights")
	if !ok {
		t.Fatal("flights is not registered")
	}
	return f
}

// TestNames holds the names in the data file and those of the arguments together: a job sends a line as it is.
func TestNames(t *testing.T) {
	var inFile []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[In]()) {
		inFile = append(inFile, f.Tag.Get("json"))
	}
	var arguments []string
	for _, a := range registered(t).Describe().Arguments {
		arguments = append(arguments, a.Name)
		if pointer := strings.HasPrefix(typeOf(t, a.Name), "*"); pointer != a.Nullable {
			t.Errorf("argument %s: nullable is %v", a.Name, a.Nullable)
		}
	}
	if diff := cmp.Diff(inFile, arguments); diff != "" {
		t.Errorf("names (-file +arguments):\n%s", diff)
	}
	for _, after := range []string{"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} {
		if strings.Contains(" "+strings.Join(arguments, " ")+" ", " "+after+" ") {
			t.Errorf("%s is an input, but not known at the scheduled departure", after)
		}
	}
}

func typeOf(t *testing.T, name string) string {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[In]()) {
		if f.Tag.Get("json") == name {
			return f.Type.String()
		}
	}
	t.Fatalf("no field %s", name)
	return ""
}

// evening is a valid departure in fair weather.
func evening() In {
	return In{
		ScheduledDeparture: 1_373_064_300_000, SchedMinute: 20*60 + 45, Month: 7, Weekday: 5,
		Carrier: "EV", Origin: "EWR", Dest: "ATL", Distance: 746,
		Tailnum: new("N12345"), PlaneAge: new(11.0), Seats: new(int64(55)),
		Temp: new(88.0), Dewp: new(60.0), Humid: new(40.0), WindDir: new(200.0), WindSpeed: new(9.0),
		Precip: new(0.0), Pressure: new(1016.0), Visib: new(10.0),
	}
}

func TestStormRaisesTheScore(t *testing.T) {
	fair, storm := evening(), evening()
	fair.SchedMinute, storm.SchedMinute = 11*60+45, 11*60+45 // at noon, when the time of day is no reason
	storm.Precip, storm.Visib, storm.Dewp, storm.Pressure = new(0.30), new(1.2), new(72.0), new(1003.0)
	before, err := Model().Score(&fair)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Model().Score(&storm)
	if err != nil {
		t.Fatal(err)
	}
	if after.Score <= before.Score || after.Decision == Pass {
		t.Errorf("fair %.3f %s, storm %.3f %s", before.Score, before.Decision, after.Score, after.Decision)
	}
	if !strings.Contains(strings.Join(after.Reasons, "; "), "rain 0.30 in, visibility 1.2 mi: +") {
		t.Errorf("the storm is no reason: %q", after.Reasons)
	}
	if BaselineScore(storm) <= BaselineScore(fair) {
		t.Error("the baseline does not see the storm")
	}
}

// TestReasonsAddUp: the topics and the intercept are the whole score, and reasons point the way of the decision.
func TestReasonsAddUp(t *testing.T) {
	for hour := range int32(24) {
		in := evening()
		in.SchedMinute = hour*60 + 30
		var parts [numTopics]float64
		logOdds := Model().sum(&in, &parts)
		sum := Model().intercept
		for _, p := range parts {
			sum += p
		}
		if math.Abs(sum-logOdds) > 1e-9 {
			t.Fatalf("hour %d: topics add up to %v, want %v", hour, sum, logOdds)
		}
		out, err := Model().Score(&in)
		if err != nil {
			t.Fatal(err)
		}
		sign := ": +"
		if out.Decision == Pass {
			sign = ": -"
		}
		if len(out.Reasons) > maxReasons {
			t.Errorf("%d reasons", len(out.Reasons))
		}
		for _, r := range out.Reasons {
			if !strings.Contains(r, sign) {
				t.Errorf("decision %s for the reason %q", out.Decision, r)
			}
		}
	}
}

func TestUnknownIsAverage(t *testing.T) {
	in := evening()
	in.Carrier, in.Dest = "ZZ", "QQQ"
	in.Tailnum, in.PlaneAge, in.Seats = nil, nil, nil
	var parts [numTopics]float64
	Model().sum(&in, &parts)
	// Not exactly: a few flights of carriers too rare for a level of their own were fitted.
	if math.Abs(parts[topicCarrier]) > 0.2 || math.Abs(parts[topicRoute]) > 0.2 {
		t.Errorf("unknown codes contribute %v", parts)
	}
	outlier, none := evening(), evening()
	outlier.WindSpeed, none.WindSpeed = new(1048.0), nil
	if Model().Probability(&outlier) != Model().Probability(&none) {
		t.Error("a wind of 1048 mph is not unknown")
	}
}

func TestRefusesWhatIsNoDeparture(t *testing.T) {
	for field, spoil := range map[string]func(*In){
		"sched_minute -1":   func(in *In) { in.SchedMinute = -1 },
		"sched_minute 1440": func(in *In) { in.SchedMinute = 1440 },
		"month 0":           func(in *In) { in.Month = 0 },
		"month 13":          func(in *In) { in.Month = 13 },
		"weekday 0":         func(in *In) { in.Weekday = 0 },
		"weekday 8":         func(in *In) { in.Weekday = 8 },
		"distance -1":       func(in *In) { in.Distance = -1 },
		"distance NaN":      func(in *In) { in.Distance = math.NaN() },
	} {
		in := evening()
		spoil(&in)
		if _, err := Model().Score(&in); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	in := evening()
	want, err := Model().Score(&in)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got, err := Model().Score(&in); err != nil || !cmp.Equal(want, got) {
					t.Errorf("got %v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzScore(f *testing.F) {
	f.Add(int32(1245), int32(7), int32(5), "EV", "EWR", "ATL", 746.0, 200.0, 9.0, 0.3, 1.2, int64(55))
	f.Add(int32(0), int32(1), int32(1), "", "", "", 0.0, -1.0, math.Inf(1), math.NaN(), math.Inf(-1), int64(math.MinInt64))
	f.Add(int32(-1), int32(0), int32(9), "ZZ", "JFK", "\xff", math.NaN(), 361.0, 1048.0, -1.0, 10.0, int64(math.MaxInt64))
	f.Add(int32(1245), int32(7), int32(5), "EV", "EWR", "ATL", 1e300, 1e300, 199.0, 1e300, 1e300, int64(-1))
	f.Fuzz(func(t *testing.T, minute, month, weekday int32, carrier, origin, dest string, distance, dir, speed, precip, visib float64, seats int64) {
		in := evening()
		in.SchedMinute, in.Month, in.Weekday = minute, month, weekday
		in.Carrier, in.Origin, in.Dest, in.Distance = carrier, origin, dest, distance
		in.WindDir, in.WindSpeed, in.Precip, in.Visib, in.Seats = &dir, &speed, &precip, &visib, &seats
		out, err := Model().Score(&in)
		if err != nil {
			return
		}
		if !(out.Score > 0 && out.Score < 1) {
			t.Errorf("score %v", out.Score)
		}
		for _, r := range out.Reasons {
			if len(r) > 120 {
				t.Errorf("reason of %d bytes: %q", len(r), r)
			}
		}
	})
}

func BenchmarkScore(b *testing.B) {
	in := evening()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Model().Score(&in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallJSON(b *testing.B) {
	in := evening()
	event, err := json.Marshal(&in)
	if err != nil {
		b.Fatal(err)
	}
	function := registered(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := function.CallJSON(context.Background(), event); err != nil {
			b.Fatal(err)
		}
	}
}
