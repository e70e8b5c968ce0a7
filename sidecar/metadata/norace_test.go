//go:build !race

package metadata

const stride = 1
