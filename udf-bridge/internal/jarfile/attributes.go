package jarfile

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Attribute is one of the main attributes of a jar's manifest.
type Attribute struct{ Name, Value string }

// maxLine is how many bytes a line of a manifest may have, without its end.
const maxLine = 72

// Attributes writes META-INF/MANIFEST.MF with these main attributes, in order, after Manifest-Version. Long lines are
// continued as the JAR file specification says, but never within a character, so that people can read them too.
func Attributes(attributes ...Attribute) []byte {
	var b bytes.Buffer
	b.WriteString("Manifest-Version: 1.0\r\n")
	for _, a := range attributes {
		line := a.Name + ": " + strings.NewReplacer("\r", " ", "\n", " ").Replace(a.Value)
		for len(line) > maxLine {
			n := maxLine
			for !utf8.RuneStart(line[n]) {
				n--
			}
			b.WriteString(line[:n] + "\r\n")
			line = " " + line[n:]
		}
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}
