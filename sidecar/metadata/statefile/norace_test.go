//go:build !race

package statefile

const stride = 1
