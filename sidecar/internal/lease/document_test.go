package lease

import (
	"encoding/json"
	"testing"
	"time"
)

func FuzzDocument(f *testing.F) {
	good, err := json.Marshal(document{Version: 1, Owner: "a/1", Fence: 7, TTL: 15_000, Holder: "H", Nonce: "N"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, text := range []string{
		`{"version":1,"fence":0,"holder":"H","nonce":"N"}`, `{"version":1,"fence":18446744073709551615,"holder":"H","nonce":"N"}`,
		`{"version":1,"fence":1,"ttl_ms":9223372036854775807,"holder":"H","nonce":"N"}`, `{"version":1,"fence":1,"ttl_ms":-1,"holder":"H","nonce":"N"}`,
		`{"version":2}`, `null`, `[]`, ``, `{"version":1,"fence":1,"ttl_ms":1,"holder":"H","nonce":"N","more":{}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := parse(text)
		if err != nil {
			return
		}
		if d.ttl() < 0 || d.ttl() > 24*time.Hour || d.Fence+1 <= d.Fence || d.Fence == 0 || d.Holder == "" {
			t.Errorf("%q passes as %+v", text, d)
		}
	})
}
