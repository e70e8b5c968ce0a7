package manifest

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Libraries writes libraries.properties: the same as Manifest.Libraries and ABI, for a reader without JSON.
func Libraries(m Manifest) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "abi=%s\n", m.ABI)
	for _, platform := range slices.Sorted(maps.Keys(m.Libraries)) {
		l := m.Libraries[platform]
		fmt.Fprintf(&b, "%s.library=%s\n%[1]s.library.sha256=%[3]s\n", platform, l.Library, l.LibrarySHA256)
		fmt.Fprintf(&b, "%s.shim=%s\n%[1]s.shim.sha256=%[3]s\n", platform, l.Shim, l.ShimSHA256)
	}
	return b.Bytes()
}

// ParseLibraries reads libraries.properties back.
func ParseLibraries(data []byte) (abi string, libraries map[string]Library, err error) {
	libraries = map[string]Library{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return "", nil, fmt.Errorf("libraries.properties: %q, want key=value", line)
		}
		if key == "abi" {
			abi = value
			continue
		}
		platform, what, _ := strings.Cut(key, ".")
		l := libraries[platform]
		switch what {
		case "library":
			l.Library = value
		case "library.sha256":
			l.LibrarySHA256 = value
		case "shim":
			l.Shim = value
		case "shim.sha256":
			l.ShimSHA256 = value
		default:
			return "", nil, fmt.Errorf("libraries.properties: unknown key %q", key)
		}
		libraries[platform] = l
	}
	return abi, libraries, lines.Err()
}
