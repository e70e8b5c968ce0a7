//go:build race

package statefile

// stride is how many bytes a test that damages a large file goes on at a time.
const stride = 29
