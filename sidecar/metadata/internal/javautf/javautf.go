// Package javautf decodes the strings of Java's DataOutput.writeUTF.
package javautf

import "unicode/utf16"

// Decode decodes modified UTF-8: NUL in two bytes, characters above U+FFFF as two surrogates of three bytes each
// (java.io.DataInput, "Modified UTF-8"). A lone surrogate, which Java allows and Go's strings do not, becomes U+FFFD. It is
// false for bytes that Java would refuse.
func Decode(data []byte) (string, bool) {
	units := make([]uint16, 0, len(data))
	for i := 0; i < len(data); {
		switch b := data[i]; {
		case b < 0x80: // A plain NUL is never written, but Java reads it.
			units = append(units, uint16(b))
			i++
		case b>>5 == 0b110:
			if i+1 >= len(data) || data[i+1]>>6 != 0b10 {
				return "", false
			}
			units = append(units, uint16(b&0x1f)<<6|uint16(data[i+1]&0x3f))
			i += 2
		case b>>4 == 0b1110:
			if i+2 >= len(data) || data[i+1]>>6 != 0b10 || data[i+2]>>6 != 0b10 {
				return "", false
			}
			units = append(units, uint16(b&0x0f)<<12|uint16(data[i+1]&0x3f)<<6|uint16(data[i+2]&0x3f))
			i += 3
		default:
			return "", false
		}
	}
	return string(utf16.Decode(units)), true
}
