package javautf

import "testing"

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want string
		ok   bool
	}{
		"ascii":              {"go-async", "go-async", true},
		"empty":              {"", "", true},
		"plain NUL":          {"a\x00b", "a\x00b", true},
		"NUL in two bytes":   {"a\xc0\x80b", "a\x00b", true},
		"two bytes":          {"z\xc3\xa4hler", "zähler", true},
		"three bytes":        {"\xe2\x82\xac", "€", true},
		"a surrogate pair":   {"\xed\xa0\xbd\xed\xb8\x80", "😀", true},
		"a lone surrogate":   {"a\xed\xa0\xbdb", "a\ufffdb", true},
		"four bytes":         {"\xf0\x9f\x98\x80", "", false},
		"a lone follower":    {"\x80", "", false},
		"cut in two":         {"\xc3", "", false},
		"cut in three":       {"\xe2\x82", "", false},
		"no follower":        {"\xc3(", "", false},
		"no second in three": {"\xe2\x82(", "", false},
	} {
		got, ok := Decode([]byte(test.data))
		if got != test.want || ok != test.ok {
			t.Errorf("%s: Decode(%q) = %q, %v; want %q, %v", name, test.data, got, ok, test.want, test.ok)
		}
	}
}
