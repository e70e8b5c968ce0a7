// Drey is the sidecar with the functions that come with it. To serve functions of your own, see package drey.
package main

import "github.com/drey-flink/drey/sidecar/drey"

func main() { drey.Main() }
