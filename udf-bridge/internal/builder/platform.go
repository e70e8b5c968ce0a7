package builder

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platform is an operating system and an architecture as Go names them, with the C compiler for it.
type platform struct {
	os, arch string
	cc       []string // command and its first arguments
}

// String is the platform as the jar names it.
func (p platform) String() string { return p.os + "-" + p.arch }

// gnuCompilers are the names that distributions give the cross compilers, by architecture.
var gnuCompilers = map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}

// zigTargets are zig's names for the same.
var zigTargets = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

// platforms are the wanted ones, or the one of this machine. TaskManagers run on Linux, and so must the library.
func platforms(wanted []string, env environment, look func(string) (string, error)) ([]platform, error) {
	if len(wanted) == 0 {
		if env.GOOS != "linux" {
			return nil, fmt.Errorf("this machine builds for %s, and libgo_udf.so is for linux/amd64 or linux/arm64; build in a Linux container, or with a cross compiler: --platform linux/amd64 (zig on the PATH will do)", env.GOOS)
		}
		wanted = []string{env.GOOS + "/" + env.GOARCH}
	}
	var all []platform
	var problems []error
	for _, w := range wanted {
		goos, arch, ok := strings.Cut(w, "/")
		if _, known := gnuCompilers[arch]; !ok || goos != "linux" || !known {
			return nil, fmt.Errorf("--platform %s: want linux/amd64, linux/arm64, or both with a comma between them", w)
		}
		p := platform{os: goos, arch: arch}
		if slices.ContainsFunc(all, func(q platform) bool { return q.String() == p.String() }) {
			continue
		}
		var err error
		if p.cc, err = compiler(p, env, look); err != nil {
			problems = append(problems, err)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b platform) int { return strings.Compare(a.String(), b.String()) })
	return all, errors.Join(problems...)
}

// compiler finds the C compiler of a platform: of this machine's own the one that Go uses, of another the variable
// CC_linux_arm64, a cross compiler of the distribution, or zig.
func compiler(p platform, env environment, look func(string) (string, error)) ([]string, error) {
	own := p.os == env.GOOS && p.arch == env.GOARCH
	variable := "CC_" + p.os + "_" + p.arch
	var tried [][]string
	if cc := strings.Fields(os.Getenv(variable)); len(cc) > 0 {
		tried = append(tried, cc)
	}
	if own {
		tried = append(tried, strings.Fields(env.CC), []string{"cc"})
	}
	tried = append(tried, []string{gnuCompilers[p.arch]}, []string{"zig", "cc", "-target", zigTargets[p.arch]})
	for _, cc := range tried {
		if len(cc) == 0 {
			continue
		}
		if _, err := look(cc[0]); err == nil {
			return cc, nil
		}
	}
	if own {
		return nil, errors.New("no C compiler: the library needs cgo; install gcc (Debian: apt-get install gcc libc6-dev), or set CC")
	}
	return nil, fmt.Errorf("no C compiler for %s/%s on this %s/%s machine; install one (Debian: apt-get install gcc-%s), put zig on the PATH, or set %s",
		p.os, p.arch, env.GOOS, env.GOARCH, strings.ReplaceAll(strings.TrimSuffix(gnuCompilers[p.arch], "-gcc"), "_", "-"), variable)
}

// javaHome is the folder of a JDK with the headers of JNI: JAVA_HOME, or that of the javac on the PATH.
func javaHome() (string, error) {
	var looked []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if hasHeaders(home) {
			return home, nil
		}
		looked = append(looked, "JAVA_HOME="+home+" (no include/jni.h there: it is a runtime, not a JDK)")
	}
	if javac, err := exec.LookPath("javac"); err == nil {
		if real, err := filepath.EvalSymlinks(javac); err == nil {
			home := filepath.Dir(filepath.Dir(real))
			if hasHeaders(home) {
				return home, nil
			}
			looked = append(looked, home)
		}
	} else {
		looked = append(looked, "no javac on the PATH")
	}
	return "", fmt.Errorf("no JDK with include/jni.h (%s); install one (Debian: apt-get install openjdk-17-jdk-headless), or set JAVA_HOME", strings.Join(looked, "; "))
}

func hasHeaders(home string) bool {
	_, err := os.Stat(filepath.Join(home, "include", "jni.h"))
	return err == nil
}
