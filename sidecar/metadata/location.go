package metadata

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// ErrLocation: a path that a checkpoint names, or that it was asked for by, is not one to follow.
var ErrLocation = errors.New("refused path")

// Location is where a file lies, in the way Flink writes paths (org.apache.flink.core.fs.Path): s3://bucket/key, s3a:// and
// s3p:// likewise, file:/x or file:///x, or a plain absolute path. Flink does not percent-encode; a % is a %.
//
// Paths in a checkpoint are data from outside: a path with "..", "." or empty elements or with a NUL byte is refused, and a
// relative handle must stay below the directory of _metadata. Which buckets and prefixes may be read at all is for the caller
// to decide, on Scheme, Authority and Path.
type Location struct {
	// Scheme is in lower case, "" for a plain path.
	Scheme string
	// Authority is the bucket for the schemes of S3, and a host, mostly none, for others.
	Authority string
	// Path begins with a slash. For the schemes of S3 the key is what follows it.
	Path string
}

// ParseLocation reads a path as Flink writes it. Schemes are not judged.
func ParseLocation(text string) (Location, error) {
	refuse := func(why string) (Location, error) {
		return Location{}, fmt.Errorf("%w %q: %s", ErrLocation, text, why)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return refuse("it holds a NUL byte")
	}
	var location Location
	rest := text
	if colon := strings.IndexByte(text, ':'); colon >= 0 && !strings.Contains(text[:colon], "/") {
		if !isScheme(text[:colon]) {
			return refuse("what stands before the first colon is not a scheme")
		}
		location.Scheme, rest = strings.ToLower(text[:colon]), text[colon+1:]
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		slash := strings.IndexByte(after, '/')
		if slash < 0 {
			slash = len(after)
		}
		location.Authority, rest = after[:slash], after[slash:]
		if location.Scheme == "" && location.Authority != "" {
			return refuse("it names a host but no scheme")
		}
	}
	switch {
	case !strings.HasPrefix(rest, "/"):
		return refuse("it is not absolute")
	case location.IsS3() && location.Authority == "":
		return refuse("it names no bucket")
	case !isClean(rest[1:]):
		return refuse("it holds .., . or an empty element")
	}
	location.Path = rest
	return location, nil
}

// isScheme follows RFC 3986, section 3.1.
func isScheme(text string) bool {
	for i := range len(text) {
		b := text[i] | 0x20
		if b >= 'a' && b <= 'z' {
			continue
		}
		if b = text[i]; i == 0 || (b < '0' || b > '9') && b != '+' && b != '-' && b != '.' {
			return false
		}
	}
	return text != ""
}

// isClean: no element of the path would change its meaning when it is joined to another or looked up by a file system.
func isClean(text string) bool { return text != "" && path.Clean("/" + text)[1:] == text }

// IsS3 is true for s3, s3a and s3p, which name the same object through different plugins of Flink.
func (l Location) IsS3() bool { return l.Scheme == "s3" || l.Scheme == "s3a" || l.Scheme == "s3p" }

// IsLocal is true for plain paths and for file: without a host.
func (l Location) IsLocal() bool {
	return (l.Scheme == "" || l.Scheme == "file") && l.Authority == ""
}

// String is the form that Flink prints: one slash after file:, two for what has an authority.
func (l Location) String() string {
	switch {
	case l.Scheme == "":
		return l.Path
	case l.Authority == "":
		return l.Scheme + ":" + l.Path
	}
	return l.Scheme + "://" + l.Authority + l.Path
}

// Same is true if both name one file: the schemes of S3 are one, as are file: and a plain path.
func (l Location) Same(other Location) bool { return l.canonical() == other.canonical() }

func (l Location) canonical() Location {
	switch {
	case l.IsS3():
		l.Scheme = "s3"
	case l.IsLocal():
		l.Scheme = ""
	}
	return l
}

// Dir is the directory that the file lies in. The directory of s3://bucket/_metadata has the path "/".
func (l Location) Dir() Location {
	l.Path = path.Dir(l.Path)
	return l
}

// Resolve finds a relative handle's path below the directory l. Flink 2.3.0 and before sometimes mean another directory than
// that of _metadata: see RelativeHandle.
func (l Location) Resolve(relative string) (Location, error) {
	switch {
	case strings.IndexByte(relative, 0) >= 0:
		return Location{}, fmt.Errorf("%w %q: it holds a NUL byte", ErrLocation, relative)
	case strings.HasPrefix(relative, "/"), strings.HasPrefix(relative, `\`):
		return Location{}, fmt.Errorf("%w %q: it ought to be relative", ErrLocation, relative)
	case strings.Contains(relative, ":"):
		// Flink's Path would read a scheme into it.
		return Location{}, fmt.Errorf("%w %q: a relative path holds no colon", ErrLocation, relative)
	case !isClean(relative):
		return Location{}, fmt.Errorf("%w %q: it holds .., . or an empty element", ErrLocation, relative)
	}
	if l.Path == "/" || l.Path == "" {
		l.Path = "/" + relative
	} else {
		l.Path += "/" + relative
	}
	return l, nil
}
