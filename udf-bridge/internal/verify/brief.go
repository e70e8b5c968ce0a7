package verify

import (
	"encoding/json"
	"strings"
)

// maxBrief is how many characters of a value a case's name shows.
const maxBrief = 40

// brief is the beginning of a value as JSON. Of a large value only the beginning is looked at.
func brief(value any) string {
	var b strings.Builder
	writeBrief(&b, value)
	if runes := []rune(b.String()); len(runes) > maxBrief {
		return string(runes[:maxBrief]) + "..."
	}
	return b.String()
}

func writeBrief(b *strings.Builder, value any) {
	switch v := value.(type) {
	case []any:
		b.WriteByte('[')
		for i, element := range v {
			if b.Len() > maxBrief {
				break
			}
			if i > 0 {
				b.WriteByte(',')
			}
			writeBrief(b, element)
		}
		b.WriteByte(']')
	case string:
		if len(v) > 4*maxBrief { // of UTF-8
			v = v[:4*maxBrief]
		}
		quoted, _ := json.Marshal(v) // of a string it cannot fail
		b.Write(quoted)
	case map[string]any:
		digits, _ := v["hex"].(string)
		b.WriteString("0x" + digits[:min(len(digits), maxBrief)])
	default:
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte("?")
		}
		b.Write(text)
	}
}

// weight is about how many bytes a value is.
func weight(value any) int {
	switch v := value.(type) {
	case []any:
		n := 8
		for _, element := range v {
			n += weight(element)
		}
		return n
	case string:
		return len(v)
	case map[string]any:
		digits, _ := v["hex"].(string)
		return len(digits) / 2
	default:
		return 8
	}
}
