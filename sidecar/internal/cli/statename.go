package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// stateName is the name of a value for people: that of a window's counter, as package state makes them, has its times in it, and others may
// have what a terminal should not be given.
func stateName(name string) string {
	counter, window, ok := strings.Cut(name, "\x00")
	if parts := strings.Split(window, "/"); ok && len(parts) == 3 {
		size, sizeErr := strconv.ParseInt(parts[0], 10, 64)
		start, startErr := strconv.ParseInt(parts[2], 10, 64)
		if sizeErr == nil && startErr == nil {
			from := time.UnixMilli(start).UTC()
			return fmt.Sprintf("%s of %s to %s", printable(counter), from.Format(time.RFC3339Nano), time.UnixMilli(start+size).UTC().Format(time.RFC3339Nano))
		}
	}
	return printable(name)
}

// printable is a text, quoted if a terminal would not show what it is.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
