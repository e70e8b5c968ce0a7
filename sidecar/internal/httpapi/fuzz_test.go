package httpapi_test

import (
	"testing"
)

// Whatever a bearer of the token sends, the answer is one of those that are documented.
func FuzzNotify(f *testing.F) {
	f.Add(`{"job":"` + job + `","checkpoint_id":6,"path":"s3://flink/6"}`)
	f.Add(`{"job":null,"checkpoint_id":1e3,"path":"\ud800"}`)
	f.Add(`{"checkpoint_id":-9223372036854775808}`)
	f.Add("{\"path\":\"\xff\"}")
	fixture := newFixture(f)
	f.Fuzz(func(t *testing.T, body string) {
		w := fixture.do("POST", "/v1/checkpoints/notify", body, "Authorization", "Bearer "+secret)
		if w.Code != 202 && w.Code != 400 && w.Code != 404 && w.Code != 413 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		fixture.log.Reset()
	})
}
