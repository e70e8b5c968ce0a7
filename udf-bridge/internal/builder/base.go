package builder

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
)

// baseJarName matches the jar that Maven makes of jvm-shim.
const baseJarName = "go-udf-bridge-*.jar"

// findBase finds the jar with the Java classes: the one given, one beside this program, or the one that Maven made in the
// Drey module.
func findBase(given, executable string, drey module) (string, error) {
	if given != "" {
		return given, nil
	}
	var looked []string
	for _, folder := range []string{filepath.Dir(executable), filepath.Join(drey.Dir, "jvm-shim", "target")} {
		matches, err := filepath.Glob(filepath.Join(folder, baseJarName))
		if err != nil {
			return "", err
		}
		newest, at := "", int64(0)
		for _, m := range matches {
			info, err := os.Stat(m)
			if err != nil || strings.HasSuffix(m, "-tests.jar") || strings.HasSuffix(m, "-sources.jar") || strings.HasSuffix(m, "-javadoc.jar") {
				continue
			}
			if t := info.ModTime().UnixNano(); newest == "" || t > at {
				newest, at = m, t
			}
		}
		if newest != "" {
			return newest, nil
		}
		looked = append(looked, folder)
	}
	build := "cd " + drey.Dir
	if drey.released() { // its folder is in the module cache, which nobody may write to
		build = fmt.Sprintf("git clone https://%s && cd %s && git checkout %s", drey.Path, filepath.Base(drey.Path), drey.Version)
	}
	return "", fmt.Errorf("the jar with Drey's Java classes, %s, is in none of %s; build it: %s && mvn -q -pl jvm-shim package -DskipTests, and say where it is: --shim-jar FILE",
		baseJarName, strings.Join(looked, ", "), build)
}

// baseEntries takes what a built jar needs out of the base jar: Drey's classes and services. What Maven adds is left.
func baseEntries(path string) (jarfile.Jar, error) {
	base, err := jarfile.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the jar with Drey's Java classes: %w", err)
	}
	taken := jarfile.Jar{}
	for name, content := range base {
		if fromBase(name) {
			taken[name] = content
		}
	}
	for _, class := range []string{"dev.drey.flink.udf.GoScalarFunction", "dev.drey.flink.udf.library.GoLibrary"} {
		if _, ok := taken[strings.ReplaceAll(class, ".", "/")+".class"]; !ok {
			return nil, fmt.Errorf("%s has no class %s; it is not, or not this version of, %s", path, class, baseJarName)
		}
	}
	return taken, nil
}

// fromBase is the allow-list of what comes from the base jar.
func fromBase(name string) bool {
	switch {
	case name == "GoUDFProxy.class", name == "META-INF/LICENSE", name == "META-INF/NOTICE":
		return true
	case strings.HasPrefix(name, "META-INF/services/"):
		return true
	default:
		return strings.HasPrefix(name, "dev/drey/flink/") && strings.HasSuffix(name, ".class")
	}
}

// Unknown lists the entries of a built jar that do not belong there: everything in it is Drey's, and nothing is Flink's.
func Unknown(jar jarfile.Jar, build string) []string {
	var unknown []string
	for name := range jar {
		generated := strings.HasPrefix(name, "dev/drey/udf/") && strings.HasSuffix(name, ".class") && strings.Count(name, "/") == 3
		own := name == jarfile.ManifestName || name == "META-INF/drey/build" || strings.HasPrefix(name, "META-INF/drey/"+build+"/")
		if !generated && !own && !fromBase(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
