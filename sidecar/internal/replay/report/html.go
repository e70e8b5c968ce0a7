package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"percent": func(n, of int64) string {
		if of == 0 {
			return "0 %"
		}
		return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
	},
	"sorted": func(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) },
	"functions": func(m map[string]*Function) []string {
		return slices.Sorted(maps.Keys(m))
	},
	"matrix": matrixOf,
	"bars":   barsOf,
	"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"text":   func(v jsontext.Value) string { return string(v) },
}).Parse(page))

// WriteHTML writes the report as one page that needs nothing from anywhere else.
func WriteHTML(w io.Writer, r *Report) error { return pageTemplate.Execute(w, r) }

// matrix is what was decided then (rows) and now (columns).
type matrix struct {
	Columns []string
	Rows    []matrixRow
}

type matrixRow struct {
	Then  string
	Cells []cell
}

type cell struct {
	Count int64
	Same  bool
	Shade int // in percent, of the largest count off the diagonal
}

func matrixOf(f *Function) matrix {
	columns := map[string]bool{}
	var most int64
	for then, row := range f.Outcomes {
		for now, n := range row {
			columns[now] = true
			if now != then {
				most = max(most, n)
			}
		}
	}
	m := matrix{Columns: slices.Sorted(maps.Keys(columns))}
	for _, then := range slices.Sorted(maps.Keys(f.Outcomes)) {
		row := matrixRow{Then: then}
		for _, now := range m.Columns {
			c := cell{Count: f.Outcomes[then][now], Same: now == then}
			if !c.Same && most > 0 {
				c.Shade = int(100 * c.Count / most)
			}
			row.Cells = append(row.Cells, c)
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// bar is one of the timeline: heights in the units of the drawing, which is 600 wide and 100 high.
type bar struct {
	X, Width              float64
	SameY, Same           float64
	DifferentY, Different float64
	Title                 string
}

func barsOf(timeline []Bucket) (bars []bar) {
	var most int64 = 1
	for _, b := range timeline {
		most = max(most, b.Same+b.Different)
	}
	width := 600 / float64(max(1, len(timeline)))
	for i, b := range timeline {
		same, different := 100*float64(b.Same)/float64(most), 100*float64(b.Different)/float64(most)
		bars = append(bars, bar{
			X: float64(i) * width, Width: width * 0.85, SameY: 100 - same, Same: same, DifferentY: 100 - same - different, Different: different,
			Title: fmt.Sprintf("%s: %d the same, %d different", b.From.UTC().Format("15:04:05"), b.Same, b.Different),
		})
	}
	return bars
}
