package cli

import "testing"

func TestStateName(t *testing.T) {
	for name, want := range map[string]string{
		"count": "count",
		"payments\x003600000/3600000/1764000000000": "payments of 2025-11-24T16:00:00Z to 2025-11-24T17:00:00Z",
		"a\x00b":       `"a\x00b"`,
		"\x1b[31mred":  `"\x1b[31mred"`,
		"w\x00x/y/z":   `"w\x00x/y/z"`,
		"größe, in mm": "größe, in mm",
	} {
		if got := stateName(name); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
}
