//go:build amd64 || arm64

package fastjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bytedance/sonic"

	"github.com/drey-flink/drey/udf-bridge/fastjson"
)

// order is what scripts/bench sends through SQL.
type order struct {
	ID     string  `json:"id"`
	Amount float64 `json:"amount"`
	Items  []item  `json:"items"`
	Note   string  `json:"note"`
}

type item struct {
	SKU      string  `json:"sku"`
	Price    float64 `json:"price"`
	Quantity int64   `json:"quantity"`
}

type scored struct {
	ID    string  `json:"id"`
	Score float64 `json:"score"`
	Items int64   `json:"items"`
}

// orderOf is an order of about that many bytes.
func orderOf(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"id":"o-1","amount":99.5,"note":"grüße","items":[{"sku":"a","price":1.5,"quantity":2}`)
	for i := 0; b.Len() < size-50; i++ {
		fmt.Fprintf(&b, `,{"sku":"sku-%d","price":%d.25,"quantity":%d}`, i, i%100, i%9)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

func decideOrder(o order) scored {
	return scored{ID: o.ID, Score: o.Amount / (o.Amount + 1), Items: int64(len(o.Items))}
}

// BenchmarkScore decodes an order and encodes what is thought of it.
func BenchmarkScore(b *testing.B) {
	decoder := fastjson.NewDecoder[order]()
	for _, size := range []int{100, 1000, 10_000} {
		text := orderOf(size)
		for _, engine := range []struct {
			name string
			call func() ([]byte, error)
		}{
			{"fastjson", func() ([]byte, error) {
				o, err := decoder.Decode(text)
				if err != nil {
					return nil, err
				}
				return fastjson.Append(nil, decideOrder(o))
			}},
			{"sonic", func() ([]byte, error) {
				var o order
				if err := sonic.ConfigStd.Unmarshal(text, &o); err != nil {
					return nil, err
				}
				return sonic.ConfigStd.Marshal(decideOrder(o))
			}},
			{"encoding-json", func() ([]byte, error) {
				var o order
				if err := json.Unmarshal(text, &o); err != nil {
					return nil, err
				}
				return json.Marshal(decideOrder(o))
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d", engine.name, len(text)), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := engine.call(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
